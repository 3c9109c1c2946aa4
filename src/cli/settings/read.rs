//! `get`, `list`, `why` and `validate`: what the settings say.

use super::answer::{Layer, List, OneSetting, Secrets, Validation, Why};
use super::application::{ChosenApplication, as_meant};
use crate::appsettings::key_path::fold;
use crate::appsettings::layers::{Layers, Setting, Source};
use crate::checkout::Checkout;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::project::{ApplicationSettings, Scope};
use crate::schema;
use serde_json::Value;
use std::io::IsTerminal;

pub(super) fn get(
    context: &Context,
    application: &ChosenApplication,
    secrets: &Secrets<'_>,
    key: &str,
) -> Result<(), Failure> {
    let (key, layers) = application.at(context, &application.files(context)?, key);
    let Some(setting) = layers.setting(&key) else {
        return Err(application.unknown_key(&application.layers(context)?, &key));
    };
    let one = OneSetting::of(setting, secrets);
    // A script would take the mask for the value.
    if one.value != setting.value && !std::io::stdout().is_terminal() {
        let message = format!("{} is a secret", setting.key);
        let failure = Failure::new(Exit::Failed, "secretHidden", message);
        return Err(failure.fix("print it with --show-secrets"));
    }
    context.terminal.result(&one);
    Ok(())
}

pub(super) fn list(
    context: &Context,
    application: &ChosenApplication,
    secrets: &Secrets<'_>,
) -> Result<(), Failure> {
    let layers = application.layers(context)?;
    let known = layers
        .effective()
        .into_iter()
        .filter(|setting| concerns(&application.schema, setting))
        .cloned();
    let unset = schema::defaults(&application.schema)
        .into_iter()
        .filter(|(key, _)| layers.setting(key).is_none());
    let defaults = unset.map(|(key, value)| Setting {
        key,
        value: Some(value),
        source: Source::Default,
    });
    let mut settings: Vec<_> = known
        .chain(defaults)
        .map(|setting| OneSetting::of(&setting, secrets))
        .collect();
    for setting in &mut settings {
        let all = layers.all(&setting.key);
        let is_set = all.iter().any(|layer| layer.value.is_some());
        setting.hidden = setting.value.is_none() && is_set;
    }
    settings.sort_by_cached_key(|setting| fold(&setting.key));
    context.terminal.result(&List { settings });
    Ok(())
}

/// Variables of this machine that are no settings of Harmony are left out of lists.
fn concerns(schema: &Value, setting: &Setting) -> bool {
    let named_like_a_setting = match &setting.source {
        Source::File { .. } | Source::CommandLine { .. } | Source::Default => true,
        Source::Host { variable } | Source::Environment { variable } => variable.contains("__"),
    };
    named_like_a_setting || schema::property(schema, &setting.key).is_some()
}

pub(super) fn why(
    context: &Context,
    application: &ChosenApplication,
    layers: &Layers,
    secrets: &Secrets<'_>,
    key: &str,
) -> Result<(), Failure> {
    let winner = winner(application, layers, key)?;
    let layer = |setting: &&Setting| Layer {
        source: setting.source.clone(),
        value: secrets.show(&setting.key, setting.value.as_deref()),
        wins: std::ptr::eq(*setting, winner),
    };
    context.terminal.result(&Why {
        key: winner.key.clone(),
        value: secrets.show(&winner.key, winner.value.as_deref()),
        layers: layers.all(&winner.key).iter().map(layer).collect(),
    });
    Ok(())
}

/// The setting of a key as somebody typed it.
fn winner<'l>(
    application: &ChosenApplication,
    layers: &'l Layers,
    key: &str,
) -> Result<&'l Setting, Failure> {
    let key = as_meant(layers, key);
    let setting = layers.setting(&key);
    setting.ok_or_else(|| application.unknown_key(layers, &key))
}

pub(super) fn validate(context: &Context, checkout: &Checkout) -> Result<(), Failure> {
    let mut violations = Vec::new();
    for folder in checkout.applications() {
        let scope = Scope::of(&*context.environment);
        let application = ApplicationSettings::of(checkout, folder, &scope)?;
        for file in application.files() {
            violations.extend(schema::all_violations(file));
        }
    }
    let invalid = violations
        .iter()
        .any(|violation| violation.severity == "error");
    context.terminal.result(&Validation { violations });
    if !invalid {
        return Ok(());
    }
    let failure = Failure::new(
        Exit::SettingsInvalid,
        "settingsInvalid",
        "settings are invalid",
    );
    Err(failure.shown())
}
