//! Notifications from RabbitMQ: every body is delivered, dropped or rejected, and what is delivered
//! is JSON.
#![no_main]

use harmony::hub::notification::{NotificationLimits, Outcome, TypeHeader, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&[u8], &[u8])| {
    let (header, body) = data;
    if let Ok(Outcome::Deliver { argument, .. }) = read(
        TypeHeader::Text(header),
        body,
        &NotificationLimits::default(),
    ) {
        harmony::signalr::value::Value::from_json(&argument).expect("what is delivered is JSON");
    }
});
