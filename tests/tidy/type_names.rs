//! Finds the types that each file of `src` declares, so that no name stands for two things.

use super::sources;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;

/// Names of two types in rooms that are being rebuilt; nothing may join them.
const SHARED: &[&str] = &[
    "Done", "Endpoint", "Layout", "Place", "Step", "Trouble", "Work",
];

/// The names of structs, enums, traits and aliases at the top level of a file.
fn declared(text: &str) -> Vec<String> {
    let stream: TokenStream = text.parse().expect("Rust");
    let words: Vec<_> = stream
        .into_iter()
        .map(|tree| match tree {
            TokenTree::Ident(name) => name.to_string(),
            _ => String::new(),
        })
        .collect();
    let declares = |word: &str| matches!(word, "struct" | "enum" | "trait" | "type" | "union");
    words
        .windows(2)
        .filter(|pair| declares(&pair[0]) && pair[1].starts_with(char::is_uppercase))
        .map(|pair| pair[1].clone())
        .collect()
}

#[test]
fn a_type_name_stands_for_one_thing() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources("src") {
        for name in declared(&text) {
            places.entry(name).or_default().push(path.clone());
        }
    }
    places.retain(|name, paths| {
        // What differs between systems has one name on each of them.
        let twins = paths.iter().all(|path| path.starts_with("src/platform/"));
        paths.len() > 1 && !twins && !SHARED.contains(&name.as_str())
    });
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn associated_types_are_no_declarations() {
    let text = "struct One; impl Trait for One { type Output = u8; } pub(crate) enum Two {}";
    assert_eq!(declared(text), ["One", "Two"]);
}
