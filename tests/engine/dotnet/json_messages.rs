//! JSON messages, good and bad.

use super::{ARGUMENTS, TARGETS, VALUES, both, talk, without_id};
use crate::harness::Random;
use crate::harness::parts::{Part, has};
use crate::harness::raw::Frame;
use serde_json::Value;

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

pub fn json_message(random: &mut Random) -> Vec<u8> {
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
