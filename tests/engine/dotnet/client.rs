//! The official .NET client in all of its modes, on a hub of ours.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, Program, address, dotnet, peer};
use crate::harness::raw::http;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
const CARD: &str = "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4";

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn the_dotnet_client_hears_in_all_of_its_modes() {
    if !has("the_dotnet_client_hears_in_all_of_its_modes", &[Part::Peer]) {
        return;
    }
    let hub = Hub::embedded(&[]);
    let mut modes = Vec::new();
    for (protocol, transport) in [
        ("json", "websockets"),
        ("json", "sse"),
        ("json", "longpolling"),
        ("messagepack", "websockets"),
        ("messagepack", "longpolling"),
    ] {
        modes.push(vec![protocol, transport, "negotiate"]);
        if transport == "websockets" {
            modes.extend([
                vec![protocol, transport],
                vec![protocol, transport, "negotiate", "stateful"],
            ]);
        }
    }
    let start = |mode: &Vec<&str>| {
        let mut command = dotnet(&peer().expect("the peer"), "refclient");
        Program::start(
            command
                .args([&format!("{}/signalRHub", hub.url), BOARD, "60"])
                .args(mode),
        )
    };
    let mut clients: Vec<_> = modes.iter().map(start).collect();
    clients
        .iter_mut()
        .for_each(|client| drop(client.wait_for_line("joined")));
    let body =
        format!("{{\"BoardId\":\"{BOARD}\",\"CardId\":\"{CARD}\",\"Title\":\"in all modes\"}}");
    let request = format!(
        "POST /notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nnotification_type: CardTitleChanged\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        hub.token,
        body.len()
    );
    assert_eq!(http(address(&hub.admin), request.as_bytes()).status, 202);
    for (mode, client) in modes.iter().zip(&mut clients) {
        let line = client.wait_for_line("OnCardTitleChanged");
        eprintln!(".NET {mode:?}: OnCardTitleChanged{line}");
        assert!(line.contains("in all modes"), "{mode:?}: {line}");
    }
}
