//! Text in rows that fit the terminal.

/// Text in rows of a width: broken at spaces, and a word only where it is wider than a row.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    textwrap::wrap(text, at_spaces(columns))
        .into_iter()
        .map(String::from)
        .collect()
}

/// Neither a name with hyphens nor an address is torn.
fn at_spaces<'a>(columns: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(columns)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
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

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Results,
    Messages,
}

/// Text as a stream's window shows it: rows that are too wide are broken at spaces and go on below
/// their second column. A pipe has no edge.
pub fn fitting(text: &str, stream: Stream) -> String {
    let term = match stream {
        Stream::Results => console::Term::stdout(),
        Stream::Messages => console::Term::stderr(),
    };
    match term.size_checked() {
        Some((_, columns)) => folded(text, columns.into()),
        None => text.to_owned(),
    }
}

/// Text whose rows are folded to a width; a word that is wider stays whole.
pub fn folded(text: &str, columns: usize) -> String {
    let rows = text.split('\n').map(|row| {
        // A command that goes on in the next row could not be copied.
        let plain = console::strip_ansi_codes(row);
        let is_fix = plain.trim_start().starts_with("fix:");
        if is_fix || text_width(row) <= columns {
            return row.to_owned();
        }
        let blanks = " ".repeat(second_column(row).min(columns / 2));
        let options = at_spaces(columns)
            .subsequent_indent(&blanks)
            .break_words(false);
        textwrap::wrap(row, options).join("\n")
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Where a row's second column begins, which two blanks or more stand before; else its first.
fn second_column(row: &str) -> usize {
    let start = row.len() - row.trim_start().len();
    let gap = row[start..].find("  ").map(|at| start + at);
    gap.map_or(start, |gap| row.len() - row[gap..].trim_start().len())
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
