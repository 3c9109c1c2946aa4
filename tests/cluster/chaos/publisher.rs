//! Who publishes numbered messages, and knows which were accepted.

use super::{BOARD, block_on};
use futures_util::future::join_all;
use harmony::broker::Broker;
use harmony::connection_string::amqp::BrokerAddress;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Messages of a burst that are on their way at a time.
const BURST: usize = 500;

fn body(number: usize) -> String {
    json!({ "BoardId": BOARD, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": number.to_string() }).to_string()
}

/// In place of a pause: nothing is published for now.
pub const HOLD: usize = usize::MAX;

/// Publishes numbers until it is stopped; those that RabbitMQ confirmed count as accepted.
pub struct Publisher {
    accepted: Arc<Mutex<Vec<usize>>>,
    stop: Arc<AtomicBool>,
    /// Milliseconds between messages; 0 is a burst.
    pub pause: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    pub fn start(address: BrokerAddress, pause: usize) -> Self {
        let publisher = Publisher {
            accepted: Arc::default(),
            stop: Arc::default(),
            pause: Arc::new(AtomicUsize::new(pause)),
            thread: None,
        };
        let (accepted, stop, pause) = (
            publisher.accepted.clone(),
            publisher.stop.clone(),
            publisher.pause.clone(),
        );
        let thread = std::thread::spawn(move || {
            block_on(async move {
                let (mut number, mut broker) = (0, None);
                while !stop.load(Ordering::Relaxed) {
                    if pause.load(Ordering::Relaxed) == HOLD {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    }
                    if broker.is_none() {
                        broker = Broker::connect(&address, "chaos", Duration::from_secs(2))
                            .await
                            .ok();
                        if let Some(connected) = &broker {
                            // The exchange is not durable: after a restart a queue must be bound
                            // before anything is published.
                            if connected.declare().await.is_err() {
                                broker = None;
                            }
                        }
                    }
                    let Some(connected) = &broker else {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    // A burst is many at once; RabbitMQ confirms each.
                    let count = if pause.load(Ordering::Relaxed) == 0 {
                        BURST
                    } else {
                        1
                    };
                    let bodies: Vec<_> = (number..number + count).map(body).collect();
                    let publishing = join_all(
                        bodies
                            .iter()
                            .map(|body| connected.publish("CardTitleChanged", body.as_bytes())),
                    );
                    match tokio::time::timeout(Duration::from_secs(3), publishing).await {
                        Ok(confirmed) => {
                            let taken = confirmed
                                .iter()
                                .zip(number..)
                                .filter(|(result, _)| result.is_ok())
                                .map(|(_, number)| number);
                            accepted.lock().expect("numbers").extend(taken);
                            if confirmed.iter().any(Result::is_err) {
                                broker = None;
                            }
                        }
                        Err(_) => broker = None,
                    }
                    number += count;
                    let pause = pause.load(Ordering::Relaxed);
                    if pause > 0 && pause != HOLD {
                        tokio::time::sleep(Duration::from_millis(pause as u64)).await;
                    }
                }
            });
        });
        Publisher {
            thread: Some(thread),
            ..publisher
        }
    }

    pub fn count(&self) -> usize {
        self.accepted.lock().expect("numbers").len()
    }

    pub fn finish(mut self) -> Vec<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .take()
            .expect("a thread")
            .join()
            .expect("an end");
        std::mem::take(&mut *self.accepted.lock().expect("numbers"))
    }
}
