//! WebSocket frames against tungstenite, in whatever pieces they come.

use harmony::signalr::frame::{Decoder, Event, FrameError, accept_key, close_frame, text_frame};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

#[derive(Debug, Clone, PartialEq)]
enum Heard {
    Data(Vec<u8>),
    Ping(Vec<u8>),
    Close,
}

/// Feeds bytes cut at the given places; runs of data are joined.
fn decode(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Heard>, FrameError> {
    let mut decoder = Decoder::default();
    let mut heard: Vec<Heard> = Vec::new();
    let mut places: Vec<_> = cuts
        .iter()
        .map(|cut| cut % (bytes.len() + 1))
        .chain([0, bytes.len()])
        .collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        let mut piece = bytes[pair[0]..pair[1]].to_vec();
        decoder.feed(&mut piece, |event| {
            match (event, heard.last_mut()) {
                (Event::Data(data), Some(Heard::Data(known))) => known.extend_from_slice(data),
                (Event::Data(data), _) => heard.push(Heard::Data(data.to_vec())),
                (Event::Ping(payload), _) => heard.push(Heard::Ping(payload.to_vec())),
                (Event::Close, _) => heard.push(Heard::Close),
            }
            Ok::<_, FrameError>(())
        })?;
    }
    Ok(heard)
}

/// A client's frame, masked, as tungstenite writes it.
fn masked(frame: Frame) -> Vec<u8> {
    let mut frame = frame;
    frame.header_mut().mask = Some([0x12, 0xfe, 0x00, 0x7f]);
    let mut out = Vec::new();
    frame.format(&mut out).expect("a frame");
    out
}

fn data(payload: Vec<u8>, code: Data, last: bool) -> Vec<u8> {
    masked(Frame::message(payload, OpCode::Data(code), last))
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (65_500usize..65_600, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ]
}

proptest! {
    #[test]
    fn frames_are_read_in_whatever_pieces(payloads in prop::collection::vec(payloads(), 1..5), cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        let bytes: Vec<u8> = payloads.iter().flat_map(|payload| data(payload.clone(), Data::Binary, true)).collect();
        let all = payloads.concat();
        let expected = if all.is_empty() { vec![] } else { vec![Heard::Data(all)] };
        assert_eq!(decode(&bytes, &cuts), Ok(expected));
    }

    #[test]
    fn fragments_with_a_ping_between(text in any::<String>(), at in any::<prop::sample::Index>(), cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        let bytes = text.as_bytes();
        let at = at.index(bytes.len() + 1);
        let mut frames = data(bytes[..at].to_vec(), Data::Text, false);
        frames.extend(masked(Frame::ping(b"abc".to_vec())));
        frames.extend(data(bytes[at..].to_vec(), Data::Continue, true));
        let heard = decode(&frames, &cuts).expect("good frames");
        let joined: Vec<u8> = heard.iter().flat_map(|event| if let Heard::Data(data) = event { data.clone() } else { vec![] }).collect();
        assert_eq!(joined, bytes);
        assert!(heard.contains(&Heard::Ping(b"abc".to_vec())));
    }

    #[test]
    fn text_is_utf8_in_whatever_pieces(bytes in prop::collection::vec(any::<u8>(), 0..40), cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        let frames = data(bytes.clone(), Data::Text, true);
        assert_eq!(decode(&frames, &cuts).is_ok(), std::str::from_utf8(&bytes).is_ok());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(any::<usize>(), 0..4)) {
        let _ = decode(&bytes, &cuts);
    }

    #[test]
    fn our_frames_are_theirs(length in prop_oneof![0usize..300, 65_500usize..65_600]) {
        let payload = vec![b'x'; length];
        let mut theirs = Vec::new();
        Frame::message(payload.clone(), OpCode::Data(Data::Text), true).format(&mut theirs).expect("a frame");
        assert_eq!(text_frame(&payload), theirs);
    }
}

#[test]
fn closes_may_carry_a_code() {
    let close = |code: u16| {
        masked(Frame::close(Some(CloseFrame {
            code: CloseCode::from(code),
            reason: "bye".into(),
        })))
    };
    assert_eq!(decode(&close(1000), &[]), Ok(vec![Heard::Close]));
    assert_eq!(
        decode(&masked(Frame::close(None)), &[]),
        Ok(vec![Heard::Close])
    );
    assert!(decode(&close(1005), &[]).is_err());
    let mut ours = Vec::new();
    Frame::close(Some(CloseFrame {
        code: CloseCode::Away,
        reason: "".into(),
    }))
    .format(&mut ours)
    .expect("a frame");
    assert_eq!(close_frame(1001), ours);
}

#[test]
fn a_length_need_not_be_in_its_shortest_form() {
    let long = [
        &[0x82, 0xfe, 0, 1, 0, 0, 0, 0, b'a'][..],
        &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, b'b'],
        &[0x89, 0xfe, 0, 1, 0, 0, 0, 0, b'c'],
    ]
    .concat();
    assert_eq!(
        decode(&long, &[1, 2, 3]),
        Ok(vec![
            Heard::Data(b"ab".to_vec()),
            Heard::Ping(b"c".to_vec())
        ])
    );
}

#[test]
fn breaches_are_refused() {
    let frame = |first: u8, second: u8| [vec![first, second], vec![0; 200]].concat();
    let refused = [
        ("a reserved bit", frame(0xc1, 0x80)),
        ("no mask", frame(0x81, 0x01)),
        ("an unknown opcode", frame(0x83, 0x80)),
        ("an unknown control opcode", frame(0x8b, 0x80)),
        ("a continuation of nothing", frame(0x80, 0x80)),
        ("a ping in pieces", frame(0x09, 0x80)),
        (
            "a ping of 126 bytes",
            [vec![0x89, 0xfe, 0, 126], vec![0; 200]].concat(),
        ),
        ("a close of one byte", frame(0x88, 0x81)),
        (
            "a message inside a message",
            [
                data(b"a".to_vec(), Data::Text, false),
                data(b"b".to_vec(), Data::Text, true),
            ]
            .concat(),
        ),
    ];
    for (what, bytes) in refused {
        assert!(
            matches!(decode(&bytes, &[]), Err(FrameError::Protocol(_))),
            "{what}"
        );
        assert!(decode(&bytes, &[1, 2, 3]).is_err(), "{what}, in pieces");
    }
    let _ = (FrameHeader::default(), Control::Ping, Just(0));
}

#[test]
fn the_accept_key_is_the_rfcs() {
    // RFC 6455, 1.3.
    assert_eq!(
        accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}
