//! Settings: edits that change nothing else, layers, schemas.

mod change;
mod commands;
mod document;
mod dotnet;
mod edits;
mod encodings;
mod environments;
mod oracle;
mod questions;
mod redis_strings;
mod schemas;
mod secrets;
mod tokens;
pub mod transcript;
