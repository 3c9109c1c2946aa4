//! What is published on Redis, well made and not: both hubs tell their clients the same of it, and
//! answer the same.

use super::message_pack_messages::packed;
use super::wanted;
use crate::harness::Random;
use crate::harness::parts::{Part, has};
use crate::harness::program::Conformance;
use crate::harness::raw::{Frame, WebSocket, connect};
use crate::harness::services::{Redis, refhub};
use serde_json::json;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::time::Instant;

const HUB: &str = "Harmony.SignalR.Hubs.SignalRHub";

/// Publishes; the answer, how many hear it, is nobody's concern.
fn publish(redis: &Redis, channel: &str, payload: &[u8]) {
    let mut stream = connect(&redis.connection_string());
    let head = format!(
        "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n",
        channel.len(),
        payload.len()
    );
    stream
        .write_all(&[head.as_bytes(), payload, b"\r\n"].concat())
        .expect("a command");
    stream.read_exact(&mut [0]).expect("an answer");
}

/// A client in a group, on one of the hubs.
struct Client {
    address: String,
    socket: WebSocket,
    id: String,
}

impl Client {
    fn connect(address: &str) -> Self {
        let mut socket = WebSocket::connected(address);
        socket.send(
            "{\"type\":1,\"invocationId\":\"w\",\"target\":\"WhoAmI\",\"arguments\":[]}\u{1e}",
        );
        let id = socket.message()["result"]
            .as_str()
            .expect("an id")
            .to_owned();
        socket.invoke("ListenForBoardEvents", "g");
        Client {
            address: address.to_owned(),
            socket,
            id,
        }
    }

    /// All that it is told before an end that must come, or until it is closed.
    fn hears(&mut self, end: &str) -> String {
        let mut heard = String::new();
        loop {
            match self.socket.next() {
                // A frame of nothing would end the official client's connection.
                Frame::Text(text) if text.is_empty() => heard += "an empty frame",
                Frame::Text(text) => heard += &text.replace("{\"type\":6}\u{1e}", ""),
                Frame::End => {
                    *self = Client::connect(&self.address);
                    return heard + "closed";
                }
                other => heard += &format!("{other:?}"),
            }
            if let Some(place) = heard.find(end) {
                heard.truncate(place);
                return heard;
            }
        }
    }
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [&[0x90 | items.len() as u8][..], &items.concat()].concat()
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    [&[0xc4, bytes.len() as u8][..], bytes].concat()
}

/// An envelope, in which `own` may be left out.
fn envelope(random: &mut Random, own: &str) -> Vec<u8> {
    let message = random.pick::<&[u8]>(&[
        b"{\"type\":1,\"target\":\"T\",\"arguments\":[1]}\x1e",
        b"{\"type\":1,\"target\":\"T\",\"arguments\":[]}\x1e{\"x\":1}\x1e",
        b"no message\x1e",
        b"{}",
    ]);
    let excluded = match random.below(6) {
        0 => array(&[packed(&json!(own))]),
        1 => array(&[packed(&json!("another")), packed(&json!(own))]),
        2 => array(&[packed(&json!("another"))]),
        3 => random
            .pick(&[
                packed(&json!(null)),
                packed(&json!("x")),
                packed(&json!([1])),
                packed(&json!([null])),
                packed(&json!({})),
            ])
            .clone(),
        _ => array(&[]),
    };
    let names = [
        "json",
        "json",
        "json",
        "json",
        "messagepack",
        "JSON",
        "other",
    ];
    // Without JSON, .NET closes its clients.
    let mut entries = vec![[packed(&json!("json")), binary(message)].concat()];
    for _ in 0..random.below(3) {
        let value = if random.one_in(4) {
            random
                .pick(&[
                    packed(&json!("text")),
                    packed(&json!(null)),
                    packed(&json!(1)),
                ])
                .clone()
        } else {
            binary(message)
        };
        entries.push([packed(&json!(random.pick(&names))), value].concat());
    }
    if random.one_in(2) {
        entries.reverse();
    }
    let map = [&[0x80 | entries.len() as u8][..], &entries.concat()].concat();
    let mut items = vec![excluded, map];
    if random.one_in(3) {
        items.extend(
            (0..random.below(4)).map(|_| {
                packed(random.pick(&[json!("id"), json!("channel"), json!(null), json!(1)]))
            }),
        );
    }
    let mut bytes = array(&items);
    match random.below(12) {
        0 => bytes.truncate(random.below(bytes.len() as u64) as usize),
        1 => bytes.push(0xc0),
        2 => bytes[0] = *random.pick(&[0x90, 0x91, 0x92, 0x93, 0x94, 0xc0, 0xdc, 0xa2]),
        _ => {}
    }
    bytes
}

fn valid(text: &str) -> Vec<u8> {
    array(&[
        array(&[]),
        [
            &[0x81][..],
            &packed(&json!("json")),
            &binary(format!("{text}\u{1e}").as_bytes()),
        ]
        .concat(),
    ])
}

fn command(random: &mut Random, number: u64, own: &str) -> Vec<u8> {
    let mut items = vec![
        json!(number),
        json!("tester"),
        json!(1 + random.below(2)),
        json!(random.pick(&["g", "h", ""])),
        json!(own),
    ];
    if random.one_in(2) {
        let place = random.below(5) as usize;
        // A number that is one names the command, by which its acknowledgement is known.
        let least = if place == 0 { 3 } else { 0 };
        let odd = [
            json!(0),
            json!(3),
            json!(-1),
            json!(null),
            json!("x"),
            json!(4_294_967_296_u64),
            json!([]),
            json!(""),
        ];
        items[place] = random.pick(&odd[least..]).clone();
    }
    match random.below(8) {
        0 => items.push(json!("more")),
        1 => drop(items.pop()),
        _ => {}
    }
    let mut bytes = array(&items.iter().map(packed).collect::<Vec<_>>());
    if random.one_in(12) {
        bytes.truncate(random.below(bytes.len() as u64) as usize);
    }
    bytes
}

/// The command that an acknowledgement is for, where it is one.
fn acknowledged((channel, payload): (String, Vec<u8>)) -> Option<u64> {
    channel
        .contains(":internal:ack:")
        .then(|| rmp_serde::from_slice::<[u64; 1]>(&payload).expect("a number")[0])
}

#[test]
#[ignore = "needs the .NET peer and Redis: run tests/run"]
fn the_backplane_is_understood_alike() {
    if !has(
        "the_backplane_is_understood_alike",
        &[Part::Peer, Part::Redis],
    ) {
        return;
    }
    let redis = Redis::start();
    let ours = Conformance::start(&redis.connection_string());
    let (_program, theirs) = refhub(Some(&redis), None);
    let mut clients = [ours.address(), &theirs].map(Client::connect);
    let (cases, mut random) = (
        wanted("HARMONY_CASES", 1000),
        Random(wanted("HARMONY_SEED", 1)),
    );
    let mut differences = Vec::new();
    for case in 0..cases {
        let kind = random.below(3);
        let seed = random.below(u64::from(u32::MAX));
        let end = format!("end of {case}\u{1e}");
        let payloads = clients
            .each_ref()
            .map(|client| envelope(&mut Random(seed), &client.id));
        let [ours, theirs] = [0, 1].map(|place| {
            let channel = match kind {
                0 => format!("{HUB}:all"),
                1 => format!("{HUB}:group:g"),
                _ => format!("{HUB}:connection:{}", clients[place].id),
            };
            publish(&redis, &channel, &payloads[place]);
            publish(&redis, &channel, &valid(end.trim_end_matches('\u{1e}')));
            // What goes to all, both hear.
            let heard = clients[place].hears(&end);
            if kind < 2 {
                clients[1 - place].hears(&end);
            }
            heard
        });
        if ours != theirs {
            differences.push(format!(
                "{:02x?}\n  {}\n  ours {ours:?}\n  .NET {theirs:?}",
                payloads[0],
                payloads[0].escape_ascii()
            ));
        }
    }
    // Commands to both, numbered one after the other, of which .NET acknowledges each before it
    // reads the next.
    let mut published = redis.listen();
    let channel = format!("{HUB}:internal:groups");
    let first = 1_000_000;
    let mut commands = Vec::new();
    for case in 0..cases {
        let seed = random.below(u64::from(u32::MAX));
        for place in [0, 1] {
            let payload = command(
                &mut Random(seed),
                first + 2 * case + place,
                &clients[place as usize].id,
            );
            publish(&redis, &channel, &payload);
            commands.push(payload);
        }
    }
    let last = first + 2 * cases + 1;
    publish(
        &redis,
        &channel,
        &packed(&json!([last, "tester", 1, "last", clients[1].id])),
    );
    let mut done = HashSet::new();
    let is_missed = |done: &HashSet<u64>| {
        !done.contains(&last)
            || (0..cases).any(|case| {
                done.contains(&(first + 2 * case + 1)) && !done.contains(&(first + 2 * case))
            })
    };
    let began = Instant::now();
    while is_missed(&done) && began.elapsed() < crate::harness::PATIENCE {
        done.extend(acknowledged(published.next_of_all()));
    }
    assert!(done.contains(&last), "the last command is acknowledged");
    for (case, payload) in (0..cases).zip(commands.iter().step_by(2)) {
        let [ours, theirs] = [0, 1].map(|place| done.contains(&(first + 2 * case + place)));
        if ours != theirs {
            differences.push(format!(
                "{payload:02x?}\n  {}\n  acknowledged by ours {ours}, by .NET {theirs}",
                payload.escape_ascii()
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    eprintln!("{cases} envelopes and as many commands: both hubs took them alike");
}
