//! The backplane's bytes: ASP.NET Core's own examples, and those recorded from the real hub.

use base64::Engine;
use harmony::signalr::backplane::envelope::{
    GroupAction, GroupCommand, InvocationEnvelope, read_ack, read_group_command, read_invocation,
    write_ack, write_group_command, write_invocation,
};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.split_whitespace().collect();
    digits
        .iter()
        .map(|byte| u8::from_str_radix(byte, 16).expect("hex"))
        .collect()
}

#[test]
fn acks_are_aspnet_cores() {
    for (id, bytes) in [
        (0, "91 00"),
        (42, "91 2A"),
        (180, "91 CC B4"),
        (384, "91 CD 01 80"),
        (70_000, "91 CE 00 01 11 70"),
    ] {
        assert_eq!(write_ack(id), hex(bytes));
        assert_eq!(read_ack(&hex(bytes)), Ok(id));
    }
}

#[test]
fn group_commands_are_aspnet_cores() {
    for (action, byte) in [(GroupAction::Add, "01"), (GroupAction::Remove, "02")] {
        let bytes = hex(&format!("95 2A A1 53 {byte} A1 47 A1 43"));
        let command = GroupCommand {
            id: 42,
            server: "S",
            action: Some(action),
            group: "G",
            connection: "C",
        };
        assert_eq!(write_group_command(&command), bytes);
        assert_eq!(read_group_command(&bytes), Ok(command));
    }
}

#[test]
fn invocations_are_aspnet_cores() {
    let messages = vec![("p1", [0x2a].as_slice()), ("p2", [0x2a].as_slice())];
    for (excluded, head) in [(vec![], "92 90"), (vec!["a"], "92 91 A1 61")] {
        let bytes = hex(&format!("{head} 82 A2 70 31 C4 01 2A A2 70 32 C4 01 2A"));
        let invocation = InvocationEnvelope {
            excluded,
            messages: messages.clone(),
            result: None,
        };
        assert_eq!(write_invocation(&invocation), bytes);
        assert_eq!(read_invocation(&bytes), Ok(invocation));
    }
}

#[test]
fn every_recorded_envelope_is_read_and_written_back_byte_for_byte() {
    let path = format!(
        "{}/tests/fixtures/notifications.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let recorded: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON");
    let mut count = 0;
    for case in recorded["cases"].as_array().expect("cases") {
        for message in case["backplane"].as_array().into_iter().flatten() {
            let encoded = message["base64"].as_str().expect("base64");
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .expect("base64");
            let invocation = read_invocation(&bytes).expect("an envelope");
            assert_eq!(write_invocation(&invocation), bytes, "{}", case["name"]);
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}
