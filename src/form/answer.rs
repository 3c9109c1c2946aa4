//! One setting's question on the terminal: its kind decides how it is asked.

use super::draft::{Draft, ValueInForce};
use crate::appsettings::document::NewValue;
use crate::schema::question::{AnswerKind, OfferedValue, OtherValues, SettingQuestion};
use crate::secret::MASK;
use crate::terminal::prompt::{self, Question, Reply};

/// What a text field takes for an empty text, since nothing means that the value stays.
const EMPTY: &str = "\"\"";

/// What becomes of a setting.
enum AnswerChange {
    Keep,
    Set(NewValue),
    Unset,
}

/// Asks for a plain value until it is one that the schema allows.
pub async fn ask_value(question: &SettingQuestion, draft: &mut dyn Draft) -> Reply<()> {
    loop {
        let present = draft.in_force(&question.key);
        let reply = match &question.kind {
            AnswerKind::YesNo => yes_no(question, present.as_ref()).await,
            AnswerKind::Choice { choices, others } => {
                choice(question, present.as_ref(), choices, *others).await
            }
            _ => text(question, present.as_ref()).await,
        };
        let changed = match reply {
            Reply::Given(AnswerChange::Keep) => Ok(()),
            Reply::Given(AnswerChange::Set(value)) => draft.set(&question.key, &value),
            Reply::Given(AnswerChange::Unset) => draft.unset(&question.key),
            Reply::Back => return Reply::Back,
            Reply::Left => return Reply::Left,
        };
        match changed {
            Ok(()) => return Reply::Given(()),
            Err(objection) => prompt::object(&objection),
        }
    }
}

/// A value as it may be shown.
pub fn shown(question: &SettingQuestion, value: &str) -> String {
    if question.secret && !value.is_empty() {
        MASK.to_owned()
    } else {
        value.to_owned()
    }
}

/// What helps to answer: the description, the value in force with its layer, default and examples.
fn hint(question: &SettingQuestion, present: Option<&ValueInForce>) -> String {
    let mut facts = match present {
        Some(ValueInForce { value, origin }) => {
            format!(
                "{} = '{}' ({origin}).",
                question.key,
                shown(question, value)
            )
        }
        None => format!("{} is not set.", question.key),
    };
    if let Some(default) = question.default.as_ref().filter(|text| !text.is_empty()) {
        facts += &format!(" Default: {default}.");
    }
    if !question.examples.is_empty() {
        facts += &format!(" For example {}.", question.examples.join(", "));
    }
    [question.description.clone(), facts]
        .join("\n")
        .trim()
        .to_owned()
}

async fn yes_no(question: &SettingQuestion, present: Option<&ValueInForce>) -> Reply<AnswerChange> {
    let is_yes = |text: &str| text.trim().eq_ignore_ascii_case("true");
    let default = present
        .map(|present| &present.value)
        .or(question.default.as_ref());
    let asked = Question::new(question.label(), hint(question, present));
    let reply = prompt::confirm(asked, default.is_some_and(|text| is_yes(text))).await;
    map(reply, |yes| match default {
        Some(default) if is_yes(default) == yes => AnswerChange::Keep,
        _ => AnswerChange::Set(NewValue::Boolean(yes)),
    })
}

async fn choice(
    question: &SettingQuestion,
    present: Option<&ValueInForce>,
    choices: &[OfferedValue],
    others: OtherValues,
) -> Reply<AnswerChange> {
    let mut items: Vec<_> = choices.iter().map(|choice| choice.label.clone()).collect();
    let (other, unset) = (
        choices.len(),
        choices.len() + usize::from(others == OtherValues::Allowed),
    );
    if others == OtherValues::Allowed {
        items.push("another value".to_owned());
    }
    let default = question.default.as_deref().unwrap_or("none");
    items.push(format!("not set (default: {default})"));
    let place_of = |text: &str| {
        choices
            .iter()
            .position(|choice| choice.value.as_read().eq_ignore_ascii_case(text))
    };
    let usual = present.map_or(unset, |present| place_of(&present.value).unwrap_or(other));
    let asked = Question::new(question.label(), hint(question, present));
    match prompt::select(asked, &items, usual).await {
        Reply::Given(place) if place == unset && present.is_none() => {
            Reply::Given(AnswerChange::Keep)
        }
        Reply::Given(place) if place == unset => Reply::Given(AnswerChange::Unset),
        Reply::Given(place) if place == usual && place != other => Reply::Given(AnswerChange::Keep),
        Reply::Given(place) if place < other => {
            Reply::Given(AnswerChange::Set(choices[place].value.clone()))
        }
        Reply::Given(_) => text(question, present).await,
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

async fn text(question: &SettingQuestion, present: Option<&ValueInForce>) -> Reply<AnswerChange> {
    let mut hint = hint(question, present);
    let value = present.map(|present| present.value.as_str());
    // What cannot be empty can only be left out.
    let can_be_empty = matches!(question.kind, AnswerKind::Text);
    if value.is_some_and(|value| !value.is_empty()) {
        let effect = if can_be_empty {
            "makes it empty"
        } else {
            "removes it"
        };
        hint += &format!(" Enter keeps it; {EMPTY} {effect}.");
    }
    loop {
        let asked = Question::new(question.label(), &hint);
        let offered = value.or(question.default.as_deref()).unwrap_or_default();
        let reply = if question.secret {
            prompt::password(asked).await
        } else {
            prompt::input(asked, offered).await
        };
        let typed = match reply {
            Reply::Given(typed) => typed,
            Reply::Back => return Reply::Back,
            Reply::Left => return Reply::Left,
        };
        let kept = if question.secret { "" } else { offered };
        if typed == kept {
            return Reply::Given(AnswerChange::Keep);
        }
        if typed == EMPTY && !can_be_empty {
            return Reply::Given(present.map_or(AnswerChange::Keep, |_| AnswerChange::Unset));
        }
        if typed == EMPTY {
            return Reply::Given(AnswerChange::Set(NewValue::Text(String::new())));
        }
        match question.parse(&typed) {
            Ok(value) => return Reply::Given(AnswerChange::Set(value)),
            Err(objection) => prompt::object(&objection),
        }
    }
}

fn map<T, U>(reply: Reply<T>, change: impl FnOnce(T) -> U) -> Reply<U> {
    match reply {
        Reply::Given(given) => Reply::Given(change(given)),
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}
