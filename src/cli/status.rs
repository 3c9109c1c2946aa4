//! `harmony status`: what runs, where, since when, and whether it is healthy.

use super::context::Context;
use super::failure::Failure;
use super::render::Shown;
use crate::appsettings::layers::Layers;
use crate::hub::settings::broker_address;
use crate::project::{ApplicationSettings, Scope};
use crate::provision;
use crate::provision::report::Report;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct StatusArguments {
    /// Output format; env and dotnet-env print variables for a shell, with secrets
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Env,
    DotnetEnv,
}

/// A report, with the error that keeps it from being complete.
#[derive(Serialize)]
struct StatusReport<'r> {
    #[serde(flatten)]
    report: &'r Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r Failure>,
}

pub async fn run(context: &Context, arguments: StatusArguments) -> Result<(), Failure> {
    let layers = layers(context)?;
    let status = provision::status(&context.installation()?, &layers).await?;
    let failure = status.engine_failure.map(Failure::from);
    let report = &status.report;
    let json = arguments.format == Format::Json || context.terminal.json;
    match arguments.format {
        Format::Env | Format::DotnetEnv => {
            for (name, dotnet, value) in variables(report, &layers) {
                let name = match arguments.format {
                    Format::Env => name,
                    _ => dotnet,
                };
                let value = shell_quoted(&value);
                context.terminal.text(&format!("{name}={value}"));
            }
        }
        _ if json => context.terminal.json_result(&StatusReport {
            report,
            error: failure.as_ref(),
        }),
        _ => context.terminal.result(&Shown(report)),
    }
    match failure {
        None => Ok(()),
        // In JSON it is part of the one document.
        Some(failure) if json => Err(failure.shown()),
        Some(failure) => Err(failure),
    }
}

/// The hub's settings, as the hub that was brought up reads them.
fn layers(context: &Context) -> Result<Layers, Failure> {
    let Ok(checkout) = context.known_checkout() else {
        return Ok(Layers::default());
    };
    let known = context.instance.state()?.environment;
    let environment = Some(known).filter(|known| !known.is_empty());
    let scope = Scope::of(environment.unwrap_or_else(|| context.environment.clone()));
    Ok(ApplicationSettings::read(&checkout.hub, &scope)?.layers())
}

/// What scripts and other applications need to know: a name for shells, .NET's name, the value.
fn variables(report: &Report, layers: &Layers) -> Vec<(&'static str, &'static str, String)> {
    let mut variables = Vec::new();
    if let Some(url) = &report.hub.url {
        variables.push(("HARMONY_HUB_URL", "signalrHostUrl", url.clone()));
    }
    if report.redis.endpoint.is_some() {
        variables.push((
            "HARMONY_REDIS",
            "RedisConnectionString",
            layers.get("RedisConnectionString").to_owned(),
        ));
    }
    if let Some(address) = broker_address(layers)
        .ok()
        .filter(|_| report.rabbitmq.endpoint.is_some())
    {
        variables.extend([
            (
                "HARMONY_RABBITMQ_HOST",
                "BrokerConfiguration__Host",
                address.endpoint.host.clone(),
            ),
            (
                "HARMONY_RABBITMQ_PORT",
                "BrokerConfiguration__Port",
                address.endpoint.port.to_string(),
            ),
            (
                "HARMONY_RABBITMQ_USER",
                "BrokerConfiguration__Username",
                address.username.clone(),
            ),
            (
                "HARMONY_RABBITMQ_PASSWORD",
                "BrokerConfiguration__Password",
                address.password.reveal().to_owned(),
            ),
            (
                "HARMONY_RABBITMQ_VHOST",
                "BrokerConfiguration__VirtualHost",
                address.virtual_host.clone(),
            ),
        ]);
    }
    variables
}

/// A value that a shell takes as it is.
fn shell_quoted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+,".contains(letter);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}
