//! Text in rows that fit the terminal.

/// Text in rows of a width: broken at spaces, and a word only where it is wider than a row.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    textwrap::wrap(text, columns)
        .into_iter()
        .map(String::from)
        .collect()
}
