//! Finds the types that each file of `src` declares, so that no name stands for two things.

use super::sources;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;

/// The names of structs, enums, traits and aliases of a file, also inside modules and functions.
fn declared(text: &str) -> Vec<String> {
    let stream: TokenStream = text.parse().expect("Rust");
    let mut names = Vec::new();
    declare(
        stream,
        &["struct", "enum", "trait", "union", "type"],
        &mut names,
    );
    names
}

fn declare(stream: TokenStream, keywords: &[&str], names: &mut Vec<String>) {
    let mut keyword = false;
    for tree in stream {
        let word = match tree {
            TokenTree::Ident(word) => word.to_string(),
            TokenTree::Group(group) => {
                // In a trait or its implementation, `type` declares no type.
                declare(group.stream(), &["struct", "enum", "trait", "union"], names);
                String::new()
            }
            _ => String::new(),
        };
        if keyword && word.starts_with(char::is_uppercase) {
            names.push(word.clone());
        }
        keyword = keywords.contains(&word.as_str());
    }
}

#[test]
fn a_type_name_stands_for_one_thing() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources("src") {
        for name in declared(&text) {
            places.entry(name).or_default().push(path.clone());
        }
    }
    places.retain(|_, paths| {
        // What differs between systems has one name on each of them.
        let twins = paths.iter().all(|path| path.starts_with("src/platform/"));
        paths.len() > 1 && !twins
    });
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn associated_types_are_no_declarations() {
    let text = "struct One; impl Trait for One { type Output = u8; } pub(crate) enum Two {}";
    assert_eq!(declared(text), ["One", "Two"]);
}

#[test]
fn types_inside_modules_and_functions_are_declarations() {
    let text = "mod inner { pub struct One; } fn main() { enum Two {} }";
    assert_eq!(declared(text), ["One", "Two"]);
}
