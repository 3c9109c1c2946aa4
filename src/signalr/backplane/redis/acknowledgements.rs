//! Commands that wait for the acknowledgement of another server.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Commands that wait for the acknowledgement of another server.
#[derive(Default)]
pub(super) struct Acknowledgements {
    waiting: Mutex<(i32, HashMap<i32, oneshot::Sender<()>>)>,
}

impl Acknowledgements {
    pub(super) fn expect(&self) -> (i32, oneshot::Receiver<()>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, receiver) = oneshot::channel();
        waiting.0 = waiting.0 % i32::MAX + 1;
        let number = waiting.0;
        waiting.1.insert(number, sender);
        (number, receiver)
    }

    pub(super) fn settle(&self, number: i32) {
        let waiting = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .remove(&number);
        // The waiting caller may have given up.
        let _ = waiting.map(|waiting| waiting.send(()));
    }
}
