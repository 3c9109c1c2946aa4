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

/// The columns of the window, where text goes to one; a pipe has no edge.
pub fn result_columns() -> Option<usize> {
    let terms = [console::Term::stderr(), console::Term::stdout()];
    let size = terms.iter().find_map(console::Term::size_checked);
    size.map(|(_, columns)| usize::from(columns))
}

/// Text in rows whose second and later ones are indented.
pub fn hanging(text: &str, indent: usize, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else {
        return vec![text.to_owned()];
    };
    let blanks = " ".repeat(indent);
    let options = textwrap::Options::new(columns.max(2 * indent)).subsequent_indent(&blanks);
    textwrap::wrap(text, options)
        .into_iter()
        .map(String::from)
        .collect()
}

/// Whether signs beyond ASCII can be shown: the locale is one of UTF-8, or the window is a new one.
pub fn has_unicode() -> bool {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.into_iter().find_map(variable).unwrap_or_default();
    let locale = locale.to_ascii_uppercase().replace('-', "");
    let is_poor = matches!(variable("TERM").as_deref(), Some("dumb" | "linux"));
    !is_poor && (locale.contains("UTF8") || variable("WT_SESSION").is_some())
}
