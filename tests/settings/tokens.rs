//! Settings files as sequences of tokens, right and wrong ones: .NET and we read the same or both
//! refuse.

use super::oracle::{all, cases, compare, compare_folder, oracle, seed};
use crate::harness::{Folder, Random};
use harmony::appsettings::document::Document;
use harmony::appsettings::key_path::same;
use harmony::appsettings::layers::ProcessInputs;
use std::fmt::Write;

/// What may stand between two tokens, or must not.
const SPACES: [&str; 26] = [
    " ",
    "\n",
    "\r\n",
    "\t",
    "\r",
    "",
    "/* c */",
    "/**/",
    "/***/",
    "// d\n",
    "// d\r",
    "//\n",
    "/* a\n * b */",
    "\u{a0}",
    "\u{3000}",
    "\u{85}",
    "\u{2028}",
    "\u{b}",
    "\u{c}",
    "\u{feff}",
    "// \u{2028}\n",
    "// \u{2029} \n",
    "/* \u{2028} */",
    "/*/",
    "/",
    "# x\n",
];
const VALUES: [&str; 54] = [
    "1",
    "\"x\"",
    "true",
    "false",
    "null",
    "{}",
    "[]",
    "\"\"",
    "1.50",
    "-0",
    "-1",
    "1e3",
    "1E+3",
    "0.0",
    "1e-7",
    "12345678901234567890",
    "\"\\u00e9\\n\\t\\/\\\\\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{7f}\"",
    "\"é\u{2028}😀\"",
    "\"/* no comment */\"",
    "\"// none\"",
    "\"a:b\"",
    "\"\\u0000\"",
    "01",
    "1.",
    ".5",
    "-",
    "1e",
    "+1",
    "NaN",
    "Infinity",
    "0x1F",
    "1_000",
    "True",
    "nul",
    "truex",
    "'x'",
    "x",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"a\tb\"",
    "\"a\nb\"",
    "\"a",
    "\"\\\"",
    "--1",
    "1 2",
    "-01",
    "1e+",
    "{]",
    "[}",
    "\u{feff}1",
];
const NAMES: [&str; 28] = [
    "\"a\"",
    "\"b\"",
    "\"A\"",
    "\"a:b\"",
    "\"\"",
    "\":\"",
    "\"a:\"",
    "\":a\"",
    "\"a::b\"",
    "\"0\"",
    "\"1\"",
    "\"__\"",
    "\"a__b\"",
    "\"é\"",
    "\"É\"",
    "\"ı\"",
    "\"I\"",
    "\"ſ\"",
    "\"S\"",
    "\"ᾳ\"",
    "\"ᾼ\"",
    "\"\\u0061\"",
    "\" a\"",
    "\"ß\"",
    "\"\\ud83d\\ude00\"",
    "a",
    "'a'",
    "\"\\ud800\"",
];
const SIGNS: [&str; 8] = [",", ":", "{", "}", "[", "]", ";", "="];

struct Generator {
    random: Random,
    tokens: Vec<String>,
}

impl Generator {
    /// Mostly a good one of the list's first part.
    fn one(&mut self, choices: &[&str], good: usize) -> String {
        let choices = if self.random.one_in(40) {
            choices
        } else {
            &choices[..good]
        };
        (*self.random.pick(choices)).to_owned()
    }

    fn put(&mut self, token: impl Into<String>) {
        self.tokens.push(token.into());
    }

    fn list(&mut self, open: &str, close: &str, depth: u64, item: fn(&mut Self, u64)) {
        self.put(open);
        let length = self.random.below(4);
        for place in 0..length {
            item(self, depth);
            if place + 1 < length || self.random.one_in(5) {
                self.put(",");
            }
        }
        self.put(close);
    }

    fn member(&mut self, depth: u64) {
        let name = self.one(&NAMES, 25);
        self.put(name);
        self.put(":");
        self.value(depth);
    }

    fn value(&mut self, depth: u64) {
        match self.random.below(if depth > 3 { 1 } else { 5 }) {
            3 => self.list("{", "}", depth + 1, Self::member),
            4 => self.list("[", "]", depth + 1, Self::value),
            _ => {
                let value = self.one(&VALUES, 24);
                self.put(value);
            }
        }
    }

    fn nested(&mut self) {
        let depth = 60 + self.random.below(8);
        let array = self.random.one_in(3);
        let (open, close) = if array { ("[", "]") } else { ("{\"a\":", "}") };
        let core = self.one(&["{}", "[]", "1", "{\"b\":1}", "[1]"], 5);
        let open = open.repeat(depth as usize);
        let close = close.repeat(depth as usize);
        self.put(format!("{{\"a\":{open}{core}{close}}}"));
    }

    /// Some tokens gone, doubled, or changed for others.
    fn spoil(&mut self) {
        for _ in 0..self.random.below(3) {
            let at = self.random.below(self.tokens.len() as u64) as usize;
            match self.random.below(4) {
                0 => drop(self.tokens.remove(at)),
                1 => self.tokens.insert(at, self.tokens[at].clone()),
                2 => self.tokens[at] = (*self.random.pick(&SIGNS)).to_owned(),
                _ => {
                    let other = self.random.below(self.tokens.len() as u64) as usize;
                    self.tokens.swap(at, other);
                }
            }
            if self.tokens.is_empty() {
                return;
            }
        }
    }

    fn text(mut self) -> String {
        if self.random.one_in(25) {
            self.nested();
        } else {
            self.list("{", "}", 0, Self::member);
        }
        if self.random.one_in(3) {
            self.spoil();
        }
        let mut text = String::new();
        for token in std::mem::take(&mut self.tokens) {
            while self.random.one_in(3) {
                text += &self.one(&SPACES, 13);
            }
            text += &token;
        }
        text
    }
}

fn texts(count: u32) -> Vec<String> {
    let seeds = (0..u64::from(count)).map(|case| seed().wrapping_mul(1_000_003) + case);
    seeds
        .map(|seed| {
            let mut random = Random(seed);
            random.below(2);
            let tokens = Vec::new();
            Generator { random, tokens }.text()
        })
        .collect()
}

#[test]
fn any_sequence_of_tokens_is_read_as_dotnet_reads_it() {
    let Some(peer) = oracle("any_sequence_of_tokens_is_read_as_dotnet_reads_it") else {
        return;
    };
    let texts = texts(cases(120));
    let refused = all(&texts, |text| compare(&peer, text.as_bytes()));
    eprintln!(
        "seed {}: {} token sequences, {refused} refused by both, 0 differences",
        seed(),
        texts.len()
    );
}

/// The issue's own samples and their kin: what .NET says of each is known.
#[test]
fn lexical_rules_are_dotnets() {
    for text in [
        "{\u{a0}\"a\":1}",
        "{\"a\":\u{3000}1}",
        "{\"a\"\u{85}:1}",
        "{\"a\":1\u{2028}}",
        "{\u{b}\"a\":1}",
        "{\u{c}\"a\":1}",
        "{\"a\" /* c */ : 1}",
        "{\"a\" // c\n: 1}",
        "{ // \u{2028}\n\"a\":1}",
        "{\"a\":1,,}",
        "{,}",
        "{\"a\":1} /* open",
    ] {
        assert!(Document::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    let nested = |levels: usize| {
        let (open, close) = ("{\"a\":".repeat(levels - 1), "}".repeat(levels - 1));
        format!("{open}{{}}{close}")
    };
    assert!(Document::parse(nested(64).as_bytes()).is_ok());
    assert!(Document::parse(nested(65).as_bytes()).is_err());
    let read = |text: &str| {
        let document = Document::parse(text.as_bytes()).expect("settings");
        let keys = document.entries().into_iter().map(|entry| entry.key);
        keys.collect::<Vec<_>>()
    };
    assert_eq!(read("{\"\":{\"a\":1}}"), [":a"]);
    assert_eq!(read("{\"a\"://c\n1,/* \u{2028} */}"), ["a"]);
    assert_eq!(read("{\"ı\":1,\"I\":2,\"ſ\":3,\"s\":4}").len(), 4);
    assert!(Document::parse("{\"ᾳ\":1,\"ᾼ\":2}".as_bytes()).is_err());
}

/// Every letter beside its other cases, in one question: are they one name?
#[test]
fn letters_are_folded_as_dotnet_folds_them() {
    let Some(peer) = oracle("letters_are_folded_as_dotnet_folds_them") else {
        return;
    };
    let letters = (0x80..=0x10_ffff).filter_map(char::from_u32);
    let pairs: Vec<(char, char)> = letters
        .flat_map(|letter| {
            let cases = letter.to_uppercase().chain(letter.to_lowercase());
            let next = [8, 9].map(|step| char::from_u32(u32::from(letter) + step));
            let greek = ('\u{1f80}'..='\u{1fff}').contains(&letter);
            let kin = next.into_iter().flatten().filter(move |_| greek);
            cases.chain(kin).map(move |other| (letter, other))
        })
        .filter(|(letter, other)| letter != other)
        .collect();
    let file = |pick: fn(&(char, char)) -> char| {
        let mut text = String::from("{");
        for (place, pair) in pairs.iter().enumerate() {
            write!(text, "\"{place}\":{{\"{}\":1}},", pick(pair)).expect("text");
        }
        text + "}"
    };
    let folder = Folder::new();
    folder.write("appsettings.json", &file(|pair| pair.0));
    folder.write("appsettings.Development.json", &file(|pair| pair.1));
    let difference = compare_folder(&peer, &folder, &ProcessInputs::default());
    assert!(difference == Ok(false), "{} pairs", pairs.len());
    assert!(!same("ı", "I") && !same("ſ", "s") && same("ᾳ", "ᾼ"));
    eprintln!("{} pairs of letters, 0 differences", pairs.len());
}
