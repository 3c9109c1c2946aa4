//! Redis' configuration file: whatever a password has in it, a real Redis takes it as the password.

use crate::harness::parts::{Part, has};
use crate::harness::program::Program;
use crate::harness::{Folder, free_port};
use harmony::containers::redis_configuration::redis_configuration;
use harmony::secret::Secret;
use proptest::prelude::{ProptestConfig, proptest};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

/// Starts Redis with the configuration, logs in, and asks for its memory limit, which stands behind
/// the password: a password that ends its line early would change that.
fn log_in(password: &str) -> String {
    let (folder, port) = (Folder::new(), free_port());
    let configuration = redis_configuration(Some(&Secret::new(password)), false);
    let text = configuration.reveal();
    let (access, rest) = text.split_once("\nmaxmemory ").expect("a limit");
    let rest = rest.replacen("/data", &folder.path().display().to_string(), 1);
    let text = format!("{access}\nmaxmemory {rest}bind 127.0.0.1\nport {port}\n");
    let file = folder.write("redis.conf", &text);
    let mut program = Program::start(Command::new("redis-server").arg(file));
    program.wait_for_line("Ready to accept connections");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let commands = [
        format!("*2\r\n$4\r\nAUTH\r\n${}\r\n{password}\r\n", password.len()),
        "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$9\r\nmaxmemory\r\n".to_owned(),
        "*1\r\n$4\r\nQUIT\r\n".to_owned(),
    ];
    stream
        .write_all(commands.concat().as_bytes())
        .expect("commands sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

const WELCOME: &str = "+OK\r\n*2\r\n$9\r\nmaxmemory\r\n$9\r\n268435456\r\n+OK\r\n";

#[test]
#[ignore = "needs Redis: run tests/run"]
fn redis_takes_awkward_passwords_as_they_are() {
    if !has("redis_takes_awkward_passwords_as_they_are", &[Part::Redis]) {
        return;
    }
    for password in [
        "plain-Pass_1",
        "with space",
        " around ",
        "comma,comma",
        "quote\"quote",
        "it's",
        "back\\slash",
        "\\x41",
        "#comment",
        "line\nmaxmemory 1",
        "tab\tand\rreturn",
        "ünïcödé €",
        "{}()$`;&|<>",
    ] {
        assert_eq!(log_in(password), WELCOME, "{password:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
#[ignore = "needs Redis: run tests/run"]
    fn redis_takes_any_password_as_it_is(password in "\\PC{1,20}|[\"'\\\\ ,#\n\r\t\0-~]{1,12}") {
        if !has("redis_takes_any_password_as_it_is", &[Part::Redis]) {
            return Ok(());
        }
        assert_eq!(log_in(&password), WELCOME, "{password:?}");
    }
}

/// What version 0.1 wrote: another text would be another container, which replaces it.
#[test]
fn a_plain_password_is_written_as_it_always_was() {
    let text = redis_configuration(Some(&Secret::new("Ab1-_.!")), false);
    assert_eq!(
        text.reveal(),
        "requirepass Ab1-_.!\nmaxmemory 256mb\nmaxmemory-policy noeviction\ndir /data\nsave \"\"\nappendonly no\n"
    );
}
