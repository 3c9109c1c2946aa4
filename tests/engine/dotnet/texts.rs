//! Messages that are malformed or mistyped, in both protocols, to hubs that tell clients why: both
//! send back the same bytes, in .NET's words.
//!
//! Handshakes, messages and answers to questions are made good or nearly so, and then mostly broken:
//! cut, or with bytes taken out, put in or put in place of others. Whether what is broken is still
//! JSON is up to the hubs.
//!
//! Left out, further to what stands in the parent module, is what .NET does by mistake:
//! - A client's result of the wrong type that is an object, or an array of objects: .NET reads on
//!   inside it as if its members were the message's, whose reading ends with it.
//! - A member twice in an answer, which .NET binds twice.
//! - A member's name with half a surrogate pair: .NET fails only if its beginning is one of a known
//!   name, or if it is short.
//! - Whether a call that is answered is completed before the connection ends, where the next message
//!   breaks the protocol: in .NET two threads race.
//! - A message that .NET does not know, or an item of no stream: it stops reading, as told there.

mod made;
mod wire;

use super::message_pack_messages::message_pack_message;
use super::{CUT, Cases, compare, wanted};
use crate::harness::Random;
use crate::harness::parts::{Part, has};
use made::{QUESTION, broken_bytes, handshake, json_answer, one_json_message, packed_answer};
use rmp_serde::encode::to_vec_named as pack;
use serde_json::{Value, json};
use wire::{Wire, framed};

/// Stands for a connection's id.
const OWN_ID: &str = "OWNOWNOWNOWNOWNOWNOWNO";
const KINDS: [&str; 6] = [
    "handshake",
    "json",
    "messagepack",
    "json answers",
    "messagepack answers",
    "json answers of another",
];

fn words(random: &mut Random) -> Vec<Vec<u8>> {
    let kind = *random.pick(&KINDS);
    let one = |random: &mut Random| match kind {
        "handshake" => handshake(random),
        "json" => one_json_message(random),
        "messagepack" => {
            let good = message_pack_message(random);
            framed(&broken_bytes(random, good[1..].to_vec(), 2))
        }
        "messagepack answers" => packed_answer(random),
        _ => json_answer(random),
    };
    let count = if kind == "handshake" {
        1
    } else {
        1 + random.below(2)
    };
    let mut words = vec![kind.as_bytes().to_vec()];
    words.extend((0..count).map(|_| one(random)));
    words
}

/// Asks a client, who answers as told and well at last, and ends.
fn answers(address: &str, answers: &[Vec<u8>], packed: bool, of_another: bool) -> Vec<Value> {
    let mut wire = Wire::connected(address, packed);
    let own = wire.own_id();
    let mut other = of_another.then(|| Wire::connected(address, packed));
    let asked = other.as_mut().map_or(own.clone(), Wire::own_id);
    wire.call("a", "AskOther", json!([asked, "?"]));
    let hearer = other.as_mut().unwrap_or(&mut wire);
    let question = hearer.question();
    let well = match packed {
        true => framed(&pack(&json!([3, {}, question, 3, "well"])).expect("MessagePack")),
        false => {
            format!("{{\"type\":3,\"invocationId\":\"{question}\",\"result\":\"well\"}}\u{1e}")
                .into()
        }
    };
    for answer in answers {
        wire.say(&match packed {
            true => {
                let ids = [QUESTION, &question].map(|id| pack(id).expect("MessagePack"));
                framed(&replaced(answer, &ids[0], &ids[1]))
            }
            false => replaced(answer, QUESTION.as_bytes(), question.as_bytes()),
        });
    }
    if let Some(other) = &mut other {
        // Not before the client's answers were looked at.
        wire.call("s", "Nope", json!([]));
        let looked_at = b"\"invocationId\":\"s\"";
        wire.hear_until(|heard| heard.windows(looked_at.len()).any(|some| some == looked_at));
        other.say(&well);
    } else {
        wire.say(&well);
    }
    // The call's completion, or the end.
    let completed: &[u8] = if packed {
        b"\x03\x80\xa1a"
    } else {
        b"\"invocationId\":\"a\""
    };
    wire.hear_until(|heard| heard.windows(completed.len()).any(|some| some == completed));
    wire.close();
    if answers.len() > 1 {
        wire.hear_until(|_| false);
        wire.forget_completion_before_breach();
    }
    wire.farewell(&[
        (&own, OWN_ID),
        (&asked, "another's id"),
        (&question, QUESTION),
    ])
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|some| some == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

fn converse(address: &str, words: &[Vec<u8>]) -> Vec<Value> {
    let (kind, words) = words.split_first().expect("a kind");
    let kind = std::str::from_utf8(kind).expect("text");
    let packed = kind.starts_with("messagepack");
    if kind.contains("answers") {
        return answers(address, words, packed, kind.ends_with("of another"));
    }
    let mut wire = match kind {
        "handshake" => Wire::open(address, &words[0], packed),
        _ => Wire::connected(address, packed),
    };
    if kind != "handshake" {
        words.iter().for_each(|word| wire.say(word));
    }
    wire.close();
    wire.farewell(&[])
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn errors_are_told_in_the_same_words() {
    if !has("errors_are_told_in_the_same_words", &[Part::Peer]) {
        return;
    }
    let cases = Cases {
        count: wanted("HARMONY_CASES", 2000),
        at_a_time: 4,
        variables: &[("DetailedErrors", "true")],
    };
    compare(&[], cases, words, converse);
}
