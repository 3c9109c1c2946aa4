//! Files in every encoding that .NET's StreamReader reads: the same text, and edits that keep the
//! bytes.

use super::oracle::{all, cases, compare, oracle, seed};
use crate::harness::Random;
use harmony::appsettings::document::{Document, NewValue};
use harmony::appsettings::key_path::KeyPath;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Utf8,
    Utf8Marked,
    Utf16Little,
    Utf16Big,
    Utf32Little,
    Utf32Big,
}

const WRITINGS: [Writing; 6] = [
    Writing::Utf8,
    Writing::Utf8Marked,
    Writing::Utf16Little,
    Writing::Utf16Big,
    Writing::Utf32Little,
    Writing::Utf32Big,
];

/// A text with its mark, as PowerShell's `Out-File -Encoding` writes it.
fn written(text: &str, writing: Writing) -> Vec<u8> {
    let marked = match writing {
        Writing::Utf8 => text.to_owned(),
        _ => format!("\u{feff}{text}"),
    };
    let letters = || marked.chars().map(u32::from);
    match writing {
        Writing::Utf8 | Writing::Utf8Marked => marked.into_bytes(),
        Writing::Utf16Little => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Writing::Utf16Big => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Writing::Utf32Little => letters().flat_map(u32::to_le_bytes).collect(),
        Writing::Utf32Big => letters().flat_map(u32::to_be_bytes).collect(),
    }
}

#[test]
fn an_edit_keeps_the_encoding_and_the_mark() {
    let before = "{\r\n  // naïve 😀\r\n  \"A\": { \"B\": 1, \"Ü\": \"x\" },\r\n}\r\n";
    for writing in WRITINGS {
        let mut document = Document::parse(&written(before, writing)).expect("settings");
        assert_eq!(document.get(&KeyPath::new("a:ü")), Some("x"), "{writing:?}");
        let changed = document.set(&KeyPath::new("A:Ü"), &NewValue::Text("😀 ß".into()));
        assert_eq!(changed, Ok(true));
        let after = written(&before.replace("\"x\"", "\"😀 ß\""), writing);
        assert_eq!(document.to_bytes(), after, "{writing:?}");
        document
            .set(&KeyPath::new("A:New"), &NewValue::Integer(7))
            .expect("a place for it");
        document.remove(&KeyPath::new("a:b")).expect("a safe edit");
        let after = before.replace("\"B\": 1, \"Ü\": \"x\"", "\"Ü\": \"😀 ß\", \"New\": 7");
        assert_eq!(document.to_bytes(), written(&after, writing), "{writing:?}");
    }
}

#[test]
fn stray_bytes_read_as_dotnet_reads_them_and_stay_where_they_are() {
    let before = b"{ // caf\xe9, \xf0\x9f\x98\n  \"A\": \"na\xefve\",\n  \"B\": 1 // \xff\n}";
    let mut document = Document::parse(before).expect("what .NET reads");
    assert_eq!(document.get(&KeyPath::new("a")), Some("na\u{fffd}ve"));
    document
        .set(&KeyPath::new("b"), &NewValue::Integer(20))
        .expect("an edit");
    document
        .set(&KeyPath::new("c"), &NewValue::Boolean(true))
        .expect("an edit");
    let after: &[u8] = b"{ // caf\xe9, \xf0\x9f\x98\n  \"A\": \"na\xefve\",\n  \"B\": 20, // \xff\n  \"c\": true\n}";
    assert_eq!(document.to_bytes(), after);
    document
        .set(&KeyPath::new("a"), &NewValue::Text("plain".into()))
        .expect("an edit");
    document.remove(&KeyPath::new("b")).expect("an edit");
    let after: &[u8] = b"{ // caf\xe9, \xf0\x9f\x98\n  \"A\": \"plain\",\n  \"c\": true\n}";
    assert_eq!(document.to_bytes(), after);
}

/// Bytes that mean nothing in one encoding or another.
const STRAYS: [&[u8]; 12] = [
    b"\xe9",
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x00\xd8",
    b"\xd8\x00",
    b"\x00\x00\x11\x00",
    b"\x80",
];

/// What a file's texts are made of: letters that need one to four bytes.
const LETTERS: [&str; 10] = [
    "a",
    "ü",
    "é",
    "€",
    "漢",
    "😀",
    "\u{7f}",
    "\u{2028}",
    "\u{fffd}",
    "\u{10ffff}",
];

/// A file that is right in its encoding, but for strays where any text may be.
struct Encoded<'r> {
    random: &'r mut Random,
    writing: Writing,
    bytes: Vec<u8>,
}

impl Encoded<'_> {
    fn put(&mut self, text: &str) {
        // The mark stands at the beginning alone.
        let mark = match self.bytes.is_empty() {
            true => 0,
            false => written("", self.writing).len(),
        };
        self.bytes
            .extend_from_slice(&written(text, self.writing)[mark..]);
    }

    /// Some letters, and perhaps a stray.
    fn text(&mut self, choices: &[&str]) {
        for _ in 0..self.random.below(4) {
            let letter = *self.random.pick(choices);
            self.put(letter);
        }
        if self.random.one_in(4) {
            let stray: &[u8] = match self.writing {
                Writing::Utf8 | Writing::Utf8Marked => STRAYS[self.random.below(8) as usize],
                Writing::Utf16Little => b"\x00\xd8",
                Writing::Utf16Big => b"\xd8\x00",
                Writing::Utf32Little => b"\x00\x00\x11\x00",
                Writing::Utf32Big => b"\x00\x11\x00\x00",
            };
            self.bytes.extend_from_slice(stray);
        }
    }

    fn write(mut self) -> Vec<u8> {
        self.put("{");
        for name in 0..self.random.below(4) {
            self.put(" /* ");
            // .NET refuses this one in line comments only; we keep it out of all.
            self.text(&LETTERS[..7]);
            self.put(&format!("*/ \"{name}"));
            self.text(&LETTERS);
            self.put("\": \"");
            self.text(&LETTERS);
            self.put("\",\r\n");
        }
        self.put("}");
        if self.random.one_in(3) {
            self.put(" // ");
            self.text(&LETTERS[..7]);
        }
        self.bytes
    }
}

fn encoded(random: &mut Random) -> Vec<u8> {
    let writing = *random.pick(&WRITINGS);
    let bytes = Vec::new();
    let mut bytes = Encoded {
        random,
        writing,
        bytes,
    }
    .write();
    if random.one_in(10) {
        let stray = *random.pick(&STRAYS);
        let at = random.below(bytes.len() as u64 + 1) as usize;
        bytes.splice(at..at, stray.iter().copied());
    }
    if random.one_in(20) {
        bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
    }
    bytes
}

#[test]
fn any_bytes_are_read_as_dotnet_reads_them() {
    let Some(peer) = oracle("any_bytes_are_read_as_dotnet_reads_them") else {
        return;
    };
    let mut random = Random(seed());
    let files: Vec<_> = (0..cases(60)).map(|_| encoded(&mut random)).collect();
    let refused = all(&files, |bytes| {
        let mut document = Document::parse(bytes);
        if let Ok(document) = &mut document {
            assert_eq!(&document.to_bytes(), bytes, "nothing done, nothing changed");
        }
        compare(&peer, bytes).map_err(|difference| format!("{bytes:x?}\n{difference}"))
    });
    eprintln!(
        "seed {}: {} encoded files, {refused} refused by both, 0 differences",
        seed(),
        files.len()
    );
}
