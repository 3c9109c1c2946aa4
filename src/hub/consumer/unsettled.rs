//! What was fanned out and may not be acknowledged yet, because bad messages are being set aside.
//! Good messages do not wait for long bad ones.

use super::owed::{Handled, Owed};
use crate::broker::aside::{RejectedQueue, SetAside};
use crate::broker::{Broker, BrokerError};
use crate::hub::status::HubStatus;
use tokio::task::JoinSet;

/// The end of setting messages aside: what became of each.
pub(super) struct Settled {
    pub(super) handled: Handled,
    pub(super) fates: Vec<SetAside>,
}

impl Settled {
    /// Counts what was set aside, and drops what RabbitMQ refused to take.
    pub(super) async fn report(
        self,
        broker: &Broker,
        status: &HubStatus,
    ) -> Result<Handled, BrokerError> {
        for (fate, (message, rejection)) in self.fates.iter().zip(&self.handled.rejected) {
            match fate {
                SetAside::Done => status.reject(rejection, &rejection.to_string()),
                SetAside::Refused(refused) => {
                    status.discard(rejection, refused);
                    broker.discard(message).await?;
                }
            }
        }
        Ok(self.handled)
    }
}

/// Sets messages aside in a task of its own, one lot after the other: all that came meanwhile is
/// the next.
pub(super) struct Unsettled {
    /// Not while the task has it.
    queue: Option<RejectedQueue>,
    task: JoinSet<(RejectedQueue, Result<Settled, BrokerError>)>,
    next: Handled,
}

impl Unsettled {
    pub(super) fn new(queue: RejectedQueue) -> Self {
        Unsettled {
            queue: Some(queue),
            task: JoinSet::new(),
            next: Handled::default(),
        }
    }

    /// Whether messages are being set aside.
    pub(super) fn is_busy(&self) -> bool {
        !self.task.is_empty()
    }

    /// Takes messages in the queue's order, and gives back what may be acknowledged at once.
    pub(super) fn add(&mut self, handled: Handled) -> Option<Handled> {
        self.next.append(handled);
        self.start()
    }

    /// Sets the next lot aside, or gives it back where there is nothing to set aside.
    fn start(&mut self) -> Option<Handled> {
        let mut queue = self.queue.take()?;
        let handled = std::mem::take(&mut self.next);
        if handled.rejected.is_empty() {
            self.queue = Some(queue);
            return Some(handled);
        }
        self.task.spawn(async move {
            let reasons = handled.rejected.iter();
            let reasons: Vec<_> = reasons
                .map(|(message, rejection)| (message, rejection.to_string()))
                .collect();
            let fates = queue.put_all(&reasons).await;
            (queue, fates.map(|fates| Settled { handled, fates }))
        });
        None
    }

    /// Waits until a lot is set aside. May be given up and called again.
    pub(super) async fn settled(&mut self) -> Result<Settled, BrokerError> {
        let joined = self.task.join_next().await;
        let (queue, settled) = joined
            .and_then(Result::ok)
            .ok_or_else(|| BrokerError::Lost("setting aside was given up".into()))?;
        self.queue = Some(queue);
        let mut settled = settled?;
        // What came behind it and needs nothing goes with it.
        if let Some(later) = self.start() {
            settled.handled.append(later);
        }
        Ok(settled)
    }

    /// Waits until all is set aside that is to be.
    pub(super) async fn settle_all(
        &mut self,
        broker: &Broker,
        status: &HubStatus,
        owed: &mut Owed,
    ) -> Result<(), BrokerError> {
        while self.is_busy() {
            let settled = self.settled().await?;
            owed.add(settled.report(broker, status).await?);
        }
        Ok(())
    }

    /// Says goodbye to RabbitMQ.
    pub(super) async fn close(self) {
        if let Some(queue) = self.queue {
            queue.close().await;
        }
    }
}
