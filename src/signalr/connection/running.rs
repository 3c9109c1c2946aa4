//! Invocations whose method was started, or is about to.

use crate::signalr::clients::InvocationSlot;
use crate::signalr::hub::Task;
use crate::signalr::hub_error::HubError;
use crate::signalr::value::Value;
use std::sync::Arc;

pub(super) struct RunningInvocation {
    pub(super) id: Option<String>,
    pub(super) target: String,
    /// Streams that its client sends with it.
    pub(super) uploads: Vec<String>,
    /// Its place among those that may run at a time; `None` if it needs none.
    pub(super) slot: Option<Arc<InvocationSlot>>,
    pub(super) task: Task<Result<Value, HubError>>,
}

impl RunningInvocation {
    pub(super) fn holds_slot(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| slot.is_held())
    }
}
