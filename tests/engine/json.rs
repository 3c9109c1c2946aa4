//! The JSON reader against serde_json: what both read, they read alike.

use harmony::json::{JsonError, JsonFault, JsonKind, Reader, write_string};
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
        JsonKind::Number => serde_json::from_str(reader.number()?)
            .map_err(|_| reader.error(JsonFault::Unexpected("out of range")))?,
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

    // Runs of plain text are passed over by eight bytes: what ends one stands at each place of them.
    #[test]
    fn what_ends_plain_text_is_found_wherever_it_stands(text in "[ -~]{0,20}[\u{0}-\u{1f}\u{7f}\"\\\\\u{e9}\u{2028}\u{1f600}]{0,2}[ -~]{0,20}") {
        let document = serde_json::to_vec(&text).expect("JSON");
        assert_eq!(read(&document), Ok(Value::from(text.as_str())));
        // As it stands, with control characters and quotes in it, it may be no JSON.
        compare(format!("\"{text}\"").as_bytes());
        let mut whole = Vec::new();
        write_string(&mut whole, &text);
        let one_by_one = text.chars().flat_map(|character| {
            let mut out = Vec::new();
            write_string(&mut out, character.encode_utf8(&mut [0; 4]));
            out[1..out.len() - 1].to_vec()
        });
        assert_eq!(whole[1..whole.len() - 1], one_by_one.collect::<Vec<_>>());
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

/// Recorded from ASP.NET Core's handshakes.
#[test]
fn faults_are_told_in_the_words_of_dotnet() {
    let unclosed = "Expected depth to be zero at the end of the JSON payload. There is an open JSON object or array that should be closed.";
    let no_more = "Expected start of a property name or value, but instead reached end of data.";
    let no_end = "Expected end of string, but instead reached end of data.";
    let no_digit = "Expected a digit ('0'-'9'), but instead reached end of data.";
    let after_sign = "is invalid within a number, immediately after a sign character ('+' or '-'). Expected a digit ('0'-'9').";
    let in_string = "is invalid within a JSON string. The string should be correctly escaped.";
    let after_value = "is invalid after a value. Expected either ',', '}', or ']'.";
    let nested = "[".repeat(65);
    let cases = [
        (" \n", "The input does not contain any JSON tokens. Expected the input to start with a valid JSON token, when isFinalBlock is true.".to_owned(), 1, 0),
        ("x", "'x' is an invalid start of a value.".to_owned(), 0, 0),
        ("{\n\n \"p\":\u{e9}", "'0xC3' is an invalid start of a value.".to_owned(), 2, 5),
        ("{", unclosed.to_owned(), 0, 1),
        ("{\"p\":", unclosed.to_owned(), 0, 5),
        ("{\"p\" ", "Expected a value, but instead reached end of data.".to_owned(), 0, 5),
        ("{\"p\"\n x", "'x' is invalid after a property name. Expected a ':'.".to_owned(), 1, 1),
        ("{p", "'p' is an invalid start of a property name. Expected a '\"'.".to_owned(), 0, 1),
        ("{\"p\":1,", no_more.to_owned(), 0, 6),
        ("{\"p\":1, ", no_more.to_owned(), 0, 8),
        ("{\"p\":1,}", "The JSON object contains a trailing comma at the end which is not supported in this mode. Change the reader options.".to_owned(), 0, 7),
        ("[1,]", "The JSON array contains a trailing comma at the end which is not supported in this mode. Change the reader options.".to_owned(), 0, 3),
        ("[1 2]", format!("'2' {after_value}"), 0, 3),
        ("[/**/1]", format!("'/' {after_value}"), 0, 1),
        ("[1}", "'}' is invalid without a matching open.".to_owned(), 0, 2),
        ("[01]", "Invalid leading zero before '1'.".to_owned(), 0, 2),
        ("[-x]", format!("'x' {after_sign}"), 0, 2),
        ("[1e+]", format!("']' {after_sign}"), 0, 4),
        ("[1.x]", "'x' is invalid within a number, immediately after a decimal point ('.'). Expected a digit ('0'-'9').".to_owned(), 0, 3),
        ("[1.", no_digit.to_owned(), 0, 3),
        ("[12", "'2' is an invalid end of a number. Expected a delimiter.".to_owned(), 0, 3),
        ("[1x]", "'x' is an invalid end of a number. Expected a delimiter.".to_owned(), 0, 2),
        ("[1.5x]", "'x' is an invalid end of a number. Expected 'E' or 'e'.".to_owned(), 0, 4),
        ("[tru, 1]", "'tru, 1]' is an invalid JSON literal. Expected the literal 'true'.".to_owned(), 0, 4),
        ("[n", "'n' is an invalid JSON literal. Expected the literal 'null'.".to_owned(), 0, 2),
        ("[\"a\nb\"]", format!("'0x0A' {in_string}"), 0, 3),
        ("[\"\\q\"]", "'q' is an invalid escapable character within a JSON string. The string should be correctly escaped.".to_owned(), 0, 3),
        ("[\"\\u12\"]", "'\"' is not a hex digit following '\\u' within a JSON string. The string should be correctly escaped.".to_owned(), 0, 6),
        ("[\"\\u12", no_end.to_owned(), 0, 6),
        ("[\"a", no_end.to_owned(), 0, 3),
        (&nested, "The maximum configured depth of 64 has been exceeded. Cannot read next JSON array.".to_owned(), 0, 64),
    ];
    for (document, text, line, column) in cases {
        let error = Reader::new(document.as_bytes()).skip().expect_err(document);
        let told = format!("{text} LineNumber: {line} | BytePositionInLine: {column}.");
        assert_eq!(error.in_dotnet(document.as_bytes()), told, "{document}");
    }
}
