//! The `harmony` executable: exit code and allocator; the rest is the library.

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    harmony::cli::run(harmony::cli::Cli::parse())
}
