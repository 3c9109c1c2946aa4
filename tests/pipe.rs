//! What tests of Linux have a Windows program do under Wine: serve a pipe that leads to an engine
//! elsewhere, and kill a process.

use std::io;
use tokio::net::TcpStream;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

const PIPE: &str = r"\\.\pipe\docker_engine";

#[test]
#[ignore = "serves another test until it is killed"]
fn leads_to_an_engine() {
    let Ok(engine) = std::env::var("HARMONY_TEST_ENGINE") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(serve(&engine)).expect("a pipe");
}

/// Ends a process for a test that is a program of Linux.
#[test]
#[ignore = "kills a process for another test"]
fn kills_a_process() {
    if let Ok(number) = std::env::var("HARMONY_TEST_KILLED") {
        let number = number.parse().expect("a number");
        harmony::platform::kill(number).expect("a process");
    }
}

async fn serve(engine: &str) -> io::Result<()> {
    let mut waiting = ServerOptions::new()
        .first_pipe_instance(true)
        .create(PIPE)?;
    #[allow(clippy::print_stdout)] // the other test waits for it
    {
        println!("listening on the pipe");
    }
    loop {
        waiting.connect().await?;
        let taken = std::mem::replace(&mut waiting, ServerOptions::new().create(PIPE)?);
        tokio::spawn(carry(taken, engine.to_owned()));
    }
}

async fn carry(mut pipe: NamedPipeServer, engine: String) -> io::Result<()> {
    let mut engine = TcpStream::connect(engine).await?;
    tokio::io::copy_bidirectional(&mut pipe, &mut engine).await?;
    Ok(())
}
