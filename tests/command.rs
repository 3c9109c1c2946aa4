//! The command line, as users and scripts see it.

mod bad_input;
pub mod bare;
pub mod checkouts;
pub mod docker;
mod drift;
mod edit;
mod faults;
mod help;
mod rehost;
mod setup;
mod terminal;
