//! What other servers publish on Redis: nothing panics, and what reads is written back the same.
#![no_main]

use harmony::signalr::backplane::envelope::{
    read_ack, read_completion, read_group_command, read_invocation, write_completion,
    write_group_command, write_invocation,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_ack(bytes);
    if let Ok(invocation) = read_invocation(bytes) {
        assert_eq!(
            read_invocation(&write_invocation(&invocation)),
            Ok(invocation)
        );
    }
    if let Ok(command) = read_group_command(bytes) {
        assert_eq!(
            read_group_command(&write_group_command(&command)),
            Ok(command)
        );
    }
    if let Ok((protocol, completion)) = read_completion(bytes) {
        assert_eq!(
            read_completion(&write_completion(protocol, completion)),
            Ok((protocol, completion))
        );
    }
});
