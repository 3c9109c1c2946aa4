//! Provisioning without Docker: a world and a request in, a plan out, as text.

mod choices;
mod drift;
mod engine;
mod hub;
mod library;
mod locks;
mod ports;
mod refused;
mod retries;
mod scene;
mod undo;
