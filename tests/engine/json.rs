//! The JSON reader against serde_json: what both read, they read alike.

use harmony::json::{JsonError, JsonKind, Reader, write_string};
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use serde_json::Value;

/// Reads a whole document with our reader.
fn read(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut reader = Reader::new(bytes);
    let value = read_value(&mut reader)?;
    reader.end()?;
    Ok(value)
}

fn read_value(reader: &mut Reader<'_>) -> Result<Value, JsonError> {
    Ok(match reader.peek()? {
        JsonKind::Object => {
            let mut members = serde_json::Map::new();
            reader.object(|reader, name| {
                members.insert(name.into_owned(), read_value(reader)?);
                Ok::<_, JsonError>(())
            })?;
            Value::Object(members)
        }
        JsonKind::Array => {
            let mut items = Vec::new();
            reader.array(|reader| {
                items.push(read_value(reader)?);
                Ok::<_, JsonError>(())
            })?;
            Value::Array(items)
        }
        JsonKind::String => Value::String(reader.string()?.into_owned()),
        // A number out of every range is still a number; serde_json has none to compare it with.
        JsonKind::Number => {
            serde_json::from_str(reader.number()?).map_err(|_| reader.error("out of range"))?
        }
        JsonKind::True | JsonKind::False => Value::Bool(reader.boolean()?),
        JsonKind::Null => {
            reader.literal("null")?;
            Value::Null
        }
    })
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

use proptest::prelude::Just;

proptest! {
    #[test]
    fn documents_are_read_as_they_were_written(document in documents()) {
        let text = serde_json::to_string_pretty(&document).expect("JSON");
        assert_eq!(read(text.as_bytes()).as_ref(), Ok(&document));
        let mut reader = Reader::new(text.as_bytes());
        assert_eq!(reader.skip(), Ok(text.as_bytes()));
    }

    #[test]
    fn no_bytes_make_it_panic_and_both_readers_agree(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        compare(&bytes);
    }

    #[test]
    fn damaged_documents_are_judged_alike(document in documents(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&document).expect("JSON");
        let at = at.index(text.len());
        text[at] = byte;
        compare(&text);
    }

    #[test]
    fn strings_are_written_as_json(text in any::<String>()) {
        let mut out = Vec::new();
        write_string(&mut out, &text);
        assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
    }
}

fn compare(bytes: &[u8]) {
    let (ours, theirs) = (read(bytes), serde_json::from_slice::<Value>(bytes));
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Err(_), Err(_)) => {}
        _ => panic!(
            "{:?}: ours {ours:?}, serde_json {theirs:?}",
            String::from_utf8_lossy(bytes)
        ),
    }
    // Passing over a value needs less than reading it, so it succeeds wherever reading does.
    if ours.is_ok() {
        assert!(Reader::new(bytes).skip().is_ok());
    }
}

#[test]
fn depth_ends_at_64() {
    let nested = |depth| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(Reader::new(&nested(64)).skip().is_ok());
    assert!(Reader::new(&nested(65)).skip().is_err());
    assert!(Reader::new(&nested(100_000)).skip().is_err());
}

#[test]
fn half_surrogates_are_refused_when_read_and_let_pass_when_skipped() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800x""#,
    ] {
        assert!(Reader::new(text.as_bytes()).string().is_err(), "{text}");
        assert!(Reader::new(text.as_bytes()).skip().is_ok(), "{text}");
    }
    assert_eq!(
        Reader::new(br#""\ud83d\ude00""#).string().expect("a pair"),
        "😀"
    );
}

#[test]
fn a_zero_below_zero_keeps_its_sign() {
    use harmony::signalr::value::{NamingPolicy, Value};
    for text in ["-0", "0", "1.5", "-7", "18446744073709551615"] {
        let value = Value::from_json(text.as_bytes()).expect("a number");
        assert_eq!(value.to_json(NamingPolicy::Camel), text.as_bytes());
    }
}
