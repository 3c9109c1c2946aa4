//! Why Redis keeps no log: it is full, or does not allow it.

use crate::redis::{ErrorKind, RedisError, ServerErrorKind};

pub(in crate::signalr::backplane::redis) fn is_full(error: &RedisError) -> bool {
    // A failed transaction has another error code.
    error.code() == Some("OOM") || error.to_string().contains("OOM")
}

/// Whether an error is permanent: no streams, no scripts, or no permission for them.
pub(in crate::signalr::backplane::redis) fn is_forbidden(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || ["NOPERM", "unknown command", "WRONGTYPE"]
            .iter()
            .any(|part| error.to_string().contains(part))
}
