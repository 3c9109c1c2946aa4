//! Text that stands for itself in a JSON string, found eight bytes at a time.

const ONES: u64 = u64::MAX / 0xff;
const TOPS: u64 = ONES << 7;

/// How many of the first bytes neither end a string nor begin an escape nor are control characters.
pub(super) fn until_special(bytes: &[u8]) -> usize {
    leading(bytes, |word| {
        below_space(word) | is(word, b'"') | is(word, b'\\')
    })
}

/// How many of the first bytes are ASCII that a writer does not escape.
pub(super) fn unescaped_ascii(bytes: &[u8]) -> usize {
    leading(bytes, |word| {
        (word & TOPS) | below_space(word) | is(word, b'"') | is(word, b'\\') | is(word, 0x7f)
    })
}

/// How many of the first bytes are none of those that `found` marks: it sets the top bit of the
/// first one in a word, and may set any bits behind that.
fn leading(bytes: &[u8], found: impl Fn(u64) -> u64) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        match found(u64::from_le_bytes(*word)) {
            0 => at += 8,
            marks => return at + (marks.trailing_zeros() / 8) as usize,
        }
    }
    // What fills the last word up is a control character, which ends it.
    let mut word = [0; 8];
    word[..bytes.len() - at].copy_from_slice(&bytes[at..]);
    at + (found(u64::from_le_bytes(word)).trailing_zeros() / 8) as usize
}

fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & TOPS
}

fn is(word: u64, byte: u8) -> u64 {
    let zero = word ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero & TOPS
}
