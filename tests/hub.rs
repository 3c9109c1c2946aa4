//! Harmony's contract: notifications as recorded from the real hub.

mod allowed_hosts;
mod date;
mod notification;
