//! How a document is written: line ends, indentation, and new members in that style.

use crate::appsettings::encoding::EncodedText;

/// A list that is not there yet begins with it.
const FIRST_INDEX: &str = "0";

/// Where a new member or item is put, and so how it is laid out.
#[derive(Debug, Clone)]
pub(super) enum MemberLayout {
    /// Between others on one line.
    Inline,
    /// On lines of its own; the first is indented already.
    Lines {
        indent: String,
        unit: String,
        newline: &'static str,
    },
}

impl MemberLayout {
    /// On lines of its own, in the document's style.
    pub(super) fn lines(text: &EncodedText, indent: String) -> Self {
        MemberLayout::Lines {
            indent,
            unit: indent_unit(text),
            newline: newline(text),
        }
    }

    fn deeper(&self) -> Self {
        match self {
            MemberLayout::Inline => MemberLayout::Inline,
            MemberLayout::Lines {
                indent,
                unit,
                newline,
            } => MemberLayout::Lines {
                indent: format!("{indent}{unit}"),
                unit: unit.clone(),
                newline,
            },
        }
    }
}

/// `"a": { "b": literal }`, or an array's item: the same without the first name.
pub(super) fn member(path: &[String], literal: &str, layout: &MemberLayout) -> String {
    match path {
        [] => literal.to_owned(),
        [name, rest @ ..] => format!("{}: {}", quoted(name), value(rest, literal, layout)),
    }
}

/// What stands at the end of a path: the literal, inside objects for the names that are left; an
/// array where the first of them is its first index.
pub(super) fn value(path: &[String], literal: &str, layout: &MemberLayout) -> String {
    let (open, close) = match path {
        [] => return literal.to_owned(),
        [first, ..] if first == FIRST_INDEX => ('[', ']'),
        _ => ('{', '}'),
    };
    let inner = |layout: &MemberLayout| match open {
        '[' => value(&path[1..], literal, layout),
        _ => member(path, literal, layout),
    };
    let deeper = layout.deeper();
    match (layout, &deeper) {
        (
            MemberLayout::Lines {
                indent, newline, ..
            },
            MemberLayout::Lines { indent: inside, .. },
        ) => {
            let inner = inner(&deeper);
            format!("{open}{newline}{inside}{inner}{newline}{indent}{close}")
        }
        _ => format!("{open} {} {close}", inner(layout)),
    }
}

/// People read this: nothing is escaped that need not be.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The white space that begins the line of a place.
pub(super) fn line_indent(text: &str, at: usize) -> String {
    text[line_start(text, at)..at]
        .chars()
        .take_while(|letter| is_blank(*letter))
        .collect()
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1)
}

pub(super) fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t')
}

pub(super) fn has_line_end(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// The first line's end.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

/// One step of indentation: that of the first indented line, else two spaces.
pub(super) fn indent_unit(text: &str) -> String {
    let mut indents = text
        .split(['\n', '\r'])
        .map(|line| &line[..line.len() - line.trim_start_matches(is_blank).len()]);
    indents
        .find(|indent| !indent.is_empty())
        .unwrap_or("  ")
        .to_owned()
}
