//! What a change does to a settings file, line by line, secrets masked.

use crate::appsettings::document::{Document, Entry};
use crate::appsettings::key_path::KeyPath;
use crate::schema;
use crate::terminal::safe::Neutral;
use anstyle::{AnsiColor, Style};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;
use similar::{Algorithm, ChangeTag, DiffableStr, capture_diff_slices_deadline, group_diff_ops};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Lines around a change that are shown with it.
const CONTEXT: usize = 2;
/// A huge file's difference need not be the shortest.
const PATIENCE: Duration = Duration::from_millis(200);

/// One file before and after, ready to be shown.
pub struct Difference {
    path: PathBuf,
    before: String,
    after: String,
}

impl Difference {
    pub fn of(path: &Path, before: &[u8], after: &[u8]) -> Self {
        let schema = schema::schema_of(path);
        let (old, new) = (Document::parse(before).ok(), Document::parse(after).ok());
        let text = |document: &Option<Document>,
                    other: &Option<Document>,
                    mark: &str,
                    bytes: &[u8]| match document {
            Some(document) => document.shown(|entry| mask(&schema, entry, other.as_ref(), mark)),
            None if bytes.is_empty() => String::new(),
            None => "(not readable as settings)\n".to_owned(),
        };
        Difference {
            path: path.to_owned(),
            before: text(&old, &None, "", before),
            after: text(&new, &old, " (another)", after),
        }
    }
}

/// What stands in a secret's place; marked where the other document has another.
fn mask(schema: &Value, entry: &Entry, other: Option<&Document>, mark: &str) -> Option<String> {
    let value = entry.value.as_deref()?;
    let hide = |value: &str| schema::masked(schema, &entry.key, value);
    let hidden = hide(value)?;
    let before = other.and_then(|other| other.get(&KeyPath::new(&entry.key)));
    let another = before
        .is_some_and(|before| before != value && hide(before).as_deref() == Some(hidden.as_str()));
    Some(hidden + if another { mark } else { "" })
}

/// Scripts get the same as text, without colours.
impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = anstream::adapter::strip_str(&self.to_string()).to_string();
        let mut object = serializer.serialize_struct("Difference", 2)?;
        object.serialize_field("path", &self.path)?;
        object.serialize_field("difference", &text)?;
        object.end()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |style: AnsiColor| Style::new().fg_color(Some(style.into()));
        let bold = Style::new().bold();
        write!(formatter, "{bold}{}{bold:#}", self.path.display())?;
        let (before, after) = (self.before.tokenize_lines(), self.after.tokenize_lines());
        // `TextDiff` does the same, but brings every algorithm and every way to compare white
        // space: half a megabyte of code.
        let deadline = Some(Instant::now() + PATIENCE);
        let operations = capture_diff_slices_deadline(Algorithm::Myers, &before, &after, deadline);
        for group in group_diff_ops(operations, CONTEXT) {
            for change in group
                .iter()
                .flat_map(|operation| operation.iter_changes(&before, &after))
            {
                let (sign, style) = match change.tag() {
                    ChangeTag::Delete => ('-', plain(AnsiColor::Red)),
                    ChangeTag::Insert => ('+', plain(AnsiColor::Green)),
                    ChangeTag::Equal => (' ', Style::new()),
                };
                let line = change.value().trim_end_matches(['\r', '\n']);
                let line = Neutral(line);
                write!(formatter, "\n  {style}{sign} {line}{style:#}")?;
            }
        }
        Ok(())
    }
}
