//! Where a key is in the tree. A name may hold colons, and one section may stand in several pieces.

use super::tree::{Member, Node, NodeValue, Span};
use crate::appsettings::key_path::same;

/// The node of a key.
pub(super) fn find<'n>(node: &'n Node, path: &[String]) -> Option<&'n Node> {
    if path.is_empty() {
        return Some(node);
    }
    steps(node, path)
        .into_iter()
        .find_map(|step| find(step.node, &path[step.taken..]))
}

/// The deepest node on a key's way that is there, and what is missing from it on.
pub(super) fn deepest<'n, 'k>(node: &'n Node, path: &'k [String]) -> (&'n Node, &'k [String]) {
    let deeper = steps(node, path)
        .into_iter()
        .map(|step| deepest(step.node, &path[step.taken..]));
    // Of several pieces the first that holds members: a plain value has no room for more.
    let has_room = |found: &(&Node, &[String])| !matches!(found.0.kind, NodeValue::Scalar(_));
    deeper
        .min_by_key(|found| (!has_room(found), found.1.len()))
        .unwrap_or((node, path))
}

/// The object or array that holds a key, and the key's place in it.
pub(super) fn holder<'n>(node: &'n Node, path: &[String]) -> Option<(&'n Node, usize)> {
    steps(node, path).into_iter().find_map(|step| {
        if step.taken == path.len() {
            Some((node, step.place))
        } else {
            holder(step.node, &path[step.taken..])
        }
    })
}

/// The stretches of text that an object's members or an array's items take.
pub(super) fn children(node: &Node) -> Vec<Span> {
    match &node.kind {
        NodeValue::Object(members) => members.iter().map(|member| member.range.clone()).collect(),
        NodeValue::Array(items) => items.iter().map(|item| item.range.clone()).collect(),
        NodeValue::Scalar(_) | NodeValue::Null => Vec::new(),
    }
}

/// The member's value or the item at a place.
pub(super) fn child(node: &Node, place: usize) -> Option<&Node> {
    match &node.kind {
        NodeValue::Object(members) => members.get(place).map(|member| &member.value),
        NodeValue::Array(items) => items.get(place),
        NodeValue::Scalar(_) | NodeValue::Null => None,
    }
}

/// Where the closing bracket is.
pub(super) fn children_end(node: &Node) -> usize {
    node.range.end - 1
}

/// One step down a path.
struct PathStep<'n> {
    place: usize,
    node: &'n Node,
    /// How many names of the path it takes.
    taken: usize,
}

fn steps<'n>(node: &'n Node, path: &[String]) -> Vec<PathStep<'n>> {
    let Some(first) = path.first() else {
        return Vec::new();
    };
    match &node.kind {
        NodeValue::Object(members) => {
            let step = |(place, member): (usize, &'n Member)| {
                Some(PathStep {
                    place,
                    node: &member.value,
                    taken: taken(&member.name, path)?,
                })
            };
            members.iter().enumerate().filter_map(step).collect()
        }
        NodeValue::Array(items) => {
            let place = index(first).filter(|place| *place < items.len());
            let step = |place| PathStep {
                place,
                node: &items[place],
                taken: 1,
            };
            place.map(step).into_iter().collect()
        }
        NodeValue::Scalar(_) | NodeValue::Null => Vec::new(),
    }
}

/// How many names of a path a member's own name stands for.
fn taken(name: &str, path: &[String]) -> Option<usize> {
    if !name.contains(':') {
        return same(name, &path[0]).then_some(1);
    }
    let names: Vec<_> = name.split(':').collect();
    let matches =
        names.len() <= path.len() && names.iter().zip(path).all(|(name, key)| same(name, key));
    matches.then_some(names.len())
}

/// An array's index, written as .NET writes it.
pub(super) fn index(name: &str) -> Option<usize> {
    let index = name.parse::<usize>().ok()?;
    (index.to_string() == name).then_some(index)
}
