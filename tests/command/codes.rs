//! The error codes that scripts read: each one that a command can end with is documented.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The first text literal that follows each mark, where nothing but a name stands between.
fn codes_behind(mark: &str, text: &str) -> BTreeSet<String> {
    let code = |rest: &str| {
        let (before, rest) = rest.split_once('"')?;
        let plain = |letter: char| letter.is_alphanumeric() || " \n,:".contains(letter);
        let code = rest.split('"').next()?;
        let is_code = !code.is_empty() && code.chars().all(char::is_alphanumeric);
        (before.chars().all(plain) && is_code).then(|| code.to_owned())
    };
    text.split(mark).skip(1).filter_map(code).collect()
}

#[test]
fn every_error_code_is_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    files(&root.join("src/cli"), &mut sources);
    let mut used = BTreeSet::new();
    for source in sources
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
    {
        let text = std::fs::read_to_string(source).expect("a file");
        for mark in ["Failure::new(", "unreachable(", " failure(", "Exit::"] {
            used.extend(codes_behind(mark, &text));
        }
    }
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    let (_, table) = readme.split_once("### Error codes").expect("the table");
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<_> = rows.map(str::to_owned).collect();
    let missing: Vec<_> = used.difference(&documented).collect();
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
    assert!(used.len() > 60, "{used:?}");
}
