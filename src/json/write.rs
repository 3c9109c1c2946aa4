//! Strings written as System.Text.Json writes them.

use unicode_general_category::{GeneralCategory, get_general_category};

/// Appends `text` as a JSON string, quotes included, escaping what ASP.NET Core's relaxed encoder
/// escapes (spec: signalr.md D2).
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut from = 0;
    for (at, character) in text.char_indices() {
        let short = match character {
            '"' => b'"',
            '\\' => b'\\',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            ' '..='~' => continue,
            // Looked up in no table: a message may consist of them.
            '\0'..='\u{1f}' | '\u{7f}' => b'u',
            _ if is_plain(character) => continue,
            _ => b'u',
        };
        out.extend_from_slice(&text.as_bytes()[from..at]);
        if short == b'u' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| b"0123456789ABCDEF"[usize::from((*unit >> shift) & 15)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
        from = at + character.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
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
