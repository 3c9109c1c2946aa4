//! Values in the shortest form, as .NET writes them.

/// Appends an array's head.
pub fn write_array(out: &mut Vec<u8>, items: usize) {
    write_head(out, items, 15, 0x90, [None, Some(0xdc), Some(0xdd)]);
}

/// Appends a map's head.
pub fn write_map(out: &mut Vec<u8>, entries: usize) {
    write_head(out, entries, 15, 0x80, [None, Some(0xde), Some(0xdf)]);
}

pub fn write_text(out: &mut Vec<u8>, text: &str) {
    write_head(
        out,
        text.len(),
        31,
        0xa0,
        [Some(0xd9), Some(0xda), Some(0xdb)],
    );
    out.extend_from_slice(text.as_bytes());
}

pub fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    write_head(
        out,
        bytes.len(),
        -1,
        0,
        [Some(0xc4), Some(0xc5), Some(0xc6)],
    );
    out.extend_from_slice(bytes);
}

pub fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

pub fn write_boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

pub fn write_float(out: &mut Vec<u8>, value: f64) {
    out.push(0xcb);
    out.extend(value.to_be_bytes());
}

pub fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    match i64::try_from(value) {
        Ok(value) => write_integer(out, value),
        Err(_) => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
    }
}

pub fn write_extension(out: &mut Vec<u8>, kind: i8, bytes: &[u8]) {
    match bytes.len() {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        length => write_head(out, length, -1, 0, [Some(0xc7), Some(0xc8), Some(0xc9)]),
    }
    out.push(kind as u8);
    out.extend_from_slice(bytes);
}

pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    match value {
        -32..=127 => out.push(value as u8),
        128..=0xff => out.extend([0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((value as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
        -0x80..-32 => out.extend([0xd0, value as u8]),
        -0x8000..-0x80 => {
            out.push(0xd1);
            out.extend((value as i16).to_be_bytes());
        }
        -0x8000_0000..-0x8000 => {
            out.push(0xd2);
            out.extend((value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
    }
}

/// A length in its shortest form: within the marker, or in 1, 2 or 4 bytes after it.
fn write_head(
    out: &mut Vec<u8>,
    length: usize,
    inline: i64,
    base: u8,
    [one, two, four]: [Option<u8>; 3],
) {
    match (length, one) {
        (length, _) if (length as i64) <= inline => out.push(base | length as u8),
        (0..=0xff, Some(marker)) => out.extend([marker, length as u8]),
        (0..=0xffff, _) => {
            out.extend(two);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.extend(four);
            out.extend((length as u32).to_be_bytes());
        }
    }
}
