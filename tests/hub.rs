//! Harmony's contract: notifications as recorded from the real hub.

mod date;
mod notification;
