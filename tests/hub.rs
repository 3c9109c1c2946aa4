//! Harmony's contract: notifications as recorded from the real hub.

mod allowed_hosts;
mod client;
mod date;
mod notification;
