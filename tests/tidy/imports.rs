//! Finds which file of `src` uses which other, from the tokens of the source.

use super::sources;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

/// For each file (`src/a/b.rs`), the files that it names in paths and `use` declarations.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

/// One token, with groups written out as their brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Sign(char),
}

pub fn of_the_crate() -> Imports {
    of(&sources("src"))
}

/// The imports among these files, given by path and text.
pub fn of(files: &BTreeMap<String, String>) -> Imports {
    let modules: BTreeMap<Vec<String>, &str> = files
        .keys()
        .filter(|path| *path != "src/main.rs")
        .map(|path| (module_path(path), path.as_str()))
        .collect();
    let imports_of = |path: &String, text: &String| {
        let stream: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let named = Reader::new(module_path(path), &tokens).paths();
        named
            .iter()
            .filter_map(|named| home(named, &modules))
            .filter(|found| found != path && found != "src/lib.rs")
            .collect()
    };
    files
        .iter()
        .map(|(path, text)| (path.clone(), imports_of(path, text)))
        .collect()
}

/// `src/a/b.rs` is the module `a::b`; `src/lib.rs` and `src/main.rs` are the root.
fn module_path(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    match inner {
        "lib" | "main" => Vec::new(),
        _ => inner.split('/').map(str::to_owned).collect(),
    }
}

/// The file that holds what a path names: the longest beginning of it that is a module.
fn home(named: &[String], modules: &BTreeMap<Vec<String>, &str>) -> Option<String> {
    (0..=named.len())
        .rev()
        .find_map(|length| modules.get(&named[..length]))
        .map(|path| (*path).to_owned())
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Ident(name) => tokens.push(Token::Name(name.to_string())),
            TokenTree::Punct(sign) => tokens.push(Token::Sign(sign.as_char())),
            TokenTree::Literal(_) => tokens.push(Token::Sign('"')),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::Parenthesis | Delimiter::None => ('(', ')'),
                };
                tokens.push(Token::Sign(open));
                flatten(group.stream(), tokens);
                tokens.push(Token::Sign(close));
            }
        }
    }
}

/// Reads the paths out of one file's tokens.
struct Reader<'t> {
    module: Vec<String>,
    tokens: &'t [Token],
    /// Modules that the file declares: their names alone begin a path too.
    children: BTreeSet<&'t str>,
}

impl<'t> Reader<'t> {
    fn new(module: Vec<String>, tokens: &'t [Token]) -> Self {
        let children = tokens.windows(3).filter_map(|three| match three {
            [Token::Name(word), Token::Name(name), Token::Sign(';')] if word == "mod" => {
                Some(name.as_str())
            }
            _ => None,
        });
        Reader {
            module,
            tokens,
            children: children.collect(),
        }
    }

    fn name(&self, at: usize) -> Option<&'t str> {
        match self.tokens.get(at) {
            Some(Token::Name(name)) => Some(name),
            _ => None,
        }
    }

    fn is(&self, at: usize, sign: char) -> bool {
        self.tokens.get(at) == Some(&Token::Sign(sign))
    }

    fn is_separator(&self, at: usize) -> bool {
        self.is(at, ':') && self.is(at + 1, ':')
    }

    /// Every path that begins at the crate, at a module above or at a child, as module segments.
    fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            let continues = at >= 2 && self.is_separator(at - 2);
            let restricts = at >= 1 && self.name(at - 1) == Some("in");
            if continues || restricts || !self.is_separator(at + 1) {
                continue;
            }
            let start = match self.name(at) {
                Some("crate") => Vec::new(),
                Some("self") => self.module.clone(),
                Some("super") => self.parent(&self.module),
                Some(child) if self.children.contains(child) => {
                    let mut path = self.module.clone();
                    path.push(child.to_owned());
                    path
                }
                _ => continue,
            };
            self.follow(start, at + 3, &mut found);
        }
        found
    }

    fn parent(&self, module: &[String]) -> Vec<String> {
        module[..module.len().saturating_sub(1)].to_vec()
    }

    /// Reads the rest of a path, or of a group of paths, behind a `::`. Returns where it ends.
    fn follow(&self, mut path: Vec<String>, mut at: usize, found: &mut Vec<Vec<String>>) -> usize {
        if self.is(at, '{') {
            at += 1;
            while at < self.tokens.len() && !self.is(at, '}') {
                at = if self.is(at, ',') {
                    at + 1
                } else {
                    self.follow(path.clone(), at, found)
                };
            }
            return at + 1;
        }
        match self.name(at) {
            Some("super") => path = self.parent(&path),
            Some("self") => {}
            Some(name) => path.push(name.to_owned()),
            None => {}
        }
        if self.name(at).is_some() && self.is_separator(at + 1) {
            return self.follow(path, at + 3, found);
        }
        found.push(path);
        at += 1;
        // `name as other` inside a group.
        while !self.is(at, ',') && !self.is(at, '}') && self.name(at).is_some() {
            at += 1;
        }
        at
    }
}

/// Groups of files that import each other in a circle, each sorted.
pub fn cycles(imports: &Imports) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = imports
        .keys()
        .map(|file| (file, reachable(imports, file)))
        .collect();
    let mut circles = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(file) {
            let circle = reached
                .iter()
                .filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)));
            circles.insert(circle.map(|name| (*name).clone()).collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

fn reachable<'i>(imports: &'i Imports, from: &String) -> BTreeSet<&'i String> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&String> = imports[from].iter().collect();
    while let Some(file) = waiting.pop() {
        if reached.insert(file) {
            waiting.extend(imports.get(file).into_iter().flatten());
        }
    }
    reached
}

fn tree(files: &[(&str, &str)]) -> Imports {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    of(&files.iter().map(owned).collect())
}

#[test]
fn paths_are_found_in_declarations_expressions_and_macros() {
    let imports = tree(&[
        ("src/lib.rs", "pub mod a; pub mod b; pub mod c; pub mod d;"),
        (
            "src/a.rs",
            "use crate::{b::{self, Thing as Other}, c::deep::Item}; // crate::d::No\n",
        ),
        (
            "src/b.rs",
            "fn f() { println!(\"{}\", super::d::value()); }",
        ),
        ("src/c.rs", "mod deep; pub fn f() { deep::g() }"),
        (
            "src/c/deep.rs",
            "pub(in crate::c) fn g() {} pub struct Item;",
        ),
        (
            "src/d.rs",
            "/// crate::a::Thing\nconst TEXT: &str = \"crate::a\";",
        ),
    ]);
    let of = |path: &str| imports[path].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("src/a.rs"), ["src/b.rs", "src/c/deep.rs"]);
    assert_eq!(of("src/b.rs"), ["src/d.rs"]);
    assert_eq!(of("src/c.rs"), ["src/c/deep.rs"]);
    assert!(of("src/c/deep.rs").is_empty() && of("src/d.rs").is_empty());
    assert!(cycles(&imports).is_empty());
}

#[test]
fn a_circle_is_found_however_long_it_is() {
    let imports = tree(&[
        ("src/a.rs", "use crate::b::B;"),
        ("src/b.rs", "mod c; use c::C;"),
        ("src/b/c.rs", "use super::super::a::A;"),
        ("src/d.rs", "use crate::a::A;"),
    ]);
    let circle = ["src/a.rs", "src/b.rs", "src/b/c.rs"];
    assert_eq!(cycles(&imports), [circle.map(str::to_owned).to_vec()]);
}
