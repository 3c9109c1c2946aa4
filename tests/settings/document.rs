//! Edits that change what they must and nothing else.

use harmony::appsettings::document::{Document, NewValue};
use harmony::appsettings::key_path::{KeyPath, same};
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use serde_json::Value;

/// The text after setting a key.
fn set(text: &str, key: &str, value: NewValue) -> String {
    let mut document = Document::parse(text.as_bytes()).expect("settings");
    document
        .set(&KeyPath::new(key), &value)
        .expect("a place for it");
    String::from_utf8(document.to_bytes()).expect("UTF-8")
}

fn text(value: &str) -> NewValue {
    NewValue::Text(value.into())
}

#[test]
fn a_value_is_replaced_and_all_else_stays() {
    let before = "\u{feff}{\r\n\t// why\r\n\t\"A\": { \"b\" : 1.50, /* c */ \"C\": [1, 2,], },\r\n\t\"é\\u00e9\": \"x\",\r\n}";
    assert_eq!(
        set(before, "a:c:1", NewValue::Integer(7)),
        before.replace("[1, 2,]", "[1, 7,]")
    );
    assert_eq!(
        set(before, "A:B", text("t")),
        before.replace("1.50", "\"t\"")
    );
    assert_eq!(
        set(before, "éé", text("a\"\\\n")),
        before.replace("\"x\"", "\"a\\\"\\\\\\n\"")
    );
}

#[test]
fn a_value_that_is_there_leaves_the_bytes_alone() {
    let before = "{ \"P\": 5672, \"Q\": \"5672\", \"R\": true, \"S\": \"\\u0061\" }";
    for (key, value) in [
        ("p", NewValue::Integer(5672)),
        ("q", NewValue::Integer(5672)),
        ("r", NewValue::Boolean(true)),
        ("s", text("a")),
    ] {
        assert_eq!(set(before, key, value), before);
    }
}

#[test]
fn new_keys_appear_in_the_files_own_style() {
    let cases = [
        // before, key, after
        ("{}", "a", "{\n  \"a\": 1\n}"),
        ("{\n}\n", "a:b", "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"),
        (
            "{\n    \"x\": 0\n}",
            "a",
            "{\n    \"x\": 0,\n    \"a\": 1\n}",
        ),
        (
            "{\r\n\t\"x\": 0\r\n}\r\n",
            "a:b",
            "{\r\n\t\"x\": 0,\r\n\t\"a\": {\r\n\t\t\"b\": 1\r\n\t}\r\n}\r\n",
        ),
        ("{\n  \"x\": 0,\n}", "a", "{\n  \"x\": 0,\n  \"a\": 1,\n}"),
        (
            "{\n  \"x\": 0 // note\n}",
            "a",
            "{\n  \"x\": 0, // note\n  \"a\": 1\n}",
        ),
        (
            "{\n  \"x\": 0, // note\n}",
            "a",
            "{\n  \"x\": 0, // note\n  \"a\": 1,\n}",
        ),
        (
            "{\n  \"x\": 0 /* one */ /* two */\n  // end\n}",
            "a",
            "{\n  \"x\": 0, /* one */ /* two */\n  \"a\": 1\n  // end\n}",
        ),
        ("{ \"x\": 0 }", "a", "{ \"x\": 0, \"a\": 1 }"),
        ("{ \"x\": 0, }", "a", "{ \"x\": 0, \"a\": 1, }"),
        (
            "{ \"x\": { \"y\": 0 } }",
            "x:a:b",
            "{ \"x\": { \"y\": 0, \"a\": { \"b\": 1 } } }",
        ),
        (
            "{\n  // only a comment\n}",
            "a",
            "{\n  // only a comment\n  \"a\": 1\n}",
        ),
        (
            "{\n  \"x\": {}\n}",
            "x:a",
            "{\n  \"x\": {\n    \"a\": 1\n  }\n}",
        ),
        ("{\n  \"x\": null\n}", "x", "{\n  \"x\": 1\n}"),
    ];
    for (before, key, after) in cases {
        assert_eq!(set(before, key, NewValue::Integer(1)), after, "{before}");
    }
}

/// The text after removing a key.
fn removed(text: &str, key: &str) -> String {
    let mut document = Document::parse(text.as_bytes()).expect("settings");
    document.remove(&KeyPath::new(key)).expect("a safe edit");
    String::from_utf8(document.to_bytes()).expect("UTF-8")
}

#[test]
fn a_removed_key_takes_its_comma_and_its_line_with_it() {
    let cases = [
        ("{\n  \"a\": 1,\n  \"b\": 2\n}", "a", "{\n  \"b\": 2\n}"),
        ("{\n  \"a\": 1,\n  \"b\": 2\n}", "b", "{\n  \"a\": 1\n}"),
        ("{\n  \"a\": 1,\n  \"b\": 2,\n}", "b", "{\n  \"a\": 1,\n}"),
        (
            "{\r\n  \"a\": 1, // one\r\n  \"b\": 2 // two\r\n}",
            "B",
            "{\r\n  \"a\": 1 // one\r\n}",
        ),
        (
            "{\n  \"a\": 1, // one\n  // of b\n  \"b\": 2\n}",
            "a",
            "{\n  // of b\n  \"b\": 2\n}",
        ),
        ("{ \"a\": 1, \"b\": 2 }", "a", "{ \"b\": 2 }"),
        ("{ \"a\": 1, \"b\": 2 }", "b", "{ \"a\": 1 }"),
        ("{ \"a\": 1 }", "a", "{ }"),
        ("{ \"a\": [1, 2, 3] }", "a:1", "{ \"a\": [1, 3] }"),
        (
            "{ \"a\": { \"b\": { \"c\": 1 }, \"d\": 2 } }",
            "a:b",
            "{ \"a\": { \"d\": 2 } }",
        ),
        ("{ \"a\": 1 }", "nope", "{ \"a\": 1 }"),
    ];
    for (before, key, after) in cases {
        assert_eq!(removed(before, key), after, "{before} without {key}");
    }
}

#[test]
fn a_section_that_is_null_becomes_an_object() {
    let after = set(
        "{\n  \"BrokerConfiguration\": null\n}",
        "BrokerConfiguration:Port",
        NewValue::Integer(1),
    );
    let document = Document::parse(after.as_bytes()).expect("settings");
    assert_eq!(
        document.get(&KeyPath::new("BrokerConfiguration:Port")),
        Some("1"),
        "{after}"
    );
}

#[test]
fn a_plain_value_in_the_way_is_an_error_that_names_it() {
    let mut document = Document::parse(b"{ \"A\": \"text\" }").expect("settings");
    let error = document
        .set(&KeyPath::new("A:B"), &text("x"))
        .expect_err("no place");
    assert_eq!(
        error.to_string(),
        "A:B can't be set: A is a plain value here, not an object"
    );
    assert_eq!(document.to_bytes(), b"{ \"A\": \"text\" }");
}

#[test]
fn what_dotnet_refuses_is_refused_with_its_place() {
    let cases = [
        ("", 1, 1),
        ("[]", 1, 1),
        ("{\n  \"a\": 1,\n  'b': 2\n}", 3, 3),
        ("{\n  \"a\": 1\n  \"b\": 2\n}", 3, 3),
        ("{ \"a\": 01 }", 1, 9),
        ("{ \"a\": .5 }", 1, 8),
        ("{ \"a\": \"x\ny\" }", 1, 10),
        ("{ \"a\": 1, \"A\": 2 }", 1, 16),
        ("{ \"a\": { \"b\": 1 }, \"a:B\": 2 }", 1, 27),
        ("{ \"a\": 1 } x", 1, 12),
    ];
    for (text, line, column) in cases {
        let error = Document::parse(text.as_bytes()).expect_err(text);
        assert_eq!(
            (error.at.line, error.at.column),
            (line, column),
            "{text:?}: {error}"
        );
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70));
    assert!(Document::parse(deep.as_bytes()).is_err());
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    let object = |inner| {
        prop::collection::btree_map("[a-z]{1,4}", inner, 0..5)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let tree = leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner)
        ]
    });
    object(tree.boxed())
}

/// The document in one of the styles that people and tools write.
fn styled(document: &Value, style: u8) -> String {
    let indent: &[u8] = [b"".as_slice(), b"  ", b"    ", b"\t"][usize::from(style % 4)];
    let mut out = Vec::new();
    if indent.is_empty() {
        out = serde_json::to_vec(document).expect("JSON");
    } else {
        let mut writer = serde_json::Serializer::with_formatter(
            &mut out,
            serde_json::ser::PrettyFormatter::with_indent(indent),
        );
        serde::Serialize::serialize(document, &mut writer).expect("JSON");
    }
    let mut text = String::from_utf8(out).expect("UTF-8");
    if style & 4 != 0 {
        text = text.replace(",\n", ", // a comment, with \"quotes\"\n");
    }
    if style & 32 != 0 {
        text.push_str("\n\n// the end");
    }
    if style & 8 != 0 {
        text = text.replace('\n', "\r\n");
    }
    if style & 16 != 0 {
        text.insert(0, '\u{feff}');
    }
    text
}

proptest! {
    #[test]
    fn after_an_edit_the_value_reads_and_the_rest_reads_as_before(
        document in documents(), style in any::<u8>(), key in "[a-z]{1,4}(:[a-z]{1,4}){0,2}", value in "\\PC{0,12}",
    ) {
        let before = styled(&document, style);
        let mut edited = Document::parse(before.as_bytes()).expect("what serde_json writes is read");
        let original = edited.clone();
        assert_eq!(original.to_bytes(), before.as_bytes(), "nothing done, nothing changed");
        let key = KeyPath::new(&key);
        match edited.set(&key, &text(&value)) {
            Err(_) => assert_eq!(edited.to_bytes(), before.as_bytes()),
            Ok(changed) => {
                let after = Document::parse(&edited.to_bytes()).expect("what we write is read");
                assert_eq!(after.get(&key), Some(value.as_str()));
                assert_eq!(changed, edited.to_bytes() != before.as_bytes());
                // Every other leaf reads as before; comments and line ends are all still there.
                let prefix = format!("{key}:");
                let others = |document: &Document| -> Vec<_> {
                    let entries = document.entries().into_iter().map(|entry| (entry.key, entry.value));
                    entries.filter(|(name, value)| *name != key.to_string() && !name.starts_with(&prefix) && !(value.is_none() || value.as_deref() == Some(""))).collect()
                };
                assert_eq!(others(&after), others(&original));
                let text = String::from_utf8(edited.to_bytes()).expect("UTF-8");
                assert_eq!(text.starts_with('\u{feff}'), before.starts_with('\u{feff}'));
                assert!(text.matches("// a comment").count() >= before.matches("// a comment").count() || original.has(&key));
                if before.contains("\r\n") {
                    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
                }
            }
        }
    }

    #[test]
    fn a_removed_leaf_is_gone_and_the_rest_reads_as_before(document in documents(), style in any::<u8>(), pick in any::<prop::sample::Index>()) {
        let before = styled(&document, style);
        let mut edited = Document::parse(before.as_bytes()).expect("settings");
        // Only members: removing an array's item moves those behind it.
        let entries: Vec<_> = edited.entries().into_iter().filter(|entry| !entry.key.split(':').any(|name| name.parse::<usize>().is_ok())).collect();
        if !entries.is_empty() {
            let gone = &entries[pick.index(entries.len())].key;
            assert!(edited.remove(&KeyPath::new(gone)).expect("a safe edit"));
            let after = Document::parse(&edited.to_bytes()).expect("what we write is read");
            assert!(!after.has(&KeyPath::new(gone)));
            let read = |document: &Document| -> Vec<_> {
                let leaves = document.entries().into_iter().filter(|entry| entry.key != *gone && entry.value.as_deref().is_some_and(|value| !value.is_empty()));
                leaves.map(|entry| (entry.key, entry.value)).collect()
            };
            assert_eq!(read(&after), read(&Document::parse(before.as_bytes()).expect("settings")));
        }
    }

    #[test]
    fn a_scalar_edit_replaces_the_scalar_alone(document in documents(), style in any::<u8>(), pick in any::<prop::sample::Index>(), value in any::<i64>()) {
        let before = styled(&document, style);
        let mut edited = Document::parse(before.as_bytes()).expect("settings");
        let entries = edited.entries();
        if !entries.is_empty() {
            let entry = &entries[pick.index(entries.len())];
            let key = KeyPath::new(&entry.key);
            if edited.get(&key).is_some() && edited.set(&key, &NewValue::Integer(value)).expect("a scalar") {
                let after = String::from_utf8(edited.to_bytes()).expect("UTF-8");
                let same_head = before.bytes().zip(after.bytes()).take_while(|(left, right)| left == right).count();
                let same_tail = before.bytes().rev().zip(after.bytes().rev()).take_while(|(left, right)| left == right).count();
                // What differs is no longer than the two spellings of the value.
                let longest = before.len().max(after.len());
                assert!(same_head + same_tail + 40.max(entry.value.as_deref().map_or(0, |old| old.len() * 6 + 2)) >= longest);
            }
        }
    }

    #[test]
    fn the_leaves_at_a_key_are_those_of_all_that_begin_with_its_names(
        document in documents(), names in any::<bool>(), pick in any::<prop::sample::Index>(), depth in 1_usize..5,
    ) {
        let mut document = document;
        if names && let Value::Object(members) = &mut document {
            // One section in two pieces, in letters whose capitals are longer or are other letters.
            members.insert("ɐ:x".into(), serde_json::json!({ "y": 1, "ı": [true] }));
            members.insert("Ɐ".into(), serde_json::json!({ "X:Z": null, "İ": {} }));
        }
        let document = Document::parse(styled(&document, 1).as_bytes()).expect("settings");
        let all = document.entries();
        if !all.is_empty() {
            let key = &all[pick.index(all.len())].key;
            let key = key.split(':').take(depth).collect::<Vec<_>>().join(":").to_uppercase();
            let wanted: Vec<_> = key.split(':').collect();
            let below = all.into_iter().filter(|entry| {
                let names: Vec<_> = entry.key.split(':').collect();
                names.len() >= wanted.len() && names.iter().zip(&wanted).all(|(name, wanted)| same(name, wanted))
            });
            assert_eq!(document.entries_at(&key), below.collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_text_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[\\[\\]{}\",:/*0-9a-z\\\\ \n-]{0,60}") {
        let _ = Document::parse(&bytes);
        if let Ok(mut document) = Document::parse(text.as_bytes()) {
            let _ = document.set(&KeyPath::new("a:b"), &NewValue::Integer(1));
        }
    }
}
