//! The admin API: whatever is asked, each answer is HTTP, and without the token nothing is done.
//!
//! `TOKEN` in the input stands for the token, which no input could name.
#![no_main]

use harmony::appsettings::document::Document;
use harmony::appsettings::layers::Layers;
use harmony::hub::admin::{AdminToken, Door, respond};
use harmony::hub::methods::HarmonyHub;
use harmony::hub::settings::HubSettings;
use harmony::hub::site::HubSite;
use harmony::secret::Secret;
use harmony::signalr::backplane::Backplane;
use harmony::signalr::serve::serve_http;
use harmony::signalr::server::Server;
use libfuzzer_sys::fuzz_target;
use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Served {
    runtime: Runtime,
    hub: Arc<HubSite>,
    door: Door,
}

thread_local! {
    static SERVED: OnceCell<Served> = const { OnceCell::new() };
}

fn start() -> Served {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let entered = runtime.enter();
    let settings = Document::parse(b"{\"rabbitmq\":\"embedded\"}").expect("settings");
    let layers = Layers::of_files([(Path::new("appsettings.json"), &settings)]);
    let settings = HubSettings::read(&layers, "Production", Path::new("/")).expect("settings");
    let server = Server::new(HarmonyHub::default(), settings.options.clone(), |parts| {
        Backplane::Local(parts.delivery)
    });
    let hub = Arc::new(HubSite::new(&settings, server, Default::default()));
    let door = Door::Admin(AdminToken::new(&Secret::new(TOKEN)).expect("random numbers"));
    drop(entered);
    Served { runtime, hub, door }
}

/// What is answered to `bytes`, after which nothing more is said.
async fn talk(served: &Served, bytes: &[u8]) -> Vec<u8> {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let (hub, door) = (served.hub.clone(), served.door.clone());
    let serving = tokio::spawn(serve_http(far, CancellationToken::new(), move |request| {
        let (hub, door) = (hub.clone(), door.clone());
        async move { respond(&hub, &door, request).await }
    }));
    near.write_all(bytes).await.expect("room");
    near.shutdown().await.expect("an end");
    let mut said = Vec::new();
    near.read_to_end(&mut said).await.expect("an end");
    let _ = serving.await.expect("no panic");
    said
}

fn with_token(bytes: &[u8]) -> Vec<u8> {
    let (mut input, mut from) = (Vec::new(), 0);
    for at in memchr::memmem::find_iter(bytes, b"TOKEN") {
        input.extend_from_slice(&bytes[from..at]);
        input.extend_from_slice(TOKEN.as_bytes());
        from = at + 5;
    }
    input.extend_from_slice(&bytes[from..]);
    input
}

fuzz_target!(|bytes: &[u8]| {
    SERVED.with(|served| {
        let served = served.get_or_init(start);
        let input = with_token(bytes);
        let consumed = || served.hub.status.consumed.load(Ordering::Relaxed);
        let before = consumed();
        let said = served.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(8), talk(served, &input))
                .await
                .expect("an end")
        });
        let text = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "{text}");
        if memchr::memmem::find(&input, TOKEN.as_bytes()).is_none() {
            assert_eq!(consumed(), before, "nothing comes in without the token");
            assert!(!text.contains(" 200 OK"), "{text}");
        }
    });
});
