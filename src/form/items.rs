//! Lists and maps, item by item; what is below them is asked for in the same way.

use super::answer::{ask_value, shown};
use super::draft::Draft;
use crate::schema::question::{AnswerKind, SettingQuestion};
use crate::terminal::prompt::{self, Question, Reply};

/// How items are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ItemNames {
    /// By their place.
    List,
    /// By what somebody types.
    Map,
}

/// Asks for a setting.
pub async fn ask(question: &SettingQuestion, draft: &mut dyn Draft) -> Reply<()> {
    let as_text = draft.in_force(&question.key);
    match &question.kind {
        // A list that is written as one text stays one.
        AnswerKind::List(_) if as_text.is_some_and(|text| !text.value.is_empty()) => {
            let kind = AnswerKind::Text;
            let question = SettingQuestion {
                kind,
                ..question.clone()
            };
            ask_value(&question, draft).await
        }
        AnswerKind::List(items) => ask_items(question, items, ItemNames::List, draft).await,
        AnswerKind::Map(items) => ask_items(question, items, ItemNames::Map, draft).await,
        _ => ask_value(question, draft).await,
    }
}

async fn ask_items(
    question: &SettingQuestion,
    items: &[SettingQuestion],
    naming: ItemNames,
    draft: &mut dyn Draft,
) -> Reply<()> {
    loop {
        let names = draft.names_below(&question.key);
        let mut rows: Vec<_> = names
            .iter()
            .map(|name| row(question, items, name, draft))
            .collect();
        rows.extend(["add".to_owned(), "done".to_owned()]);
        let asked = Question::new(question.label(), &question.description);
        let reply = match prompt::select(asked, &rows, names.len() + 1).await {
            Reply::Given(place) if place == names.len() => {
                add(question, items, naming, draft).await
            }
            Reply::Given(place) => match names.get(place) {
                Some(name) => change(question, items, name, draft).await,
                None => return Reply::Given(()),
            },
            Reply::Back => return Reply::Given(()),
            Reply::Left => Reply::Left,
        };
        if reply == Reply::Left {
            return Reply::Left;
        }
    }
}

fn row(
    question: &SettingQuestion,
    items: &[SettingQuestion],
    name: &str,
    draft: &dyn Draft,
) -> String {
    let present = draft.in_force(&format!("{}:{name}", question.key));
    match (present, items) {
        (Some(present), [item]) => format!("{name}: {}", shown(item, &present.value)),
        _ => name.to_owned(),
    }
}

async fn add(
    question: &SettingQuestion,
    items: &[SettingQuestion],
    naming: ItemNames,
    draft: &mut dyn Draft,
) -> Reply<()> {
    let name = match naming {
        ItemNames::List => draft.names_below(&question.key).len().to_string(),
        ItemNames::Map => {
            match prompt::input(Question::new("Name", &question.description), "").await {
                Reply::Given(name) if name.is_empty() => return Reply::Back,
                Reply::Given(name) => name,
                Reply::Back => return Reply::Back,
                Reply::Left => return Reply::Left,
            }
        }
    };
    // An empty text stands where the list will be.
    if draft.in_force(&question.key).is_some()
        && let Err(objection) = draft.unset(&question.key)
    {
        prompt::object(&objection);
        return Reply::Back;
    }
    ask_each(question, items, &name, draft).await
}

async fn change(
    question: &SettingQuestion,
    items: &[SettingQuestion],
    name: &str,
    draft: &mut dyn Draft,
) -> Reply<()> {
    let actions = ["change".to_owned(), "remove".to_owned()];
    match prompt::select(Question::new(name, ""), &actions, 0).await {
        Reply::Given(0) => ask_each(question, items, name, draft).await,
        Reply::Given(_) => {
            if let Err(objection) = draft.unset(&format!("{}:{name}", question.key)) {
                prompt::object(&objection);
            }
            Reply::Given(())
        }
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

/// Asks everything about one item.
async fn ask_each(
    question: &SettingQuestion,
    items: &[SettingQuestion],
    name: &str,
    draft: &mut dyn Draft,
) -> Reply<()> {
    for item in items {
        let mut item = item.for_item(&question.key, name);
        if item.description.is_empty() {
            item.description.clone_from(&question.description);
        }
        // A list may hold lists.
        let reply = Box::pin(ask(&item, draft)).await;
        if reply != Reply::Given(()) {
            return reply;
        }
    }
    Reply::Given(())
}
