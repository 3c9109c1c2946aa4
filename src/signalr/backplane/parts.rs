//! The parts of this process that a backplane works with.

use crate::signalr::delivery::Delivery;
use crate::signalr::metrics::Metrics;
use crate::signalr::registry::Registry;
use crate::signalr::results::Results;
use std::sync::Arc;

/// What a backplane is given to reach this process's clients.
pub struct BackplaneParts {
    pub registry: Arc<Registry>,
    pub delivery: Delivery,
    pub metrics: Arc<Metrics>,
    pub results: Arc<Results>,
}
