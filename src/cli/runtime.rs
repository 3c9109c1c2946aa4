//! Running a command to its end, or to Ctrl-C.

use super::context::Context;
use super::environment;
use super::failure::{Exit, Failure};
use super::global::Global;
use crate::platform::Interruption;
use crate::terminal::Terminal;
use std::pin::{Pin, pin};
use tokio::runtime::{Builder, Runtime};

/// Runs a command until its end or Ctrl-C. The first Ctrl-C waits until half-done work is undone,
/// a second one does not.
pub fn interruptible(
    global: &Global,
    terminal: Terminal,
    command: impl AsyncFnOnce(&Context) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = start(Builder::new_current_thread())?;
    // Listen before the command's first step: a signal during a question would otherwise kill
    // the process and leave the terminal in raw mode.
    let interruption = runtime.block_on(async { Interruption::listen() });
    let context = Context::new(global, terminal)?;
    environment::point_out(&context);
    let result = {
        let command = pin!(command(&context));
        runtime.block_on(until_interrupted(&context, interruption.ok(), command))
    };
    // A credential helper may still wait for its user on a thread of its own.
    runtime.shutdown_background();
    result
}

/// Any command at all, so that this is compiled once and not once for each.
type RunningCommand<'a> = Pin<&'a mut dyn Future<Output = Result<(), Failure>>>;

async fn until_interrupted(
    context: &Context,
    interruption: Option<Interruption>,
    mut command: RunningCommand<'_>,
) -> Result<(), Failure> {
    let Some(mut interruption) = interruption else {
        return command.await;
    };
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
