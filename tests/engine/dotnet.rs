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
mod listening;
mod methods;
mod requests;
mod resume;
mod sockets;
mod texts;

use crate::harness::Random;
use crate::harness::program::Conformance;
use crate::harness::raw::{Frame, WebSocket};
use crate::harness::services::{Part, has, refhub, refhub_with};
use rmp_serde::encode::to_vec_named as pack;
use serde_json::{Value, json};
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
    let difference = |words: &Vec<Vec<u8>>| {
        let both = || [ours.address(), &theirs].map(|address| converse(address, words));
        let differs = |[ours, theirs]: &[Vec<Value>; 2]| {
            ours != theirs && theirs.last().is_none_or(|end| end != CUT)
        };
        // On a busy machine one of them may be late, once.
        let [ours, theirs] = Some(both())
            .filter(differs)
            .map(|_| both())
            .filter(differs)?;
        let said = words
            .iter()
            .map(|words| words.escape_ascii().to_string())
            .collect::<Vec<_>>()
            .join("\n  ");
        Some(format!(
            "{said}\n  ours {}\n  .NET {}",
            Value::from(ours),
            Value::from(theirs)
        ))
    };
    let share = conversations.len().div_ceil(cases.at_a_time);
    let differences: Vec<String> = std::thread::scope(|scope| {
        let shares: Vec<_> = conversations
            .chunks(share)
            .map(|share| scope.spawn(|| share.iter().filter_map(difference).collect::<Vec<_>>()))
            .collect();
        shares
            .into_iter()
            .flat_map(|share| share.join().expect("a share"))
            .collect()
    });
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

fn member(random: &mut Random) -> String {
    let names = [
        "type",
        "target",
        "arguments",
        "invocationId",
        "streamIds",
        "headers",
        "result",
        "error",
        "allowReconnect",
        "sequenceId",
        "Type",
        "extra",
    ];
    let name = *random.pick(&names);
    let value = match name {
        "type" => *random.pick(&[
            "1", "2", "3", "4", "5", "6", "7", "8", "9", "\"1\"", "1.0", "null", "1e0",
        ]),
        "target" => *random.pick(&TARGETS),
        "arguments" => *random.pick(&ARGUMENTS),
        "invocationId" => *random.pick(&["\"1\"", "\"2\"", "\"\"", "null", "1"]),
        "streamIds" => *random.pick(&["[]", "null", "[1]", "\"s\"", "[null]"]),
        "headers" => *random.pick(&[
            "{}",
            "{\"a\":\"b\"}",
            "null",
            "[]",
            "{\"a\":1}",
            "{\"a\":null}",
        ]),
        _ => *random.pick(&VALUES),
    };
    format!("\"{name}\":{value}")
}

fn json_message(random: &mut Random) -> Vec<u8> {
    let mut members = Vec::new();
    if random.one_in(2) {
        members.extend((0..random.below(6)).map(|_| member(random)));
    } else {
        members.push(format!(
            "\"type\":{}",
            random.pick(&["1", "1", "1", "4", "5", "3", "7", "6", "8", "9"])
        ));
        members.push(format!("\"target\":{}", random.pick(&TARGETS)));
        members.push(format!("\"arguments\":{}", random.pick(&ARGUMENTS)));
        members.push(format!(
            "\"invocationId\":{}",
            random.pick(&["\"1\"", "\"x\"", "\"1\"", "null", "\"\""])
        ));
        if random.one_in(3) {
            members.push(member(random));
        }
        if random.one_in(3) {
            members.remove(random.below(members.len() as u64) as usize);
        }
        if random.one_in(3) {
            members.reverse();
        }
    }
    for once in ["\"target\"", "\"arguments\""] {
        let mut times = 0..1;
        members.retain(|member| !member.starts_with(once) || times.next().is_some());
    }
    let mut message = format!("{{{}}}", members.join(","));
    if random.one_in(7) {
        let place = random.below(message.len() as u64 + 1) as usize;
        let odd = random.pick(&[
            "}", "{", ",", " ", "\"", "\\", "//x\n", "/**/", "\u{0}", "\n", "\u{e9}", "[",
        ]);
        let is_argument = |before: &str| before.rfind('[') > before.rfind(']');
        if message.is_char_boundary(place) && !(*odd == "," && is_argument(&message[..place])) {
            message.insert_str(place, odd);
        }
    }
    message.push('\u{1e}');
    message.into_bytes()
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn json_messages_good_and_bad_are_answered_alike() {
    if !has(
        "json_messages_good_and_bad_are_answered_alike",
        &[Part::Peer],
    ) {
        return;
    }
    let converse = |address: &str, words: &[Vec<u8>]| {
        let mut said = Vec::new();
        for frame in talk(
            address,
            "{\"protocol\":\"json\",\"version\":1}\u{1e}",
            words,
            b"{\"type\":7}\x1e",
        ) {
            match frame {
                Frame::Text(text) => said.extend(
                    text.split('\u{1e}')
                        .filter(|text| !text.is_empty())
                        .map(|text| serde_json::from_str::<Value>(text).expect("JSON")),
                ),
                other => said.push(format!("{other:?}").into()),
            }
        }
        said.iter_mut().for_each(without_id);
        said
    };
    let words = |random: &mut Random| {
        (0..=random.below(3))
            .map(|_| json_message(random))
            .collect()
    };
    both(&[&[b"{\"type\":null,\"type\":6}\x1e"], &[b"{\"type\":1,\"target\":null,\"target\":\"WhoAmI\",\"arguments\":[],\"invocationId\":null,\"invocationId\":\"1\"}\x1e"], &[b"{\"type\":3,\"invocationId\":\"1\",\"error\":null,\"error\":\"x\"}\x1e"], &[b"{\"type\":6,\"sequenceId\":null}\x1e"], &[b"{\"type\":8,\"sequenceId\":null}\x1e"]], words, converse);
}

/// `WhoAmI` answers with an id.
fn without_id(message: &mut Value) {
    if let Some(result) = message
        .get_mut("result")
        .filter(|result| result.is_string())
    {
        *result = "an id".into();
    }
}

fn packed(value: &Value) -> Vec<u8> {
    pack(value).expect("MessagePack")
}

/// One message behind its length, sometimes broken.
fn message_pack_message(random: &mut Random) -> Vec<u8> {
    let odd: [Vec<u8>; 17] = [
        packed(&json!(null)),
        packed(&json!(true)),
        packed(&json!(1)),
        packed(&json!(-1)),
        packed(&json!(3)),
        packed(&json!(1u64 << 40)),
        packed(&json!(1.5)),
        packed(&json!("")),
        packed(&json!("x")),
        packed(&json!([])),
        packed(&json!(["a"])),
        packed(&json!({ "a": 1 })),
        b"\xc4\x01b".to_vec(),
        b"\xd4\x01\x02".to_vec(),
        b"\xa2\xff\xfe".to_vec(),
        b"\xd9\x01a".to_vec(),
        b"\xd2\0\0\0\x01".to_vec(),
    ];
    let pick = |random: &mut Random, choices: &[Value]| packed(random.pick(choices));
    let id = [json!("1"), json!("x"), json!(null), json!("")];
    let mut items = match random.below(10) {
        2 => vec![
            packed(&json!(2)),
            packed(&json!({})),
            pick(random, &id),
            random.pick(&odd).clone(),
        ],
        3 => vec![
            packed(&json!(3)),
            packed(&json!({})),
            pick(random, &id),
            pick(random, &[json!(1), json!(2), json!(3), json!(4)]),
            random.pick(&odd).clone(),
        ],
        5 => vec![packed(&json!(5)), packed(&json!({})), pick(random, &id)],
        7 => vec![
            packed(&json!(7)),
            pick(random, &[json!(null), json!("e"), json!(1)]),
            pick(random, &[json!(true), json!(false), json!(1), json!(null)]),
        ],
        8 => vec![packed(&json!(8)), random.pick(&odd).clone()],
        9 => vec![packed(&json!(9)), random.pick(&odd).clone()],
        _ => {
            let targets = [
                json!("ListenForBoardEvents"),
                json!("WhoAmI"),
                json!("Nope"),
                json!(""),
                json!(null),
                json!("StopListeningForCardEvents"),
                json!("SendGroup"),
                json!("SendAll"),
            ];
            let arguments = [
                json!([]),
                json!(["b"]),
                json!(["b", "c"]),
                json!(["b", "M", "t"]),
                json!([null]),
                json!([1]),
                json!([{}]),
                json!([[]]),
                json!("b"),
            ];
            vec![
                pick(random, &[json!(1), json!(1), json!(1), json!(4)]),
                pick(
                    random,
                    &[json!({}), json!({}), json!({ "a": "b" }), json!(null)],
                ),
                pick(random, &id),
                pick(random, &targets),
                pick(random, &arguments),
                pick(
                    random,
                    &[
                        json!([]),
                        json!([]),
                        json!([]),
                        json!(null),
                        json!(["s"]),
                        json!([1]),
                    ],
                ),
            ]
        }
    };
    if items.len() > 1 && random.one_in(3) {
        // Not the type: of unknown ones nothing is said.
        let place = 1 + random.below(items.len() as u64 - 1) as usize;
        items[place] = random.pick(&odd).clone();
    }
    let mut head = 0x90 | items.len() as u8;
    if items.len() > 2 && random.one_in(8) {
        items.pop();
        // Half of the time it is missed.
        head -= random.below(2) as u8;
    }
    let message = [&[head][..], &items.concat()].concat();
    [&[message.len() as u8][..], &message].concat()
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

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn messagepack_messages_good_and_bad_are_answered_alike() {
    if !has(
        "messagepack_messages_good_and_bad_are_answered_alike",
        &[Part::Peer],
    ) {
        return;
    }
    let converse = |address: &str, words: &[Vec<u8>]| {
        let mut bytes = Vec::new();
        let mut close = String::new();
        for frame in talk(
            address,
            "{\"protocol\":\"messagepack\",\"version\":1}\u{1e}",
            words,
            b"\x04\x93\x07\xc0\xc2",
        ) {
            match frame {
                Frame::Binary(some) => bytes.extend(some),
                other => close = format!("{other:?}"),
            }
        }
        let mut rest = bytes
            .strip_prefix(b"{}\x1e")
            .expect("an accepted handshake");
        let mut said = Vec::new();
        while let Some((length, after)) = rest.split_first() {
            let (length, after) = match (length, after) {
                (0..0x80, _) => (usize::from(*length), after),
                (_, [high, after @ ..]) => {
                    (usize::from(length & 0x7f) | usize::from(*high) << 7, after)
                }
                _ => panic!("half a length"),
            };
            let mut message: Value = rmp_serde::from_slice(&after[..length]).expect("MessagePack");
            if message[3] == 3 && message[4].is_string() {
                message[4] = "an id".into();
            }
            said.push(message);
            rest = &after[length..];
        }
        said.push(close.into());
        said
    };
    let refused_stream: &[&[u8]] = &[
        b"\x0e\x96\x01\x80\xa1x\xa6WhoAmI\x90\x90",
        b"\x15\x96\x04\x81\xa1a\xa1b\xa11\xa9SendGroup\xff\x90",
    ];
    both(
        &[refused_stream],
        |random| {
            (0..=random.below(2))
                .map(|_| message_pack_message(random))
                .collect()
        },
        converse,
    );
}
