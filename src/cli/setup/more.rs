//! More settings: how the services run, and every property of every application's schema.

use super::found::Findings;
use super::project_draft::ProjectDraft;
use super::request_draft::RequestDraft;
use crate::cli::arguments::Answers;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::form;
use crate::form::draft::Draft;
use crate::project::Project;
use crate::provision::request::SettingChange;
use crate::schema::interview::questions;
use crate::terminal::prompt::{self, Question, Reply};

/// Lets a group of settings be chosen and edited, until Esc.
pub async fn choose(
    context: &Context,
    found: &Findings,
    answers: &mut Answers,
) -> Result<Reply<()>, Failure> {
    loop {
        let context = context.in_environment(answers.environment.as_deref());
        let mut project = Project::read(&context.find_checkout()?, &context.scope()?)?;
        for SettingChange {
            application,
            key,
            value,
        } in answers.wanted().settings
        {
            project.change(&application, &key, value.as_ref())?;
        }
        let names = project.names();
        let mut items = vec!["How Redis, RabbitMQ and the hub run".to_owned()];
        items.extend(names.iter().map(|name| format!("Settings of {name}")));
        items.push("Back to the review".to_owned());
        let asked = Question::new("More settings", "");
        let reply = match prompt::select(asked, &items, 0).await {
            Reply::Given(0) => how_it_runs(found, answers).await,
            Reply::Given(place) => match names.get(place - 1) {
                Some(name) => settings_of(name, &project, answers).await,
                None => return Ok(Reply::Given(())),
            },
            Reply::Back => return Ok(Reply::Back),
            Reply::Left => Reply::Left,
        };
        if reply == Reply::Left {
            return Ok(Reply::Left);
        }
    }
}

async fn how_it_runs(found: &Findings, answers: &mut Answers) -> Reply<()> {
    let mut draft = RequestDraft::new(answers.clone(), found);
    let asked = draft.questions();
    let reply = form::edit(&asked, &mut draft).await;
    if reply != Reply::Left {
        *answers = draft.into_answers();
    }
    reply
}

async fn settings_of(name: &str, project: &Project, answers: &mut Answers) -> Reply<()> {
    let Some(mut draft) = ProjectDraft::of(name, project) else {
        return Reply::Back;
    };
    let asked = questions(draft.schema());
    let reply = form::edit(&asked, &mut draft).await;
    if reply != Reply::Left {
        let edits = answers.settings.entry(name.to_owned()).or_default();
        edits.extend(draft.into_edits());
        answers.settings.retain(|_, edits| !edits.is_empty());
    }
    reply
}
