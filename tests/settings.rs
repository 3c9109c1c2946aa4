//! Settings: edits that change nothing else, layers, schemas.

mod change;
mod commands;
mod document;
mod dotnet;
mod questions;
