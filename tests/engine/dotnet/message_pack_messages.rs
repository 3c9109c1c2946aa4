//! MessagePack messages, good and bad.

use super::{both, talk};
use crate::harness::Random;
use crate::harness::parts::{Part, has};
use crate::harness::raw::Frame;
use rmp_serde::encode::to_vec_named as pack;
use serde_json::{Value, json};

pub fn packed(value: &Value) -> Vec<u8> {
    pack(value).expect("MessagePack")
}

/// One message behind its length, sometimes broken.
pub fn message_pack_message(random: &mut Random) -> Vec<u8> {
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
