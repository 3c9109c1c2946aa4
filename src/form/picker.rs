//! The list of settings: title, value in force and where it comes from; filtered by typing.

use super::answer::shown;
use super::draft::Draft;
use crate::schema::question::{AnswerKind, SettingQuestion};
use crate::terminal::prompt::{self, Question, Reply};
use crate::terminal::wrap::{cell, text_width, window_columns};

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked {
    Question(usize),
    /// Enough was edited.
    Finished,
}

/// Asks which setting to edit; `at` is where the list begins.
pub async fn pick(questions: &[SettingQuestion], draft: &dyn Draft, at: usize) -> Reply<Picked> {
    let mut items: Vec<String> = Vec::new();
    let edited = draft.edited().len();
    if edited > 0 {
        let settings = if edited == 1 { "setting" } else { "settings" };
        items.push(format!("Done: review {edited} edited {settings}"));
    }
    let first = items.len();
    let rows: Vec<_> = questions
        .iter()
        .map(|question| cells(question, draft))
        .collect();
    items.extend(columns(&rows, window_columns()));
    let asked = Question::new(
        draft.application(),
        "Type to filter, Enter to edit, Esc when you are done.",
    );
    // After an edit, Enter goes on to the review.
    let default = if edited > 0 { 0 } else { at };
    match prompt::search(asked, &items, default).await {
        Reply::Given(place) if place < first => Reply::Given(Picked::Finished),
        Reply::Given(place) => Reply::Given(Picked::Question(place - first)),
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

fn cells(question: &SettingQuestion, draft: &dyn Draft) -> [String; 3] {
    let label = question.label();
    let names = draft.names_below(&question.key);
    let is_holder = matches!(question.kind, AnswerKind::List(_) | AnswerKind::Map(_));
    if is_holder && (!names.is_empty() || draft.in_force(&question.key).is_none()) {
        let item =
            |name: &String| item_value(question, name, draft).unwrap_or_else(|| name.clone());
        let items: Vec<_> = names.iter().map(item).collect();
        return [label, items.join(", "), String::new()];
    }
    match draft.in_force(&question.key) {
        Some(present) => {
            let origin = present.origin.replace(".json:", ":");
            [label, shown(question, &present.value), origin]
        }
        None => {
            let default = question.default.clone().unwrap_or_default();
            [label, shown(question, &default), "default".to_owned()]
        }
    }
}

/// An item of a list of plain values, as it may be shown.
fn item_value(question: &SettingQuestion, name: &str, draft: &dyn Draft) -> Option<String> {
    let AnswerKind::List(items) = &question.kind else {
        return None;
    };
    let present = draft.in_force(&format!("{}:{name}", question.key))?;
    Some(shown(items.first()?, &present.value))
}

/// Rows of a table that fits a width: the first column whole if it can be, the others cut where
/// needed.
pub fn columns(rows: &[[String; 3]], width: usize) -> Vec<String> {
    let room = width.saturating_sub(6);
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| text_width(&row[column]));
        cells.max().unwrap_or_default()
    };
    let label = widest(0).min(room / 2);
    let origin = widest(2).min(room / 3);
    let value = widest(1).min(room.saturating_sub(label + origin + 4));
    let rows = rows.iter().map(|[first, second, third]| {
        let cells = [(first, label), (second, value), (third, origin)];
        let cells = cells.map(|(text, width)| cell(text, width));
        cells.join("  ").trim_end().to_owned()
    });
    rows.collect()
}
