//! A pipe of Windows that leads to an engine elsewhere: `tests/windows/engine.rs` starts it under
//! Wine.

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

async fn serve(engine: &str) -> io::Result<()> {
    let mut waiting = ServerOptions::new()
        .first_pipe_instance(true)
        .create(PIPE)?;
    println!("listening on the pipe");
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
