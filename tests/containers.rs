//! The rooms below `containers`: Docker's API, where Docker is, and what its servers are told.

mod engine;
mod generation;
mod readiness;
mod redis_configuration;
#[cfg(unix)]
mod ssh;
mod tls;
mod whereabouts;
