//! Redis' configuration file, in which every value stays one value.

use crate::secret::Secret;

/// A backplane stores nothing, and the caches little.
const MEMORY: &str = "256mb";

/// Redis with a password where there is one, a limit to its memory, and nothing kept unless that is
/// wanted.
pub fn redis_configuration(password: Option<&Secret>, keeps: bool) -> Secret {
    // Without a password Redis would answer only inside its container.
    let access = password.map_or_else(
        || "protected-mode no".to_owned(),
        |password| format!("requirepass {}", quoted(password.reveal())),
    );
    let kept = if keeps {
        "appendonly yes"
    } else {
        "save \"\"\nappendonly no"
    };
    Secret::new(format!(
        "{access}\nmaxmemory {MEMORY}\nmaxmemory-policy noeviction\ndir /data\n{kept}\n"
    ))
}

/// A value as `redis.conf` reads it. A plain one stays as it is, so that a container that earlier
/// versions made keeps its hash, and is not replaced.
fn quoted(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !value.is_empty() && value.bytes().all(is_plain) {
        return value.to_owned();
    }
    let mut text = String::from('"');
    for byte in value.bytes() {
        match byte {
            b' ' => text.push(' '),
            byte if is_plain(byte) => text.push(char::from(byte)),
            byte => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}
