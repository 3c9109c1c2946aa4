//! One JSON document edited in place: what an edit does not concern stays as it was, byte for byte.
//!
//! The text is parsed to a tree of spans; an edit replaces spans of the text, so comments, order,
//! encoding, line ends and indentation survive by construction. What .NET's configuration reader
//! allows is allowed (comments, trailing commas), nothing more (hub/contract.md, "Files").

mod duplicates;
mod edit;
mod excerpt;
mod lines;
mod new_value;
mod place;
mod style;
mod syntax_error;
mod tree;

pub use new_value::NewValue;
pub use syntax_error::{Position, SyntaxError};
pub use tree::Entry;

use super::encoding::EncodedText;
use super::key_path::{self, KeyPath, same};
use duplicates::refuse_duplicates;
use edit::Edit;
use lines::position;
use style::{MemberLayout, quoted};
use tree::{Leaves, Node, NodeValue, Span, parse, to_json};

/// A document with its text.
#[derive(Debug, Clone)]
pub struct Document {
    text: EncodedText,
    root: Node,
    /// The root's members, by name, in which something was edited.
    edited: Vec<String>,
}

/// An edit that the document's shape does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("{key} can't be set: {holder} is a plain value here, not an object")]
    PlainValue { key: String, holder: String },
    #[error("{key} is {what} here, not a plain value")]
    Replaces { key: String, what: String },
    #[error("{key} can't be set: {array} has {length} items, so the next index is {length}")]
    Index {
        key: String,
        array: String,
        length: usize,
    },
    #[error("{key} can't be edited without damage to the file: {why}")]
    Unsafe { key: String, why: String },
}

impl Document {
    /// Parses a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SyntaxError> {
        let text = EncodedText::decode(bytes);
        let root = parse(&text)?;
        refuse_duplicates(&root, &text)?;
        Ok(Document {
            text,
            root,
            edited: Vec::new(),
        })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.text.encode()
    }

    /// Every leaf in the order of the file, keys joined by `:`.
    pub fn entries(&self) -> Vec<Entry> {
        Leaves::of(&self.root, &self.text, |_| true)
    }

    /// The leaves at a key and below it, which may be few of many.
    pub fn entries_at(&self, key: &str) -> Vec<Entry> {
        let leads = |name: &str| key_path::holds(name, key) || key_path::holds(key, name);
        let mut entries = Leaves::of(&self.root, &self.text, leads);
        entries.retain(|entry| key_path::holds(key, &entry.key));
        entries
    }

    /// The leaf's text as .NET reads it; `None` where there is no such leaf.
    pub fn get(&self, key: &KeyPath) -> Option<&str> {
        match &self.find(key)?.kind {
            NodeValue::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the leaf is written in quotes; `None` where there is no such leaf.
    pub fn is_text(&self, key: &KeyPath) -> Option<bool> {
        let node = self
            .find(key)
            .filter(|node| matches!(node.kind, NodeValue::Scalar(_)))?;
        Some(self.is_quoted(node))
    }

    /// Whether the key is there, whatever its value.
    pub fn has(&self, key: &KeyPath) -> bool {
        self.find(key).is_some()
    }

    /// Where the key's value stands.
    pub fn position(&self, key: &KeyPath) -> Option<Position> {
        self.find(key)
            .map(|node| position(&self.text, node.range.start))
    }

    /// How many items an array holds.
    pub fn array_length(&self, key: &KeyPath) -> usize {
        match self.find(key).map(|node| &node.kind) {
            Some(NodeValue::Array(items)) => items.len(),
            _ => 0,
        }
    }

    /// The text with some values replaced, for showing it.
    pub fn shown(&self, replace: impl Fn(&Entry) -> Option<String>) -> String {
        let mut text = self.text.to_string();
        for entry in self.entries().into_iter().rev() {
            if let Some(value) = replace(&entry) {
                text.replace_range(entry.span, &quoted(&value));
            }
        }
        text
    }

    /// The document as plain JSON, for validation.
    pub fn to_json(&self) -> serde_json::Value {
        to_json(&self.root, &self.text)
    }

    /// The same of some of the root's members, which may be few of many.
    pub fn to_json_of(&self, wanted: impl Fn(&str) -> bool) -> serde_json::Value {
        let NodeValue::Object(members) = &self.root.kind else {
            return serde_json::Value::Null;
        };
        let head = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        let wanted = members.iter().filter(|member| wanted(&head(&member.name)));
        wanted
            .map(|member| (member.name.clone(), to_json(&member.value, &self.text)))
            .collect()
    }

    /// Whether something was edited in a member of the root.
    pub fn is_edited(&self, member: &str) -> bool {
        self.edited.iter().any(|edited| same(edited, member))
    }

    /// Sets a leaf; refuses to put it in the place of a section or a list. False where it reads so
    /// already: then not a byte changes.
    pub fn set(&mut self, key: &KeyPath, value: &NewValue) -> Result<bool, EditError> {
        let what = match self.find(key).map(|node| &node.kind) {
            Some(NodeValue::Object(members)) if !members.is_empty() => {
                format!("a section with {} settings", members.len())
            }
            Some(NodeValue::Array(items)) if !items.is_empty() => {
                format!("a list of {} items", items.len())
            }
            _ => return self.replace(key, value),
        };
        Err(EditError::Replaces {
            key: key.to_string(),
            what,
        })
    }

    /// Sets a leaf, also in the place of a section or a list.
    pub fn replace(&mut self, key: &KeyPath, value: &NewValue) -> Result<bool, EditError> {
        let literal = value.literal();
        let (node, rest) = place::deepest(&self.root, key.segments());
        let edits = match &node.kind {
            NodeValue::Scalar(_) if rest.is_empty() && self.reads(node, value) => return Ok(false),
            NodeValue::Scalar(_) if rest.is_empty() => {
                self.replace_scalar(node.range.clone(), value);
                self.edited.extend(key.segments().first().cloned());
                return Ok(true);
            }
            _ if rest.is_empty() => vec![(node.range.clone(), literal)],
            NodeValue::Object(_) => edit::insertion(&self.text, node, rest, &literal),
            NodeValue::Array(items) if place::index(&rest[0]) == Some(items.len()) => {
                edit::insertion(&self.text, node, &rest[1..], &literal)
            }
            // `null` stands for an empty section: an object takes its place.
            NodeValue::Null => {
                let indent = style::line_indent(&self.text, node.range.start);
                let section =
                    style::value(rest, &literal, &MemberLayout::lines(&self.text, indent));
                vec![(node.range.clone(), section)]
            }
            NodeValue::Array(items) => {
                return Err(EditError::Index {
                    key: key.to_string(),
                    array: holder_name(key, rest),
                    length: items.len(),
                });
            }
            NodeValue::Scalar(_) => {
                return Err(EditError::PlainValue {
                    key: key.to_string(),
                    holder: holder_name(key, rest),
                });
            }
        };
        self.apply(key, edits, |after| {
            after.get(key) == Some(value.as_read().as_str())
        })?;
        Ok(true)
    }

    /// Removes a key with its value, its comma and the comment behind it. False where it is not
    /// there.
    pub fn remove(&mut self, key: &KeyPath) -> Result<bool, EditError> {
        let mut removed = false;
        // A section may stand in several pieces.
        while let Some((holder, place)) = place::holder(&self.root, key.segments()) {
            let is_item = matches!(holder.kind, NodeValue::Array(_));
            let gone = 1 + place::child(holder, place).map_or(0, tree::count);
            let left = tree::count(&self.root) - gone;
            let is_removed = |after: &Document| tree::count(&after.root) == left;
            let edits = edit::removal(&self.text, holder, place);
            let bare = edit::bare_removal(&self.text, holder, place);
            self.apply(key, edits, is_removed)
                .or_else(|_| self.apply(key, bare, is_removed))?;
            removed = true;
            if is_item {
                break;
            }
        }
        Ok(removed)
    }

    /// Whether a leaf reads, and is written, as a value asks for.
    fn reads(&self, node: &Node, value: &NewValue) -> bool {
        let quotes = !matches!(value, NewValue::Quoted(_)) || self.is_quoted(node);
        quotes && matches!(&node.kind, NodeValue::Scalar(text) if *text == value.as_read())
    }

    fn is_quoted(&self, node: &Node) -> bool {
        self.text[node.range.start..].starts_with('"')
    }

    /// Puts one plain value in another's place: the text around it moves, and nothing has to be
    /// read again.
    fn replace_scalar(&mut self, range: Span, value: &NewValue) {
        let literal = value.literal();
        self.text.replace_range(range.clone(), &literal);
        tree::replace_scalar(
            &mut self.root,
            range.start,
            range.end,
            literal.len(),
            value.as_read(),
        );
    }

    /// Makes edits that are in the order of the text. Where the result does not read as it should,
    /// which is deeper than .NET reads or a fault of ours, the document stays as it was.
    fn apply(
        &mut self,
        key: &KeyPath,
        edits: Vec<Edit>,
        is_done: impl Fn(&Document) -> bool,
    ) -> Result<(), EditError> {
        let unsafe_edit = |why: String| EditError::Unsafe {
            key: key.to_string(),
            why,
        };
        let mut text = self.text.clone();
        for (range, replacement) in edits.into_iter().rev() {
            text.replace_range(range, &replacement);
        }
        let root = parse(&text).map_err(|error| unsafe_edit(error.message))?;
        let edited = self.edited.iter().chain(key.segments().first());
        let after = Document {
            text,
            root,
            edited: edited.cloned().collect(),
        };
        if !is_done(&after) {
            return Err(unsafe_edit("it would not read as it was set".into()));
        }
        *self = after;
        Ok(())
    }

    fn find(&self, key: &KeyPath) -> Option<&Node> {
        place::find(&self.root, key.segments())
    }
}

/// The key without the names that are missing below it.
fn holder_name(key: &KeyPath, rest: &[String]) -> String {
    let segments = key.segments();
    segments[..segments.len() - rest.len()].join(":")
}
