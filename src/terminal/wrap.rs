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

/// How many columns a text takes.
pub fn text_width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// How many columns the window has.
pub fn window_columns() -> usize {
    usize::from(console::Term::stderr().size().1)
}

/// A text in a column of a table: cut, or filled with blanks.
pub fn cell(text: &str, columns: usize) -> String {
    let text = console::truncate_str(text, columns, "..");
    console::pad_str(&text, columns, console::Alignment::Left, None).into_owned()
}
