//! The `harmony` executable: arguments in, exit code out; the rest is the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    harmony::cli::run(std::env::args_os())
}
