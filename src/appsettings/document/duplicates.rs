//! Keys that stand in a document twice.

use super::syntax_error::SyntaxError;
use super::tree::{self, Leaves, Node};
use crate::appsettings::encoding::EncodedText;
use crate::appsettings::key_path::fold;
use std::collections::HashSet;

/// .NET refuses a leaf whose key was there before, whatever its case; an empty object or array
/// overrides what was there.
pub(super) fn refuse_duplicates(root: &Node, text: &EncodedText) -> Result<(), SyntaxError> {
    if tree::names_differ(root) {
        return Ok(());
    }
    let mut seen = HashSet::new();
    for entry in Leaves::of(root, text, |_| true) {
        if !seen.insert(fold(&entry.key)) && !entry.empty {
            let message = format!(
                "the key '{}' stands here a second time, which .NET refuses",
                entry.key
            );
            return Err(tree::error_at(text, entry.span.start, message));
        }
    }
    Ok(())
}
