//! What a client sent before it left counts for as long as a method may still take it.

use crate::harness::raw::masked;
use crate::harness::wait_for;
use harmony::signalr::backplane::Backplane;
use harmony::signalr::endpoint::HubEndpoint;
use harmony::signalr::hub::{Call, Caller, Hub, Refusal, StartedMethod};
use harmony::signalr::options::Options;
use harmony::signalr::response;
use harmony::signalr::serve::serve_http;
use harmony::signalr::server::Server;
use harmony::signalr::value::Value;
use hyper::StatusCode;
use serde_json::json;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const ITEM: usize = 20_000;

/// Its method takes a stream and looks at it only when it is let.
struct Slow(Arc<Notify>);

impl Hub for Slow {
    fn invoke(&self, _: Caller, call: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        let [mut upload] = call.uploads::<1>()?;
        let let_go = self.0.clone();
        Ok(StartedMethod::Result(Box::pin(async move {
            let_go.notified().await;
            while let Some(Ok(_)) = upload.next().await {}
            Ok(Value::Null)
        })))
    }
}

fn frame(message: serde_json::Value) -> Vec<u8> {
    masked(0x81, format!("{message}\u{1e}").as_bytes())
}

#[test]
fn uploads_of_clients_that_left_count_until_their_methods_end() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let let_go = Arc::new(Notify::new());
    let server = {
        let _entered = runtime.enter();
        let hub = Slow(let_go.clone());
        Server::new(hub, Options::default(), |parts| {
            Backplane::Local(parts.delivery)
        })
    };
    let endpoint = HubEndpoint::new(server.clone(), "/hub");
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let serving = CancellationToken::new();
    runtime.spawn(serve_http(far, serving.clone(), move |mut request| {
        let endpoint = endpoint.clone();
        async move {
            let answer = endpoint.respond(&mut request).await;
            answer.unwrap_or_else(|| response::text(StatusCode::NOT_FOUND, ""))
        }
    }));
    let mut said = b"GET /hub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    said.extend(frame(json!({ "protocol": "json", "version": 1 })));
    said.extend(frame(json!({
        "type": 1, "invocationId": "1", "target": "Take", "arguments": [], "streamIds": ["s"],
    })));
    for _ in 0..3 {
        let item = "x".repeat(ITEM);
        said.extend(frame(
            json!({ "type": 2, "invocationId": "s", "item": item }),
        ));
    }
    runtime.block_on(near.write_all(&said)).expect("room");
    wait_for("the items", || {
        (server.budget.bytes() > 3 * ITEM).then_some(())
    });

    drop(near);
    wait_for("the client's end", || {
        (server.connections() == 0).then_some(())
    });
    let left = server.budget.bytes();
    assert!((3 * ITEM..4 * ITEM).contains(&left), "{left} bytes");
    let_go.notify_one();
    wait_for("the method's end", || {
        (server.budget.bytes() == 0).then_some(())
    });
}
