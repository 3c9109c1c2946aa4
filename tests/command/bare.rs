//! A bare machine: nothing but our executable.

use crate::harness::program::{Program, harmony, run, text};
use crate::harness::services::{Part, has, node_modules};
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::process::Command;

/// `harmony` without containers, whatever this machine has.
pub fn bare(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = harmony(folder.path());
    command.args(arguments);
    if arguments.first() == Some(&"up") {
        command.args(["--redis", "none", "--rabbitmq", "embedded"]);
    }
    command
}

pub fn json(command: &mut Command) -> Value {
    let output = run(command.arg("--json"));
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

/// Brings an instance down when the test ends, however it ends.
pub struct Down<'f>(pub &'f Folder, pub Vec<String>);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        run(harmony(self.0.path())
            .args(["down", "--volumes", "--yes"])
            .args(&self.1));
    }
}

#[test]
fn from_nothing_to_a_client_that_hears() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    assert_eq!(first["hub"]["state"], "running");
    assert_eq!(first["hub"]["url"], url);
    assert_eq!(
        [&first["redis"]["state"], &first["rabbitmq"]["state"]],
        ["embedded", "embedded"]
    );
    assert_eq!(first["changes"], 3, "{first}");
    assert!(
        folder
            .read("harmony/Harmony.Client/wwwroot/appsettings.json")
            .contains(&url)
    );
    assert!(
        folder
            .read("harmony/Harmony.SignalR/appsettings.json")
            .contains("BrokerConfiguration")
    );

    let second = json(&mut bare(&folder, &["up", "--yes"]));
    assert_eq!(second["changes"], 0, "{second}");
    assert_eq!(second["hub"]["pid"], first["hub"]["pid"]);

    let status = json(&mut bare(&folder, &["status"]));
    assert_eq!(status["hub"]["state"], "running");

    let verified = json(&mut bare(&folder, &["verify"]));
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["instances"][0]["heard"], true);

    if has("from_nothing_to_a_client_that_hears", &[Part::Node]) {
        let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
        let mut client = javascript(&url, board, "OnCardTitleChanged");
        let published = run(&mut bare(
            &folder,
            &[
                "publish",
                "CardTitleChanged",
                "--board",
                board,
                "--field",
                "Title=Hello <you>",
            ],
        ));
        assert!(published.status.success(), "{}", text(&published.stderr));
        let heard: Value = serde_json::from_str(&format!(
            "{{\"heard\"{}",
            client.wait_for_line("{\"heard\"")
        ))
        .expect("JSON");
        assert_eq!(heard["argument"]["title"], "Hello <you>");
    }

    let down = json(&mut bare(&folder, &["down"]));
    assert_eq!(down["changes"], 1);
    assert_eq!(
        json(&mut bare(&folder, &["status"]))["hub"]["state"],
        "absent"
    );
    assert_eq!(json(&mut bare(&folder, &["down"]))["changes"], 0);
}

/// The official JavaScript client, listening to a board.
pub fn javascript(url: &str, board: &str, event: &str) -> Program {
    javascript_by(url, board, event, None)
}

/// The same, negotiating a transport.
pub fn javascript_by(url: &str, board: &str, event: &str, transport: Option<&str>) -> Program {
    let mut command = Command::new("node");
    command.arg(format!(
        "{}/tests/clients/listen.mjs",
        env!("CARGO_MANIFEST_DIR")
    ));
    command
        .args([node_modules().expect("npm packages").as_os_str()])
        .args([url, "ListenForBoardEvents", board, event])
        .args(transport);
    let mut program = Program::start(&mut command);
    program.wait_for_line("\"listening\"");
    program
}

#[test]
#[ignore = "needs the JavaScript client: run tests/run"]
fn the_javascript_client_comes_back_after_a_restart_of_the_hub() {
    if !has(
        "the_javascript_client_comes_back_after_a_restart_of_the_hub",
        &[Part::Node],
    ) {
        return;
    }
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let mut client = javascript(&url, board, "OnCardTitleChanged");
    json(&mut bare(&folder, &["down"]));
    json(&mut bare(&folder, &["up", "--yes"]));
    client.wait_for_line("\"reconnected\"");
    assert!(
        run(&mut bare(
            &folder,
            &["publish", "CardTitleChanged", "--board", board]
        ))
        .status
        .success()
    );
    client.wait_for_line("\"heard\"");
}

#[cfg(unix)]
#[test]
fn without_docker_and_servers_up_falls_back_to_embedded_and_says_so() {
    if !rustix::process::geteuid().is_root() {
        return; // the machine's Docker is hidden by a mount of the test's own
    }
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--net",
        "sh",
        "-c",
        "mount -t tmpfs none /run && ip link set lo up; exec \"$@\"",
        "sh",
    ]);
    command.args([
        crate::harness::program::HARMONY,
        "up",
        "--yes",
        "--hub-url",
        &url,
    ]);
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    command
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = run(&mut command);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("Embedded: one process, without Redis and RabbitMQ."),
        "{}",
        text(&output.stderr)
    );
    assert!(
        text(&output.stdout).contains(&url)
            && text(&output.stderr).contains("Next: harmony verify")
    );
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_change() {
    let folder = Folder::new();
    let url = format!("http://localhost:{}", free_port());
    let plan = json(&mut bare(&folder, &["up", "--dry-run", "--hub-url", &url]));
    assert_eq!(plan["changes"], 3);
    assert_eq!(plan["steps"][0]["action"], "create");
    assert!(!folder.path().join("harmony").exists());
    let code = run(&mut bare(
        &folder,
        &["up", "--dry-run", "--detailed-exitcode", "--hub-url", &url],
    ))
    .status
    .code();
    assert_eq!(code, Some(4));
}

#[test]
fn settings_changed_by_hand_replace_the_hub() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let settings = folder.read("harmony/Harmony.SignalR/appsettings.json");
    folder.write(
        "harmony/Harmony.SignalR/appsettings.json",
        &settings.replace("Information", "Warning"),
    );
    let second = json(&mut bare(&folder, &["up", "--yes"]));
    assert_eq!(
        second["steps"][0]["cause"], "its settings changed",
        "{second}"
    );
    assert_ne!(first["hub"]["pid"], second["hub"]["pid"]);
}

#[test]
fn https_is_served_where_the_url_says_so() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("https://localhost:{}", free_port());
    let up = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    assert_eq!(up["hub"]["url"], url);
    assert_eq!(json(&mut bare(&folder, &["verify"]))["ok"], true);
    if has("https_is_served_where_the_url_says_so", &[Part::Node]) {
        javascript(&url, "b", "OnCardTitleChanged");
    }
}

#[test]
fn what_the_development_certificate_of_dotnet_is_there_for() {
    let folder = Folder::new();
    let store = folder
        .path()
        .join("home/.dotnet/corefx/cryptography/x509stores/my");
    std::fs::create_dir_all(&store).expect("a store");
    // Any PFX without .NET's mark, or that needs a password, is passed over.
    for name in ["aspnetcore-dev.pfx", "openssl-no-password.pfx"] {
        let fixture = format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(fixture, store.join(name)).expect("a copy");
    }
    let kept = folder.path().join("kept");
    let home = folder.path().join("home");
    let first = harmony::tls::development_certificate(Some(&home), &kept).expect("a certificate");
    harmony::tls::install_provider();
    harmony::tls::acceptor(&first.source).expect("a certificate that serves");
    let again = harmony::tls::development_certificate(Some(&home), &kept).expect("a certificate");
    assert_eq!(first.source, again.source, "it is kept");
}

#[test]
fn every_recorded_certificate_serves() {
    use harmony::secret::Secret;
    use harmony::tls::{CertificateSource, acceptor, install_provider};
    install_provider();
    let fixtures = format!("{}/tests/fixtures/tls", env!("CARGO_MANIFEST_DIR"));
    let file = |name: &str| std::path::PathBuf::from(format!("{fixtures}/{name}"));
    for (name, key, password) in [
        ("aspnetcore-dev.pfx", None, Some("harmony")),
        ("openssl-no-password.pfx", None, None),
        ("openssl-legacy.pfx", None, Some("harmony")),
        ("aspnetcore-dev.pem", Some("aspnetcore-dev.key"), None),
        (
            "aspnetcore-dev-encrypted.pem",
            Some("aspnetcore-dev-encrypted.key"),
            Some("harmony"),
        ),
    ] {
        let source = CertificateSource {
            path: file(name),
            key_path: key.map(file),
            password: password.map(Secret::new),
        };
        acceptor(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let wrong = CertificateSource {
        path: file("aspnetcore-dev.pfx"),
        key_path: None,
        password: Some(Secret::new("wrong")),
    };
    let error = acceptor(&wrong)
        .err()
        .expect("a wrong password")
        .to_string();
    assert!(
        error.contains("aspnetcore-dev.pfx") && error.contains("password"),
        "{error}"
    );
    for password in [None, Some("wrong")] {
        let wrong = CertificateSource {
            path: file("aspnetcore-dev-encrypted.pem"),
            key_path: Some(file("aspnetcore-dev-encrypted.key")),
            password: password.map(Secret::new),
        };
        let error = acceptor(&wrong)
            .err()
            .expect("an encrypted key")
            .to_string();
        assert!(
            error.contains("aspnetcore-dev-encrypted.key") && error.contains("password"),
            "{error}"
        );
    }
}

#[test]
fn a_certificate_that_changes_is_served_without_a_restart() {
    let folder = Folder::new();
    let made = |name: &str| {
        let output = run(Command::new("openssl").current_dir(folder.path()).args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "key.pem",
            "-out",
            "certificate.pem",
            "-subj",
            &format!("/CN={name}"),
        ]));
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    made("first.example");
    let port = free_port();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let hub = crate::harness::program::Hub::start_at(
        &format!("https://127.0.0.1:{port}"),
        &[
            "--rabbitmq=embedded",
            "--redis=none",
            &format!(
                "--Kestrel:Certificates:Default:Path={}",
                path("certificate.pem")
            ),
            &format!("--Kestrel:Certificates:Default:KeyPath={}", path("key.pem")),
        ],
    );
    let subject =
        || text(&run(Command::new("openssl").args(["s_client", "-connect", hub.address()])).stdout);
    assert!(subject().contains("first.example"));
    made("second.example");
    crate::harness::wait_for("the new certificate", || {
        subject().contains("second.example").then_some(())
    });
}

#[cfg(unix)]
#[test]
fn a_hub_that_dies_is_started_again() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]))["hub"]["pid"]
        .as_u64()
        .expect("a pid");
    // One that dies at once was never up; this one lives a little first.
    let began = std::time::Instant::now();
    crate::harness::wait_for("a life long enough", || {
        (began.elapsed().as_secs() >= 3).then_some(())
    });
    let pid = rustix::process::Pid::from_raw(first as i32).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a kill");
    let second = crate::harness::wait_for("another hub", || {
        let status = json(&mut bare(&folder, &["status"]));
        status["hub"]["pid"]
            .as_u64()
            .filter(|second| *second != first && status["hub"]["state"] == "running")
    });
    assert_eq!(json(&mut bare(&folder, &["verify"]))["ok"], true);
    assert!(
        folder
            .read("home/.local/state/harmony/harmony/hub.log")
            .contains("the hub died")
    );
    json(&mut bare(&folder, &["down", "--yes"]));
    assert_eq!(
        json(&mut bare(&folder, &["status"]))["hub"]["state"],
        "absent"
    );
    let gone = rustix::process::Pid::from_raw(second as i32).expect("a pid");
    assert!(
        rustix::process::test_kill_process(gone).is_err(),
        "it is not started once more"
    );
}

#[test]
fn doctor_says_what_would_not_work_and_how_to_mend_it() {
    let folder = Folder::new();
    let broken = "{ \"BrokerConfiguration\": { \"Port\": 99999 } }";
    folder.write("harmony/Harmony.SignalR/appsettings.json", broken);
    let diagnosis = |command: &mut Command| {
        let output = run(command.arg("--json"));
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
        (output.status.code(), answer)
    };
    let failed = |answer: &Value| {
        let checks = answer["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .filter(|check| check["status"] == "failed");
        checks
            .map(|check| {
                (
                    check["name"].clone(),
                    check["message"].as_str().expect("a message").to_owned(),
                    check["fix"].as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let (code, answer) = diagnosis(&mut bare(&folder, &["doctor"]));
    assert_eq!(code, Some(1));
    assert!(
        failed(&answer)
            .iter()
            .any(|(name, message, fix)| name == "value"
                && message.contains("99999")
                && !fix.is_empty()),
        "{answer}"
    );

    folder.write("harmony/Harmony.SignalR/appsettings.json", "{ broken");
    let (code, answer) = diagnosis(&mut bare(&folder, &["doctor"]));
    assert_eq!(code, Some(1));
    assert!(
        failed(&answer).iter().any(|(name, ..)| name == "settings"),
        "{answer}"
    );

    folder.write("harmony/Harmony.SignalR/appsettings.json", "{}");
    let thief = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "{{ \"signalrHostUrl\": \"http://localhost:{}\" }}",
        thief.local_addr().expect("an address").port()
    );
    folder.write("harmony/Harmony.Client/wwwroot/appsettings.json", &url);
    let (code, answer) =
        diagnosis(bare(&folder, &["doctor"]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock"));
    assert_eq!(code, Some(6));
    let failures = failed(&answer);
    assert!(
        failures
            .iter()
            .any(|(name, message, _)| name == "hub" && message.contains("uses its port")),
        "{answer}"
    );
    assert!(
        failures
            .iter()
            .any(|(name, message, _)| name == "engine"
                && message.contains("/nonexistent/docker.sock")),
        "{answer}"
    );

    let in_the_way = folder.write("in-the-way", "");
    let (code, answer) = diagnosis(bare(&folder, &["doctor"]).env("XDG_STATE_HOME", in_the_way));
    assert_eq!(code, Some(1));
    assert!(
        failed(&answer).iter().any(|(name, ..)| name == "own files"),
        "{answer}"
    );
}

#[test]
fn plain_requests_are_sent_to_https_as_aspnet_core_sends_them() {
    use crate::harness::raw::http;
    let folder = Folder::new();
    let [plain, secure] = [free_port(), free_port()];
    let hub = crate::harness::program::Hub::start_at(
        &format!("http://127.0.0.1:{plain};https://127.0.0.1:{secure}"),
        &["--rabbitmq=embedded", "--redis=none"],
    );
    let answer = http(&format!("127.0.0.1:{plain}"), b"POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: hub.example:80\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_eq!(
        (answer.status, answer.header("location")),
        (
            307,
            Some(&*format!(
                "https://hub.example:{secure}/signalRHub/negotiate?negotiateVersion=1"
            ))
        )
    );
    let told = crate::harness::program::Hub::embedded(&["--https_port=443"]);
    let answer = http(
        told.address(),
        b"GET /healthz/live HTTP/1.1\r\nHost: hub.example\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, Some("https://hub.example/healthz/live"))
    );
    let seen = |host: &str| {
        let output = run(Command::new("curl").current_dir(folder.path()).args([
            "-sk",
            "-D",
            "-",
            "-o",
            "/dev/null",
            "-H",
            &format!("Host: {host}"),
            &format!("https://127.0.0.1:{secure}/healthz/live"),
        ]));
        text(&output.stdout).to_ascii_lowercase()
    };
    // HTTP/2 is not spoken: who would rather have it is given HTTP/1.1, and who wants nothing else is told so.
    let asked = |arguments: &[&str]| {
        run(Command::new("curl")
            .args([
                "-sk",
                "-m",
                "5",
                "-o",
                "/dev/null",
                "-w",
                "%{http_version} %{http_code}",
            ])
            .args(arguments))
    };
    assert_eq!(
        text(
            &asked(&[
                "--http2",
                &format!("https://127.0.0.1:{secure}/healthz/live")
            ])
            .stdout
        ),
        "1.1 200"
    );
    assert_eq!(
        text(
            &asked(&[
                "--http2",
                "-H",
                "Host: localhost",
                &format!("http://127.0.0.1:{plain}/healthz/live")
            ])
            .stdout
        ),
        "1.1 307"
    );
    assert!(
        !asked(&[
            "--http2-prior-knowledge",
            &format!("http://127.0.0.1:{plain}/healthz/live")
        ])
        .status
        .success()
    );
    let only = run(Command::new("openssl").args([
        "s_client",
        "-alpn",
        "h2",
        "-connect",
        &format!("127.0.0.1:{secure}"),
    ]));
    assert!(
        text(&only.stderr).contains("no application protocol"),
        "{}",
        text(&only.stderr)
    );
    assert!(seen("hub.example").contains("strict-transport-security: max-age=2592000"));
    assert!(!seen("localhost").contains("strict-transport-security"));
    drop(hub);
}

#[test]
fn killed_at_any_moment_the_next_up_reaches_the_same_state() {
    let kills = std::env::var("HARMONY_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(25u64);
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let up = || bare(&folder, &["up", "--yes", "--hub-url", &url]);
    let began = std::time::Instant::now();
    json(&mut up());
    let whole = began.elapsed().as_micros() as u64 * 3 / 2;
    let (hub, client) = (
        "harmony/Harmony.SignalR/appsettings.json",
        "harmony/Harmony.Client/wwwroot/appsettings.json",
    );
    let settings = [folder.read(hub), folder.read(client)];
    for kill in 0..kills {
        // From nothing, or from a hub that runs.
        if kill % 3 != 0 {
            json(&mut bare(&folder, &["down", "--yes"]));
            std::fs::remove_dir_all(folder.path().join("harmony")).expect("no settings");
        }
        let mut child = up()
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("up");
        std::thread::sleep(std::time::Duration::from_micros(
            kill.wrapping_mul(6_364_136_223_846_793_005) % whole,
        ));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let repaired = json(&mut up());
        assert_eq!(repaired["hub"]["state"], "running", "{repaired}");
        assert_eq!(json(&mut up())["changes"], 0);
        assert_eq!([folder.read(hub), folder.read(client)], settings);
    }
    assert_eq!(json(&mut bare(&folder, &["verify"]))["ok"], true);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("harmony/Harmony.SignalR"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["appsettings.json"]);
    // One hub, and one that watches over it.
    let mine = folder.path().display().to_string();
    let processes = text(&run(Command::new("pgrep").args(["-f", &format!("hub.*{mine}")])).stdout);
    assert_eq!(processes.lines().count(), 2, "{processes}");
    eprintln!("{kills} kills of up, each repaired by the next");
}
