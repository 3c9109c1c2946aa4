//! The Docker API, its one door: what is there ([`Observer`]), and changing it
//! ([`engine::Engine`]).
//!
//! A dry run only ever holds an `Observer`, which has no method that writes.

mod body;
mod connection;
pub mod engine;
mod engine_facts;
mod error;
pub mod image;
mod network;
mod observed;
mod observer;
mod ssh;

pub use engine_facts::{EngineFacts, EngineProduct};
pub use error::DockerError;
pub use observed::{ObservedContainer, ObservedImage, ObservedVolume, Publisher};
pub use observer::Observer;
