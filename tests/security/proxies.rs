//! Behind nginx and haproxy: every transport works, and limits count clients, not proxies.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, Program, address};
use crate::harness::raw::http;
use crate::harness::{Folder, free_port, wait_for};
use harmony::hub_client::{ClientTransport, HubClient};
use harmony::signalr::forwarded::{Network, Proxies, ProxyTrust};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::time::Duration;
use url::Url;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
const LIMIT: Duration = Duration::from_secs(30);

/// A proxy in front of a hub.
struct Proxy {
    name: &'static str,
    address: String,
    _program: Program,
    _folder: Folder,
}

impl Proxy {
    fn nginx(hub: &Hub) -> Self {
        let folder = Folder::new();
        let (path, port, hub) = (folder.path().display(), free_port(), hub.address());
        // As people write it: buffering is on, as it is by default.
        let configuration = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr;
            events {{ worker_connections 512; }}
            http {{
              access_log off;
              client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;
              fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
              map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
              upstream hub {{ server {hub}; keepalive 8; }}
              server {{
                listen 127.0.0.1:{port};
                location / {{
                  proxy_pass http://hub;
                  proxy_http_version 1.1;
                  proxy_set_header Host $host;
                  proxy_set_header Upgrade $http_upgrade;
                  proxy_set_header Connection $connection_upgrade;
                  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                  proxy_set_header X-Forwarded-Proto $scheme;
                }}
              }}
            }}"
        );
        let file = folder.write("nginx.conf", &configuration);
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(file);
        Self::start("nginx", &mut command, port, folder)
    }

    fn haproxy(hub: &Hub) -> Self {
        let folder = Folder::new();
        let (port, hub) = (free_port(), hub.address());
        let configuration = format!(
            "defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend in
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto http
  default_backend hub
backend hub
  server hub {hub}
"
        );
        let file = folder.write("haproxy.cfg", &configuration);
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(file);
        Self::start("haproxy", &mut command, port, folder)
    }

    fn start(name: &'static str, command: &mut Command, port: u16, folder: Folder) -> Self {
        let program = Program::start(command);
        let address = format!("127.0.0.1:{port}");
        wait_for(name, || TcpStream::connect(&address).ok());
        Proxy {
            name,
            address,
            _program: program,
            _folder: folder,
        }
    }

    fn both(hub: &Hub) -> [Self; 2] {
        [Self::nginx(hub), Self::haproxy(hub)]
    }
}

#[test]
#[ignore = "needs nginx and haproxy: run tests/run"]
fn every_transport_goes_through_nginx_and_haproxy() {
    if !has(
        "every_transport_goes_through_nginx_and_haproxy",
        &[Part::Nginx, Part::HaProxy],
    ) {
        return;
    }
    let hub = Hub::embedded(&["--ForwardedHeaders:KnownProxies=127.0.0.1"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for proxy in Proxy::both(&hub) {
        let url = Url::parse(&format!("http://{}", proxy.address)).expect("a URL");
        for transport in ClientTransport::ALL {
            let name = format!("{} by {}", transport.name(), proxy.name);
            runtime.block_on(async {
                let mut client = HubClient::negotiate(&url, transport, LIMIT)
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                let joined = client.invoke("ListenForBoardEvents", BOARD).await;
                joined.unwrap_or_else(|error| panic!("{name}: {error}"));
                let body = format!(
                    "{{\"BoardId\":\"{BOARD}\",\"CardId\":\"{BOARD}\",\"Title\":\"{name}\"}}"
                );
                assert_eq!(hub.notify("CardTitleChanged", &body).status, 202);
                let heard = tokio::time::timeout(LIMIT, client.hear()).await;
                let (event, arguments) = heard
                    .unwrap_or_else(|_| panic!("{name}: nothing came"))
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(event, "OnCardTitleChanged");
                assert_eq!(arguments[0]["title"], name.as_str());
                eprintln!("{name}: heard");
            });
        }
    }
}

/// Opens a WebSocket as a client that another proxy stands in front of; the status, and the open
/// socket.
fn open(address: &str, client: &str) -> (u16, TcpStream) {
    use std::io::Write;
    let mut stream = crate::harness::raw::connect(address);
    let request = format!(
        "GET /signalRHub HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let answer = crate::harness::raw::read_answer(&mut stream, false);
    (answer.status, stream)
}

#[test]
#[ignore = "needs nginx and haproxy: run tests/run"]
fn limits_count_the_client_that_a_trusted_proxy_names() {
    if !has(
        "limits_count_the_client_that_a_trusted_proxy_names",
        &[Part::Nginx, Part::HaProxy],
    ) {
        return;
    }
    let hub = Hub::embedded(&[
        "--Limits:ConnectionsPerAddress=2",
        "--ForwardedHeaders:KnownNetworks=127.0.0.0/8",
        "--ForwardedHeaders:ForwardLimit=2",
    ]);
    for proxy in Proxy::both(&hub) {
        let name = proxy.name;
        let first = open(&proxy.address, "203.0.113.7");
        let second = open(&proxy.address, "203.0.113.7");
        assert_eq!((first.0, second.0), (101, 101), "{name}");
        assert_eq!(
            open(&proxy.address, "203.0.113.7").0,
            429,
            "{name}: one too many"
        );
        let other = open(&proxy.address, "203.0.113.8");
        assert_eq!(other.0, 101, "{name}: another client");
        drop(first);
        wait_for("room again", || {
            let (status, _kept) = open(&proxy.address, "203.0.113.7");
            (status == 101).then_some(())
        });
        eprintln!("{name}: 203.0.113.7 has two, its third is refused, 203.0.113.8 comes in");
        drop((second, other));
    }
    // Who is no proxy names nobody.
    let direct = Hub::embedded(&[
        "--Limits:ConnectionsPerAddress=2",
        "--ForwardedHeaders:KnownProxies=192.0.2.1",
    ]);
    let all: Vec<_> = (0..4)
        .map(|_| open(direct.address(), "203.0.113.7"))
        .collect();
    assert!(all.iter().all(|(status, _)| *status == 101));
}

#[test]
fn the_scheme_that_a_trusted_proxy_names_counts() {
    let ask = |hub: &Hub, scheme: &str| {
        let request = format!(
            "GET /healthz/live HTTP/1.1\r\nHost: kanban.example\r\nX-Forwarded-Proto: {scheme}\r\nConnection: close\r\n\r\n"
        );
        http(hub.address(), request.as_bytes()).status
    };
    let trusting = Hub::start_with(
        "http://127.0.0.1:0",
        &["--rabbitmq=embedded", "--redis=none", "--https_port=7443"],
        &[("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true".into())],
    );
    assert_eq!(
        (ask(&trusting, "https"), ask(&trusting, "http")),
        (200, 307)
    );
    let other = Hub::embedded(&["--https_port=7443"]);
    assert_eq!(ask(&other, "https"), 307, "anybody could say so");
    assert_eq!(address(&other.url), other.address());
}

#[test]
fn forwarded_headers_are_followed_as_aspnet_core_follows_them() {
    let known = |list: &[&str]| {
        let networks = list
            .iter()
            .map(|text| Network::parse(text).expect("a network"));
        ProxyTrust::Known(networks.collect())
    };
    let everybody = || ProxyTrust::Everybody;
    let cases = [
        // Trust, limit, the peer, X-Forwarded-For lines, the client.
        (
            ProxyTrust::Nobody,
            Some(1),
            "10.0.0.1",
            &["1.2.3.4"][..],
            "10.0.0.1",
        ),
        (everybody(), Some(1), "10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
        (
            everybody(),
            Some(1),
            "10.0.0.1",
            &["6.6.6.6, 1.2.3.4"],
            "1.2.3.4",
        ),
        (
            everybody(),
            Some(1),
            "10.0.0.1",
            &["6.6.6.6", "1.2.3.4"],
            "1.2.3.4",
        ),
        (
            everybody(),
            None,
            "10.0.0.1",
            &["6.6.6.6, 1.2.3.4"],
            "6.6.6.6",
        ),
        (
            everybody(),
            Some(1),
            "10.0.0.1",
            &["1.2.3.4:5678"],
            "1.2.3.4",
        ),
        (
            everybody(),
            Some(1),
            "10.0.0.1",
            &["[2001:db8::1]:443"],
            "2001:db8::1",
        ),
        (
            everybody(),
            Some(1),
            "10.0.0.1",
            &["2001:db8::1"],
            "2001:db8::1",
        ),
        (everybody(), Some(1), "10.0.0.1", &["unknown"], "10.0.0.1"),
        (everybody(), Some(1), "10.0.0.1", &["1.2.3.4, "], "10.0.0.1"),
        (
            known(&["10.0.0.0/8"]),
            Some(1),
            "10.0.0.1",
            &["1.2.3.4"],
            "1.2.3.4",
        ),
        (
            known(&["10.0.0.0/8"]),
            Some(1),
            "11.0.0.1",
            &["1.2.3.4"],
            "11.0.0.1",
        ),
        (
            known(&["10.0.0.0/8"]),
            Some(1),
            "::ffff:10.0.0.1",
            &["1.2.3.4"],
            "1.2.3.4",
        ),
        // The chain is followed only from proxy to proxy.
        (
            known(&["10.0.0.0/8"]),
            Some(5),
            "10.0.0.1",
            &["7.7.7.7, 6.6.6.6, 10.0.0.2"],
            "6.6.6.6",
        ),
        (
            known(&["10.0.0.1"]),
            Some(5),
            "10.0.0.1",
            &["6.6.6.6, 10.0.0.2"],
            "10.0.0.2",
        ),
        (
            known(&["2001:db8::/32"]),
            Some(1),
            "2001:db8::9",
            &["1.2.3.4"],
            "1.2.3.4",
        ),
    ];
    for (trust, limit, peer, lines, client) in cases {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_static("x-forwarded-for");
            headers.append(name, HeaderValue::from_static(line));
        }
        let proxies = Proxies { trust, limit };
        let found = proxies.resolve(peer.parse().expect("an address"), &headers);
        let client: IpAddr = client.parse().expect("an address");
        assert_eq!(found.address, client, "{proxies:?} {peer} {lines:?}");
    }
    assert_eq!(Network::parse("10.0.0.0/33"), None);
    assert_eq!(Network::parse("proxy.example"), None);
}
