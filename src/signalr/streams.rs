//! Streams of one connection: items that its client sends to a method, and items that a method
//! sends to it.

use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{Completed, ServerMessage};
use crate::signalr::value::Value;
use futures_util::Stream;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

/// Items of an upload that wait for their method; a full queue stops the connection's reading, as
/// in .NET.
const UPLOAD_ITEMS: usize = 10;
/// Streams of one connection at a time, each way.
pub const MAXIMUM_STREAMS: usize = 256;

/// What a streaming method sends; dropping it is how a method learns that it was cancelled.
pub type Items = Pin<Box<dyn Stream<Item = Result<Value, HubError>> + Send>>;

/// A stream that a client sends, as its method takes it.
pub struct Upload {
    items: mpsc::Receiver<QueuedItem>,
    /// The client has said that nothing more comes.
    ended: Arc<AtomicBool>,
}

impl Upload {
    /// The next item; `None` at the end; an error if the client broke it off or is gone.
    pub async fn next(&mut self) -> Option<Result<Value, HubError>> {
        match self.items.recv().await {
            None if !self.ended.swap(true, Ordering::AcqRel) => Some(Err(HubError::of(
                "OperationCanceledException",
                "The underlying connection was closed.",
            ))),
            item => item.map(|item| item.value),
        }
    }
}

/// An item that its method has not taken yet.
struct QueuedItem {
    value: Result<Value, HubError>,
    _counted: CountedBytes,
}

/// Bytes that count until this is dropped.
struct CountedBytes {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl CountedBytes {
    fn new(bytes: usize, all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(bytes, Ordering::Relaxed);
        CountedBytes {
            bytes,
            all: all.clone(),
        }
    }
}

impl Drop for CountedBytes {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The end of an upload that the client's items go into.
struct UploadSender {
    items: PollSender<QueuedItem>,
    ended: Arc<AtomicBool>,
    /// An item of it waits, and further ones behind that.
    held_back: bool,
}

struct Download {
    id: String,
    items: Items,
}

/// Both directions of one connection.
#[derive(Default)]
pub struct Streams {
    uploads: HashMap<String, UploadSender>,
    /// Bytes of items that no method has taken yet.
    queued: Arc<AtomicUsize>,
    downloads: Vec<Download>,
}

impl Streams {
    /// Opens the streams that an invocation announces; `None` where there are too many.
    pub fn open(&mut self, ids: &[String]) -> Option<Vec<Upload>> {
        if self.uploads.len() + ids.len() > MAXIMUM_STREAMS {
            return None;
        }
        let open = |id: &String| {
            let (sender, receiver) = mpsc::channel(UPLOAD_ITEMS);
            let ended = Arc::<AtomicBool>::default();
            self.uploads.insert(
                id.clone(),
                UploadSender {
                    items: PollSender::new(sender),
                    ended: ended.clone(),
                    held_back: false,
                },
            );
            Upload {
                items: receiver,
                ended,
            }
        };
        Some(ids.iter().map(open).collect())
    }

    /// Hands an item to the method that waits for it. Pending where it must take others first.
    pub fn item(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
        bytes: usize,
        item: impl FnOnce() -> Result<Value, HubError>,
    ) -> Poll<()> {
        let Some(upload) = self.uploads.get_mut(id) else {
            return Poll::Ready(());
        };
        match upload.items.poll_reserve(context) {
            Poll::Pending => return Poll::Pending,
            // A method that wants no more items has let go of its end.
            Poll::Ready(reserved) => {
                let item = || QueuedItem {
                    value: item(),
                    _counted: CountedBytes::new(bytes, &self.queued),
                };
                if reserved.is_err() || upload.items.send_item(item()).is_err() {
                    self.uploads.remove(id);
                }
            }
        }
        Poll::Ready(())
    }

    /// A stream of the client's ends, if it is one. Pending where its error must wait for items
    /// before it.
    pub fn end(&mut self, context: &mut Context<'_>, id: &str, error: Option<&str>) -> Poll<()> {
        if let Some(error) = error
            && self
                .item(context, id, error.len(), || Err(HubError::shown(error)))
                .is_pending()
        {
            return Poll::Pending;
        }
        if let Some(upload) = self.uploads.remove(id) {
            upload.ended.store(true, Ordering::Release);
        }
        Poll::Ready(())
    }

    pub fn queued_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether an item of an upload may be handed over before messages that wait.
    pub fn takes(&self, id: &str) -> bool {
        self.uploads.get(id).is_some_and(|upload| !upload.held_back)
    }

    /// An item of an upload waits: those that follow it wait too.
    pub fn hold_back(&mut self, id: &str) {
        if let Some(upload) = self.uploads.get_mut(id) {
            upload.held_back = true;
        }
    }

    /// No item waits any more.
    pub fn hold_back_none(&mut self) {
        for upload in self.uploads.values_mut() {
            upload.held_back = false;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.uploads.is_empty() && self.downloads.is_empty()
    }

    /// Forgets streams whose method is done.
    pub fn close(&mut self, ids: &[String]) {
        ids.iter().for_each(|id| drop(self.uploads.remove(id)));
    }

    /// Whether a stream to the client has an id.
    pub fn is_running(&self, id: &str) -> bool {
        self.downloads.iter().any(|download| download.id == id)
    }

    /// Whether anything is sent to the client.
    pub fn is_sending(&self) -> bool {
        !self.downloads.is_empty()
    }

    /// Begins to send; false where too many streams are sent already.
    pub fn start(&mut self, id: String, items: Items) -> bool {
        let room = self.downloads.len() < MAXIMUM_STREAMS;
        if room {
            self.downloads.push(Download { id, items });
        }
        room
    }

    /// The client wants no more; false where no such stream is sent.
    pub fn cancel(&mut self, id: &str) -> bool {
        let before = self.downloads.len();
        self.downloads.retain(|download| download.id != id);
        self.downloads.len() < before
    }

    /// Sends what streams have, while there is room.
    pub fn poll(
        &mut self,
        context: &mut Context<'_>,
        detailed: bool,
        room: impl Fn() -> bool,
        mut send: impl FnMut(&ServerMessage<'_>),
    ) {
        let mut place = 0;
        while place < self.downloads.len() {
            let Download { id, items } = &mut self.downloads[place];
            let ended = loop {
                if !room() {
                    break false;
                }
                match items.as_mut().poll_next(context) {
                    Poll::Pending => break false,
                    Poll::Ready(Some(Ok(item))) => {
                        send(&ServerMessage::StreamItem { id, item: &item })
                    }
                    Poll::Ready(Some(Err(error))) => {
                        let text = format!(
                            "An error occurred on the server while streaming results.{}",
                            error.suffix(detailed)
                        );
                        send(&ServerMessage::Completion {
                            id,
                            outcome: Completed::Error(&text),
                        });
                        break true;
                    }
                    Poll::Ready(None) => {
                        send(&ServerMessage::Completion {
                            id,
                            outcome: Completed::Void,
                        });
                        break true;
                    }
                }
            };
            if ended {
                self.downloads.swap_remove(place);
            } else {
                place += 1;
            }
        }
    }
}
