//! Strings written as System.Text.Json writes them.

use super::plain;
use unicode_general_category::{GeneralCategory, get_general_category};

/// Appends `text` as a JSON string, quotes included, escaping what ASP.NET Core's relaxed encoder
/// escapes (spec: signalr.md D2).
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let (mut from, mut at) = (0, 0);
    loop {
        at += plain::unescaped_ascii(&text.as_bytes()[at..]);
        let Some(character) = text[at..].chars().next() else {
            break;
        };
        let next = at + character.len_utf8();
        if character.is_ascii() || !is_plain(character) {
            out.extend_from_slice(&text.as_bytes()[from..at]);
            write_escaped(out, character);
            from = next;
        }
        at = next;
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, character: char) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| b"0123456789ABCDEF"[usize::from((*unit >> shift) & 15)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Whether the encoder lets a character beyond ASCII stand: no control, no other space, no byte
/// order mark, nothing private or unknown, and nothing beyond the first 65,536.
fn is_plain(character: char) -> bool {
    use GeneralCategory::{
        Control, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Unassigned,
    };
    let category = get_general_category(character);
    let escaped = matches!(
        category,
        Control | LineSeparator | ParagraphSeparator | PrivateUse | SpaceSeparator | Unassigned
    );
    character <= '\u{ffff}' && character != '\u{feff}' && !escaped
}
