//! JSON hub messages, handshakes and values: nothing panics, and what reads is written and reads
//! the same.
#![no_main]

use harmony::signalr::broadcast::Broadcast;
use harmony::signalr::protocol::{ClientMessage, Cut, Handshake, Protocol};
use harmony::signalr::value::{NamingPolicy, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Handshake::read(bytes, &[Protocol::Json, Protocol::MessagePack], true);
    if let Ok(Cut::Message(message, taken)) = Protocol::Json.cut(bytes, 32_768) {
        assert!(taken <= bytes.len());
        if let Ok(ClientMessage::Invocation { arguments, .. }) = Protocol::Json.read(message) {
            let _ = arguments.texts::<1>();
            let _ = arguments.value();
        }
        let _ =
            Broadcast::framed(&[(Protocol::Json, &bytes[..taken])]).frame(Protocol::MessagePack);
    }
    if let Ok(value) = Value::from_json(bytes) {
        let written = value.to_json(NamingPolicy::AsDeclared);
        let again = Value::from_json(&written).expect("what is written reads");
        // A whole number that came as 1e3 is written as 1000.
        assert_eq!(again.to_json(NamingPolicy::AsDeclared), written);
    }
});
