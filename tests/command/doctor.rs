//! What `doctor` finds around a hub, and what `certs` and `status` say of it.

use super::bare::{Down, bare, json};
use crate::harness::amqp::{self, header, headers, type_header};
use crate::harness::parts::{Part, has};
use crate::harness::program::{harmony, run, text};
use crate::harness::services::RabbitMq;
use crate::harness::{Folder, free_port, wait_for};
use serde_json::{Value, json as document};
use std::process::Command;

pub const SIGNALR: &str = "src/Services/Harmony.SignalR";
const GATEWAY: &str = "src/ApiGateways/Harmony.ApiGateway";

/// The check of a name; `None` where there is none.
pub fn check(command: &mut Command, name: &str) -> Option<Value> {
    let output = run(command.arg("--json"));
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    let checks = answer["checks"].as_array().expect("checks").clone();
    checks.into_iter().find(|check| check["name"] == name)
}

pub fn doctor(folder: &Folder) -> Command {
    bare(folder, &["doctor"])
}

/// A checkout whose client knows only the gateway.
pub fn checkout(folder: &Folder) {
    folder.write("Harmony.sln", "");
    folder.write(&format!("{SIGNALR}/appsettings.json"), "{}");
    folder.write(
        "src/Web/Harmony.Client/wwwroot/appsettings.json",
        "{ \"gatewayUrl\": \"https://localhost:7137\" }",
    );
    folder.write(&format!("{GATEWAY}/ocelot.json"), "{ \"Routes\": [] }");
}

#[test]
fn a_proxy_for_everything_is_pointed_out() {
    let folder = Folder::new();
    let found = check(
        doctor(&folder).env("https_proxy", "http://proxy:3128"),
        "proxies",
    );
    let found = found.expect("a check");
    assert_eq!(found["status"], "warning", "{found}");
    assert!(
        found["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("NO_PROXY"))
    );
    let exempt = check(
        doctor(&folder)
            .env("HTTPS_PROXY", "http://proxy:3128")
            .env("NO_PROXY", "example.com, localhost"),
        "proxies",
    );
    assert_eq!(exempt.expect("a check")["status"], "ok");
}

#[test]
fn trusting_every_proxy_is_pointed_out() {
    let folder = Folder::new();
    checkout(&folder);
    let enabled = "ASPNETCORE_FORWARDEDHEADERS_ENABLED";
    let found = check(doctor(&folder).env(enabled, "true"), "forwarded headers");
    assert_eq!(found.expect("a check")["status"], "warning");
    assert_eq!(check(&mut doctor(&folder), "forwarded headers"), None);
    for known in [document!("10.0.0.1, 10.0.0.2"), document!(["10.0.0.1"])] {
        let settings = document!({ "ForwardedHeaders": { "KnownProxies": known } });
        folder.write(
            &format!("{SIGNALR}/appsettings.json"),
            &settings.to_string(),
        );
        let found = check(doctor(&folder).env(enabled, "true"), "forwarded headers");
        assert_eq!(found, None, "{settings}");
    }
}

#[test]
fn a_gateway_without_the_hubs_route_is_a_failure() {
    let folder = Folder::new();
    checkout(&folder);
    let found = check(&mut doctor(&folder), "gateway").expect("a check");
    assert_eq!(found["status"], "failed", "{found}");
    assert!(
        found["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("/signalRHub/{everything}"))
    );
    let route = document!({ "Routes": [{
        "UpstreamPathTemplate": "/signalRHub/{everything}", "DownstreamScheme": "wss",
        "DownstreamHostAndPorts": [{ "Host": "localhost", "Port": 7262 }]
    }]});
    folder.write(&format!("{GATEWAY}/ocelot.json"), &route.to_string());
    let found = check(&mut doctor(&folder), "gateway").expect("a check");
    assert_eq!(found["status"], "ok", "{found}");
}

#[test]
fn a_dotnet_version_out_of_support_is_pointed_out() {
    let folder = Folder::new();
    checkout(&folder);
    for (version, status) in [("net6.0", "warning"), ("net10.0", "ok")] {
        folder.write(
            &format!("{SIGNALR}/Harmony.SignalR.csproj"),
            &format!("<Project><TargetFramework>{version}</TargetFramework></Project>"),
        );
        let found = check(&mut doctor(&folder), ".NET").expect("a check");
        assert_eq!(found["status"], status, "{found}");
    }
}

#[test]
fn a_secret_that_git_tracks_is_pointed_out() {
    let folder = Folder::new();
    checkout(&folder);
    let git = |arguments: &[&str]| {
        let output = run(Command::new("git")
            .current_dir(folder.path())
            .env("HOME", folder.path().join("home"))
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments));
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    assert_eq!(
        check(&mut doctor(&folder), "git").expect("a check")["status"],
        "ok"
    );
    git(&["init", "-q"]);
    git(&["add", "src"]);
    git(&["commit", "-q", "-m", "Start"]);
    folder.write(
        &format!("{SIGNALR}/appsettings.json"),
        "{ \"BrokerConfiguration\": { \"Password\": \"hunter2\" } }",
    );
    let found = check(&mut doctor(&folder), "git").expect("a check");
    assert_eq!(found["status"], "warning", "{found}");
    let said = found.to_string();
    assert!(
        said.contains("BrokerConfiguration:Password") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn a_certificate_that_ends_soon_is_pointed_out() {
    let folder = Folder::new();
    checkout(&folder);
    for (days, status) in [("10", "warning"), ("200", "ok")] {
        let output = run(Command::new("openssl")
            .current_dir(folder.path())
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-days", days, "-keyout", "hub.key", "-out", "hub.pem"]));
        assert!(output.status.success(), "{}", text(&output.stderr));
        let place = |name: &str| folder.path().join(name);
        let settings = document!({ "Kestrel": { "Certificates": { "Default": {
            "Path": place("hub.pem"), "KeyPath": place("hub.key")
        }}}});
        folder.write(
            &format!("{SIGNALR}/appsettings.json"),
            &settings.to_string(),
        );
        let found = check(&mut doctor(&folder), "certificate").expect("a check");
        assert_eq!(found["status"], status, "{found}");
    }
}

#[test]
#[ignore = "needs certutil: run tests/run"]
fn certs_trust_reaches_the_browsers_and_clean_takes_it_back() {
    if !has(
        "certs_trust_reaches_the_browsers_and_clean_takes_it_back",
        &[Part::Certutil],
    ) {
        return;
    }
    let folder = Folder::new();
    let certs = |command: &str| json(&mut bare(&folder, &["certs", command]));
    assert_eq!(certs("status")["path"], Value::Null);
    let trusted = certs("trust");
    assert_eq!(trusted["madeBy"], "harmony", "{trusted}");
    let browsers = |report: &Value| {
        let stores = report["stores"].as_array().expect("stores").clone();
        let store = stores.into_iter().find(|store| {
            store["store"]
                .as_str()
                .is_some_and(|name| name.contains(".pki/nssdb"))
        });
        store.map(|store| store["trusted"] == true)
    };
    assert_eq!(browsers(&trusted), Some(true), "{trusted}");
    assert_eq!(browsers(&certs("status")), Some(true));
    // The browsers' own judgement of the certificate as a server's.
    let database = format!("sql:{}", folder.path().join("home/.pki/nssdb").display());
    let judged = run(Command::new("certutil").args([
        "-V",
        "-u",
        "V",
        "-n",
        "harmony-localhost",
        "-d",
        &database,
    ]));
    assert!(
        text(&judged.stdout).contains("is valid"),
        "{}{}",
        text(&judged.stdout),
        text(&judged.stderr)
    );
    let cleaned = certs("clean");
    assert_eq!(cleaned["path"], Value::Null, "{cleaned}");
    assert_eq!(
        browsers(&certs("trust")),
        Some(true),
        "a new one is made and trusted"
    );
}

#[test]
fn a_bundle_holds_what_support_needs_and_no_secret() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let settings = "harmony/Harmony.SignalR/appsettings.json";
    let secret = document!({
        "RedisConnectionString": "127.0.0.1:1,password=s3cr3t-of-redis",
        "BrokerConfiguration": { "Password": "s3cr3t \"of\" rabbitmq" }
    });
    folder.write(settings, &secret.to_string());
    let state = folder
        .path()
        .join("home/.local/state/harmony/harmony/hub.log");
    let log = std::fs::read_to_string(&state).expect("a log");
    std::fs::write(&state, log + "connecting with s3cr3t-of-redis\n").expect("a log");
    run(&mut bare(
        &folder,
        &["doctor", "--bundle", "support.tar.gz"],
    ));
    let unpacked = run(Command::new("tar")
        .current_dir(folder.path())
        .args(["-xzf", "support.tar.gz"]));
    assert!(unpacked.status.success(), "{}", text(&unpacked.stderr));
    for (name, holds) in [
        ("version.txt", "0."),
        ("doctor.json", "\"checks\""),
        ("status.json", "\"hub\""),
        ("plan.json", "steps"),
        ("settings.json", "********"),
        ("hub.log", "Application started"),
    ] {
        let text = folder.read(&format!("harmony-support/{name}"));
        assert!(text.contains(holds), "{name}: {text}");
        assert!(!text.contains("s3cr3t"), "{name}: {text}");
    }
}

#[test]
fn fix_starts_what_died_after_asking() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let output = run(&mut bare(&folder, &["doctor", "--fix", "--yes"]));
    let said = text(&output.stderr);
    assert!(said.contains("Nothing was changed"), "{said}");
    // A listener that does not speak: the hub's process is there and does not respond.
    let thief = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = thief.local_addr().expect("an address").port();
    folder.write(
        "harmony/Harmony.Client/wwwroot/appsettings.json",
        &format!("{{ \"signalrHostUrl\": \"http://localhost:{taken}\" }}"),
    );
    let output = run(&mut bare(&folder, &["doctor", "--fix"]));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("pass --yes"), "{said}");
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn rejected_messages_show_with_the_command_to_look_at_them() {
    if !has(
        "rejected_messages_show_with_the_command_to_look_at_them",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let (folder, rabbitmq) = (Folder::new(), RabbitMq::start());
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let up = json(
        harmony(folder.path())
            .args(["up", "--yes", "--redis", "none", "--hub-url", &url])
            .args(["--rabbitmq", &format!("127.0.0.1:{}", rabbitmq.port)])
            .args(["--rabbitmq-vhost", &rabbitmq.virtual_host]),
    );
    assert_eq!(up["hub"]["state"], "running", "{up}");
    let status = |arguments: &[&str]| run(harmony(folder.path()).arg("status").args(arguments));
    assert!(!text(&status(&[]).stdout).contains("rejected"));
    let bad = ["publish", "BranchCreated", "--no-check", "--json"];
    let output = run(harmony(folder.path()).args(bad));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["error"]["code"], "rejected", "{answer}");
    wait_for("the rejected message", || {
        let report: Value = serde_json::from_slice(&status(&["--json"]).stdout).ok()?;
        (report["rabbitmq"]["rejectedMessages"] == 1).then_some(())
    });
    let said = text(&status(&[]).stdout);
    assert!(
        said.contains("1 rejected messages: 'harmony rejected list'"),
        "{said}"
    );
    let found = check(&mut doctor(&folder), "rejected messages").expect("a check");
    assert_eq!(found["status"], "warning", "{found}");
    let long = header(b"trace", b'S', &amqp::long(&[b'x'; 100_000]));
    let properties = headers(&[type_header("CardTitleChanged"), long]);
    rabbitmq.publisher().publish(&properties, b"not JSON");
    let list = |arguments: &[&str]| run(harmony(folder.path()).arg("rejected").args(arguments));
    wait_for("the message with a long header", || {
        let listed: Value = serde_json::from_slice(&list(&["list", "--json"]).stdout).ok()?;
        (listed["rejected"][1]["headersOmitted"] == 1).then_some(())
    });
    let shown = text(&list(&["show", "2"]).stdout);
    assert!(shown.contains("omitted 1 header"), "{shown}");
    assert!(text(&list(&["list"]).stdout).contains("(without 1 header)"));
    let taken = ["publish", "CardTitleChanged", "--json"];
    let output = run(harmony(folder.path()).args(taken));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["outcome"], "taken", "{answer}");
}
