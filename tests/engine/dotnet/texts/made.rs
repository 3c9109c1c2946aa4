//! Handshakes, messages and answers, good ones and such that are broken.

use crate::engine::dotnet::json_messages::json_message;
use crate::harness::Random;
use rmp_serde::encode::to_vec_named as pack;

/// Stands for a question's id.
pub(super) const QUESTION: &str = "QUESTIONQUESTIONQUESTI";

/// Breaks a text, mostly in one place, with pieces that JSON may have elsewhere.
fn broken(random: &mut Random, text: &str) -> Vec<u8> {
    const PIECES: [&[u8]; 30] = [
        b"}",
        b"{",
        b"[",
        b"]",
        b":",
        b" ",
        b"\n",
        b"\r\n ",
        b"\"",
        b"\\",
        b"\\u",
        b"\\u00e9",
        b"\\ud83d\\ude00",
        b"\\n",
        b"0",
        b"1",
        b"-",
        b".",
        b"e",
        b"E+",
        b"x",
        b"t",
        b"tru",
        b"null",
        b"\xff",
        b"\xc3\xa9",
        b"\xed\xa0\x80",
        b"\0",
        b"\x7f",
        b"/*",
    ];
    let mut out = text.as_bytes().to_vec();
    for _ in 0..*random.pick(&[0, 1, 1, 1, 1, 2]) {
        let place = random.below(out.len() as u64 + 1) as usize;
        match random.below(5) {
            0 => out.truncate(place),
            1 if place < out.len() => drop(out.remove(place)),
            2 if place < out.len() => {
                out.splice(place..place + 1, random.pick(&PIECES).iter().copied());
            }
            _ => drop(out.splice(place..place, random.pick(&PIECES).iter().copied())),
        }
    }
    out
}

pub(super) fn broken_bytes(random: &mut Random, mut message: Vec<u8>, from: usize) -> Vec<u8> {
    const BYTES: [u8; 24] = [
        0, 1, 3, 0x7f, 0x80, 0x81, 0x90, 0x91, 0xa0, 0xa1, 0xbf, 0xc0, 0xc1, 0xc2, 0xc4, 0xc7,
        0xca, 0xcd, 0xd3, 0xd4, 0xd9, 0xdc, 0xde, 0xff,
    ];
    for _ in 0..*random.pick(&[0, 1, 1, 1, 2]) {
        if message.len() <= from {
            break;
        }
        let place = from + random.below((message.len() - from) as u64) as usize;
        match random.below(4) {
            0 => message.truncate(place),
            1 => drop(message.remove(place)),
            2 => message[place] = *random.pick(&BYTES),
            _ => message.insert(place, *random.pick(&BYTES)),
        }
    }
    message
}

pub(super) fn handshake(random: &mut Random) -> Vec<u8> {
    let mut members = vec![
        format!(
            "\"protocol\":{}",
            random.pick(&["\"json\"", "\"json\"", "\"j\\u0073on\"", "1", "null", "[1]"])
        ),
        format!(
            "\"version\":{}",
            random.pick(&["1", "1", "-1.5e3", "99", "null", "true", "\"1\""])
        ),
    ];
    if random.one_in(2) {
        let values = [
            "[1,{\"a\":[]},-0.5]",
            "{\"a\":\"b\",\"c\":null}",
            "false",
            "\"\\n\"",
            "1e5",
            "[[[]]]",
        ];
        members.insert(
            random.below(3) as usize,
            format!("\"extra\":{}", random.pick(&values)),
        );
    }
    let comma = *random.pick(&[",", ",", ",", " , ", ",\n", ",,", ""]);
    let text = format!("{{{}}}", members.join(comma));
    let depth = if random.one_in(20) { 65 } else { 0 };
    let nested = random.pick(&["[", "{\"a\":"]).repeat(depth);
    let text = text.replacen("[1", &format!("{nested}[1"), 1);
    [broken(random, &text), vec![0x1e]].concat()
}

/// Whether .NET reads on only once something new comes, or not at all.
fn stops_reading(message: &[u8]) -> bool {
    let mut text = String::from_utf8_lossy(message).into_owned();
    text.retain(|character| !character.is_whitespace());
    let is_unknown = |behind: &str| {
        let digits = |character: char| character == '-' || character.is_ascii_digit();
        let kind = behind.split(|character| !digits(character)).next();
        let kind = kind.and_then(|kind| kind.parse::<i64>().ok());
        kind.is_some_and(|kind| !(1..=9).contains(&kind))
    };
    text.contains("\"item\"") || text.split("\"type\":").skip(1).any(is_unknown)
}

pub(super) fn one_json_message(random: &mut Random) -> Vec<u8> {
    let good = json_message(random);
    let good = String::from_utf8(good).expect("text");
    let message = broken(random, good.trim_end_matches('\u{1e}'));
    // Of a comma too many among arguments .NET forgives one.
    let forgiven = message.windows(2).any(|two| two == b",]");
    let text = String::from_utf8_lossy(&message);
    let halved = text.matches("\\ud83d").count() != text.matches("\\ud83d\\ude00").count();
    match stops_reading(&message) || forgiven || halved {
        true => good.into_bytes(),
        false => [message, vec![0x1e]].concat(),
    }
}

/// An answer, and what stands for the question's id.
pub(super) fn json_answer(random: &mut Random) -> Vec<u8> {
    let results = [
        "1",
        "12345",
        "-1.5e3",
        "true",
        "false",
        "null",
        "[1,2]",
        "[]",
        "{}",
        "\"x\"",
        "\"\"",
        "\"\\ud800\"",
        "\"\\u00e9\\ud83d\\ude00\"",
        "\"\\udc00x\"",
        " 1",
        "\n [ 1 ]",
        "[[\"a\"],null]",
    ];
    let mut members = vec![
        "\"type\":3".to_owned(),
        format!("\"invocationId\":\"{QUESTION}\""),
    ];
    let result = *random.pick(&results);
    let is_object = result == "{}";
    if random.one_in(3) {
        members.push(format!(
            "\"error\":{}",
            random.pick(&["\"no\"", "\"\"", "null", "1", "\"\\ud800\""])
        ));
    }
    for place in 1..members.len() {
        members.swap(place, random.below(place as u64 + 1) as usize);
    }
    if !random.one_in(5) {
        let place = if is_object {
            members.len()
        } else {
            random.below(members.len() as u64 + 1) as usize
        };
        members.insert(place, format!("\"result\":{result}"));
    }
    let good = format!("{{{}}}", members.join(","));
    let message = match random.one_in(3) && !is_object {
        true => broken(random, &good),
        false => good.clone().into_bytes(),
    };
    let message =
        if stops_reading(&message) || message.contains(&b'{') && message[1..].contains(&b'{') {
            good.into_bytes()
        } else {
            message
        };
    [message, vec![0x1e]].concat()
}

pub(super) fn packed_answer(random: &mut Random) -> Vec<u8> {
    let values: [&[u8]; 16] = [
        b"\x01",
        b"\xc0",
        b"\xc3",
        b"\x90",
        b"\x91\x01",
        b"\x80",
        b"\x81\xa1a\x01",
        b"\xa1x",
        b"\xa0",
        b"\xa2\xff\xfe",
        b"\xc4\x01x",
        b"\xcb\0\0\0\0\0\0\0\0",
        b"\xd4\x01\x02",
        b"\xd9\x01x",
        b"\xa5x",
        b"\xc1",
    ];
    let id = pack(QUESTION).expect("MessagePack");
    let kind = *random.pick(&[1, 2, 3, 3, 3, 3, 4]);
    let head = if kind == 2 { 0x94 } else { 0x95 };
    let value = if kind == 2 {
        b""
    } else {
        *random.pick(&values)
    };
    let message = [&[head, 3, 0x80], &id[..], &[kind], value].concat();
    let behind_id = 3 + id.len();
    match random.one_in(3) {
        true => broken_bytes(random, message, behind_id),
        false => message,
    }
}
