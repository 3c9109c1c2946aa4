//! The small client: every transport reaches our hub, and nobody can keep it waiting.

use crate::harness::program::Hub;
use harmony::hub_client::http::{self, Exchange};
use harmony::hub_client::{ClientError, ClientTransport, HubClient};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;
use url::Url;

const LIMIT: Duration = Duration::from_millis(300);
const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// A server that accepts, says something or nothing, and keeps the connection open.
fn silent(words: &'static [u8]) -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).expect("a request");
            stream.write_all(words).expect("words");
            kept.push(stream);
        }
    });
    Url::parse(&url).expect("a URL")
}

#[test]
fn a_host_that_accepts_and_says_nothing_is_given_up() {
    for words in [
        &b""[..],
        b"HTTP/1.1 ",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n",
    ] {
        let url = silent(words);
        block_on(async {
            let connected = HubClient::connect(&url, LIMIT).await;
            let error = connected.err();
            assert!(
                matches!(error, Some(ClientError::Silent { .. })),
                "{error:?}"
            );
            for transport in ClientTransport::ALL {
                let connected = HubClient::negotiate(&url, transport, LIMIT).await;
                assert!(matches!(connected.err(), Some(ClientError::Silent { .. })));
            }
            let sent = http::send(&Exchange::new(hyper::Method::POST, &url), LIMIT).await;
            assert!(matches!(sent.err(), Some(ClientError::Silent { .. })));
        });
    }
}

#[test]
fn a_body_that_never_ends_is_given_up() {
    let url = silent(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome");
    let sent = block_on(http::send(&Exchange::new(hyper::Method::GET, &url), LIMIT));
    assert!(matches!(sent.err(), Some(ClientError::Silent { .. })));
}

#[test]
fn every_transport_joins_and_hears() {
    let hub = Hub::embedded(&[]);
    let url = Url::parse(&hub.url).expect("a URL");
    let inbox = Url::parse(&format!("{}/notifications", hub.admin)).expect("a URL");
    let token = format!("Bearer {}", hub.token);
    block_on(async {
        let mut clients = vec![
            HubClient::connect(&url, LIMIT * 30)
                .await
                .expect("a client"),
        ];
        for transport in ClientTransport::ALL {
            let client = HubClient::negotiate(&url, transport, LIMIT * 30).await;
            clients.push(client.unwrap_or_else(|error| panic!("{}: {error}", transport.name())));
        }
        for client in &mut clients {
            client
                .invoke("ListenForBoardEvents", BOARD)
                .await
                .expect("a member");
        }
        let body =
            format!("{{\"BoardId\":\"{BOARD}\",\"CardId\":\"{BOARD}\",\"Title\":\"Hello\"}}");
        let request = Exchange::new(hyper::Method::POST, &inbox)
            .header("notification_type", "CardTitleChanged")
            .header("Authorization", &token)
            .body(body);
        let taken = http::send(&request, LIMIT * 30).await.expect("a response");
        assert_eq!(taken.status, 202, "{taken}");
        for client in &mut clients {
            let (event, arguments) = client.hear().await.expect("an event");
            assert_eq!(event, "OnCardTitleChanged");
            assert_eq!(arguments[0]["title"], "Hello");
        }
    });
}

#[test]
fn who_is_no_hub_is_told_from_one_that_is_away() {
    let page = silent(b"HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 4\r\n\r\nnone");
    let port = crate::harness::free_port();
    let away = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
    block_on(async {
        let error = HubClient::connect(&page, LIMIT * 30).await.err();
        match error {
            Some(ClientError::Refused { response, .. }) => {
                assert_eq!(response.to_string(), "404 Not Found from nginx: none");
            }
            other => panic!("{other:?}"),
        }
        let error = HubClient::connect(&away, LIMIT * 30).await.err();
        assert!(matches!(error, Some(ClientError::Unreachable { .. })));
    });
}
