//! Redis: the one door to it. Which server a connection goes to, how it is made, and a first
//! greeting to see whether it can be used.
//!
//! A connection string may name one server, several of which one is the primary, sentinels that
//! know it, or nodes of a cluster. Everything goes to one of them: channels reach the whole of a
//! cluster from any node, and the keys that are used have one slot between them, so the node that
//! keeps it serves both connections.

mod connect;
mod greeting;
mod primary;

pub use ::redis::{
    ErrorKind, PushInfo, PushKind, RedisError, RedisResult, ServerErrorKind, Value as RedisValue,
    cmd, pipe,
};
pub use connect::{Push, RedisConnection};
pub use greeting::{Greeting, GreetingError, greet};
pub use primary::find;
