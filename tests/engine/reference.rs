//! What crossed the wire of the reference hub (`refhub`), replayed against the same methods on our
//! engine: MessagePack byte for byte, every command of the backplane, stateful reconnects.

mod returning;

use crate::harness::fixture;
use crate::harness::parts::{Part, has};
use crate::harness::program::Conformance;
use crate::harness::raw::{Frame, WebSocket};
use crate::harness::services::Redis;
use serde_json::{Value, json};

const JSON: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
const MESSAGE_PACK: &str = "{\"protocol\":\"messagepack\",\"version\":1}\u{1e}";

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hex").as_bytes();
    hex.chunks(2)
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("a byte")
        })
        .collect()
}

/// Framed messages taken apart, those with equal content in any order; ids of 22 characters after
/// `b6` are masked.
fn messages(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = stream.split_first() {
        let (message, rest) = rest.split_at(usize::from(*length));
        let mut message = message.to_vec();
        if let Some(at) = message.windows(2).position(|pair| pair == [0x03, 0xb6]) {
            message[at + 2..at + 24].fill(b'I');
        }
        found.push(message);
        stream = rest;
    }
    found.sort();
    found
}

#[test]
fn messagepack_is_the_recorded_bytes() {
    let recorded = fixture("reference.json");
    let server = Conformance::start("");
    let mut compared = 0;
    for (name, entry) in recorded["messagepack"].as_object().expect("entries") {
        let mut socket = WebSocket::open(server.address());
        socket.frame(0x81, MESSAGE_PACK.as_bytes());
        assert_eq!(socket.next(), Frame::Binary(b"{}\x1e".to_vec()), "{name}");
        for step in entry["steps"].as_array().expect("steps") {
            let what = format!("{name}: {}", step["what"]);
            socket.frame(
                if step["op"] == 1 { 0x81 } else { 0x82 },
                &bytes(&step["sentHex"]),
            );
            let got = step["got"].as_array().expect("frames");
            let expected: Vec<u8> = got
                .iter()
                .filter(|frame| frame["op"] == 2)
                .flat_map(|frame| bytes(&frame["hex"]))
                .collect();
            let mut heard = Vec::new();
            while heard.len() < expected.len() {
                match socket.next() {
                    Frame::Binary(payload) => heard.extend(payload),
                    other => panic!("{what}: {other:?} after {heard:?}"),
                }
            }
            assert_eq!(messages(&heard), messages(&expected), "{what}");
            if let Some(code) = got.iter().find_map(|frame| frame["code"].as_u64()) {
                assert_eq!(socket.next(), Frame::Close(code as u16), "{what}");
            }
            compared += 1;
        }
    }
    eprintln!("{compared} steps of MessagePack, 0 differences");
}

/// One recorded client: its socket on one of two servers, its id there and in the recording.
struct Client {
    socket: WebSocket,
    id: String,
    recorded: String,
}

impl Client {
    fn connect(server: &Conformance, recorded: &Value) -> Self {
        let mut socket = WebSocket::open(server.address());
        socket.send(JSON);
        assert_eq!(socket.next(), Frame::Text("{}\u{1e}".into()));
        socket.send(
            "{\"type\":1,\"invocationId\":\"w\",\"target\":\"WhoAmI\",\"arguments\":[]}\u{1e}",
        );
        let answer = socket.message();
        Client {
            socket,
            id: answer["result"].as_str().expect("an id").to_owned(),
            recorded: recorded.as_str().expect("an id").to_owned(),
        }
    }

    /// Hears as many messages as were recorded, compared in any order.
    fn hears(&mut self, frames: &Value, name: &str, normal: &impl Fn(&str) -> String) {
        let texts = frames
            .as_array()
            .expect("frames")
            .iter()
            .filter_map(|frame| frame["text"].as_str());
        let mut expected: Vec<String> = texts
            .flat_map(|text| text.split_terminator('\u{1e}'))
            .map(normal)
            .map(|text| plain(&text))
            .collect();
        let mut found: Vec<String> = expected
            .iter()
            .map(|_| plain(&self.socket.message().to_string()))
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{name}");
    }
}

/// JSON whose members are in order.
fn plain(text: &str) -> String {
    let value: std::collections::BTreeMap<String, Value> =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_string(&value).expect("JSON")
}

/// Ids and names that differ by nature, masked in a payload of the backplane.
fn masked(payload: &[u8], clients: [&Client; 2]) -> String {
    let mut text: String = payload.iter().map(|byte| char::from(*byte)).collect();
    for (client, mask) in clients
        .into_iter()
        .zip(["<the connection of x  >", "<the connection of y  >"])
    {
        text = text
            .replace(&client.id, mask)
            .replace(&client.recorded, mask);
    }
    while let Some(at) = text.find("vm_") {
        let end = at + 35;
        assert!(
            text[at + 3..end]
                .chars()
                .all(|letter| letter.is_ascii_hexdigit()),
            "{text}"
        );
        text.replace_range(at..end, "S");
    }
    if let Some(at) = text.find("\"invocationId\":\"") {
        let id = text[at + 16..at + 38].to_owned();
        text = text.replace(&id, "<invocation>");
    }
    text
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn the_backplane_says_what_aspnet_core_says() {
    if !has("the_backplane_says_what_aspnet_core_says", &[Part::Redis]) {
        return;
    }
    let recorded = fixture("reference.json")["backplane"].clone();
    let redis = Redis::start();
    let servers = [
        Conformance::start(&redis.connection_string()),
        Conformance::start(&redis.connection_string()),
    ];
    let mut x = Client::connect(&servers[0], &recorded["ids"]["x"]);
    let mut y = Client::connect(&servers[1], &recorded["ids"]["y"]);
    let mut published = redis.listen();
    let mut compared = 0;
    for (name, entry) in recorded.as_object().expect("entries") {
        // .NET waits half a minute for nobody, and forgets to answer; ours says at once that there
        // is no such connection.
        if name == "ids" || name.starts_with("add unknown") || name == "ask unknown" {
            continue;
        }
        let ids = [
            (x.recorded.clone(), x.id.clone()),
            (y.recorded.clone(), y.id.clone()),
        ];
        let ours = |text: &str| {
            ids.iter().fold(text.to_owned(), |text, (recorded, own)| {
                text.replace(recorded, own)
            })
        };
        let call = json!({ "type": 1, "invocationId": "1", "target": entry["target"], "arguments": entry["args"] });
        let call = ours(&call.to_string()) + "\u{1e}";
        if entry["on"] == "x" {
            x.socket.send(&call)
        } else {
            y.socket.send(&call)
        }
        if name.starts_with("ask other") {
            // What a client is asked comes with an id of its own, which the answer carries.
            let question = y.socket.message();
            assert_eq!(
                (&question["target"], &question["arguments"]),
                (&"Ask".into(), &json!(["2+2?"])),
                "{name}"
            );
            let id = question["invocationId"].as_str().expect("an id");
            assert_eq!(id.len(), 22, "{name}");
            let outcome = if name.contains("refused") {
                ("error", "no idea")
            } else {
                ("result", "4")
            };
            y.socket.send(&format!(
                "{}\u{1e}",
                json!({ "type": 3, "invocationId": id, outcome.0: outcome.1 })
            ));
            x.hears(&entry["xGot"], name, &ours);
        } else {
            x.hears(&entry["xGot"], name, &ours);
            y.hears(&entry["yGot"], name, &ours);
        }
        let mut expected: Vec<_> = entry["published"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|message| {
                let channel = message["channel"].as_str().expect("a channel");
                (
                    masked(channel.as_bytes(), [&x, &y]),
                    masked(&bytes(&message["hex"]), [&x, &y]),
                )
            })
            .collect();
        let mut found: Vec<_> = expected
            .iter()
            .map(|_| {
                let (channel, payload) = published.next();
                (
                    masked(channel.as_bytes(), [&x, &y]),
                    masked(&payload, [&x, &y]),
                )
            })
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{name}");
        compared += 1;
    }
    eprintln!("{compared} commands of the backplane, 0 differences");
}
