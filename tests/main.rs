//! Every test in one binary: pure ones first, then those on real servers.

// What tests measured is shown with --nocapture.
#![allow(clippy::print_stderr)]

mod cluster;
mod command;
mod containers;
mod engine;
mod harness;
mod hub;
mod picture;
mod prompt;
mod provision;
mod security;
mod settings;
mod tidy;
