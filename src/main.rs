//! The `harmony` executable: arguments in, exit code out; the rest is the library.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    harmony::cli::run(harmony::cli::Cli::parse())
}
