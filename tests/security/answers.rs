//! An answers file that somebody else wrote: it names no variable of others, and no server hears a
//! password unasked.

use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::process::Output;
use std::sync::mpsc;
use std::time::Duration;

const SECRET: &str = "hunter2-do-not-send";

/// A server that takes down what it is sent. Its address is not spelt as this machine's own.
struct Ear {
    address: String,
    heard: mpsc::Receiver<Vec<u8>>,
}

impl Ear {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
                let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
                loop {
                    match stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(_) => break,
                    }
                    let _ = stream.write_all(b"-ERR no\r\n");
                }
                if sender.send(bytes).is_err() {
                    return;
                }
            }
        });
        Ear {
            address: format!("[::ffff:127.0.0.1]:{port}"),
            heard,
        }
    }

    /// What came by now.
    fn heard(&self) -> Vec<u8> {
        self.heard.try_iter().flatten().collect()
    }
}

fn up(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = harmony(folder.path());
    command.args(["up", "--answers=answers.json", "--json", "--timeout=5s"]);
    command.env("AWS_SECRET_ACCESS_KEY", SECRET);
    command.env("HARMONY_REDIS_PASSWORD", SECRET);
    run(command.args(arguments))
}

fn code(output: &Output) -> String {
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    answer["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn answers(address: &str, variable: &str) -> Folder {
    let folder = Folder::new();
    let answers = json!({
        "redis": address,
        "redisPasswordEnv": variable,
        "rabbitmq": "embedded",
        "hub": "none",
    });
    folder.write("answers.json", &answers.to_string());
    folder
}

fn holds(heard: &[u8]) -> bool {
    heard
        .windows(SECRET.len())
        .any(|part| part == SECRET.as_bytes())
}

#[test]
fn an_answers_file_names_variables_of_ours_only() {
    let ear = Ear::open();
    let folder = answers(&ear.address, "AWS_SECRET_ACCESS_KEY");
    for flags in [&["--dry-run"][..], &["--yes"], &[]] {
        let output = up(&folder, flags);
        assert_eq!(
            code(&output),
            "variableNotAllowed",
            "{}",
            text(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(2));
    }
    let allowed = up(&folder, &["--dry-run", "--allow-env=AWS_SECRET_ACCESS_KEY"]);
    assert_eq!(allowed.status.code(), Some(0), "{}", text(&allowed.stdout));
    // Who types the name himself means it.
    let typed = up(
        &folder,
        &[
            "--dry-run",
            "--redis-password-env=AWS_SECRET_ACCESS_KEY",
            "--redis=none",
        ],
    );
    assert_eq!(typed.status.code(), Some(0), "{}", text(&typed.stdout));
    assert!(ear.heard().is_empty());
}

#[test]
fn a_server_elsewhere_hears_a_files_password_only_after_the_agreement() {
    let ear = Ear::open();
    let folder = answers(&ear.address, "HARMONY_REDIS_PASSWORD");
    let shown = up(&folder, &["--dry-run"]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stdout));
    assert!(
        text(&shown.stderr).contains("gets the password of Redis"),
        "{}",
        text(&shown.stderr)
    );
    let unasked = up(&folder, &[]);
    assert_eq!(code(&unasked), "answerMissing");
    assert!(!holds(&ear.heard()), "nothing was agreed to");
    let agreed = up(&folder, &["--yes"]);
    assert_ne!(agreed.status.code(), Some(0), "what is there is no Redis");
    assert!(holds(&ear.heard()), "{}", text(&agreed.stdout));
    assert!(
        !folder.path().join("harmony").exists(),
        "nothing was written"
    );
}

/// `settings` of an answers file move a password of the checkout to another server.
#[test]
fn an_edited_address_gets_the_settings_password_only_after_the_agreement() {
    let ear = Ear::open();
    let folder = Folder::new();
    let broker = json!({ "Host": "10.255.255.1", "Username": "u", "Password": SECRET });
    let settings = json!({ "BrokerConfiguration": broker });
    folder.write("Harmony.SignalR/appsettings.json", &settings.to_string());
    let (_, port) = ear.address.rsplit_once(':').expect("a port");
    let port: u16 = port.parse().expect("a port");
    let edits = json!({
        "BrokerConfiguration:Host": "::ffff:127.0.0.1",
        "BrokerConfiguration:Port": port,
    });
    let answers = json!({
        "redis": "none",
        "hub": "none",
        "settings": { "Harmony.SignalR": edits },
    });
    folder.write("answers.json", &answers.to_string());
    let shown = up(&folder, &["--dry-run"]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stdout));
    up(&folder, &[]);
    assert!(ear.heard().is_empty());
    up(&folder, &["--yes"]);
    assert!(ear.heard().starts_with(b"AMQP"));
}
