//! WebSocket frames: whatever comes is taken alike in one piece and byte by byte.
#![no_main]

use harmony::signalr::frame::{Decoder, Event, FrameError};
use libfuzzer_sys::fuzz_target;

/// Data, pings and closes, and whether it broke.
fn events<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> (Vec<u8>, Vec<Vec<u8>>, bool, bool) {
    let (mut data, mut pings, mut closed) = (Vec::new(), Vec::new(), false);
    let mut decoder = Decoder::default();
    for piece in pieces {
        let fed = decoder.feed(&mut piece.to_vec(), |event| {
            match event {
                Event::Data(bytes) => data.extend_from_slice(bytes),
                Event::Ping(payload) => pings.push(payload.to_vec()),
                Event::Close => closed = true,
            }
            Ok::<_, FrameError>(())
        });
        if fed.is_err() {
            return (data, pings, closed, true);
        }
    }
    (data, pings, closed, false)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = events(std::iter::once(bytes));
    let pieces = events(bytes.chunks(1));
    assert_eq!((whole.1, whole.2, whole.3), (pieces.1, pieces.2, pieces.3));
    // Up to a breach within a text, as much of it as there was is handed on.
    assert!(whole.3 || whole.0 == pieces.0);
});
