//! Whom a message is for, before it is read.

use super::table::GroupKey::{Board, SerialKey, SourceBoard};
use super::table::named;
use crate::json::{JsonFault, Reader};

/// How much of a body is looked at: Harmony's messages begin with whom they are for.
const BEGINNING: usize = 4 << 10;

/// The group that a message of a type is for; `None` where the beginning of its body does not tell.
pub fn addressee(name: &[u8], body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(&body[..body.len().min(BEGINNING)]);
    match named(name)?.group {
        Board => text(&mut reader, &["BoardId"]).map(|id| id.to_ascii_lowercase()),
        SerialKey => text(&mut reader, &["SerialKey"]),
        SourceBoard => {
            text(&mut reader, &["SourceCardBoard", "Id"]).map(|id| id.to_ascii_lowercase())
        }
    }
}

/// The text that stands at a path.
fn text(reader: &mut Reader<'_>, path: &[&str]) -> Option<String> {
    let [name, below @ ..] = path else {
        return reader.string().ok().map(String::from);
    };
    let mut found = None;
    // What follows does not matter: an error ends the reading.
    let _ = reader.object(|reader, member| {
        if member != *name {
            return reader.skip().map(drop);
        }
        found = text(reader, below);
        Err(reader.error(JsonFault::Unexpected("enough was read")))
    });
    found
}
