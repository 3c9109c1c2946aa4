//! `harmony status`: what runs, where, since when, and whether it is healthy.

use super::context::Context;
use super::failure::port::is_dotnet_hub;
use super::failure::{Exit, Failure};
use super::render::Shown;
use super::variables::{self, Syntax};
use crate::appsettings::layers::Layers;
use crate::broker::Broker;
use crate::hub::settings::broker_address;
use crate::hub_client::HubClient;
use crate::platform;
use crate::project::{ApplicationSettings, HUB_URL, Project};
use crate::provision;
use crate::provision::plan::Plan;
use crate::provision::report::{HubReport, Report, ServiceState};
use crate::provision::request::Request;
use serde::Serialize;
use std::io::Write;
use std::time::Duration;
use tokio::net::TcpStream;
use url::Url;

const ASK_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct StatusArguments {
    /// Output format. With secrets: env and dotnet-env are variables for a shell, docker-env is a
    /// file for docker run --env-file, github adds variables to a GitHub Actions job
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Env,
    DotnetEnv,
    DockerEnv,
    Github,
}

impl Format {
    fn syntax(self) -> Option<Syntax> {
        match self {
            Format::Text | Format::Json => None,
            Format::Env => Some(Syntax::Shell),
            Format::DotnetEnv => Some(Syntax::DotnetShell),
            Format::DockerEnv => Some(Syntax::DockerEnvFile),
            Format::Github => Some(Syntax::Github),
        }
    }
}

/// A report, with the error that keeps it from being complete.
#[derive(Serialize)]
struct StatusReport<'r> {
    #[serde(flatten)]
    report: &'r Report,
    /// What the next `up` would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'r Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r Failure>,
}

pub async fn run(context: &Context, arguments: StatusArguments) -> Result<(), Failure> {
    let layers = layers(context)?;
    let is_report = arguments.format.syntax().is_none();
    let pending = async {
        match is_report {
            true => pending(context).await,
            false => None,
        }
    };
    // Both wait for the same servers.
    let (looked, plan) = tokio::join!(look_with(context, &layers), pending);
    let (mut report, failure) = looked?;
    let plan = plan.filter(|_| failure.is_none());
    report.changes = plan.as_ref().map_or(0, |plan| plan.changes);
    let report = &report;
    let json = arguments.format == Format::Json || context.terminal.json;
    match arguments.format.syntax() {
        Some(syntax) => show_variables(context, report, &layers, syntax)?,
        _ if json => context.terminal.json_result(&StatusReport {
            report,
            plan: plan.as_ref(),
            error: failure.as_ref(),
        }),
        _ => {
            context.terminal.result(&Shown(report));
            if report.changes > 0 {
                let (changes, command) = (report.changes, context.command("up --dry-run"));
                let things = if changes == 1 { "thing" } else { "things" };
                let message = format!("'harmony up' would change {changes} {things}: {command}");
                context.terminal.note(&message);
            }
        }
    }
    match failure {
        None => Ok(()),
        // In JSON it is part of the one document.
        Some(failure) if json => Err(failure.shown()),
        Some(failure) => Err(failure),
    }
}

/// What runs, and why that cannot be told where Docker cannot be asked.
pub async fn look(context: &Context) -> Result<(Report, Option<Failure>), Failure> {
    look_with(context, &layers(context)?).await
}

async fn look_with(
    context: &Context,
    layers: &Layers,
) -> Result<(Report, Option<Failure>), Failure> {
    let mut status = provision::status(&context.installation()?, layers).await?;
    let rabbitmq = &mut status.report.rabbitmq;
    if matches!(
        rabbitmq.state,
        ServiceState::Running | ServiceState::External
    ) {
        rabbitmq.rejected_messages = rejected(layers).await;
    }
    if status.report.hub.state == ServiceState::Absent
        && let Some(another) = another_hub(context).await
    {
        status.report.hub = another;
    }
    Ok((status.report, status.engine_failure.map(Failure::from)))
}

/// What the next `up` would do to an instance that was brought up; `None` where that cannot be
/// told.
async fn pending(context: &Context) -> Option<Plan> {
    let state = context.instance.state().ok()?;
    if state.checkout.as_os_str().is_empty() {
        return None;
    }
    let checkout = context.known_checkout().ok()?;
    let scope = context.scope_of_instance().ok()?;
    let request = Request::new(context.installation().ok()?, checkout, scope);
    let proposal = provision::propose(&request, &()).await.ok()?;
    Some(proposal.plan)
}

/// A hub that is not ours and answers where ours would, such as the one that F5 starts.
async fn another_hub(context: &Context) -> Option<HubReport> {
    let state = context.instance.state().ok()?;
    let configured = || {
        let checkout = context.known_checkout().ok()?;
        Project::read(&checkout, &context.scope().ok()?)
            .ok()?
            .hub_url()
    };
    let known = Url::parse(&state.hub_url).ok().or_else(configured);
    let url = known.or_else(|| Url::parse(HUB_URL).ok())?;
    let port = url.port_or_known_default()?;
    // Most often nobody listens, and to look for who does takes a look at every process.
    TcpStream::connect(("localhost", port)).await.ok()?;
    let holder = platform::port_holder(port)?;
    HubClient::connect(&url, ASK_WITHIN).await.ok()?;
    let what = match is_dotnet_hub(&holder) {
        true => format!("the .NET hub: {holder}"),
        false => format!("another hub: {holder}"),
    };
    Some(HubReport::of_another(
        url.as_str().trim_end_matches('/').to_owned(),
        what,
    ))
}

/// How many messages were set aside; `None` where RabbitMQ does not say.
async fn rejected(layers: &Layers) -> Option<u32> {
    let address = broker_address(layers).ok()?;
    let broker = Broker::connect(&address, "harmony status", ASK_WITHIN)
        .await
        .ok()?;
    let count = broker.rejected_count().await.ok();
    broker.close().await;
    count
}

/// The hub's settings, as the hub that was brought up reads them.
fn layers(context: &Context) -> Result<Layers, Failure> {
    let Ok(checkout) = context.known_checkout() else {
        return Ok(Layers::default());
    };
    let scope = context.scope_of_instance()?;
    Ok(ApplicationSettings::of(&checkout, &checkout.hub, &scope)?.layers())
}

/// Prints the variables; for a GitHub Actions job they go to the file that the runner reads.
fn show_variables(
    context: &Context,
    report: &Report,
    layers: &Layers,
    syntax: Syntax,
) -> Result<(), Failure> {
    let variables = variables::of(
        report.hub.url.as_deref(),
        report.redis.endpoint.is_some(),
        report.rabbitmq.endpoint.is_some(),
        layers,
    );
    let text = variables::written(&variables, syntax).map_err(|error| {
        Failure::new(Exit::Failed, "notExpressible", error.to_string())
            .fix("use --format dotnet-env, or a value without line breaks")
    })?;
    if syntax != Syntax::Github {
        context.terminal.exact(text.trim_end_matches('\n'));
        return Ok(());
    }
    let Some(file) = std::env::var_os("GITHUB_ENV").filter(|file| !file.is_empty()) else {
        return Err(Failure::new(
            Exit::Usage,
            "noGithubEnv",
            "the environment variable GITHUB_ENV is not set",
        )
        .why("GitHub Actions sets it to the file that its next steps read")
        .fix("run this in a GitHub Actions job, or use --format env"));
    };
    // Before the values can appear in the log.
    context
        .terminal
        .exact(variables::masks(&variables).trim_end());
    let written = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let path = std::path::Path::new(&file).display().to_string();
        Failure::new(Exit::Failed, "githubEnv", format!("cannot write {path}"))
            .why(error.to_string())
    })
}
