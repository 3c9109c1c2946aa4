//! The command line, as users and scripts see it.

mod answers;
mod bad_input;
pub mod bare;
mod binding;
pub mod checkouts;
mod codes;
pub mod docker;
mod doctor;
mod drift;
mod edit;
mod faults;
mod gateways;
mod generations;
mod help;
mod launch_profiles;
mod lifecycle;
mod ordinary_user;
mod pipelines;
mod publish;
mod published;
mod rehost;
mod rules;
mod scripts;
mod setup;
mod shells;
mod terminal;
mod verify;
