//! Settings: edits that change nothing else, layers, schemas.

mod commands;
mod document;
mod dotnet;
