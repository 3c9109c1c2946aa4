//! One JSON document edited in place: what an edit does not concern stays as it was, byte for byte.
//!
//! The text is parsed to a tree of spans; an edit replaces spans of the text, so comments, order,
//! byte-order mark, line ends and indentation survive by construction. What .NET's configuration
//! reader allows is allowed (comments, trailing commas), nothing more (spec: signalr.md H).

mod tree;

use super::key_path::{self, KeyPath};
use std::fmt;
use tree::{Kind, LineCounter, Node, Span, error_at, flatten, parse, position, to_json};

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A document with its text.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    byte_order_mark: bool,
    root: Node,
}

/// A place in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Text that .NET would not read either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: Position,
    pub message: String,
    /// The line, for showing.
    pub line: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.at;
        write!(
            formatter,
            "line {line}, column {column}: {}\n  {line} | {}",
            self.message, self.line
        )?;
        let margin = line.to_string().len() + 4 + column;
        write!(formatter, "\n{:>1$}", "^", margin + 1)
    }
}

impl std::error::Error for SyntaxError {}

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

impl NewValue {
    /// The text that .NET reads back.
    pub fn as_read(&self) -> String {
        match self {
            NewValue::Text(text) => text.clone(),
            NewValue::Integer(number) => number.to_string(),
            NewValue::Boolean(true) => "True".into(),
            NewValue::Boolean(false) => "False".into(),
        }
    }

    fn literal(&self) -> String {
        match self {
            NewValue::Text(text) => quoted(text),
            NewValue::Integer(number) => number.to_string(),
            NewValue::Boolean(value) => value.to_string(),
        }
    }
}

/// One leaf, as .NET flattens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    /// `None` for null and for empty objects.
    pub value: Option<String>,
    /// It stands for an object or array that is empty.
    pub empty: bool,
    pub at: Position,
    span: std::ops::Range<usize>,
}

/// An edit that the document's shape does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} can't be set: {holder} is a plain value here, not an object")]
pub struct ShapeConflict {
    pub key: String,
    pub holder: String,
}

impl Document {
    /// Parses a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SyntaxError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            error_at(
                &before,
                before.len(),
                "the file is not UTF-8 from here on".into(),
            )
        })?;
        let (byte_order_mark, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let root = parse(text)?;
        let document = Document {
            text: text.to_owned(),
            byte_order_mark,
            root,
        };
        document.refuse_duplicates()?;
        Ok(document)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mark = if self.byte_order_mark {
            BYTE_ORDER_MARK
        } else {
            ""
        };
        [mark.as_bytes(), self.text.as_bytes()].concat()
    }

    /// Every leaf in the order of the file, keys joined by `:`.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut lines = LineCounter::new(&self.text);
        flatten(&self.root, &mut String::new(), &mut lines, &mut entries);
        entries
    }

    /// The leaf's text as .NET reads it; `None` where there is no such leaf.
    pub fn get(&self, key: &KeyPath) -> Option<&str> {
        match &self.find(key)?.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the leaf is written in quotes; `None` where there is no such leaf.
    pub fn is_text(&self, key: &KeyPath) -> Option<bool> {
        let node = self
            .find(key)
            .filter(|node| matches!(node.kind, Kind::Scalar(_)))?;
        Some(self.text[node.range.start..].starts_with('"'))
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
            Some(Kind::Array(items)) => items.len(),
            _ => 0,
        }
    }

    /// The text with some values replaced, for showing it.
    pub fn shown(&self, replace: impl Fn(&Entry) -> Option<String>) -> String {
        let mut text = self.text.clone();
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
        let Kind::Object(members) = &self.root.kind else {
            return serde_json::Value::Null;
        };
        let head = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        let wanted = members.iter().filter(|member| wanted(&head(&member.name)));
        wanted
            .map(|member| (member.name.clone(), to_json(&member.value, &self.text)))
            .collect()
    }

    /// Sets a leaf. False where it reads so already: then not a byte changes.
    pub fn set(&mut self, key: &KeyPath, value: &NewValue) -> Result<bool, ShapeConflict> {
        let literal = value.literal();
        let edits = match locate(&self.root, key.segments()) {
            Place::Found(node) => match &node.kind {
                Kind::Scalar(text) if *text == value.as_read() => return Ok(false),
                Kind::Scalar(_) => {
                    let range = node.range.start..node.range.end;
                    self.replace_scalar(range, value);
                    return Ok(true);
                }
                _ => vec![(node.range.start..node.range.end, literal)],
            },
            Place::Missing { object, rest } if matches!(object.kind, Kind::Object(_)) => {
                self.insertion(object, rest, &literal)
            }
            // `null` stands for an empty section: an object takes its place.
            Place::Missing { object, rest } if matches!(object.kind, Kind::Null) => {
                let (unit, newline) = (self.indent_unit(), self.newline());
                let base = self.line_indent(object.range.start);
                let indent = format!("{base}{unit}");
                let member = nested(rest, &literal, &indent, &unit, newline);
                vec![(
                    object.range.start..object.range.end,
                    format!("{{{newline}{indent}{member}{newline}{base}}}"),
                )]
            }
            Place::Missing { rest, .. } => {
                let holder = key.segments()[..key.segments().len() - rest.len()].join(":");
                return Err(ShapeConflict {
                    key: key.to_string(),
                    holder,
                });
            }
        };
        self.apply(edits).map_err(|_| ShapeConflict {
            key: key.to_string(),
            holder: "the place for it".into(),
        })?;
        Ok(true)
    }

    /// Removes a key with its value, its comma and the comment behind it. False where it is not there.
    pub fn remove(&mut self, key: &KeyPath) -> bool {
        let Some((holder, place)) = holder(&self.root, key.segments()) else {
            return false;
        };
        let children = children(holder);
        let (own, last) = (children[place], place + 1 == children.len());
        let end = holder.range.end - 1;
        let tail = self.tail(
            own.end,
            children.get(place + 1).map_or(end, |next| next.start),
        );
        let mut edits = Vec::new();
        if let (true, None, Some(before)) = (last, tail.comma, place.checked_sub(1)) {
            // The member before is the last one now, and the file has no habit of trailing commas.
            let comma = self.tail(children[before].end, own.start).comma;
            edits.extend(comma.map(|comma| (comma - 1..comma, String::new())));
        }
        edits.push((
            self.whole_lines(own.start, tail.line_end.max(own.end), last),
            String::new(),
        ));
        self.apply(edits).is_ok()
    }

    /// Puts one plain value in another's place: the text around it moves, and nothing has to be read again.
    fn replace_scalar(&mut self, range: std::ops::Range<usize>, value: &NewValue) {
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

    /// Makes edits that are in the order of the text. Where the result does not parse, deeper than
    /// .NET reads or by a fault of this file, the document stays as it was.
    fn apply(&mut self, edits: Vec<Edit>) -> Result<(), SyntaxError> {
        let mut text = self.text.clone();
        for (range, replacement) in edits.into_iter().rev() {
            text.replace_range(range, &replacement);
        }
        self.root = parse(&text)?;
        self.text = text;
        Ok(())
    }

    /// A stretch widened to the lines that hold nothing else, else to the blanks on one side of it.
    fn whole_lines(&self, start: usize, end: usize, last: bool) -> std::ops::Range<usize> {
        let blank = |text: &str| {
            text.chars()
                .all(|letter| matches!(letter, ' ' | '\t' | '\r'))
        };
        let line_start = self.text[..start]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let line_end = self.text[end..].find('\n').map(|newline| end + newline + 1);
        if blank(&self.text[line_start..start])
            && let Some(line_end) = line_end
            && blank(self.text[end..line_end].trim_end_matches('\n'))
        {
            return line_start..line_end;
        }
        let is_blank = |letter: char| matches!(letter, ' ' | '\t');
        if last {
            self.text[..start].trim_end_matches(is_blank).len()..end
        } else {
            start..self.text.len() - self.text[end..].trim_start_matches(is_blank).len()
        }
    }

    fn find(&self, key: &KeyPath) -> Option<&Node> {
        match locate(&self.root, key.segments()) {
            Place::Found(node) => Some(node),
            Place::Missing { .. } => None,
        }
    }

    /// The edits, in order, that add `path: literal` to an object in the style that it has.
    fn insertion(&self, object: &Node, path: &[String], literal: &str) -> Vec<Edit> {
        let Kind::Object(members) = &object.kind else {
            return Vec::new();
        };
        let (unit, newline) = (self.indent_unit(), self.newline());
        let inner = &self.text[object.range.start..object.range.end];
        let Some(last) = members.last() else {
            let base = self.line_indent(object.range.start);
            let indent = format!("{base}{unit}");
            let member = nested(path, literal, &indent, &unit, newline);
            if inner.contains('\n') || inner.contains("/*") {
                // Comments are inside: the member goes behind them, before the brace.
                let end = object.range.end - 1;
                let content_end = object.range.start + inner[..inner.len() - 1].trim_end().len();
                return vec![(
                    content_end..end,
                    format!("{newline}{indent}{member}{newline}{base}"),
                )];
            }
            let body = format!("{newline}{indent}{member}{newline}{base}");
            return vec![(object.range.start + 1..object.range.end - 1, body)];
        };
        let tail = self.tail(last.range.end, object.range.end - 1);
        if !inner.contains('\n') {
            let member = nested_inline(path, literal);
            return match tail.comma {
                Some(comma) => vec![(comma..comma, format!(" {member},"))],
                None => vec![(last.range.end..last.range.end, format!(", {member}"))],
            };
        }
        let indent = self.line_indent(last.range.start);
        let member = nested(path, literal, &indent, &unit, newline);
        match tail.comma {
            Some(_) => vec![(
                tail.line_end..tail.line_end,
                format!("{newline}{indent}{member},"),
            )],
            None if tail.line_end == last.range.end => {
                vec![(
                    last.range.end..last.range.end,
                    format!(",{newline}{indent}{member}"),
                )]
            }
            None => vec![
                (last.range.end..last.range.end, ",".to_owned()),
                (
                    tail.line_end..tail.line_end,
                    format!("{newline}{indent}{member}"),
                ),
            ],
        }
    }

    /// What follows an object's last member: its comma, and the end of the comments on its line.
    fn tail(&self, from: usize, until: usize) -> Tail {
        let mut tail = Tail {
            comma: None,
            line_end: from,
        };
        let mut at = from;
        while at < until {
            let rest = &self.text[at..until];
            if rest.starts_with(['\r', '\n']) {
                break;
            } else if rest.starts_with("//") {
                at += rest.find(['\r', '\n']).unwrap_or(rest.len());
                tail.line_end = at;
            } else if rest.starts_with("/*") {
                at += rest.find("*/").map_or(rest.len(), |end| end + 2);
                tail.line_end = at;
            } else {
                at += 1;
                if rest.starts_with(',') {
                    tail.comma = Some(at);
                    tail.line_end = at;
                }
            }
        }
        tail
    }

    /// The white space that begins the line of a place.
    fn line_indent(&self, at: usize) -> String {
        let line = &self.text[self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
        line.chars()
            .take_while(|letter| matches!(letter, ' ' | '\t'))
            .collect()
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// One step of indentation: that of the first indented line, else two spaces.
    fn indent_unit(&self) -> String {
        let mut indents = self
            .text
            .lines()
            .map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]);
        indents
            .find(|indent| !indent.is_empty())
            .unwrap_or("  ")
            .to_owned()
    }

    /// .NET refuses a leaf whose key was there before, whatever its case; an empty object or array
    /// overrides what was there.
    fn refuse_duplicates(&self) -> Result<(), SyntaxError> {
        if tree::names_differ(&self.root) {
            return Ok(());
        }
        let mut seen = std::collections::HashSet::new();
        for entry in self.entries() {
            if !seen.insert(key_path::fold(&entry.key)) && !entry.empty {
                let line = self
                    .text
                    .lines()
                    .nth(entry.at.line - 1)
                    .unwrap_or_default()
                    .to_owned();
                let message = format!(
                    "the key '{}' stands here a second time, which .NET refuses",
                    entry.key
                );
                return Err(SyntaxError {
                    at: entry.at,
                    message,
                    line,
                });
            }
        }
        Ok(())
    }
}

/// What is replaced, and by what.
type Edit = (std::ops::Range<usize>, String);

struct Tail {
    /// Just behind the comma.
    comma: Option<usize>,
    line_end: usize,
}

/// Where a key's value is, or the deepest node on its way and what is missing from there.
enum Place<'n, 'k> {
    Found(&'n Node),
    Missing {
        object: &'n Node,
        rest: &'k [String],
    },
}

/// The object or array that holds a key, and the key's place in it.
fn holder<'n>(node: &'n Node, path: &[String]) -> Option<(&'n Node, usize)> {
    let (place, next, taken) = step(node, path)?;
    if taken == path.len() {
        Some((node, place))
    } else {
        holder(next, &path[taken..])
    }
}

/// The stretches of text that an object's members or an array's items take.
fn children(node: &Node) -> Vec<Span> {
    match &node.kind {
        Kind::Object(members) => members.iter().map(|member| member.range).collect(),
        Kind::Array(items) => items.iter().map(|item| item.range).collect(),
        Kind::Scalar(_) | Kind::Null => Vec::new(),
    }
}

/// One step down a path: the child's place, the child, and how many segments its name took.
fn step<'n>(node: &'n Node, path: &[String]) -> Option<(usize, &'n Node, usize)> {
    let first = path.first()?;
    match &node.kind {
        // A name may itself hold colons: then it stands for several segments.
        Kind::Object(members) => members.iter().enumerate().find_map(|(place, member)| {
            if !member.name.contains(':') {
                return key_path::same(&member.name, first).then_some((place, &member.value, 1));
            }
            let names: Vec<_> = member.name.split(':').collect();
            let matches = names.len() <= path.len()
                && names
                    .iter()
                    .zip(path)
                    .all(|(name, key)| key_path::same(name, key));
            matches.then_some((place, &member.value, names.len()))
        }),
        Kind::Array(items) => {
            let place = first.parse::<usize>().ok()?;
            Some((place, items.get(place)?, 1))
        }
        Kind::Scalar(_) | Kind::Null => None,
    }
}

fn locate<'n, 'k>(node: &'n Node, path: &'k [String]) -> Place<'n, 'k> {
    if path.is_empty() {
        return Place::Found(node);
    }
    match step(node, path) {
        Some((_, next, taken)) => locate(next, &path[taken..]),
        None => Place::Missing {
            object: node,
            rest: path,
        },
    }
}

/// `"a": { "b": literal }` over several lines; the first is indented already.
fn nested(path: &[String], literal: &str, indent: &str, unit: &str, newline: &str) -> String {
    match path {
        [] => literal.to_owned(),
        [name] => format!("{}: {literal}", quoted(name)),
        [name, rest @ ..] => {
            let deeper = format!("{indent}{unit}");
            let inner = nested(rest, literal, &deeper, unit, newline);
            format!(
                "{}: {{{newline}{deeper}{inner}{newline}{indent}}}",
                quoted(name)
            )
        }
    }
}

fn nested_inline(path: &[String], literal: &str) -> String {
    match path {
        [] => literal.to_owned(),
        [name] => format!("{}: {literal}", quoted(name)),
        [name, rest @ ..] => format!("{}: {{ {} }}", quoted(name), nested_inline(rest, literal)),
    }
}

/// People read this: nothing is escaped that need not be.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
