//! Who opened a connection.

use crate::signalr::gate::Admitted;
use crate::signalr::hub::OpeningRequest;
use std::sync::Arc;
use tokio::time::Instant;

/// What is known of a client from its request.
#[derive(Clone, Default)]
pub struct Visitor {
    /// Kept if the hub's methods read it.
    pub request: Option<Arc<OpeningRequest>>,
    /// When its token expires, and the connection with it.
    pub expires: Option<Instant>,
    /// Its place among those that were let in.
    pub admitted: Option<Arc<Admitted>>,
}
