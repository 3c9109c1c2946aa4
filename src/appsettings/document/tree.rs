//! A settings document as a tree of spans of its text, and as the leaves that .NET reads.

use super::{Entry, Position, SyntaxError};
use crate::appsettings::key_path;
use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// A stretch of the text, in bytes.
pub(super) type Span = Range;

/// System.Text.Json's limit.
const MAXIMUM_DEPTH: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) range: Range,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Object(Vec<Member>),
    Array(Vec<Node>),
    /// The text that .NET reads.
    Scalar(String),
    Null,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) range: Range,
    pub(super) name: String,
    pub(super) value: Node,
}

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options)
        .map_err(|error| error_at(text, error.range().start, error.kind().to_string()))?;
    match parsed.value {
        Some(Ast::Object(object)) => convert(Ast::Object(object), text, 1),
        Some(other) => Err(error_at(
            text,
            other.start(),
            "a settings file holds one object".into(),
        )),
        None => Err(error_at(text, text.len(), "the file holds no JSON".into())),
    }
}

fn convert(ast: Ast<'_>, text: &str, depth: usize) -> Result<Node, SyntaxError> {
    let range = ast.range();
    if depth > MAXIMUM_DEPTH + 1 {
        return Err(error_at(
            text,
            range.start,
            "more than 64 objects and arrays inside one another".into(),
        ));
    }
    let kind = match ast {
        Ast::Object(object) => Kind::Object(
            object
                .properties
                .into_iter()
                .map(|property| {
                    let range = property.range;
                    if let ObjectPropName::String(name) = &property.name {
                        refuse_control_characters(text, name.range)?;
                    }
                    Ok(Member {
                        range,
                        name: property.name.into_string(),
                        value: convert(property.value, text, depth + 1)?,
                    })
                })
                .collect::<Result<_, _>>()?,
        ),
        Ast::Array(array) => Kind::Array(
            array
                .elements
                .into_iter()
                .map(|item| convert(item, text, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Ast::StringLit(literal) => {
            refuse_control_characters(text, range)?;
            Kind::Scalar(literal.value.into_owned())
        }
        Ast::NumberLit(literal) => Kind::Scalar(literal.value.to_owned()),
        Ast::BooleanLit(literal) => Kind::Scalar(if literal.value {
            "True".into()
        } else {
            "False".into()
        }),
        Ast::NullKeyword(_) => Kind::Null,
    };
    Ok(Node { range, kind })
}

fn refuse_control_characters(text: &str, range: Range) -> Result<(), SyntaxError> {
    match text[range.start..range.end].find(|letter: char| letter < ' ') {
        Some(at) => Err(error_at(
            text,
            range.start + at,
            "a control character inside a string".into(),
        )),
        None => Ok(()),
    }
}

pub(super) fn flatten(
    node: &Node,
    prefix: &mut String,
    lines: &mut LineCounter<'_>,
    entries: &mut Vec<Entry>,
) {
    let mut child =
        |name: &str, value: &Node, lines: &mut LineCounter<'_>, entries: &mut Vec<Entry>| {
            let length = prefix.len();
            if length > 0 {
                prefix.push(':');
            }
            prefix.push_str(name);
            flatten(value, prefix, lines, entries);
            prefix.truncate(length);
        };
    let value = match &node.kind {
        Kind::Object(members) if !members.is_empty() => {
            return members
                .iter()
                .for_each(|member| child(&member.name, &member.value, lines, entries));
        }
        Kind::Array(items) if !items.is_empty() => {
            return items
                .iter()
                .enumerate()
                .for_each(|(index, item)| child(&index.to_string(), item, lines, entries));
        }
        Kind::Array(_) => Some(String::new()),
        Kind::Object(_) | Kind::Null => None,
        Kind::Scalar(text) => Some(text.clone()),
    };
    if !prefix.is_empty() {
        let empty = matches!(node.kind, Kind::Object(_) | Kind::Array(_));
        let at = lines.position(node.range.start);
        entries.push(Entry {
            key: prefix.clone(),
            value,
            empty,
            at,
            span: node.range.start..node.range.end,
        });
    }
}

/// Whether no key can stand twice: in each object all names differ, and none holds a colon.
pub(super) fn names_differ(node: &Node) -> bool {
    match &node.kind {
        Kind::Object(members) => {
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
        Kind::Array(items) => items.iter().all(names_differ),
        Kind::Scalar(_) | Kind::Null => true,
    }
}

/// Gives the plain value that stands from `start` to `end` another text and length, and moves what follows.
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
    if let Kind::Scalar(text) = &mut node.kind
        && node.range.start == start
        && let Some(value) = replacement.take()
    {
        *text = value;
    }
    node.range = Range {
        start: moved(node.range.start),
        end: moved(node.range.end),
    };
    match &mut node.kind {
        Kind::Object(members) => {
            for member in members {
                member.range = Range {
                    start: moved(member.range.start),
                    end: moved(member.range.end),
                };
                adjust(&mut member.value, moved, start, replacement);
            }
        }
        Kind::Array(items) => items
            .iter_mut()
            .for_each(|item| adjust(item, moved, start, replacement)),
        Kind::Scalar(_) | Kind::Null => {}
    }
}

pub(super) fn to_json(node: &Node, text: &str) -> serde_json::Value {
    match &node.kind {
        Kind::Object(members) => members
            .iter()
            .map(|member| (member.name.clone(), to_json(&member.value, text)))
            .collect(),
        Kind::Array(items) => items.iter().map(|item| to_json(item, text)).collect(),
        Kind::Null => serde_json::Value::Null,
        Kind::Scalar(value) if text[node.range.start..].starts_with('"') => {
            serde_json::Value::String(value.clone())
        }
        Kind::Scalar(value) => match value.as_str() {
            "True" => true.into(),
            "False" => false.into(),
            number => serde_json::from_str(number).unwrap_or(serde_json::Value::Null),
        },
    }
}

pub(super) fn error_at(text: &str, at: usize, message: String) -> SyntaxError {
    let at = position(text, at);
    let line = text
        .lines()
        .nth(at.line - 1)
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    SyntaxError { at, message, line }
}

pub(super) fn position(text: &str, at: usize) -> Position {
    LineCounter::new(text).position(at)
}

/// Counts lines for places asked for in ascending order, without starting anew each time.
pub(super) struct LineCounter<'t> {
    text: &'t str,
    counted: usize,
    line: usize,
    line_start: usize,
}

impl<'t> LineCounter<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        LineCounter {
            text,
            counted: 0,
            line: 1,
            line_start: 0,
        }
    }

    pub(super) fn position(&mut self, at: usize) -> Position {
        if at < self.counted {
            *self = LineCounter::new(self.text);
        }
        for newline in memchr::memchr_iter(b'\n', &self.text.as_bytes()[self.counted..at]) {
            self.line += 1;
            self.line_start = self.counted + newline + 1;
        }
        self.counted = at;
        Position {
            line: self.line,
            column: self.text[self.line_start..at].chars().count() + 1,
        }
    }
}
