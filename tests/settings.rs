//! Settings: edits that change nothing else, layers, schemas.

mod document;
