//! The answers file: read, overridden by flags, and recorded.

use super::arguments::Answers;
use super::context::Context;
use super::edited_settings::take_secrets;
use super::failure::{Exit, Failure};
use crate::appsettings::{self, Links, SettingsFile};
use crate::containers::Service;
use crate::schema;
use crate::secret::Secret;
use serde_json::Value;
use std::path::Path;

/// Where a typed password is looked for when recorded answers are replayed.
const REDIS_PASSWORD: &str = "HARMONY_REDIS_PASSWORD";
const RABBITMQ_PASSWORD: &str = "HARMONY_RABBITMQ_PASSWORD";
/// What the variables begin with that an answers file may name.
const OURS: &str = "HARMONY_";

/// The flags, `--environment` among them, over what `--answers` has; the passwords looked up in the
/// environment.
pub fn gather(context: &Context, flags: Answers) -> Result<Answers, Failure> {
    let mut answers = match &context.answers {
        Some(path) => {
            let merged = over(&flags, read(path)?).map_err(|error| unusable(path, &error))?;
            name_secrets(path, &flags, merged)?
        }
        None => flags.clone(),
    };
    if context.only_environment {
        answers.environment = Some(context.environment.clone());
    }
    answers.adopt = flags.adopt;
    answers.rotate_credentials = flags.rotate_credentials;
    let variable = answers.redis_password_env.as_deref();
    answers.redis_password = named_password(variable, "--redis-password-env")?;
    let variable = answers.rabbitmq_password_env.as_deref();
    answers.rabbitmq_password = named_password(variable, "--rabbitmq-password-env")?;
    Ok(answers)
}

/// Notes whose passwords a file names, not the user: only variables that are meant for it.
fn name_secrets(path: &Path, flags: &Answers, mut merged: Answers) -> Result<Answers, Failure> {
    let named = [
        (
            Service::Redis,
            &flags.redis_password_env,
            &merged.redis_password_env,
        ),
        (
            Service::RabbitMq,
            &flags.rabbitmq_password_env,
            &merged.rabbitmq_password_env,
        ),
    ];
    let mut services = Vec::new();
    for (service, flag, variable) in named {
        let Some(name) = variable.as_ref().filter(|_| flag.is_none()) else {
            continue;
        };
        if !name.starts_with(OURS) && !flags.allow_env.contains(name) {
            let message = format!("{} names the environment variable {name}", path.display());
            return Err(Failure::new(Exit::Usage, "variableNotAllowed", message)
                .why("variables of other names may be secrets of other programs")
                .fix(format!("rename it to {OURS}…, or pass --allow-env {name}")));
        }
        services.push(service);
    }
    merged.passwords_from_file = services;
    Ok(merged)
}

/// What the flags say, else what the file says.
fn over(flags: &Answers, file: Value) -> Result<Answers, serde_json::Error> {
    let (Value::Object(mut merged), Value::Object(flags)) = (file, serde_json::to_value(flags)?)
    else {
        return Ok(flags.clone());
    };
    merged.extend(flags);
    serde_json::from_value(Value::Object(merged))
}

/// Writes what was answered to `--record-answers`; for a typed password the name of the variable
/// that a replay takes it from. Settings have no such names: the secret ones are left out.
pub fn record(context: &Context, answers: &Answers) -> Result<(), Failure> {
    let Some(path) = &context.record_answers else {
        return Ok(());
    };
    let mut answers = answers.clone();
    let note = |password: &Option<Secret>, variable: &mut Option<String>, name: &str| {
        if password.is_some() && variable.is_none() {
            *variable = Some(name.to_owned());
            context.terminal.note(&format!(
                "{} names {name} in place of the password: set it before you replay the answers",
                path.display()
            ));
        }
    };
    note(
        &answers.redis_password,
        &mut answers.redis_password_env,
        REDIS_PASSWORD,
    );
    note(
        &answers.rabbitmq_password,
        &mut answers.rabbitmq_password_env,
        RABBITMQ_PASSWORD,
    );
    for secret in take_secrets(&mut answers.settings) {
        context.terminal.warn(&format!(
            "{} leaves out the secret {secret}: set it with 'harmony settings set' where you \
             replay the answers",
            path.display()
        ));
    }
    let text = serde_json::to_string_pretty(&answers)
        .map_err(|error| Failure::new(Exit::Failed, "answersFile", error.to_string()))?;
    Ok(appsettings::save(path, format!("{text}\n").as_bytes())?)
}

fn read(path: &Path) -> Result<Value, Failure> {
    let missing = || {
        let message = format!("{} does not exist", path.display());
        Failure::new(Exit::Usage, "answersMissing", message).fix(
            "name a file that --record-answers wrote; 'harmony settings schema answers' \
             describes it",
        )
    };
    let file = SettingsFile::read(path, Links::Followed)?.ok_or_else(missing)?;
    let violations = schema::answers_violations(&file);
    if !violations.is_empty() {
        return Err(schema::Violations(violations).into());
    }
    Ok(file.document.to_json())
}

fn unusable(path: &Path, error: &serde_json::Error) -> Failure {
    let message = format!("cannot use {}", path.display());
    Failure::new(Exit::SettingsInvalid, "settingsInvalid", message).why(error.to_string())
}

fn named_password(variable: Option<&str>, flag: &str) -> Result<Option<Secret>, Failure> {
    let Some(name) = variable else {
        return Ok(None);
    };
    match std::env::var(name) {
        Ok(password) => Ok(Some(Secret::new(password))),
        Err(_) => Err(Failure::new(
            Exit::Usage,
            "answerMissing",
            format!("the environment variable {name} has no password"),
        )
        .why(format!("{flag} names it"))
        .fix(format!("set {name}, or name another variable with {flag}"))),
    }
}
