//! The hub's certificates, and what it speaks over TLS.

use super::bare::{Down, bare, javascript, json};
use crate::harness::parts::{Part, has};
use crate::harness::program::{run, text};
use crate::harness::{Folder, free_port};
use std::process::Command;

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
    // HTTP/2 is not spoken: who would rather have it is given HTTP/1.1, and who wants nothing else
    // is told so.
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
