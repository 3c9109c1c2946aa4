//! Which stretches of the text an edit replaces, so that the rest stays as it was.

use super::place::{children, children_end};
use super::style::{self, MemberLayout, has_line_end, is_blank, line_indent, line_start};
use super::tree::{Node, NodeValue, Span};
use crate::appsettings::encoding::EncodedText;

/// What is replaced, and by what.
pub(super) type Edit = (Span, String);

/// The edits, in the text's order, that add a member, or an item where `path` begins behind the
/// array's index.
pub(super) fn insertion(
    text: &EncodedText,
    holder: &Node,
    path: &[String],
    literal: &str,
) -> Vec<Edit> {
    let render = |layout: &MemberLayout| match holder.kind {
        NodeValue::Array(_) => style::value(path, literal, layout),
        _ => style::member(path, literal, layout),
    };
    let inside = &text[holder.range.clone()];
    let Some(last) = children(holder).pop() else {
        return first_insertion(text, holder, &render);
    };
    if !has_line_end(inside) {
        let item = render(&MemberLayout::Inline);
        return match comma(text, last.end..children_end(holder)) {
            Some(comma) => vec![(comma + 1..comma + 1, format!(" {item},"))],
            None => vec![(last.end..last.end, format!(", {item}"))],
        };
    }
    let newline = style::newline(text);
    let indent = line_indent(text, last.start);
    let item = render(&MemberLayout::lines(text, indent.clone()));
    let trailing = comma(text, last.end..children_end(holder));
    let line_end = comments_end(text, trailing.map_or(last.end, |comma| comma + 1));
    if let Some(head) = leading_comma(text, holder, children(holder).len() - 1) {
        let head = &text[line_start(text, head)..last.start];
        return vec![(line_end..line_end, format!("{newline}{head}{item}"))];
    }
    match trailing {
        Some(_) => vec![(line_end..line_end, format!("{newline}{indent}{item},"))],
        None if line_end == last.end => {
            vec![(last.end..last.end, format!(",{newline}{indent}{item}"))]
        }
        None => vec![
            (last.end..last.end, ",".to_owned()),
            (line_end..line_end, format!("{newline}{indent}{item}")),
        ],
    }
}

/// The edits that fill an empty object or array.
fn first_insertion(
    text: &EncodedText,
    holder: &Node,
    render: &dyn Fn(&MemberLayout) -> String,
) -> Vec<Edit> {
    let newline = style::newline(text);
    let base = line_indent(text, holder.range.start);
    let indent = format!("{base}{}", style::indent_unit(text));
    let item = render(&MemberLayout::lines(text, indent.clone()));
    let (start, end) = (holder.range.start + 1, holder.range.end - 1);
    // Comments that are inside stay, and the new member goes behind them.
    let content = start + text[start..end].trim_end().len();
    vec![(
        content..end,
        format!("{newline}{indent}{item}{newline}{base}"),
    )]
}

/// The edits, in the text's order, that remove a member or an item with its comma, the comment
/// behind it, and its line where nothing else is on it.
pub(super) fn removal(text: &EncodedText, holder: &Node, place: usize) -> Vec<Edit> {
    let children = children(holder);
    let own = children[place].clone();
    let is_last = place + 1 == children.len();
    let next = children
        .get(place + 1)
        .map_or(children_end(holder), |next| next.start);
    if let Some(comma) = leading_comma(text, holder, place) {
        let end = comments_end(text, own.end);
        return vec![(whole_lines(text, comma..end, true), String::new())];
    }
    if let Some(comma) = comma(text, own.end..next) {
        let end = comments_end(text, comma + 1);
        return vec![(whole_lines(text, own.start..end, is_last), String::new())];
    }
    let before = place.checked_sub(1).map(|before| children[before].end);
    let comma = before.and_then(|end| comma(text, end..own.start));
    let mut edits: Vec<_> = comma
        .map(|comma| (comma..comma + 1, String::new()))
        .into_iter()
        .collect();
    let end = comments_end(text, own.end);
    let mut lines = whole_lines(text, own.start..end, true);
    // What stands on one line with the comma ends where that begins.
    lines.start = lines.start.max(comma.map_or(0, |comma| comma + 1));
    edits.push((lines, String::new()));
    edits
}

/// The least that removes a member or an item: itself and one comma.
pub(super) fn bare_removal(text: &EncodedText, holder: &Node, place: usize) -> Vec<Edit> {
    let children = children(holder);
    let own = children[place].clone();
    let next = children
        .get(place + 1)
        .map_or(children_end(holder), |next| next.start);
    let before = place.checked_sub(1).map(|before| children[before].end);
    let after = comma(text, own.end..next).map(|comma| comma..comma + 1);
    let before = before
        .and_then(|end| comma(text, end..own.start))
        .map(|comma| comma..comma + 1);
    let ranges = match (before, after) {
        (_, Some(after)) => vec![own, after],
        (Some(before), None) => vec![before, own],
        (None, None) => vec![own],
    };
    ranges
        .into_iter()
        .map(|range| (range, String::new()))
        .collect()
}

/// The comma at the head of a child's own line, in files that are written so.
fn leading_comma(text: &str, holder: &Node, place: usize) -> Option<usize> {
    let children = children(holder);
    let (before, own) = (children.get(place.checked_sub(1)?)?, &children[place]);
    let comma = comma(text, before.end..own.start)?;
    let leads = has_line_end(&text[before.end..comma]) && !has_line_end(&text[comma..own.start]);
    leads.then_some(comma)
}

/// The comma in a stretch that holds nothing else but white space and comments.
fn comma(text: &str, range: Span) -> Option<usize> {
    let mut at = range.start;
    while at < range.end {
        let rest = &text[at..range.end];
        match comment_length(rest) {
            Some(length) => at += length,
            None if rest.starts_with(',') => return Some(at),
            None => at += 1,
        }
    }
    None
}

/// The end of the comments that follow on the same line and end it; else the place itself.
fn comments_end(text: &str, from: usize) -> usize {
    let (mut at, mut end) = (from, from);
    loop {
        at += text[at..].len() - text[at..].trim_start_matches(is_blank).len();
        let rest = &text[at..];
        match comment_length(rest) {
            Some(length) if !has_line_end(&rest[..length]) => {
                at += length;
                end = at;
            }
            _ if rest.is_empty() || rest.starts_with(['\n', '\r']) => return end,
            _ => return from,
        }
    }
}

/// How long the comment is that a text begins with.
fn comment_length(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find(['\n', '\r']).unwrap_or(text.len()));
    }
    let inner = text.strip_prefix("/*")?;
    Some(inner.find("*/").map_or(text.len(), |end| end + 4))
}

/// A stretch widened to the lines that hold nothing else, else to the blanks on one side of it.
fn whole_lines(text: &str, range: Span, last: bool) -> Span {
    let Span { start, end } = range;
    let first = line_start(text, start);
    let line_end = text[end..].find(['\n', '\r']).map(|at| end + at);
    if text[first..start].chars().all(is_blank)
        && let Some(line_end) = line_end
        && text[end..line_end].chars().all(is_blank)
    {
        let break_length = if text[line_end..].starts_with("\r\n") {
            2
        } else {
            1
        };
        return first..line_end + break_length;
    }
    if last {
        text[..start].trim_end_matches(is_blank).len()..end
    } else {
        start..text.len() - text[end..].trim_start_matches(is_blank).len()
    }
}
