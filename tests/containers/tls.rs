//! An engine behind TLS.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Program, harmony, run, text};
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::process::Command;

#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_engine_behind_tls_is_spoken_to_with_dockers_certificates() {
    if !has(
        "an_engine_behind_tls_is_spoken_to_with_dockers_certificates",
        &[Part::Docker],
    ) {
        return;
    }
    let folder = Folder::new();
    let script = "set -e
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca-key.pem -out ca.pem -subj /CN=ca 2>/dev/null
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -keyout $name-key.pem -out $name.csr -subj /CN=$name 2>/dev/null
            printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' >$name.ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile $name.ext -out $name.pem 2>/dev/null
        done
        mkdir certificates; cp ca.pem certificates/; cp client.pem certificates/cert.pem; cp client-key.pem certificates/key.pem";
    let made = run(Command::new("bash")
        .current_dir(folder.path())
        .args(["-c", script]));
    assert!(made.status.success(), "{}", text(&made.stderr));
    let port = free_port();
    let host = format!("tcp://127.0.0.1:{port}");
    let path = |name: &str| folder.path().join(name).display().to_string();
    // The engine itself, behind TLS that wants a certificate of its clients, as dockerd --tlsverify
    // does: a second dockerd would take the first one's bridge away.
    let door = "
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server-key.pem'); context.load_verify_locations('ca.pem'); context.verify_mode = ssl.CERT_REQUIRED
def pump(source, target):
    try:
        while data := source.recv(65536): target.sendall(data)
    except OSError: pass
    finally: target.close()
def serve(client):
    try: client = context.wrap_socket(client, server_side=True)
    except (OSError, ssl.SSLError): return
    engine = socket.socket(socket.AF_UNIX); engine.connect('/var/run/docker.sock')
    threading.Thread(target=pump, args=(engine, client), daemon=True).start(); pump(client, engine)
listener = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('listening', flush=True)
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";
    let mut engine = Program::start(Command::new("python3").current_dir(folder.path()).args([
        "-c",
        door,
        &port.to_string(),
    ]));
    engine.wait_for_line("listening");
    let doctor = |certificates: Option<&str>| {
        let mut command = harmony(folder.path());
        command.args(["doctor", "--json"]).env("DOCKER_HOST", &host);
        if let Some(folder) = certificates {
            command
                .env("DOCKER_TLS_VERIFY", "1")
                .env("DOCKER_CERT_PATH", folder);
        }
        let answer: Value = serde_json::from_slice(&run(&mut command).stdout).expect("JSON");
        answer["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .find(|check| check["name"] == "engine")
            .cloned()
            .expect("the engine")
    };
    assert_eq!(doctor(Some(&path("certificates")))["status"], "ok");
    assert_eq!(doctor(None)["status"], "failed");
}
