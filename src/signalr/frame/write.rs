//! Frames of the server: unmasked, each final.

/// Appends the head of an unmasked, final frame: `0x81` text, `0x82` binary.
pub fn write_head(out: &mut Vec<u8>, first: u8, length: usize) {
    out.push(first);
    match length {
        0..=125 => out.push(length as u8),
        126..=0xffff => {
            out.push(126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// A whole text frame.
pub fn text_frame(payload: &[u8]) -> Vec<u8> {
    data_frame(0x81, payload)
}

/// A whole binary frame.
pub fn binary_frame(payload: &[u8]) -> Vec<u8> {
    data_frame(0x82, payload)
}

fn data_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    write_head(&mut frame, first, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// What a data frame of ours carries; nothing for any other frame.
pub fn payload(frame: &[u8]) -> &[u8] {
    match frame {
        [0x81 | 0x82, 126, _, _, payload @ ..] => payload,
        [0x81 | 0x82, 127, _, _, _, _, _, _, _, _, payload @ ..] => payload,
        [0x81 | 0x82, _, payload @ ..] => payload,
        _ => &[],
    }
}

/// The pong that answers a ping.
pub fn pong_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 2);
    write_head(&mut frame, 0x8a, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// A close frame without a reason, as ASP.NET Core sends it.
pub fn close_frame(code: u16) -> Vec<u8> {
    let mut frame = vec![0x88, 2];
    frame.extend(code.to_be_bytes());
    frame
}

/// `Sec-WebSocket-Accept` for a client's key.
pub fn accept_key(key: &[u8]) -> String {
    use base64::Engine;
    let mut digest = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::engine::general_purpose::STANDARD.encode(digest.finish())
}
