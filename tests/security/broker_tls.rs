//! RabbitMQ by TLS: a server is believed that an authority vouches for by the right name, and no
//! other.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, Program, text};
use crate::harness::raw::WebSocket;
use crate::harness::{Folder, free_port, wait_for};
use harmony::broker::{Broker, BrokerError};
use harmony::connection_string::Endpoint;
use harmony::connection_string::amqp::{BrokerAddress, BrokerTls};
use rustix::process::{Pid, Signal, kill_process_group};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const NAME: &str = "rabbit.example";
/// RabbitMQ boots slowly, and slower on a busy machine.
const BOOTS_WITHIN: Duration = Duration::from_secs(180);
const ASK_WITHIN: Duration = Duration::from_secs(20);

/// An authority, and what it signs for a name and an address.
fn certificates(folder: &Folder, address: &str) -> [PathBuf; 4] {
    let authority = |name: &str| {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let common = rcgen::DnType::CommonName;
        parameters.distinguished_name.push(common, name);
        let key = rcgen::KeyPair::generate().expect("a key");
        rcgen::CertifiedIssuer::self_signed(parameters, key).expect("an authority")
    };
    let (right, wrong) = (authority("right"), authority("wrong"));
    let names = vec![NAME.to_owned(), address.to_owned()];
    let parameters = rcgen::CertificateParams::new(names).expect("names");
    let key = rcgen::KeyPair::generate().expect("a key");
    let server = parameters.signed_by(&key, &right).expect("a certificate");
    [
        folder.write("right.pem", &right.pem()),
        folder.write("wrong.pem", &wrong.pem()),
        folder.write("server.pem", &server.pem()),
        folder.write("server.key", &key.serialize_pem()),
    ]
}

/// A RabbitMQ that speaks TLS only, on the port that is usual for it.
struct SecureRabbitMq {
    program: Program,
    mapper: u16,
}

impl SecureRabbitMq {
    fn start(folder: &Folder, address: &str, files: &[PathBuf; 4]) -> Self {
        let [authority, _, certificate, key] = files.each_ref().map(|file| file.display());
        let configuration = format!(
            "listeners.tcp = none\nlisteners.ssl.1 = {address}:5671\n\
             ssl_options.cacertfile = {authority}\nssl_options.certfile = {certificate}\n\
             ssl_options.keyfile = {key}\nssl_options.verify = verify_none\n"
        );
        folder.write("rabbitmq.conf", &configuration);
        folder.write("plugins", "[].\n");
        let path = |name: &str| folder.path().join(name);
        let mapper = free_port();
        let node = format!("{}@localhost", crate::harness::unique("harmony-tls"));
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        command
            // Where Erlang leaves a dump if it ends badly.
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("ERL_EPMD_PORT", mapper.to_string())
            .env("RABBITMQ_NODENAME", node)
            .env("RABBITMQ_DIST_PORT", free_port().to_string())
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_PID_FILE", path("pid"))
            .process_group(0);
        let program = Program::start(&mut command);
        let rabbitmq = SecureRabbitMq { program, mapper };
        let began = Instant::now();
        while TcpStream::connect((address, 5671)).is_err() {
            let lines = rabbitmq.program.lines();
            assert!(began.elapsed() < BOOTS_WITHIN, "{lines:#?}");
            std::thread::park_timeout(Duration::from_millis(200));
        }
        rabbitmq
    }
}

impl Drop for SecureRabbitMq {
    fn drop(&mut self) {
        // The program is a script, which Erlang outlives; so does the port mapper.
        let group = Pid::from_raw(self.program.pid() as i32).expect("a pid");
        let _ = kill_process_group(group, Signal::KILL);
        // The mapper does not end before it knows that its node has.
        wait_for("the port mapper's end", || {
            let mut end = Command::new("epmd");
            end.arg("-kill");
            end.env("ERL_EPMD_PORT", self.mapper.to_string());
            let end = end.output().expect("epmd");
            let is_gone = end.status.success() || text(&end.stderr).contains("Cannot connect");
            is_gone.then_some(())
        });
    }
}

fn address(host: &str, authority: Option<&Path>, name: Option<&str>) -> BrokerAddress {
    BrokerAddress {
        tls: Some(BrokerTls {
            server_name: name.map(str::to_owned),
            authorities: authority.map(Path::to_owned),
        }),
        ..BrokerAddress::new(Endpoint::new(host, 5671), "", "", "")
    }
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn rabbitmq_is_reached_by_tls() {
    if !has("rabbitmq_is_reached_by_tls", &[Part::RabbitMq]) {
        return;
    }
    // Loopback has many addresses: this one is the test's own.
    let host = format!("127.{}.71.1", 2 + std::process::id() % 250);
    let folder = Folder::new();
    let files = certificates(&folder, &host);
    let _rabbitmq = SecureRabbitMq::start(&folder, &host, &files);
    let [right, wrong, ..] = files.each_ref().map(|file| file.as_path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let connect = |address: BrokerAddress| {
        runtime.block_on(async {
            let broker = Broker::connect(&address, "test", ASK_WITHIN).await?;
            broker.declare().await?;
            broker.close().await;
            Ok::<_, BrokerError>(())
        })
    };
    connect(address(&host, Some(right), None)).expect("by its address");
    connect(address(&host, Some(right), Some(NAME))).expect("by its name");
    for (refused, why) in [
        (
            address(&host, Some(right), Some("other.example")),
            "not valid for name",
        ),
        (address(&host, Some(wrong), None), "UnknownIssuer"),
        (address(&host, None, None), "UnknownIssuer"),
    ] {
        let error = connect(refused).expect_err(why);
        assert!(matches!(error, BrokerError::Tls(_)), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let version = runtime.block_on(Broker::version(
        &address(&host, Some(right), None),
        ASK_WITHIN,
    ));
    assert!(version.is_some_and(|version| version.contains('.')));

    // A hub with nothing but these settings: the port is the usual one.
    let settings = |more: &str| {
        format!(
            "{{ \"BrokerConfiguration\": {{ \"Host\": \"{host}\", \"Tls\": true, {more} \
             \"TlsCaFile\": \"right.pem\" }} }}"
        )
    };
    let home = Folder::new();
    home.write(
        "right.pem",
        &std::fs::read_to_string(right).expect("a file"),
    );
    home.write("appsettings.json", &settings(""));
    let from = format!("--settings={}", home.path().display());
    let hub = Hub::start(&[&from, "--redis=none"]);
    hub.wait_until_ready();
    let mut client = WebSocket::connected(hub.address());
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    client.invoke("ListenForBoardEvents", board);
    let body = format!("{{\"BoardId\":\"{board}\",\"CardId\":\"{board}\",\"Title\":\"by TLS\"}}");
    runtime.block_on(async {
        let address = address(&host, Some(right), None);
        let broker = Broker::connect(&address, "test", ASK_WITHIN)
            .await
            .expect("RabbitMQ");
        broker
            .publish("CardTitleChanged", body.as_bytes())
            .await
            .expect("a message");
        broker.close().await;
    });
    assert_eq!(client.message()["arguments"][0]["title"], "by TLS");

    home.write(
        "appsettings.json",
        &settings("\"TlsServerName\": \"other.example\","),
    );
    let mut lost = Hub::start(&[&from, "--redis=none"]);
    let said = lost.program.wait_for_line("RabbitMQ can't be used");
    let lines = lost.program.lines().join("\n");
    assert!(lines.contains("not valid for name"), "{said}\n{lines}");
}
