//! The certificate that people are told to trust: it serves localhost, and can vouch for nobody
//! else.

use crate::harness::Folder;
use crate::harness::program::{Hub, address, run, text};
use harmony::tls::{self, development_certificate};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn openssl(arguments: &[&str]) -> (bool, String) {
    let output = run(Command::new("openssl").args(arguments));
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.success(), said)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// Whether a leaf for another site, signed with a certificate's key, is taken by who trusts the
/// certificate.
fn vouches_for_github(folder: &Folder, certificate: &Path, key: &Path) -> bool {
    let file = |name: &str| folder.path().join(name);
    let (leaf_key, request, leaf) = (file("leaf.key"), file("leaf.csr"), file("leaf.pem"));
    let names = folder.write("names", "subjectAltName=DNS:github.com\n");
    let (made, said) = openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=github.com",
        "-keyout",
        path(&leaf_key),
        "-out",
        path(&request),
    ]);
    assert!(made, "{said}");
    let (made, said) = openssl(&[
        "x509",
        "-req",
        "-in",
        path(&request),
        "-CA",
        path(certificate),
        "-CAkey",
        path(key),
        "-CAcreateserial",
        "-days",
        "1",
        "-extfile",
        path(&names),
        "-out",
        path(&leaf),
    ]);
    assert!(made, "{said}");
    let hostname = ["-verify_hostname", "github.com"];
    let (taken, _) = openssl(
        &[
            &["verify", "-CAfile", path(certificate)],
            &hostname[..],
            &[path(&leaf)],
        ]
        .concat(),
    );
    taken
}

#[cfg(unix)]
#[test]
fn the_development_certificate_serves_localhost_and_vouches_for_nobody() {
    let folder = Folder::new();
    let kept = folder.path().join("kept");
    std::fs::create_dir(&kept).expect("a folder");
    // What the first version of ours made: an authority, its key readable to all.
    let (certificate, key) = (kept.join("localhost.pem"), kept.join("localhost.key"));
    let (made, said) = openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "30",
        "-addext",
        "basicConstraints=critical,CA:TRUE,pathlen:0",
        "-addext",
        "keyUsage=digitalSignature,keyCertSign",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        path(&key),
        "-out",
        path(&certificate),
    ]);
    assert!(made, "{said}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(
        vouches_for_github(&folder, &certificate, &key),
        "this is what was wrong"
    );

    let made = development_certificate(None, &kept).expect("a certificate");
    assert_eq!(made.source.path, certificate);
    let (_, shown) = openssl(&["x509", "-in", path(&certificate), "-noout", "-text"]);
    for part in [
        "CA:FALSE",
        "Digital Signature, Key Encipherment",
        "TLS Web Server Authentication",
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    assert!(!shown.contains("Certificate Sign"), "{shown}");
    let mode = std::fs::metadata(&key).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!vouches_for_github(&folder, &certificate, &key));
    // It stays, once it is as it should be.
    let before = std::fs::read(&certificate).expect("a certificate");
    development_certificate(None, &kept).expect("a certificate");
    assert_eq!(std::fs::read(&certificate).expect("a certificate"), before);
}

#[test]
fn who_trusts_the_development_certificate_reaches_the_hub() {
    let folder = Folder::new();
    let kept = folder.path().join("kept");
    let source = development_certificate(None, &kept)
        .expect("a certificate")
        .source;
    let key = source.key_path.as_deref().expect("a key");
    let hub = Hub::start_at(
        "https://127.0.0.1:0",
        &[
            "--rabbitmq=embedded",
            "--redis=none",
            &format!("--Kestrel:Certificates:Default:Path={}", path(&source.path)),
            &format!("--Kestrel:Certificates:Default:KeyPath={}", path(key)),
        ],
    );
    let port = address(&hub.url).rsplit(':').next().expect("a port");
    let url = format!("https://localhost:{port}/healthz/live");
    let ask =
        |arguments: &[&str]| run(Command::new("curl").args(["-sS"]).args(arguments).arg(&url));
    assert!(!ask(&[]).status.success(), "nobody trusts it by itself");
    let asked = ask(&["--cacert", path(&source.path)]);
    assert_eq!(text(&asked.stdout), "Healthy", "{}", text(&asked.stderr));
    let connect = format!("localhost:{port}");
    let (trusted, said) = openssl(&[
        "s_client",
        "-connect",
        &connect,
        "-CAfile",
        path(&source.path),
        "-verify_hostname",
        "localhost",
        "-verify_return_error",
        "-brief",
    ]);
    assert!(trusted, "{said}");
}

#[test]
fn our_certificate_is_made_anew_before_it_ends() {
    let folder = Folder::new();
    let (pem, key) = (
        folder.path().join("localhost.pem"),
        folder.path().join("localhost.key"),
    );
    for (days, is_kept) in [("40", true), ("20", false)] {
        let (made, said) = openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            days,
            "-subj",
            "/CN=localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            path(&key),
            "-out",
            path(&pem),
        ]);
        assert!(made, "{said}");
        let before = std::fs::read(&pem).expect("a certificate");
        let found = development_certificate(None, folder.path()).expect("a certificate");
        let after = std::fs::read(&pem).expect("a certificate");
        assert_eq!(before == after, is_kept, "{days} days");
        assert!(tls::acceptor(&found.source).is_ok());
    }
}
