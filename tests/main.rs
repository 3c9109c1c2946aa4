//! Every test in one binary: pure ones first, then those on real servers.

mod cluster;
mod command;
mod engine;
mod harness;
mod hub;
mod settings;
mod tidy;
