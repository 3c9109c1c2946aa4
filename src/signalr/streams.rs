//! Streams of one connection: items that its client sends to a method, and items that a method sends to it.

use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{Completed, ServerMessage};
use crate::signalr::value::Value;
use futures_util::Stream;
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

/// Items of an upload that wait for their method; a full queue stops the connection's reading, as in .NET.
const UPLOAD_ITEMS: usize = 10;
/// Streams of one connection at a time, each way.
pub const MAXIMUM_STREAMS: usize = 256;

/// What a streaming method sends; dropping it is how a method learns that it was cancelled.
pub type Items = Pin<Box<dyn Stream<Item = Result<Value, HubError>> + Send>>;

/// A stream that a client sends, as its method takes it.
pub struct Upload(mpsc::Receiver<Result<Value, HubError>>);

impl Upload {
    /// The next item; `None` at the end; an error where the client broke it off.
    pub async fn next(&mut self) -> Option<Result<Value, HubError>> {
        self.0.recv().await
    }
}

struct Download {
    id: String,
    items: Items,
}

/// Both directions of one connection.
#[derive(Default)]
pub struct Streams {
    uploads: HashMap<String, PollSender<Result<Value, HubError>>>,
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
            self.uploads.insert(id.clone(), PollSender::new(sender));
            Upload(receiver)
        };
        Some(ids.iter().map(open).collect())
    }

    /// Hands an item to the method that waits for it. Pending where it must take others first.
    pub fn item(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
        item: impl FnOnce() -> Result<Value, HubError>,
    ) -> Poll<()> {
        let Some(sender) = self.uploads.get_mut(id) else {
            return Poll::Ready(());
        };
        match sender.poll_reserve(context) {
            Poll::Pending => return Poll::Pending,
            // A method that wants no more items has let go of its end.
            Poll::Ready(reserved) => {
                if reserved.is_err() || sender.send_item(item()).is_err() {
                    self.uploads.remove(id);
                }
            }
        }
        Poll::Ready(())
    }

    /// A stream of the client's ends, if it is one. Pending where its error must wait for items before it.
    pub fn end(&mut self, context: &mut Context<'_>, id: &str, error: Option<&str>) -> Poll<()> {
        if let Some(error) = error
            && self
                .item(context, id, || Err(HubError::shown(error)))
                .is_pending()
        {
            return Poll::Pending;
        }
        self.uploads.remove(id);
        Poll::Ready(())
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
