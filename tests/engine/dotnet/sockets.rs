//! Handshakes and WebSocket frames, good and bad ones.

use super::{CUT, both};
use crate::harness::Random;
use crate::harness::parts::{Part, has};
use crate::harness::raw::{WebSocket, masked as frame};
use serde_json::Value;
use std::io::{Read, Write};

/// Sends bytes; every frame that comes, until the end.
fn exchange(socket: &mut WebSocket, words: &[Vec<u8>]) -> Vec<Value> {
    for word in words {
        // Who was refused takes no more.
        let _ = socket.stream.write_all(word);
    }
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        match socket.stream.read(&mut buffer) {
            Ok(0) => break CUT,
            Ok(length) => {
                bytes.extend_from_slice(&buffer[..length]);
                // It may wait for an answer to its close.
                if frames(&bytes)
                    .last()
                    .is_some_and(|last| last.as_str().is_some_and(|last| last.starts_with("close")))
                {
                    break "closed";
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break CUT,
            Err(_) => break "no end",
        }
    };
    let mut said = frames(&bytes);
    said.push(end.into());
    said
}

/// What the frames say: pongs, which come at any moment, then messages and a close. Which messages
/// of the hub share one of WebSocket is nobody's concern; its pings are left out, and a goodbye
/// that .NET says now and then to one who closed.
fn frames(mut bytes: &[u8]) -> Vec<Value> {
    let (mut pongs, mut messages, mut rest, mut begun) =
        (Vec::new(), String::new(), Vec::new(), Vec::new());
    while let [first, length, after @ ..] = bytes {
        let (length, after) = match (length, after) {
            (126, [high, low, after @ ..]) => {
                (usize::from(u16::from_be_bytes([*high, *low])), after)
            }
            (length, after) => (usize::from(*length), after),
        };
        let Some((payload, after)) = after.split_at_checked(length) else {
            break;
        };
        bytes = after;
        begun.extend_from_slice(payload);
        if first & 0x80 == 0 {
            continue;
        }
        let payload = std::mem::take(&mut begun);
        let text = payload.escape_ascii().to_string();
        match first & 0x0f {
            0..=2
                if payload == b"{\"type\":6}\x1e"
                    || payload == b"{\"type\":7,\"allowReconnect\":true}\x1e" => {}
            0..=2 => messages += &text,
            10 => pongs.push(format!("pong {text}").into()),
            8 => rest.push(format!("close {text}").into()),
            other => rest.push(format!("{other} {text}").into()),
        }
    }
    pongs.push(messages.into());
    pongs.extend(rest);
    pongs
}

/// What a client says that goes.
const END: &[u8] = b"{\"type\":7}\x1e";
const CALL: &[u8] = b"{\"type\":1,\"invocationId\":\"1\",\"target\":\"Nope\",\"arguments\":[]}\x1e";
const UNKNOWN: &str =
    "{\"type\":1,\"invocationId\":\"\u{1f600}\",\"target\":\"\u{e9}\",\"arguments\":[]}\u{1e}";

fn handshake(random: &mut Random) -> Vec<Vec<u8>> {
    let protocol = *random.pick(&[
        "\"json\"",
        "\"JSON\"",
        "\"messagepack\"",
        "\"Json\"",
        "\"xml\"",
        "\"\"",
        "null",
        "1",
        "[]",
        "{}",
        "\"js\\u006fn\"",
        "\"json \"",
        "\"<b>\"",
        "\"\u{e9}\"",
        "true",
        "\"json\"",
    ]);
    let version = *random.pick(&[
        "1",
        "1",
        "1",
        "0",
        "2",
        "-1",
        "\"1\"",
        "1.0",
        "1e0",
        "null",
        "2147483648",
        "[1]",
        "true",
        "01",
        "",
        "99",
    ]);
    let mut members = vec![
        format!("\"protocol\":{protocol}"),
        format!("\"version\":{version}"),
    ];
    if random.one_in(4) {
        members.push(
            (*random.pick(&[
                "\"x\":{\"a\":[1]}",
                "\"protocol\":\"json\"",
                "\"version\":1",
                "\"Protocol\":\"xml\"",
                "\"type\":6",
                "\"x\":",
                "\"x\"",
                "\"error\":\"e\"",
                "\"type\":null",
            ]))
            .to_owned(),
        );
    }
    if random.one_in(5) {
        members.remove(random.below(members.len() as u64) as usize);
    }
    if random.one_in(3) {
        members.reverse();
    }
    let mut text = format!("{{{}}}", members.join(","));
    if random.one_in(5) {
        text = (*random.pick(&[
            "",
            "{",
            "}",
            "[]",
            "null",
            "1",
            "\"json\"",
            "{} ",
            " {}",
            "{}{}",
            "{\"a\"}",
            "x",
            "\u{feff}{}",
            "\n",
            "//x\n{}",
        ]))
        .to_owned();
    }
    if random.one_in(6) {
        text = format!(
            "{}{text}{}",
            random.pick(&["", " ", "\n", "\u{feff}", "\t"]),
            random.pick(&["", " ", "x", "{}", "\n", "}"])
        );
    }
    if random.one_in(20) {
        text = format!(
            "{{\"x\":\"{}\",\"protocol\":\"json\",\"version\":1}}",
            "a".repeat(*random.pick(&[100, 4000, 5000, 30_000]))
        );
    }
    let is_message_pack = text.contains("messagepack");
    let mut bytes = text.into_bytes();
    if is_message_pack || !random.one_in(10) {
        bytes.push(0x1e);
    }
    if !is_message_pack && random.one_in(3) {
        bytes.extend_from_slice(random.pick::<&[u8]>(&[
            b"{\"type\":6}\x1e",
            b"{\"type\":1,\"invocationId\":\"1\",\"target\":\"Nope\",\"arguments\":[]}\x1e",
            b"x\x1e",
            b"\x1e",
            b"{\"type\":7}\x1e",
        ]));
    }
    let opcode = if random.one_in(3) { 2 } else { 1 };
    let mut frames = Vec::new();
    if random.one_in(4) && !bytes.is_empty() {
        let place = random.below(bytes.len() as u64) as usize;
        if random.one_in(2) {
            frames.push(frame(opcode, &bytes[..place]));
            frames.push(frame(0x80, &bytes[place..]));
        } else {
            frames.push(frame(0x80 | opcode, &bytes[..place]));
            frames.push(frame(0x80 | opcode, &bytes[place..]));
        }
    } else {
        frames.push(frame(0x80 | opcode, &bytes));
    }
    // What is said before a handshake's end belongs to it.
    let end = frame(0x81, END);
    frames.extend(if is_message_pack {
        vec![frame(0x82, b"\x04\x93\x07\xc0\xc2")]
    } else {
        vec![end.clone(), end]
    });
    frames
}

/// A frame whose length takes more room than it need, now and then.
fn good_frame(random: &mut Random, first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u8;
    match random.below(6) {
        0 => [&[first, 0x80 | 126, 0, length, 0, 0, 0, 0][..], payload].concat(),
        1 => [
            &[first, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, 0][..],
            payload,
        ]
        .concat(),
        _ => frame(first, payload),
    }
}

/// Messages, good and bad ones, in good frames: cut anywhere, with pings and pongs between, and
/// then an end of some kind.
fn good_frames(random: &mut Random) -> Vec<Vec<u8>> {
    let closes = random.one_in(2);
    // What is owed when a close comes .NET sends or not.
    let messages: &[&[u8]] = if closes {
        &[b"", b"{\"type\":6}\x1e"]
    } else {
        &[CALL, b"", b"{\"type\":6}\x1e", UNKNOWN.as_bytes()]
    };
    let mut words = Vec::new();
    for _ in 0..random.below(3) {
        let (mut rest, kind, cuts) = (
            *random.pick(messages),
            1 + random.below(2) as u8,
            random.below(3),
        );
        for piece in 0..=cuts {
            let last = piece == cuts;
            let (now, after) = rest.split_at(if last {
                rest.len()
            } else {
                random.below(rest.len() as u64 + 1) as usize
            });
            words.push(good_frame(
                random,
                u8::from(last) << 7 | if piece == 0 { kind } else { 0 },
                now,
            ));
            rest = after;
            if random.one_in(4) {
                let first = *random.pick(&[0x89, 0x8a]);
                words.push(good_frame(random, first, b"are you there?"));
            }
        }
    }
    let code = random
        .pick(&[1000u16, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
        .to_be_bytes();
    words.push(match closes {
        true if random.one_in(2) => frame(0x88, b""),
        true => frame(0x88, &[&code, "d\u{e9}".as_bytes()].concat()),
        false => frame(0x81, END),
    });
    words
}

/// A frame that must not be, perhaps where a message has begun.
fn bad_frame(random: &mut Random) -> Vec<Vec<u8>> {
    let begun = random.one_in(2);
    let not_text: [&[u8]; 6] = [
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc0\xaf",
        b"\xa9",
    ];
    let no_code = [
        0u16, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535,
    ];
    let bad = match random.below(9) {
        0 => frame(0x81 | *random.pick(&[0x40, 0x20, 0x10, 0x70]), b"x"),
        1 => frame(0x80 | *random.pick(&[3, 7, 11, 15]), b"x"),
        2 => [&[0x80 | random.pick(&[1, 2, 9]), 16], &[b'x'; 16][..]].concat(),
        3 => frame(*random.pick(&[8, 9, 10]), b"\x03\xe8"),
        4 => frame(if begun { 0x81 } else { 0x80 }, b"x"),
        5 => frame(0x80 | *random.pick(&[8, 9, 10]), &[b'x'; 126]),
        6 => frame(
            0x88,
            random.pick::<&[u8]>(&[b"\x03", b"\x03\xe8\xff", b"\x03\xe8\xc3"]),
        ),
        7 => frame(0x88, &random.pick(&no_code).to_be_bytes()),
        _ => frame(
            if begun { 0x80 } else { 0x81 },
            random.pick::<&[u8]>(&not_text),
        ),
    };
    // In one piece: what is unread when a socket is closed takes the answer with it.
    vec![if begun {
        [frame(0x01, b"y"), bad].concat()
    } else {
        bad
    }]
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn handshakes_are_answered_alike() {
    if !has("handshakes_are_answered_alike", &[Part::Peer]) {
        return;
    }
    let version = frame(
        0x81,
        b"{\"protocol\":\"json\",\"version\":null,\"version\":1}\x1e",
    );
    both(
        &[&[&version, &frame(0x81, END)]],
        handshake,
        |address, words| exchange(&mut WebSocket::open(address), words),
    );
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn frames_are_answered_alike() {
    if !has("frames_are_answered_alike", &[Part::Peer]) {
        return;
    }
    let exchange =
        |address: &str, words: &[Vec<u8>]| exchange(&mut WebSocket::connected(address), words);
    both(&[], good_frames, exchange);
    // .NET cuts the connection behind its close, which is lost with it now and then: it is asked
    // some times.
    let insistent = |address: &str, words: &[Vec<u8>]| {
        let is_cut = |said: &Vec<Value>| said.last().is_some_and(|end| end == CUT);
        (0..5)
            .map(|_| exchange(address, words))
            .find(|said| !is_cut(said))
            .unwrap_or_else(|| vec![CUT.into()])
    };
    both(&[], bad_frame, insistent);
}
