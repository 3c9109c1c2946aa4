//! The command line, as users and scripts see it.

mod answers;
#[cfg(unix)]
mod bad_input;
pub mod bare;
mod binding;
mod certificates;
pub mod checkouts;
mod codes;
#[cfg(unix)]
mod diagnoses;
pub mod docker;
mod doctor;
mod drift;
#[cfg(unix)]
mod edit;
#[cfg(unix)]
mod faults;
mod gateways;
mod generations;
mod help;
mod hub_container;
#[cfg(unix)]
mod images;
#[cfg(unix)]
mod instances;
#[cfg(unix)]
mod killed;
mod launch_profiles;
mod lifecycle;
#[cfg(unix)]
mod machines;
#[cfg(unix)]
mod old_servers;
#[cfg(unix)]
mod ordinary_user;
mod pipelines;
mod publish;
mod published;
#[cfg(unix)]
mod readme;
mod rehost;
#[cfg(unix)]
mod rules;
#[cfg(unix)]
mod screens;
#[cfg(unix)]
mod scripts;
#[cfg(unix)]
mod secrets_store;
#[cfg(unix)]
mod setup;
#[cfg(unix)]
mod shells;
mod terminal;
mod verify;
mod version;
