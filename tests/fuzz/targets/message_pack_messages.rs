//! MessagePack hub messages and values: nothing panics, and what reads is written and reads the
//! same.
#![no_main]

use harmony::signalr::broadcast::Broadcast;
use harmony::signalr::protocol::{ClientMessage, Cut, Protocol};
use harmony::signalr::value::{NamingPolicy, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Cut::Message(message, taken)) = Protocol::MessagePack.cut(bytes, 32_768) {
        assert!(taken <= bytes.len());
        if let Ok(ClientMessage::Invocation { arguments, .. }) = Protocol::MessagePack.read(message)
        {
            let _ = arguments.texts::<2>();
            let _ = arguments.value();
        }
        let _ =
            Broadcast::framed(&[(Protocol::MessagePack, &bytes[..taken])]).frame(Protocol::Json);
    }
    if let Ok(value) = Value::from_message_pack(bytes) {
        let _ = value.to_json(NamingPolicy::Camel);
        let mut written = Vec::new();
        value.write_message_pack(&mut written);
        let again = Value::from_message_pack(&written).expect("what is written reads");
        let mut twice = Vec::new();
        again.write_message_pack(&mut twice);
        assert_eq!(written, twice);
    }
});
