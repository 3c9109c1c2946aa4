//! Containers by the engine's named pipe, which leads to the engine of this machine.

use super::windows;
use crate::command::bare::json;
use crate::command::docker::leftovers;
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::Program;
use crate::harness::{Folder, free_port, unique, wine};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;

const ENGINE: &str = "/var/run/docker.sock";

/// A port of this machine that leads to its engine, for as long as the test runs.
fn engine_by_tcp() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || carry(&client));
        }
    });
    address
}

fn carry(client: &TcpStream) -> io::Result<()> {
    let engine = UnixStream::connect(ENGINE)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*client, &mut &engine);
            engine.shutdown(std::net::Shutdown::Write)
        });
        let _ = io::copy(&mut &engine, &mut &*client);
        client.shutdown(std::net::Shutdown::Both)
    })
}

/// Brings the instance down when the test ends, however it ends.
struct Down<'f>(&'f Folder, String);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        let down = ["down", "--volumes", "--yes", "--instance", &self.1];
        let _ = windows(self.0, &down).output();
    }
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn containers_are_made_and_removed_by_a_named_pipe() {
    const TEST: &str = "windows::engine::containers_are_made_and_removed_by_a_named_pipe";
    if !has(TEST, &[Part::Wine, Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("w"));
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    let mut bridge = wine::command(&home, &wine::tests());
    bridge.args(["--ignored", "--nocapture", "pipe::leads_to_an_engine"]);
    bridge.env("HARMONY_TEST_ENGINE", engine_by_tcp().to_string());
    let mut bridge = Program::start(&mut bridge);
    bridge.wait_for_line("listening on the pipe");

    let down = Down(&folder, instance.clone());
    let url = format!("http://localhost:{}", free_port());
    let registry = registry().expect("a registry");
    let up = |more: &[&str]| {
        let mut up = windows(&folder, &["up", "--yes", "--instance", &instance]);
        up.args(["--image-registry", &registry, "--redis", "container"]);
        up.args(["--rabbitmq", "container", "--hub-url", &url])
            .args(more);
        json(&mut up)
    };
    let first = up(&[]);
    for service in ["redis", "rabbitmq", "hub"] {
        assert_eq!(first[service]["state"], "running", "{first}");
    }
    assert_eq!(up(&[])["changes"], 0);
    let verified = json(&mut windows(&folder, &["verify", "--instance", &instance]));
    assert_eq!(verified["ok"], true, "{verified}");
    drop(down);
    assert_eq!(leftovers(&instance), "");
}
