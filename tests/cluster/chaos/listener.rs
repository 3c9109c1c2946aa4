//! Who listens, and what it lacks.

use super::{BOARD, block_on};
use crate::harness::PATIENCE;
use harmony::hub_client::{ClientError, HubClient};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// A client that comes back whenever it is cut off; how often it heard each number.
pub struct Listener {
    /// By number, since looking must not keep it from listening.
    heard: Arc<Mutex<Vec<u8>>>,
    stop: Arc<AtomicBool>,
}

impl Listener {
    pub fn start(hub: &str) -> Self {
        let listener = Listener {
            heard: Arc::default(),
            stop: Arc::default(),
        };
        let (heard, stop, hub) = (
            listener.heard.clone(),
            listener.stop.clone(),
            Url::parse(hub).expect("an address"),
        );
        let (joined, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            block_on(async move {
                while !stop.load(Ordering::Relaxed) {
                    // A hub that is away, or not well yet, is asked again.
                    let session = async {
                        let mut client = HubClient::connect(&hub, PATIENCE).await?;
                        client.invoke("ListenForBoardEvents", BOARD).await?;
                        Ok::<_, ClientError>(client)
                    };
                    let Ok(mut client) = session.await else {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    let _ = joined.send(());
                    while let Ok((_, arguments)) = client.hear().await {
                        if let Some(number) = arguments[0]["title"]
                            .as_str()
                            .and_then(|title| title.parse::<usize>().ok())
                        {
                            let mut heard = heard.lock().expect("numbers");
                            let missing = (number + 1).saturating_sub(heard.len());
                            heard.extend(std::iter::repeat_n(0, missing));
                            heard[number] = heard[number].saturating_add(1);
                        }
                    }
                }
            });
        });
        ready
            .recv_timeout(Duration::from_secs(60))
            .expect("a client that listens");
        listener
    }

    /// How many different ones it has heard.
    pub fn count(&self) -> usize {
        self.heard
            .lock()
            .expect("numbers")
            .iter()
            .filter(|times| **times > 0)
            .count()
    }

    pub fn lost(&self, accepted: &[usize]) -> usize {
        let heard = self.heard.lock().expect("numbers");
        accepted
            .iter()
            .filter(|number| heard.get(**number).is_none_or(|times| *times == 0))
            .count()
    }

    /// Runs of what it has not heard, as places in what was accepted.
    pub fn gaps(&self, accepted: &[usize]) -> Vec<Range<usize>> {
        let heard = self.heard.lock().expect("numbers");
        let mut gaps: Vec<Range<usize>> = Vec::new();
        for (place, _) in accepted
            .iter()
            .enumerate()
            .filter(|(_, number)| heard.get(**number).is_none_or(|times| *times == 0))
        {
            match gaps.last_mut() {
                Some(gap) if gap.end == place => gap.end += 1,
                _ => gaps.push(place..place + 1),
            }
        }
        gaps
    }

    pub fn twice(&self) -> usize {
        self.heard
            .lock()
            .expect("numbers")
            .iter()
            .filter(|times| **times > 1)
            .count()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
