//! Running a command to its end, or to Ctrl-C.

use super::context::Context;
use super::environment;
use super::failure::{Exit, Failure};
use super::global::Global;
use crate::platform::Interruption;
use crate::terminal::Terminal;
use std::pin::pin;
use tokio::runtime::{Builder, Runtime};

/// Runs a command until its end or Ctrl-C. The first Ctrl-C waits until half-done work is undone,
/// a second one does not.
pub fn interruptible(
    global: &Global,
    terminal: Terminal,
    command: impl AsyncFnOnce(&Context) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = start(Builder::new_current_thread())?;
    let result = runtime.block_on(async {
        // Listen before the command's first step: a signal during a question would otherwise kill
        // the process and leave the terminal in raw mode.
        let interruption = Interruption::listen();
        let context = Context::new(global, terminal)?;
        environment::point_out(&context);
        let Ok(mut interruption) = interruption else {
            return command(&context).await;
        };
        let mut command = pin!(command(&context));
        tokio::select! {
            result = &mut command => return result,
            () = interruption.asked() => context.interrupted.cancel(),
        }
        tokio::select! {
            biased;
            result = &mut command => result,
            // Free at once unless an undo is going on, which ends by itself.
            _ = context.working.lock() => Err(Failure::interrupted()),
            () = interruption.asked() => Err(Failure::interrupted()),
        }
    });
    // A credential helper may still wait for its user on a thread of its own.
    runtime.shutdown_background();
    result
}

/// The same for a command that goes on until Ctrl-C, which is then its usual end and no error.
pub fn following(
    global: &Global,
    terminal: Terminal,
    command: impl AsyncFnOnce(&Context) -> Result<(), Failure>,
) -> Result<(), Failure> {
    interruptible(global, terminal, command).map_err(|failure| {
        if failure.exit() == Exit::Interrupted {
            failure.shown()
        } else {
            failure
        }
    })
}

pub fn start(mut builder: Builder) -> Result<Runtime, Failure> {
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, "runtime", error.to_string()))
}
