//! The table of channels that should be subscribed. A task keeps Redis in step with it after joins
//! and on new connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// How many channels one SUBSCRIBE names at most.
const CHANNELS_PER_COMMAND: usize = 512;

/// The channels of this server, by their names.
pub(super) struct Subscriptions {
    table: Mutex<HashMap<Arc<str>, Subscription>>,
    pub(super) changed: Notify,
}

/// A channel that is wanted, or no longer.
#[derive(Default)]
struct Subscription {
    /// How many need it: the members of a group, or the connection itself.
    wanted: usize,
    /// Redis confirmed it on the present connection.
    confirmed: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Subscriptions {
    /// The channels that the server itself needs.
    pub(super) fn always(channels: impl IntoIterator<Item = String>) -> Self {
        let wanted = |channel: String| {
            (
                channel.into(),
                Subscription {
                    wanted: 1,
                    ..Subscription::default()
                },
            )
        };
        Subscriptions {
            table: Mutex::new(channels.into_iter().map(wanted).collect()),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Subscription>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a user of a channel. Returns what to wait for if it is not subscribed yet.
    pub(super) fn want(&self, channel: String) -> Option<oneshot::Receiver<()>> {
        let mut subscriptions = self.lock();
        let subscription = subscriptions.entry(channel.into()).or_default();
        subscription.wanted += 1;
        if subscription.confirmed {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        subscription.waiting.push(sender);
        drop(subscriptions);
        self.changed.notify_one();
        Some(receiver)
    }

    /// Removes a user of a channel.
    pub(super) fn release(&self, channel: &str) {
        let mut subscriptions = self.lock();
        if let Some(subscription) = subscriptions.get_mut(channel) {
            subscription.wanted = subscription.wanted.saturating_sub(1);
            if subscription.wanted == 0 {
                drop(subscriptions);
                self.changed.notify_one();
            }
        }
    }

    /// Whether a client of this server is behind a channel.
    pub(super) fn is_wanted(&self, channel: &str) -> bool {
        self.lock()
            .get(channel)
            .is_some_and(|subscription| subscription.wanted > 0)
    }

    /// The channels to subscribe and to unsubscribe.
    pub(super) fn difference(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let mut subscriptions = self.lock();
        subscriptions.retain(|_, subscription| subscription.wanted > 0 || subscription.confirmed);
        let pick = |wanted: bool| {
            let differs = |subscription: &Subscription| {
                (subscription.wanted > 0) == wanted && subscription.confirmed != wanted
            };
            let channels = subscriptions
                .iter()
                .filter(|(_, subscription)| differs(subscription));
            channels
                .map(|(channel, _)| channel.clone())
                .take(CHANNELS_PER_COMMAND)
                .collect()
        };
        (pick(true), pick(false))
    }

    pub(super) fn confirm(&self, channels: &[Arc<str>], confirmed: bool) {
        let mut subscriptions = self.lock();
        for channel in channels {
            if let Some(subscription) = subscriptions.get_mut(channel) {
                subscription.confirmed = confirmed;
                if confirmed {
                    for waiting in subscription.waiting.drain(..) {
                        // The waiting caller may have given up.
                        let _ = waiting.send(());
                    }
                }
            }
        }
    }

    /// The connection is gone, and all subscriptions with it.
    pub(super) fn lose_all(&self) {
        self.lock()
            .values_mut()
            .for_each(|subscription| subscription.confirmed = false);
    }
}
