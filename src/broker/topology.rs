//! Harmony's names at RabbitMQ (hub/contract.md, "RabbitMQ").

pub const EXCHANGE: &str = "harmony_notifications";
pub const QUEUE: &str = "notifications.signalr";
pub(super) const ROUTING_KEYS: [&str; 2] = ["notifications.signalr", "notifications"];
/// The header that names a notification's type.
pub const TYPE_HEADER: &str = "notification_type";

/// Our own queue for what can't be delivered; bounded, the oldest going first.
pub const REJECTED_QUEUE: &str = "notifications.signalr.rejected";
/// Headers of ours on what was set aside.
pub(super) const REASON_HEADER: &str = "x-harmony-reason";
pub(super) const ROUTING_KEY_HEADER: &str = "x-harmony-routing-key";
pub(super) const REJECTED_AT_HEADER: &str = "x-harmony-rejected-at";
