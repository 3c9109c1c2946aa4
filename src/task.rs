//! Tasks that start seldom.

use std::pin::Pin;
use tokio::task::JoinHandle;

/// Spawns a future in a box. The runtime's code is then compiled once for all of them; for futures
/// as they are it is compiled twice for each, once per kind of scheduler.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let future: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(future);
    tokio::spawn(future)
}
