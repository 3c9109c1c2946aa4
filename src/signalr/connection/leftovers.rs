//! Methods whose client is gone: they finish, and those that waited run, as in .NET, unless the
//! server holds too much already. Nobody hears their results.

use super::ending::Ending;
use super::work::ClientWork;
use crate::signalr::budget::Account;
use crate::signalr::hub::{Call, Caller, Hub, StartedMethod, Task};
use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{ClientMessage, Cut, Protocol};
use crate::signalr::server::Server;
use crate::signalr::value::Value;
use futures_util::future::join_all;
use std::sync::Arc;

/// `connecting` is set if the hub had not heard of the client yet.
pub(super) fn finish<H: Hub>(
    server: Arc<Server<H>>,
    caller: Caller,
    protocol: Protocol,
    connecting: Option<Task<Result<(), Ending>>>,
    work: ClientWork,
) {
    if work.running.is_empty() && !work.is_blocked() {
        return;
    }
    let mut account = Account::new(server.budget.clone());
    if !account.set(work.input_bytes()) {
        return;
    }
    let (running, held, waiting) = (work.running, work.held, work.waiting);
    tokio::spawn(async move {
        let _counted = account;
        if let Some(connecting) = connecting
            && connecting.await.is_err()
        {
            return;
        }
        join_all(running.into_iter().map(|invocation| invocation.task)).await;
        if let Some(held) = held {
            let _ = held.task.await;
        }
        let mut rest = &waiting[..];
        while let Ok(Cut::Message(message, taken)) = protocol.cut(rest, usize::MAX) {
            rest = &rest[taken..];
            if let Some(task) = start(&server, &caller, protocol, message) {
                let _ = task.await;
            }
        }
    });
}

/// Starts the method that a message invokes, if that is one without streams.
fn start<H: Hub>(
    server: &Server<H>,
    caller: &Caller,
    protocol: Protocol,
    message: &[u8],
) -> Option<Task<Result<Value, HubError>>> {
    let Ok(ClientMessage::Invocation {
        target,
        arguments,
        streaming: false,
        ..
    }) = protocol.read(message)
    else {
        return None;
    };
    let mut call = Call {
        target: &target,
        arguments,
        uploads: Vec::new(),
    };
    match server.hub.invoke(caller.clone(), &mut call) {
        Ok(StartedMethod::Result(task)) => Some(task),
        Ok(StartedMethod::Stream(_)) | Err(_) => None,
    }
}
