//! Kinds of Redis that a connection string may lead to: behind TLS, with few rights, full, a
//! replica beside its primary.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, harmony, run, text};
use crate::harness::raw::WebSocket;
use crate::harness::redis::{ConnectProxy, ask};
use crate::harness::services::Redis;
use crate::harness::{Folder, free_port};
use std::process::Command;
use std::sync::atomic::Ordering;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

fn hubs(connection_string: &str, variables: &[(&str, String)]) -> [Hub; 2] {
    [(); 2].map(|()| {
        let redis = format!("--RedisConnectionString={connection_string}");
        let hub = Hub::start_with(
            "http://127.0.0.1:0",
            &["--rabbitmq=embedded", &redis],
            variables,
        );
        hub.wait_until_ready();
        hub
    })
}

/// What comes in at one hub is heard at the other, in order.
fn carry(hubs: &[Hub; 2], messages: usize, size: usize) {
    let mut client = WebSocket::connected(hubs[1].address());
    client.invoke("ListenForBoardEvents", BOARD);
    let filling = "x".repeat(size);
    for number in 0..messages {
        let body = format!(
            "{{\"BoardId\":\"{BOARD}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"{number} {filling}\"}}"
        );
        let answer = hubs[0].notify("CardTitleChanged", &body);
        assert_eq!(answer.status, 202, "{number}: {answer:?}");
    }
    for number in 0..messages {
        let title = client.message()["arguments"][0]["title"]
            .as_str()
            .expect("a title")
            .to_owned();
        assert!(
            title.starts_with(&format!("{number} ")),
            "{number} is not {}",
            &title[..10.min(title.len())]
        );
    }
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn behind_tls_with_a_certificate_of_another_name() {
    if !has(
        "behind_tls_with_a_certificate_of_another_name",
        &[Part::Redis],
    ) {
        return;
    }
    let folder = Folder::new();
    let script = "set -e
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca-key.pem -out ca.pem -subj /CN=ca 2>/dev/null
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out redis.csr -subj /CN=redis 2>/dev/null
        printf 'subjectAltName=DNS:redis.example\\n' >redis.ext
        openssl x509 -req -in redis.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile redis.ext -out redis.pem 2>/dev/null";
    let made = run(Command::new("bash")
        .current_dir(folder.path())
        .args(["-c", script]));
    assert!(made.status.success(), "{}", text(&made.stderr));
    let path = |name: &str| folder.path().join(name).display().to_string();
    let tls = free_port().to_string();
    let _redis = Redis::with(
        free_port(),
        &[
            "--tls-port",
            &tls,
            "--tls-cert-file",
            &path("redis.pem"),
            "--tls-key-file",
            &path("key.pem"),
            "--tls-ca-cert-file",
            &path("ca.pem"),
            "--tls-auth-clients",
            "no",
            "--requirepass",
            "a-password",
        ],
    );
    let text = format!(
        "127.0.0.1:{tls},ssl=true,sslHost=redis.example,password=a-password,abortConnect=false"
    );
    carry(&hubs(&text, &[("SSL_CERT_FILE", path("ca.pem"))]), 10, 10);
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn without_the_right_to_keep_a_log_messages_are_carried_all_the_same() {
    if !has(
        "without_the_right_to_keep_a_log_messages_are_carried_all_the_same",
        &[Part::Redis],
    ) {
        return;
    }
    let redis = Redis::start();
    let granted = run(Command::new("redis-cli").args([
        "-p",
        &redis.port.to_string(),
        "ACL",
        "SETUSER",
        "limited",
        "on",
        ">secret",
        "~*",
        "&*",
        "+@all",
        "-@stream",
        "-@scripting",
    ]));
    assert_eq!(text(&granted.stdout).trim(), "OK");
    let hubs = hubs(
        &format!("127.0.0.1:{},user=limited,password=secret", redis.port),
        &[],
    );
    carry(&hubs, 20, 10);
    let said = hubs[0]
        .program
        .lines()
        .iter()
        .filter(|line| line.contains("Redis refuses the log of messages"))
        .count();
    assert!(said <= 1, "said once");
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn a_redis_that_is_full_still_carries_messages() {
    if !has(
        "a_redis_that_is_full_still_carries_messages",
        &[Part::Redis],
    ) {
        return;
    }
    let redis = Redis::with(
        free_port(),
        &["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"],
    );
    // Twelve megabytes of them.
    carry(&hubs(&redis.connection_string(), &[]), 600, 20_000);
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn of_several_the_primary_is_used() {
    if !has("of_several_the_primary_is_used", &[Part::Redis]) {
        return;
    }
    let primary = Redis::start();
    let replica = Redis::with(
        free_port(),
        &["--replicaof", "127.0.0.1", &primary.port.to_string()],
    );
    // The replica comes first; what is published there its primary would not hear.
    let both = hubs(
        &format!("127.0.0.1:{},127.0.0.1:{}", replica.port, primary.port),
        &[],
    );
    carry(&both, 10, 10);
    let listening = run(Command::new("redis-cli").args([
        "-p",
        &replica.port.to_string(),
        "PUBSUB",
        "CHANNELS",
    ]));
    assert_eq!(
        text(&listening.stdout).trim(),
        "",
        "nobody listens on the replica"
    );
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn by_the_file_of_a_unix_socket() {
    if !has("by_the_file_of_a_unix_socket", &[Part::Redis]) {
        return;
    }
    let folder = Folder::new();
    let socket = folder.path().join("redis.sock").display().to_string();
    let _redis = Redis::with(
        free_port(),
        &["--unixsocket", &socket, "--requirepass", "pw"],
    );
    carry(&hubs(&format!("!{socket},password=pw"), &[]), 100, 100);
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn through_an_http_proxy_and_never_beside_it() {
    if !has("through_an_http_proxy_and_never_beside_it", &[Part::Redis]) {
        return;
    }
    let redis = Redis::start();
    let proxy = ConnectProxy::start(None);
    let options = format!(
        "localhost:{},tunnel=http:127.0.0.1:{}",
        redis.port, proxy.port
    );
    carry(&hubs(&options, &[]), 100, 100);
    // Two connections of each hub.
    assert_eq!(proxy.made.load(Ordering::Relaxed), 4);
    let clients = ask(redis.port, &[&[b"CLIENT", b"LIST"]]);
    assert_eq!(clients.matches("resp=3").count(), 4, "{clients}");

    let closed = ConnectProxy::start(Some("403 Forbidden"));
    let options = format!(
        "localhost:{},tunnel=http:127.0.0.1:{}",
        redis.port, closed.port
    );
    let redis = format!("--RedisConnectionString={options}");
    let mut hub = Hub::start(&["--rabbitmq=embedded", &redis]);
    hub.program
        .wait_for_line("the proxy refuses: HTTP/1.1 403 Forbidden");
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn every_option_does_something_or_is_refused() {
    if !has("every_option_does_something_or_is_refused", &[Part::Redis]) {
        return;
    }
    let redis = Redis::start();
    let address = redis.connection_string();
    let start = |options: &str| {
        let redis = format!("--RedisConnectionString={address},{options}");
        let hub = Hub::start(&["--rabbitmq=embedded", &redis]);
        hub.wait_until_ready();
        hub
    };
    let hub = start(
        "name=kanban,defaultDatabase=3,setlib=false,keepAlive=1,configCheckSeconds=5,writeBuffer=9",
    );
    let clients = ask(redis.port, &[&[b"CLIENT", b"LIST"]]);
    let ours: Vec<_> = clients
        .lines()
        .filter(|line| line.contains("name=kanban"))
        .collect();
    assert_eq!(ours.len(), 2, "{clients}");
    assert!(ours.iter().all(|line| line.contains("db=3")), "{clients}");
    let lines = hub.program.lines().join("\n");
    assert!(
        lines.contains("configCheckSeconds, writeBuffer") && lines.contains("no effect"),
        "{lines}"
    );
    for (options, said) in [
        ("proxy=Twemproxy", "proxy is not supported"),
        ("highIntegrity=true", "highIntegrity is not supported"),
        (
            "ssl=true,checkCertificateRevocation=true",
            "checkCertificateRevocation is not supported",
        ),
        (
            "ssl=true,sslProtocols=tls11",
            "sslProtocols is not supported",
        ),
        ("$PUBLISH=XPUB", "$PUBLISH is not supported"),
        ("tunnel=socks:host:1", "requires http:HOST:PORT"),
        ("tunnel=http:host", "requires http:HOST:PORT"),
    ] {
        let folder = Folder::new();
        let setting = format!("--RedisConnectionString={address},{options}");
        let arguments = [
            "hub",
            "--urls=http://127.0.0.1:0",
            "--rabbitmq=embedded",
            &setting,
        ];
        let output = run(harmony(folder.path()).args(arguments));
        let error = text(&output.stderr);
        assert!(
            !output.status.success() && error.contains(said),
            "{options}: {error}"
        );
    }
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn clients_are_served_before_redis_is_there_where_that_is_wanted() {
    if !has(
        "clients_are_served_before_redis_is_there_where_that_is_wanted",
        &[Part::Redis],
    ) {
        return;
    }
    let port = free_port();
    let redis = format!("--RedisConnectionString=127.0.0.1:{port},abortConnect=false");
    let hub = Hub::start(&["--rabbitmq=embedded", &redis]);
    let mut client = WebSocket::connected(hub.address());
    client.invoke("ListenForBoardEvents", BOARD);
    let _redis = Redis::on(port);
    hub.wait_until_ready();
    let body = format!(
        "{{\"BoardId\":\"{BOARD}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"late\"}}"
    );
    let answer = hub.notify("CardTitleChanged", &body);
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(client.message()["arguments"][0]["title"], "late");
}
