//! Frames of any shape pass the envelope alike however they are cut, and what comes out is small
//! and plain.

use crate::harness::Random;
use harmony::broker::envelope::{Envelope, EnvelopeReader};

const AUDIENCE: EnvelopeReader = EnvelopeReader::Hub { body_bytes: 1000 };

const NAMES: [&[u8]; 5] = [b"notification_type", b"CC", b"x-delay", b"trace", b"\xff"];

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    [&[kind, 0, 1][..], &size, payload, &[0xCE]].concat()
}

/// Something like a content header: often well formed, seldom all of it.
fn header(random: &mut Random) -> Vec<u8> {
    let mut table = Vec::new();
    for _ in 0..random.below(5) {
        let name = *random.pick(&NAMES);
        table.push(name.len() as u8);
        table.extend_from_slice(name);
        table.push(*random.pick(b"SxtIlTdVAFsuiDfBb?"));
        let length = random.below(40) as u32;
        if !random.one_in(3) {
            table.extend_from_slice(&length.to_be_bytes());
        }
        table.extend((0..length).map(|_| random.below(256) as u8));
    }
    let mut payload = vec![0, 60, 0, 0];
    payload.extend_from_slice(&random.below(3000).to_be_bytes());
    payload.extend_from_slice(&((random.below(1 << 14) as u16) << 2).to_be_bytes());
    payload.extend_from_slice(&(table.len() as u32).to_be_bytes());
    payload.extend(table);
    payload.extend((0..random.below(60)).map(|_| random.below(256) as u8));
    payload
}

fn stream(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(6) {
        let payload = match random.below(3) {
            0 => header(random),
            _ => (0..random.below(200))
                .map(|_| random.below(256) as u8)
                .collect(),
        };
        let kind = *random.pick(&[1, 2, 2, 2, 3, 8]);
        bytes.extend(frame(kind, &payload));
    }
    bytes
}

/// Feeds a stream in pieces.
fn fed(bytes: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<u8>, u64) {
    let (mut envelope, mut out, mut announced) = (Envelope::new(AUDIENCE), Vec::new(), 0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (taken, left) = rest.split_at(piece().clamp(1, rest.len()));
        announced += envelope.feed(taken, &mut out);
        rest = left;
    }
    (out, announced)
}

#[test]
fn ten_thousand_streams_are_rewritten_alike_however_they_are_cut() {
    let mut random = Random(20);
    for number in 0..10_000 {
        let bytes = stream(&mut random);
        let whole = fed(&bytes, || usize::MAX);
        let mut cuts = Random(number);
        assert_eq!(
            fed(&bytes, || cuts.below(9) as usize),
            whole,
            "stream {number}"
        );
        let mut rest = whole.0.as_slice();
        while let [kind, _, _, a, b, c, d, after @ ..] = rest {
            let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            assert_eq!(
                after.get(size),
                Some(&0xCE),
                "stream {number}: a frame without its end"
            );
            assert!(
                *kind != 2 || size < 20_000,
                "stream {number}: a large header"
            );
            rest = &after[size + 1..];
        }
        assert!(rest.is_empty());
    }
}
