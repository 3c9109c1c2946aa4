//! The same bytes to our engine and to ASP.NET Core's, good and bad ones: both say the same.
//!
//! Left out is what ours does otherwise on purpose: after a message of an unknown type .NET reads
//! nothing more until something new comes; an item of a stream that nobody opened ends its reading
//! of that message, whatever follows; which spelling of a method's name an error has where a name
//! was escaped, or streamed to in MessagePack; a target or arguments that a message has twice,
//! where .NET binds the first arguments to the first target's parameters; a comma too many among
//! arguments, of which it forgives one.

mod backplane;
mod client;
mod half;
mod json_messages;
mod listening;
mod message_pack_messages;
mod methods;
mod requests;
mod resume;
mod sockets;
mod texts;

use crate::harness::Random;
use crate::harness::parts::{Part, has};
use crate::harness::program::Conformance;
use crate::harness::raw::{Frame, WebSocket};
use crate::harness::services::{refhub, refhub_with};
use serde_json::Value;
use std::time::Instant;

/// How many random conversations, of which seed: the suite has always the same ones.
fn wanted(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|wanted| wanted.parse().ok())
        .unwrap_or(otherwise)
}

/// Says something after a handshake, then asks for the end; what was said back, and the code of the
/// close.
fn talk(address: &str, handshake: &str, words: &[Vec<u8>], end: &[u8]) -> Vec<Frame> {
    let mut socket = WebSocket::open(address);
    socket.send(handshake);
    words
        .iter()
        .map(Vec::as_slice)
        .chain([end])
        .for_each(|words| socket.frame(0x82, words));
    let (mut said, began) = (Vec::new(), Instant::now());
    // One that never ends has said what it says.
    while began.elapsed().as_secs() < 20 {
        let frame = socket.next();
        let over = matches!(frame, Frame::Close(_) | Frame::End);
        said.push(frame);
        if over {
            break;
        }
    }
    said
}

/// The connection was cut behind the last word, which may be lost with it: of .NET's nothing is
/// known then.
const CUT: &str = "cut";

/// Conversations that went otherwise once, then random ones.
fn both(
    once: &[&[&[u8]]],
    random: impl Fn(&mut Random) -> Vec<Vec<u8>>,
    converse: impl Fn(&str, &[Vec<u8>]) -> Vec<Value> + Sync,
) {
    let cases = Cases {
        count: wanted("HARMONY_CASES", 1000),
        at_a_time: 1,
        variables: &[],
    };
    compare(once, cases, random, converse);
}

/// Random conversations in which one has to wait for what does not come: fewer, and some at a time.
fn both_slowly(
    random: impl Fn(&mut Random) -> Vec<Vec<u8>>,
    converse: impl Fn(&str, &[Vec<u8>]) -> Vec<Value> + Sync,
) {
    let cases = Cases {
        count: wanted("HARMONY_CASES", 1000) / 10,
        at_a_time: 8,
        variables: &[],
    };
    compare(&[], cases, random, converse);
}

/// How often what differed is said again; a difference of ours is there each time.
const AGAIN: usize = 3;

/// How many random conversations, and with which settings of both hubs.
struct Cases {
    count: u64,
    at_a_time: usize,
    variables: &'static [(&'static str, &'static str)],
}

fn compare(
    once: &[&[&[u8]]],
    cases: Cases,
    random: impl Fn(&mut Random) -> Vec<Vec<u8>>,
    converse: impl Fn(&str, &[Vec<u8>]) -> Vec<Value> + Sync,
) {
    let ours = Conformance::with("", cases.variables);
    let (_program, theirs) = refhub_with(None, None, cases.variables);
    let seed = wanted("HARMONY_SEED", 1);
    let mut generator = Random(seed);
    let once = once
        .iter()
        .map(|words| words.iter().map(|word| word.to_vec()).collect());
    let conversations: Vec<Vec<Vec<u8>>> = once
        .chain((0..cases.count).map(|_| random(&mut generator)))
        .collect();
    let differing = |words: &Vec<Vec<u8>>| {
        let [ours, theirs] = [ours.address(), &theirs].map(|address| converse(address, words));
        let differs = ours != theirs && theirs.last().is_none_or(|end| end != CUT);
        differs.then(|| {
            let words: Vec<_> = words
                .iter()
                .map(|word| word.escape_ascii().to_string())
                .collect();
            let [ours, theirs] = [ours, theirs].map(Value::from);
            format!("{}\n  ours {ours}\n  .NET {theirs}", words.join("\n  "))
        })
    };
    let share = conversations.len().div_ceil(cases.at_a_time);
    let suspects: Vec<_> = std::thread::scope(|scope| {
        let is_suspect = |words: &&Vec<Vec<u8>>| differing(words).is_some();
        let shares: Vec<_> = conversations
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().filter(is_suspect).collect::<Vec<_>>()))
            .collect();
        shares
            .into_iter()
            .flat_map(|share| share.join().expect("a share"))
            .collect()
    });
    // On a busy machine one of them may be late: what differed is said again, alone.
    let differences: Vec<String> = suspects
        .into_iter()
        .filter_map(|words| {
            let again: Option<Vec<_>> = (0..AGAIN).map(|_| differing(words)).collect();
            again?.pop()
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{} differences in {} conversations:\n{}",
        differences.len(),
        cases.count,
        differences.join("\n")
    );
    let count = cases.count;
    eprintln!("{count} conversations of seed {seed}: both hubs said the same");
}

const VALUES: [&str; 24] = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1.0",
    "1e0",
    "1E400",
    "-0",
    "01",
    "\"x\"",
    "\"\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{e9}\"",
    "[]",
    "{}",
    "[\"a\"]",
    "{\"a\":1}",
    "2147483648",
    "NaN",
    "\"a\tb\"",
    "[\"b\",]",
    "{\"a\":1,\"a\":2}",
];
const TARGETS: [&str; 9] = [
    "\"ListenForBoardEvents\"",
    "\"listenforboardevents\"",
    "\"WhoAmI\"",
    "\"Nope\"",
    "\"\"",
    "null",
    "\"SendGroup\"",
    "\"StopListeningForCardEvents\"",
    "1",
];
const ARGUMENTS: [&str; 12] = [
    "[]",
    "[\"b\"]",
    "[\"b\",\"c\"]",
    "[\"b\",\"M\",\"t\"]",
    "[null]",
    "[1]",
    "[{}]",
    "[[]]",
    "[null,null]",
    "[true]",
    "[\"\\u0000\"]",
    "\"b\"",
];

/// `WhoAmI` answers with an id.
fn without_id(message: &mut Value) {
    if let Some(result) = message
        .get_mut("result")
        .filter(|result| result.is_string())
    {
        *result = "an id".into();
    }
}

/// Each character that one unit of UTF-16 holds, and some of two, comes back in an error's text.
#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn characters_are_escaped_alike() {
    if !has("characters_are_escaped_alike", &[Part::Peer]) {
        return;
    }
    let ours = Conformance::start("");
    let (_program, theirs) = refhub(None, None);
    let said = |address: &str, first: u32| {
        let characters = (first..first + 128).filter_map(char::from_u32);
        let escaped: String = characters
            .map(|character| {
                character
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>()
            })
            .collect();
        let call = format!(
            "{{\"type\":1,\"invocationId\":\"1\",\"target\":\"{escaped}\",\"arguments\":[]}}\u{1e}"
        );
        let frames = talk(
            address,
            "{\"protocol\":\"json\",\"version\":1}\u{1e}",
            &[call.into_bytes()],
            b"{\"type\":7}\x1e",
        );
        frames
            .into_iter()
            .filter_map(|frame| {
                if let Frame::Text(text) = frame {
                    Some(text)
                } else {
                    None
                }
            })
            .collect::<String>()
    };
    let mut differences = Vec::new();
    for first in (0..0x1_0000)
        .chain([0x1_f600, 0x2_0000, 0xe_0000, 0x10_ff00])
        .step_by(128)
    {
        let [ours, theirs] = [ours.address(), &theirs].map(|address| said(address, first));
        if ours != theirs {
            differences.push(format!("{first:x}\n  ours {ours}\n  .NET {theirs}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
