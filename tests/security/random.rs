//! A machine without random numbers: nobody gets an id that could be guessed.

use crate::harness::raw::{WebSocket, http};
use harmony::appsettings::document::Document;
use harmony::appsettings::layers::Layers;
use harmony::hub::{self, settings::HubSettings};
use harmony::secret::{RandomError, Secret, random, system_random};
use harmony::signalr::serve::ServerListener;
use std::path::Path;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn broken(_: &mut [u8]) -> Result<(), RandomError> {
    Err(RandomError)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_refused_where_there_are_no_random_numbers() {
    let document = Document::parse(b"{}").expect("settings");
    let layers = Layers::of_files([(Path::new("appsettings.json"), &document)]);
    let read = HubSettings::read(&layers, "Production", Path::new("."));
    let mut settings = read.expect("settings");
    (settings.redis, settings.broker) = (None, None);
    settings.options.random = broken;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let listener = ServerListener {
        listener,
        tls: None,
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(hub::run(settings, vec![listener], Vec::new(), stop.clone()));
    let asking = tokio::task::spawn_blocking(move || {
        let negotiate = |version: &str| {
            let request = format!(
                "POST /signalRHub/negotiate{version} HTTP/1.1\r\nHost: {address}\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            http(&address, request.as_bytes())
        };
        let (_, opened) = WebSocket::upgrade(&address, "/signalRHub");
        [negotiate(""), negotiate("?negotiateVersion=1"), opened]
    });
    for answer in asking.await.expect("answers") {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.body.contains("no random numbers"), "{answer:?}");
    }
    stop.cancel();
    running.await.expect("an orderly end");
}

#[test]
fn secrets_are_not_made_of_zeros() {
    assert_eq!(random::<16>(broken), Err(RandomError));
    assert_eq!(Secret::generate_from(broken), Err(RandomError));
    let [first, second] = [(); 2].map(|()| random::<16>(system_random).expect("numbers"));
    assert_ne!(first, second);
}
