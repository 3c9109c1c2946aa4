//! The review: every answer, and what may be done with them.

use super::found::Findings;
use super::request_draft::RequestDraft;
use crate::cli::arguments::Answers;
use crate::cli::flags::HubFlag;
use crate::provision::request::ServerChoice;
use crate::terminal::prompt::{self, Question, Reply};
use crate::terminal::wrap::{folded, window_columns};

/// What was decided in the review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    Start,
    More,
    Change,
    Show,
    Leave,
}

const OFFERS: [(&str, Decided); 5] = [
    ("Start now", Decided::Start),
    ("More settings ...", Decided::More),
    ("Change an answer", Decided::Change),
    ("Show the files", Decided::Show),
    ("Leave everything as it is", Decided::Leave),
];

/// Shows the answers and asks how to go on; Esc goes back to the last question.
pub async fn decide(found: &Findings, answers: &Answers) -> Reply<Decided> {
    let rows = summary(found, answers);
    let rows = rows
        .iter()
        .map(|[title, answer]| format!("  {title:<11}  {answer}"));
    let rows = rows.collect::<Vec<_>>().join("\n");
    let hint = folded(&rows, window_columns().saturating_sub(1));
    let items = OFFERS.map(|(text, _)| text.to_owned());
    match prompt::select(Question::new("Review", hint), &items, 0).await {
        Reply::Given(place) => Reply::Given(OFFERS[place].1),
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

/// The answers in the order of their questions, and what was edited beside them.
pub fn summary(found: &Findings, answers: &Answers) -> Vec<[String; 2]> {
    let server = |choice: &Option<ServerChoice>| match choice {
        Some(ServerChoice::Container) => "a container".to_owned(),
        Some(ServerChoice::Server(endpoint)) => endpoint.to_string(),
        Some(ServerChoice::Without) => "none".to_owned(),
        None => "as configured".to_owned(),
    };
    let hub = match answers.hub {
        Some(HubFlag::Process) => "in the background",
        Some(HubFlag::Container) => "as a container",
        Some(HubFlag::None) => "not started",
        None => "as before",
    };
    let url = answers
        .hub_url
        .as_ref()
        .map_or("as configured", |url| url.as_str());
    let mut rows = vec![
        ["Redis".to_owned(), server(&answers.redis)],
        ["RabbitMQ".to_owned(), server(&answers.rabbitmq)],
        [
            "Hub address".to_owned(),
            url.trim_end_matches('/').to_owned(),
        ],
        ["Hub".to_owned(), hub.to_owned()],
    ];
    let more = RequestDraft::new(answers.clone(), found).summary();
    if !more.is_empty() {
        rows.push(["More".to_owned(), more.join(", ")]);
    }
    for (application, settings) in &answers.settings {
        let name = application.trim_start_matches("Harmony.").to_owned();
        rows.push([name, format!("{} edited", settings.len())]);
    }
    rows
}
