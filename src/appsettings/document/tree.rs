//! A settings document as a tree of spans of its text, and as the leaves that .NET reads.

use super::excerpt::Excerpt;
use super::lines::{LineCounter, position};
use super::syntax_error::{Position, SyntaxError};
use crate::appsettings::key_path;
use crate::json::{JsonError, JsonFault, JsonKind, Reader};

/// One leaf, as .NET flattens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    /// `None` for null and for empty objects.
    pub value: Option<String>,
    /// It stands for an object or array that is empty.
    pub empty: bool,
    pub at: Position,
    pub(super) span: Span,
}

/// A stretch of the text, in bytes.
pub(super) type Span = std::ops::Range<usize>;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) range: Span,
    pub(super) kind: NodeValue,
}

#[derive(Debug, Clone)]
pub(super) enum NodeValue {
    Object(Vec<Member>),
    Array(Vec<Node>),
    /// The text that .NET reads.
    Scalar(String),
    Null,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) range: Span,
    pub(super) name: String,
    pub(super) value: Node,
}

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    root(&mut Reader::of_settings(text.as_bytes())).map_err(|error| {
        let refused_comment = text.as_bytes().get(error.at) == Some(&b'/');
        let what = if refused_comment {
            "a comment that .NET does not read".to_owned()
        } else {
            error.fault.to_string()
        };
        error_at(text, error.at, what)
    })
}

fn root(reader: &mut Reader<'_>) -> Result<Node, JsonError> {
    if reader.peek()? != JsonKind::Object {
        return Err(reader.error(JsonFault::Unexpected("a settings file holds one object")));
    }
    let root = node(reader)?;
    reader.end()?;
    Ok(root)
}

fn node(reader: &mut Reader<'_>) -> Result<Node, JsonError> {
    let token = reader.peek()?;
    let start = reader.at();
    let kind = match token {
        JsonKind::Object => {
            let mut members = Vec::new();
            reader.members(|reader| member(reader).map(|member| members.push(member)))?;
            NodeValue::Object(members)
        }
        JsonKind::Array => {
            let mut items = Vec::new();
            reader.array(|reader| node(reader).map(|item| items.push(item)))?;
            NodeValue::Array(items)
        }
        JsonKind::String => NodeValue::Scalar(reader.string()?.into_owned()),
        JsonKind::Number => NodeValue::Scalar(reader.number()?.to_owned()),
        JsonKind::True | JsonKind::False => {
            let value = if reader.boolean()? { "True" } else { "False" };
            NodeValue::Scalar(value.to_owned())
        }
        JsonKind::Null => {
            reader.null()?;
            NodeValue::Null
        }
    };
    Ok(Node {
        range: start..reader.at(),
        kind,
    })
}

fn member(reader: &mut Reader<'_>) -> Result<Member, JsonError> {
    let start = reader.at();
    let name = reader.name()?.into_owned();
    let value = node(reader)?;
    Ok(Member {
        range: start..value.range.end,
        name,
        value,
    })
}

/// Collects the leaves of a tree, without the parts whose keys nobody wants.
pub(super) struct Leaves<'t, Wanted> {
    lines: LineCounter<'t>,
    /// The names on the way, joined.
    key: String,
    wanted: Wanted,
    entries: Vec<Entry>,
}

impl<'t, Wanted: Fn(&str) -> bool> Leaves<'t, Wanted> {
    /// The leaves below a root, in the order of its text.
    pub(super) fn of(root: &Node, text: &'t str, wanted: Wanted) -> Vec<Entry> {
        let mut leaves = Leaves {
            lines: LineCounter::new(text),
            key: String::new(),
            wanted,
            entries: Vec::new(),
        };
        leaves.add(root, 0);
        leaves.entries
    }

    /// Adds a node's leaves; `depth` names lead to it.
    fn add(&mut self, node: &Node, depth: usize) {
        let value = match &node.kind {
            NodeValue::Object(members) if !members.is_empty() => {
                let children = members.iter();
                return children.for_each(|member| self.below(&member.name, &member.value, depth));
            }
            NodeValue::Array(items) if !items.is_empty() => {
                let children = items.iter().enumerate();
                return children
                    .for_each(|(index, item)| self.below(&index.to_string(), item, depth));
            }
            NodeValue::Array(_) => Some(String::new()),
            NodeValue::Object(_) | NodeValue::Null => None,
            NodeValue::Scalar(text) => Some(text.clone()),
        };
        if depth > 0 {
            self.entries.push(Entry {
                key: self.key.clone(),
                value,
                empty: matches!(node.kind, NodeValue::Object(_) | NodeValue::Array(_)),
                at: self.lines.position(node.range.start),
                span: node.range.clone(),
            });
        }
    }

    fn below(&mut self, name: &str, value: &Node, depth: usize) {
        let length = self.key.len();
        if depth > 0 {
            self.key.push(':');
        }
        self.key.push_str(name);
        if (self.wanted)(&self.key) {
            self.add(value, depth + 1);
        }
        self.key.truncate(length);
    }
}

/// Whether no key can stand twice: in each object all names differ, and none holds a colon.
pub(super) fn names_differ(node: &Node) -> bool {
    match &node.kind {
        NodeValue::Object(members) => {
            let few = members.len() <= 8;
            let mut seen =
                std::collections::HashSet::with_capacity(if few { 0 } else { members.len() });
            members.iter().enumerate().all(|(place, member)| {
                let new = if few {
                    !members[..place]
                        .iter()
                        .any(|before| key_path::same(&before.name, &member.name))
                } else {
                    seen.insert(key_path::fold(&member.name))
                };
                new && !member.name.contains(':') && names_differ(&member.value)
            })
        }
        NodeValue::Array(items) => items.iter().all(names_differ),
        NodeValue::Scalar(_) | NodeValue::Null => true,
    }
}

/// How many members and items a node holds, at any depth.
pub(super) fn count(node: &Node) -> usize {
    match &node.kind {
        NodeValue::Object(members) => members.iter().map(|member| 1 + count(&member.value)).sum(),
        NodeValue::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
        NodeValue::Scalar(_) | NodeValue::Null => 0,
    }
}

/// Gives the plain value that stands from `start` to `end` another text and length, and moves what
/// follows.
pub(super) fn replace_scalar(
    node: &mut Node,
    start: usize,
    end: usize,
    length: usize,
    value: String,
) {
    let moved = |place: usize| {
        if place >= end {
            place - end + start + length
        } else {
            place
        }
    };
    let mut replacement = Some(value);
    adjust(node, &moved, start, &mut replacement);
}

fn adjust(
    node: &mut Node,
    moved: &impl Fn(usize) -> usize,
    start: usize,
    replacement: &mut Option<String>,
) {
    if let NodeValue::Scalar(text) = &mut node.kind
        && node.range.start == start
        && let Some(value) = replacement.take()
    {
        *text = value;
    }
    node.range = moved(node.range.start)..moved(node.range.end);
    match &mut node.kind {
        NodeValue::Object(members) => {
            for member in members {
                member.range = moved(member.range.start)..moved(member.range.end);
                adjust(&mut member.value, moved, start, replacement);
            }
        }
        NodeValue::Array(items) => items
            .iter_mut()
            .for_each(|item| adjust(item, moved, start, replacement)),
        NodeValue::Scalar(_) | NodeValue::Null => {}
    }
}

pub(super) fn to_json(node: &Node, text: &str) -> serde_json::Value {
    match &node.kind {
        NodeValue::Object(members) => members
            .iter()
            .map(|member| (member.name.clone(), to_json(&member.value, text)))
            .collect(),
        NodeValue::Array(items) => items.iter().map(|item| to_json(item, text)).collect(),
        NodeValue::Null => serde_json::Value::Null,
        NodeValue::Scalar(value) if text[node.range.start..].starts_with('"') => {
            serde_json::Value::String(value.clone())
        }
        NodeValue::Scalar(value) => match value.as_str() {
            "True" => true.into(),
            "False" => false.into(),
            number => serde_json::from_str(number).unwrap_or(serde_json::Value::Null),
        },
    }
}

pub(super) fn error_at(text: &str, at: usize, message: String) -> SyntaxError {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let at = position(text, at);
    let excerpt = Excerpt::new(&text[..start], line, at.column);
    SyntaxError {
        at,
        message,
        excerpt,
    }
}
