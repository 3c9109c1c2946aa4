//! Every recorded notification, read and compared with what the real hub's clients got.

use harmony::hub::notification::{NotificationLimits, Outcome, Rejection, TypeHeader};
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON")
}

fn read(header: TypeHeader<'_>, body: &[u8]) -> Result<Outcome, Rejection> {
    harmony::hub::notification::read(header, body, &NotificationLimits::default())
}

/// The arguments and target of a recorded client message.
fn recorded(message: &Value) -> Value {
    serde_json::from_str(message.as_str().expect("text").trim_end_matches('\u{1e}')).expect("JSON")
}

fn delivered(outcome: &Outcome) -> Option<Value> {
    match outcome {
        Outcome::Deliver {
            event, argument, ..
        } => {
            let argument: Value = serde_json::from_slice(argument).expect("our argument is JSON");
            Some(serde_json::json!({ "type": 1, "target": event, "arguments": [argument] }))
        }
        Outcome::Drop => None,
    }
}

#[test]
fn all_117_notifications_are_read_as_the_real_hub_reads_them() {
    let cases = fixture("notifications.json");
    let cases = cases["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 117);
    let mut wrong = Vec::new();
    for case in cases {
        let header = case["headers"]["notification_type"]
            .as_str()
            .expect("a header");
        let outcome = read(
            TypeHeader::Text(header.as_bytes()),
            case["body"].as_str().expect("a body").as_bytes(),
        );
        let client: Vec<_> = case["client"]
            .as_array()
            .expect("messages")
            .iter()
            .map(recorded)
            .collect();
        // The recording holds one message for each group of the listener, so at most one here.
        let ours: Vec<_> = outcome
            .as_ref()
            .ok()
            .and_then(delivered)
            .into_iter()
            .collect();
        let published = case["backplane"].as_array().map_or(0, Vec::len);
        let heard = if published == 0 {
            Vec::new()
        } else {
            client.clone()
        };
        if outcome.is_err()
            || (published > 0 && heard != ours)
            || (published == 0 && !ours.is_empty())
        {
            wrong.push(format!(
                "{}: {outcome:?}\n  recorded {client:?}",
                case["name"]
            ));
        }
        if let (Ok(Outcome::Deliver { group, .. }), Some(channel)) =
            (&outcome, case["backplane"][0]["channel"].as_str())
        {
            assert_eq!(
                channel,
                format!("Harmony.SignalR.Hubs.SignalRHub:group:{group}"),
                "{}",
                case["name"]
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_165_odd_messages_end_as_the_real_hub_ends_them_or_are_set_aside_where_it_dies() {
    use base64::Engine;
    let lenient = fixture("lenient.json");
    let cases = lenient["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 165);
    let board = lenient["board"].as_str().expect("a board");
    let mut wrong = Vec::new();
    for case in cases {
        let body = match (case["base64"].as_str(), case["body"].as_str()) {
            (Some(encoded), _) => base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .expect("base64"),
            (None, Some("(made: the title is 307200 times z)")) => {
                let title = "z".repeat(307_200);
                format!("{{\"BoardId\":\"{board}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"{title}\"}}").into_bytes()
            }
            (None, body) => body.unwrap_or_default().as_bytes().to_vec(),
        };
        let header = &case["headers"]["notification_type"];
        let header = match (case["noHeaders"] == true, case.get("headers"), header) {
            (true, ..) => TypeHeader::NoHeaders,
            (_, None, _) => TypeHeader::Text(case["type"].as_str().expect("a type").as_bytes()),
            (_, Some(_), Value::String(text)) => TypeHeader::Text(text.as_bytes()),
            (_, Some(_), Value::Null) => TypeHeader::Missing,
            _ => TypeHeader::NotText,
        };
        let outcome = read(header, &body);
        let dotnet = case["dotnet"].as_str().expect("what .NET did");
        let right = match (&outcome, dotnet) {
            (Ok(Outcome::Drop), "dropped") => true,
            // The real hub publishes to a group that nobody of the recording listens to: dropped
            // for them.
            (Ok(Outcome::Deliver { group, .. }), "dropped") => group != board,
            (Ok(outcome @ Outcome::Deliver { .. }), "delivered")
                if case["body"] == "(made: the title is 307200 times z)" =>
            {
                delivered(outcome)
                    .is_some_and(|message| message["arguments"][0]["title"] == "z".repeat(307_200))
            }
            (Ok(outcome), "delivered") => case["client"]
                .as_array()
                .is_some_and(|client| client.iter().map(recorded).eq(delivered(outcome))),
            (Err(_), dotnet) => dotnet.starts_with("process dies"),
            _ => false,
        };
        if !right {
            wrong.push(format!("{}: {dotnet}\n  ours {outcome:?}", case["name"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn lines_and_tabs_do_not_count_as_text_that_grows() {
    let board = "420371f9-ea23-46de-9ce3-bdd60ca60ced";
    let title = "\\n\\t\\r\\b\\f".repeat(200_000);
    let body = format!("{{\"BoardId\":\"{board}\",\"CardId\":\"{board}\",\"Title\":\"{title}\"}}");
    let outcome = read(TypeHeader::Text(b"CardTitleChanged"), body.as_bytes());
    let message = outcome.as_ref().ok().and_then(delivered);
    let heard = message.expect("a message")["arguments"][0]["title"].clone();
    assert_eq!(heard, "\n\t\r\u{8}\u{c}".repeat(200_000));
}
