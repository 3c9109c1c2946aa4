//! Random edits of files in random styles: .NET reads the edited file as it was, but for the edit.

use super::oracle::{all, cases, dotnet_settings, oracle, our_settings, seed};
use crate::harness::{Folder, Random};
use harmony::appsettings::document::{Document, EditError, NewValue};
use harmony::appsettings::key_path::{KeyPath, fold, same};
use harmony::appsettings::layers::ProcessInputs;
use std::collections::BTreeMap;

/// How a file is laid out.
#[derive(Debug, Clone, Copy)]
struct Style {
    indent: &'static str,
    newline: &'static str,
    comma_first: bool,
    trailing_comma: bool,
    comments: bool,
    one_line: bool,
}

struct Writer {
    random: Random,
    style: Style,
    text: String,
}

const NAMES: [&str; 12] = [
    "A", "b", "Kestrel", "List", "x y", "é", "Port", "Uri", "0", "Default", "c/d", "e~f",
];
const LEAVES: [&str; 9] = [
    "1",
    "\"x\"",
    "true",
    "false",
    "null",
    "1.50",
    "\"\\u00e9\"",
    "\"a, b: { }\"",
    "\"\"",
];

impl Writer {
    fn chance(&mut self, one_in: u64) -> bool {
        self.random.one_in(one_in)
    }

    fn comment(&mut self) -> String {
        if !self.style.comments || !self.chance(3) {
            return String::new();
        }
        let block = self.style.one_line || self.chance(2);
        if block {
            " /* , } \" */".to_owned()
        } else {
            " // , { \"".to_owned()
        }
    }

    /// The end of a line and the next one's indentation.
    fn line(&mut self, depth: usize) {
        if self.style.one_line {
            self.text.push(' ');
            return;
        }
        if self.style.comments && self.chance(8) {
            self.text += self.style.newline;
            self.text += &self.style.indent.repeat(depth);
            self.text += "// a line of its own";
        }
        self.text += self.style.newline;
        self.text += &self.style.indent.repeat(depth);
    }

    fn items(&mut self, brackets: [&str; 2], depth: usize, items: &[Option<&str>]) {
        self.text += brackets[0];
        if self.style.comments && self.chance(6) {
            self.text += " /* first */";
        }
        for (place, name) in items.iter().enumerate() {
            let is_last = place + 1 == items.len();
            self.line(depth + 1);
            if self.style.comma_first && place > 0 {
                self.text += ", ";
            }
            if let Some(name) = name {
                self.text += &serde_json::Value::from(*name).to_string();
                let colon = if self.chance(4) { " : " } else { ": " };
                self.text += colon;
            }
            self.value(depth + 1);
            let behind = self.comment();
            if self.style.comma_first {
                self.text += &behind;
            } else {
                let comma = if !is_last || self.style.trailing_comma {
                    ","
                } else {
                    ""
                };
                let late = !behind.contains("//") && self.chance(2);
                self.text += &if late {
                    format!("{behind}{comma}")
                } else {
                    format!("{comma}{behind}")
                };
            }
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.text += brackets[1];
    }

    fn value(&mut self, depth: usize) {
        let kind = if depth > 3 { 0 } else { self.random.below(6) };
        let count = self.random.below(4) as usize;
        match kind {
            4 => {
                let names = self.names(count);
                let names: Vec<_> = names.into_iter().map(Some).collect();
                self.items(["{", "}"], depth, &names);
            }
            5 => self.items(["[", "]"], depth, &vec![None; count]),
            _ => self.text += *self.random.pick::<&str>(&LEAVES),
        }
    }

    fn names(&mut self, count: usize) -> Vec<&'static str> {
        let mut names: Vec<&str> = Vec::new();
        while names.len() < count {
            let name = *self.random.pick(&NAMES);
            if !names.iter().any(|known| same(known, name)) {
                names.push(name);
            }
        }
        names
    }
}

/// A file and its edit.
#[derive(Debug)]
pub struct Case {
    pub before: Vec<u8>,
    pub key: String,
    /// `None` removes the key.
    pub value: Option<NewValue>,
}

pub fn case(number: u64) -> Case {
    let mut random = Random(seed().wrapping_mul(7_919) + number);
    random.below(2);
    let one_line = random.one_in(6);
    let style = Style {
        indent: random.pick::<&str>(&["  ", "    ", "\t", " ", ""]),
        newline: random.pick::<&str>(&["\n", "\r\n", "\n", "\r\n", "\r"]),
        comma_first: random.one_in(4),
        trailing_comma: random.one_in(4),
        comments: random.one_in(2),
        one_line,
    };
    let text = String::new();
    let mut writer = Writer {
        random,
        style,
        text,
    };
    let count = 1 + writer.random.below(5) as usize;
    let names = writer.names(count);
    let names: Vec<_> = names.into_iter().map(Some).collect();
    writer.items(["{", "}"], 0, &names);
    let Writer {
        mut random, text, ..
    } = writer;
    let document =
        Document::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let entries = document.entries();
    let known = entries[random.below(entries.len() as u64) as usize]
        .key
        .clone();
    let parent = known.rsplit_once(':').map_or("", |(parent, _)| parent);
    let below = |name: &str| {
        format!("{parent}:{name}")
            .trim_start_matches(':')
            .to_owned()
    };
    let key = match random.below(6) {
        0 => below(random.pick::<&str>(&NAMES)),
        1 => format!("{known}:New"),
        2 => below(&format!("New:{}", random.pick::<&str>(&NAMES))),
        3 if !parent.is_empty() => parent.to_owned(),
        _ => known,
    };
    let value = match random.below(5) {
        0 | 1 => None,
        2 => Some(NewValue::Integer(-7)),
        3 => Some(NewValue::Boolean(true)),
        _ => Some(NewValue::Text("new \"value\" é, }".into())),
    };
    let mut before = text.into_bytes();
    if random.one_in(4) {
        before.splice(0..0, *b"\xef\xbb\xbf");
    }
    Case { before, key, value }
}

/// What the settings should be after an edit: `None` where an array's items move.
fn expected(case: &Case, before: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    let mut settings = before.clone();
    let (own, below) = (fold(&case.key), fold(&case.key) + ":");
    match &case.value {
        Some(value) => {
            settings.retain(|key, _| *key != own && !key.starts_with(&below));
            settings.insert(own, value.as_read());
            Some(settings)
        }
        None => {
            let document = Document::parse(&case.before).expect("settings");
            let (parent, _) = case.key.rsplit_once(':').unwrap_or_default();
            if document.array_length(&KeyPath::new(parent)) > 0 {
                return None;
            }
            settings.retain(|key, _| *key != own && !key.starts_with(&below));
            Some(settings)
        }
    }
}

fn check(peer: &std::path::Path, case: &Case) -> Result<bool, String> {
    let folder = Folder::new();
    let path = folder.path().join("appsettings.json");
    std::fs::write(&path, &case.before).expect("a file");
    let started = ProcessInputs::default();
    let before = our_settings(folder.path(), "Development", &started)?;
    let mut document = Document::parse(&case.before).expect("settings");
    let key = KeyPath::new(&case.key);
    let edited = match &case.value {
        Some(value) => document.replace(&key, value),
        None => document.remove(&key),
    };
    let after = document.to_bytes();
    let shown = || {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "{}\n{:?} := {:?}\n{}",
            text(&case.before),
            case.key,
            case.value,
            text(&after)
        )
    };
    match edited {
        Err(EditError::Unsafe { .. }) => return Err(format!("refused\n{}", shown())),
        Err(_) | Ok(false) if after == case.before => return Ok(true),
        Err(_) | Ok(false) => return Err(format!("it changed\n{}", shown())),
        Ok(true) => {}
    }
    std::fs::write(&path, &after).expect("a file");
    let theirs = dotnet_settings(peer, folder.path(), "Development", &started)
        .ok_or_else(|| format!("unreadable\n{}", shown()))?;
    let ours = our_settings(folder.path(), "Development", &started)?;
    // A list that lost its last item, or a section, reads as an empty value in newer .NET.
    let plain = |settings: &BTreeMap<String, String>| {
        let filled = settings.iter().filter(|(_, value)| !value.is_empty());
        filled
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let expected = expected(case, &before);
    if ours != theirs || expected.is_some_and(|expected| plain(&expected) != plain(&theirs)) {
        return Err(format!("{theirs:?}\n{}", shown()));
    }
    let has_mark = |bytes: &[u8]| bytes.starts_with(b"\xef\xbb\xbf");
    let lone = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "");
        [text.contains('\n'), text.contains('\r')]
    };
    if has_mark(&case.before) != has_mark(&after) {
        return Err(format!("the mark is another\n{}", shown()));
    }
    let (was, is) = (lone(&case.before), lone(&after));
    if case.before.contains(&b'\n') && is[0] && !was[0] || is[1] && !was[1] {
        return Err(format!("another line end\n{}", shown()));
    }
    Ok(false)
}

#[test]
fn an_edit_in_any_style_reads_as_it_was_meant() {
    let Some(peer) = oracle("an_edit_in_any_style_reads_as_it_was_meant") else {
        return;
    };
    let cases: Vec<_> = (0..cases(120).into()).map(case).collect();
    let without_edit = all(&cases, |case| check(&peer, case));
    eprintln!(
        "seed {}: {} edits, {without_edit} refused or without a change, 0 differences",
        seed(),
        cases.len()
    );
}

#[test]
fn comma_first_files_are_edited_in_their_own_style() {
    let before = "{\n    \"A\": 1\n  , \"B\": 2 // b\n  , \"C\": 3\n}\n";
    let edit = |edit: &dyn Fn(&mut Document)| {
        let mut document = Document::parse(before.as_bytes()).expect("settings");
        edit(&mut document);
        String::from_utf8(document.to_bytes()).expect("UTF-8")
    };
    let without = |key: &str| {
        edit(&|document| {
            assert_eq!(document.remove(&KeyPath::new(key)), Ok(true), "{key}");
        })
    };
    assert_eq!(without("A"), "{\n    \"B\": 2 // b\n  , \"C\": 3\n}\n");
    assert_eq!(without("B"), "{\n    \"A\": 1\n  , \"C\": 3\n}\n");
    assert_eq!(without("C"), "{\n    \"A\": 1\n  , \"B\": 2 // b\n}\n");
    let with = edit(&|document| {
        let key = KeyPath::new("D");
        assert_eq!(document.set(&key, &NewValue::Integer(4)), Ok(true));
    });
    assert_eq!(with, before.replace("\n}", "\n  , \"D\": 4\n}"));
}

#[test]
fn lists_are_edited_by_index() {
    let before =
        "{ \"List\": [\"a\"], \"Empty\": [],\n  \"Objects\": [\n    { \"Url\": \"x\" }\n  ] }";
    let mut document = Document::parse(before.as_bytes()).expect("settings");
    let mut set = |key: &str| document.set(&KeyPath::new(key), &NewValue::Text("b".into()));
    assert_eq!(set("List:1"), Ok(true));
    assert_eq!(set("Empty:0"), Ok(true));
    assert_eq!(set("Objects:1:Url"), Ok(true));
    let beyond = set("List:3").expect_err("beyond the end");
    assert_eq!(
        beyond.to_string(),
        "List:3 can't be set: List has 2 items, so the next index is 2"
    );
    let replaced = set("List").expect_err("a whole list");
    assert_eq!(
        replaced.to_string(),
        "List is a list of 2 items here, not a plain value"
    );
    let text = String::from_utf8(document.to_bytes()).expect("UTF-8");
    let document = Document::parse(text.as_bytes()).expect("settings");
    let get = |key: &str| document.get(&KeyPath::new(key)).map(str::to_owned);
    for key in ["List:1", "Empty:0", "Objects:1:Url"] {
        assert_eq!(get(key), Some("b".into()), "{text}");
    }
    assert_eq!(
        [get("List:0"), get("Objects:0:Url")],
        [Some("a".into()), Some("x".into())]
    );
}

#[test]
fn a_new_list_is_an_array() {
    for (before, key, after) in [
        (
            "{}",
            "Cors:Origins:0",
            "{\n  \"Cors\": {\n    \"Origins\": [\n      \"x\"\n    ]\n  }\n}",
        ),
        (
            "{ \"A\": 1 }",
            "Cors:Origins:0",
            "{ \"A\": 1, \"Cors\": { \"Origins\": [ \"x\" ] } }",
        ),
        ("{ \"A\": null }", "A:0", "{ \"A\": [\n  \"x\"\n] }"),
        (
            "{ \"A\": null }",
            "A:0:B",
            "{ \"A\": [\n  {\n    \"B\": \"x\"\n  }\n] }",
        ),
        (
            "{ \"A\": [] }",
            "A:0:0",
            "{ \"A\": [\n  [\n    \"x\"\n  ]\n] }",
        ),
        // An object that is there stays one: .NET reads both alike.
        (
            "{ \"A\": { \"b\": 1 } }",
            "A:0",
            "{ \"A\": { \"b\": 1, \"0\": \"x\" } }",
        ),
    ] {
        let mut document = Document::parse(before.as_bytes()).expect("JSON");
        let set = document.set(&KeyPath::new(key), &NewValue::Text("x".into()));
        assert_eq!(set, Ok(true), "{before} {key}");
        let text = String::from_utf8(document.to_bytes()).expect("UTF-8");
        assert_eq!(text, after, "{before} {key}");
    }
}
