//! HTTP as it comes in: whatever is said, each answer is HTTP, and the connection ends when its
//! peer does.
//!
//! `TOKEN` in the input stands for a connection that was just negotiated, which no input could
//! name.
#![no_main]

use harmony::signalr::backplane::Backplane;
use harmony::signalr::endpoint::HubEndpoint;
use harmony::signalr::hub::{Call, Caller, Hub, Refusal, StartedMethod};
use harmony::signalr::options::Options;
use harmony::signalr::response;
use harmony::signalr::serve::serve_http;
use harmony::signalr::server::Server;
use hyper::StatusCode;
use libfuzzer_sys::fuzz_target;
use std::cell::OnceCell;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Nothing can be called; that is what other targets are for.
struct Mute;

impl Hub for Mute {
    fn invoke(&self, _: Caller, _: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        Err(Refusal::NoSuchMethod)
    }
}

thread_local! {
    static SERVED: OnceCell<(Runtime, HubEndpoint<Mute>)> = const { OnceCell::new() };
}

/// What is answered to `bytes`, after which nothing more is said.
async fn talk(endpoint: &HubEndpoint<Mute>, bytes: &[u8]) -> Vec<u8> {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let endpoint = endpoint.clone();
    let serving = tokio::spawn(serve_http(
        far,
        CancellationToken::new(),
        move |mut request| {
            let endpoint = endpoint.clone();
            async move {
                endpoint
                    .respond(&mut request)
                    .await
                    .unwrap_or_else(|| response::text(StatusCode::NOT_FOUND, ""))
            }
        },
    ));
    near.write_all(bytes).await.expect("room");
    near.shutdown().await.expect("an end");
    let mut said = Vec::new();
    near.read_to_end(&mut said).await.expect("an end");
    let _ = serving.await.expect("no panic");
    said
}

fuzz_target!(|bytes: &[u8]| {
    SERVED.with(|served| {
        let (runtime, endpoint) = served.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let entered = runtime.enter();
            // What is left waiting by one input is soon gone.
            let soon = Duration::from_millis(50);
            let options = Options { disconnect_timeout: soon, client_timeout: soon, close_timeout: soon, handshake_timeout: soon, ..Options::default() };
            let server = Server::new(Mute, options, |parts| Backplane::Local(parts.delivery));
            drop(entered);
            (runtime, HubEndpoint::new(server, "/hub"))
        });
        let said = runtime.block_on(async {
            let negotiated = talk(endpoint, b"POST /hub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
            let negotiated = String::from_utf8(negotiated).expect("text");
            let token = negotiated.split("\"connectionToken\":\"").nth(1).and_then(|rest| rest.split('"').next());
            let parts: Vec<_> = memchr::memmem::find_iter(bytes, b"TOKEN").collect();
            let mut input = Vec::with_capacity(bytes.len());
            let mut from = 0;
            for at in parts {
                input.extend_from_slice(&bytes[from..at]);
                input.extend_from_slice(token.unwrap_or_default().as_bytes());
                from = at + 5;
            }
            input.extend_from_slice(&bytes[from..]);
            tokio::time::timeout(Duration::from_secs(8), talk(endpoint, &input)).await.expect("an end")
        });
        assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&said));
    });
});
