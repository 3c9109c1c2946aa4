//! Every test in one binary: pure ones first, then those on real servers.

// What tests measured is shown with --nocapture.
#![allow(clippy::print_stderr)]
// A part of the harness serves tests that only Unix has.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

#[cfg(unix)]
mod cluster;
mod command;
mod containers;
mod engine;
mod harness;
mod hub;
#[cfg(unix)]
mod picture;
#[cfg(windows)]
mod pipe;
#[cfg(unix)]
mod prompt;
mod provision;
mod security;
mod settings;
mod tidy;
#[cfg(unix)]
mod windows;
