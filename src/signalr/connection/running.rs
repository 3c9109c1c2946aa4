//! An invocation whose method runs.

use crate::signalr::hub::Task;
use crate::signalr::hub_error::HubError;
use crate::signalr::value::Value;

pub(super) struct RunningInvocation {
    pub(super) id: Option<String>,
    pub(super) target: String,
    /// Streams that its client sends with it.
    pub(super) uploads: Vec<String>,
    pub(super) task: Task<Result<Value, HubError>>,
}
