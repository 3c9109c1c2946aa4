//! AMQP frames as RabbitMQ would pass them on from a hostile publisher: any bytes, cut anywhere.
#![no_main]

use harmony::broker::envelope::{Envelope, EnvelopeReader};

libfuzzer_sys::fuzz_target!(|input: (&[u8], u8)| {
    let (bytes, cut) = input;
    let reader = EnvelopeReader::Hub { body_bytes: 1000 };
    let feed = |piece: usize| {
        let (mut envelope, mut out) = (Envelope::new(reader), Vec::new());
        let announced: u64 = bytes
            .chunks(piece.max(1))
            .map(|piece| envelope.feed(piece, &mut out))
            .fold(0, u64::wrapping_add);
        (out, announced)
    };
    assert_eq!(feed(usize::from(cut)), feed(bytes.len()));
});
