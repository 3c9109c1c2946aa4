//! WebSocket conformance, case by case: our own list of what the Autobahn test suite tries with a
//! server, by its numbers. (The suite itself runs on Python 2 alone.) Its echo is here a call of
//! the hub and its completion.

use crate::harness::program::Hub;
use crate::harness::raw::{Frame, WebSocket};
use std::io::Write;

const CALL: &str = "{\"type\":1,\"invocationId\":\"1\",\"target\":\"StopListeningForBoardEvents\",\"arguments\":[\"€uro 😀\"]}\u{1e}";
const DONE: &str = "{\"type\":3,\"invocationId\":\"1\",\"result\":null}\u{1e}";

/// What is sent, piece by piece, and what comes of it.
struct Case {
    number: &'static str,
    frames: Vec<(u8, Vec<u8>)>,
    expected: Vec<Frame>,
}

fn case(number: &'static str, frames: &[(u8, &[u8])], expected: &[Frame]) -> Case {
    Case {
        number,
        frames: frames
            .iter()
            .map(|(first, payload)| (*first, payload.to_vec()))
            .collect(),
        expected: expected.to_vec(),
    }
}

fn done() -> Frame {
    Frame::Text(DONE.into())
}

fn cases() -> Vec<Case> {
    let call = CALL.as_bytes();
    let (head, tail) = call.split_at(call.len() - 30);
    let pong = |payload: &[u8]| Frame::Pong(payload.to_vec());
    let [protocol, utf8] = [Frame::Close(1002), Frame::Close(1007)];
    let mut cases = vec![
        case("1.1 text", &[(0x81, call)], &[done()]),
        case("1.2 binary", &[(0x82, call)], &[done()]),
        case("2.1 ping without payload", &[(0x89, b"")], &[pong(b"")]),
        case(
            "2.2 ping with text",
            &[(0x89, b"Hello, world!")],
            &[pong(b"Hello, world!")],
        ),
        case(
            "2.3 ping with bytes that are no text",
            &[(0x89, &[0x00, 0xff, 0xfe, 0xfd, 0xfc])],
            &[pong(&[0x00, 0xff, 0xfe, 0xfd, 0xfc])],
        ),
        case(
            "2.4 ping of 125 bytes",
            &[(0x89, &[0xfe; 125])],
            &[pong(&[0xfe; 125])],
        ),
        case(
            "2.5 ping of 126 bytes",
            &[(0x89, &[0xfe; 126])],
            std::slice::from_ref(&protocol),
        ),
        case(
            "2.7 pong nobody asked for",
            &[(0x8a, b""), (0x81, call)],
            &[done()],
        ),
        case(
            "2.8 pong with payload",
            &[(0x8a, b"unsolicited"), (0x81, call)],
            &[done()],
        ),
        case(
            "2.10 ten pings",
            &[
                (0x89, b"0"),
                (0x89, b"1"),
                (0x89, b"2"),
                (0x89, b"3"),
                (0x89, b"4"),
            ],
            &[pong(b"0"), pong(b"1"), pong(b"2"), pong(b"3"), pong(b"4")],
        ),
        case(
            "5.1 ping in pieces",
            &[(0x09, b"fragment1"), (0x80, b"fragment2")],
            std::slice::from_ref(&protocol),
        ),
        case(
            "5.2 pong in pieces",
            &[(0x0a, b"fragment1"), (0x80, b"fragment2")],
            std::slice::from_ref(&protocol),
        ),
        case(
            "5.3 text in two pieces",
            &[(0x01, head), (0x80, tail)],
            &[done()],
        ),
        case(
            "5.6 ping between pieces",
            &[(0x01, head), (0x89, b"ping"), (0x80, tail)],
            &[pong(b"ping"), done()],
        ),
        case(
            "5.9 continuation of nothing, last",
            &[(0x80, b"non-continuation"), (0x81, call)],
            std::slice::from_ref(&protocol),
        ),
        case(
            "5.12 continuation of nothing",
            &[(0x00, b"non-continuation"), (0x81, call)],
            std::slice::from_ref(&protocol),
        ),
        case(
            "5.15 continuation after the end",
            &[
                (0x01, head),
                (0x80, tail),
                (0x00, b"fragment3"),
                (0x80, b""),
            ],
            &[done(), protocol.clone()],
        ),
        case(
            "5.18 text inside a text",
            &[(0x01, head), (0x01, tail)],
            std::slice::from_ref(&protocol),
        ),
        case(
            "5.19 pings among five pieces",
            &[
                (0x01, &head[..10]),
                (0x00, &head[10..20]),
                (0x89, b"1"),
                (0x00, &head[20..]),
                (0x89, b"2"),
                (0x80, tail),
            ],
            &[pong(b"1"), pong(b"2"), done()],
        ),
        case(
            "6.1 empty pieces",
            &[(0x01, b""), (0x00, call), (0x80, b"")],
            &[done()],
        ),
        case(
            "6.3 text that is no UTF-8",
            &[(
                0x81,
                &[
                    0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce, 0xbc, 0xce, 0xb5, 0xed, 0xa0,
                    0x80, 0x65,
                ],
            )],
            std::slice::from_ref(&utf8),
        ),
        case(
            "6.4 no UTF-8 in the second piece",
            &[
                (0x01, &[0xce, 0xba, 0xe1, 0xbd, 0xb9]),
                (0x00, &[0xf4, 0x90, 0x80, 0x80]),
                (0x80, b"edited"),
            ],
            std::slice::from_ref(&utf8),
        ),
        case(
            "6.12 a letter's first byte alone",
            &[(0x81, &[0xce])],
            std::slice::from_ref(&utf8),
        ),
        case(
            "6.16 an overlong letter",
            &[(0x81, &[0xc0, 0x80])],
            std::slice::from_ref(&utf8),
        ),
        case(
            "6.21 a surrogate",
            &[(0x81, &[0xed, 0xa0, 0x80])],
            std::slice::from_ref(&utf8),
        ),
        case(
            "7.1.1 close after a message",
            &[(0x81, call), (0x88, &[3, 0xe8])],
            &[done(), Frame::Close(1000)],
        ),
        case(
            "7.1.3 ping after close",
            &[(0x88, &[3, 0xe8]), (0x89, b"x")],
            &[Frame::Close(1000), Frame::End],
        ),
        case(
            "7.1.4 text after close",
            &[(0x88, &[3, 0xe8]), (0x81, call)],
            &[Frame::Close(1000), Frame::End],
        ),
        case(
            "7.1.5 close inside a message",
            &[(0x01, head), (0x88, &[3, 0xe8]), (0x80, tail)],
            &[Frame::Close(1000), Frame::End],
        ),
        case(
            "7.3.1 close without a code",
            &[(0x88, b"")],
            &[Frame::Close(1000)],
        ),
        case(
            "7.3.2 close of one byte",
            &[(0x88, b"a")],
            std::slice::from_ref(&protocol),
        ),
        case(
            "7.3.4 close with a reason",
            &[(0x88, b"\x03\xe8Hello World!")],
            &[Frame::Close(1000)],
        ),
        case(
            "7.3.5 close with the longest reason",
            &[(0x88, &[&[3, 0xe8][..], &[b'*'; 123]].concat())],
            &[Frame::Close(1000)],
        ),
        case(
            "7.3.6 close with too long a reason",
            &[(0x88, &[&[3, 0xe8][..], &[b'*'; 124]].concat())],
            std::slice::from_ref(&protocol),
        ),
    ];
    for bits in 1u8..8 {
        cases.push(case(
            "3 reserved bits",
            &[(0x81 | bits << 4, call)],
            std::slice::from_ref(&protocol),
        ));
    }
    for opcode in [3u8, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push(case(
            "4 reserved opcodes",
            &[(0x80 | opcode, b"")],
            std::slice::from_ref(&protocol),
        ));
    }
    for code in [
        1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        // The suite takes the same code or a normal close; ASP.NET Core says the latter.
        cases.push(case(
            "7.7 codes that may be",
            &[(0x88, &code.to_be_bytes())],
            &[Frame::Close(1000)],
        ));
    }
    for code in [
        0u16, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535,
    ] {
        cases.push(case(
            "7.9 codes that may not be",
            &[(0x88, &code.to_be_bytes())],
            std::slice::from_ref(&protocol),
        ));
    }
    cases
}

#[test]
fn a_websocket_does_what_autobahn_asks() {
    let hub = Hub::embedded(&[]);
    let cases = cases();
    for Case {
        number,
        frames,
        expected,
    } in &cases
    {
        // In whole frames, in pieces, and byte by byte: 1.1.7, 5.5 and 6.2 of Autobahn, and for
        // all.
        for piece in [usize::MAX, 7, 1] {
            let mut socket = WebSocket::connected(hub.address());
            socket.stream.set_nodelay(true).expect("no delay");
            let mut bytes = Vec::new();
            for (first, payload) in frames {
                bytes.extend(masked(*first, payload));
            }
            for piece in bytes.chunks(piece.min(bytes.len())) {
                // A server that has closed already takes no more; what it said is looked at.
                let _ = socket.stream.write_all(piece);
            }
            for expected in expected {
                assert_eq!(
                    socket.next(),
                    *expected,
                    "{number}, pieces of {piece}: {frames:02x?}"
                );
            }
        }
    }
    eprintln!("{} cases, each in three kinds of pieces", cases.len());
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0xfe, 0x00, 0x7f];
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length => out.extend([0x80 | 126, (length >> 8) as u8, length as u8]),
    }
    out.extend(MASK);
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ MASK[at % 4]),
    );
    out
}
