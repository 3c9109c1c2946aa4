//! `harmony hub`: serve in the foreground, configured as the .NET hub is.

mod certificate;
mod doors;

use super::failure::{Exit, Failure};
use super::global::Global;
use super::runtime;
use crate::appsettings::Links;
use crate::appsettings::layers::{Layers, ProcessInputs};
use crate::hub;
use crate::hub::settings::{HubSettings, KestrelEndpoint, LogLevel};
use crate::hub_process::{self, Running, now, supervisor};
use crate::platform::{self, Interruption};
use crate::signalr::serve::ServerListener;
use crate::task;
use crate::terminal::Terminal;
use crate::{telemetry, tls};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

pub const HELP: &str = "\
Run the hub in the foreground, configured like the .NET hub

Usage: harmony hub [--settings DIR] [--urls URLS] [--environment NAME] [--Key=Value …]

Options:
  --settings DIR      Folder of appsettings.json and appsettings.NAME.json [default: .]
  --urls URLS         Addresses to listen on, separated by ';' [default: http://localhost:5000]
  --environment NAME  .NET environment to use [default: DOTNET_ENVIRONMENT,
                      else ASPNETCORE_ENVIRONMENT, else Production]
  --rabbitmq embedded --redis none
                      One process alone: notifications by HTTP, no other hubs
  --Key=Value         Any setting, such as --BrokerConfiguration:Host=mq

Settings are read from appsettings.json, then appsettings.NAME.json, then environment variables
(BrokerConfiguration__Host, ASPNETCORE_URLS, Kestrel__Certificates__Default__Path), then the
command line. The last one wins.

It serves /signalRHub, /healthz/ready and /healthz/live; / where HubPage:Enabled is true; and on
Admin:Url, an address of this machine, /metrics, POST /stop, and POST /notifications where no
RabbitMQ is used, for requests with the token that it names at the start. Metrics:Url serves
/metrics to everybody.

Examples:
  # Serve the settings of a folder
  harmony hub --settings harmony/Harmony.SignalR
  # Without Redis and RabbitMQ, on another port
  harmony hub --rabbitmq embedded --redis none --urls http://localhost:5080
  # Override one setting
  harmony hub --rabbitmq embedded --redis none --Serilog:MinimumLevel:Default=Debug";

#[derive(Debug, clap::Args)]
pub struct HubArguments {
    /// Settings, written as .NET takes them on its command line
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "SETTINGS"
    )]
    arguments: Vec<String>,
}

/// What is ours alone among the arguments; the rest are settings.
#[derive(Default)]
struct Own {
    settings: Option<PathBuf>,
    /// The instance's folder and a fingerprint, where `up` starts the hub in the background.
    background: Option<(PathBuf, String)>,
    help: bool,
    /// Watch over another process that serves.
    supervise: bool,
}

pub fn run(global: &Global, arguments: HubArguments, terminal: Terminal) -> Result<(), Failure> {
    let arguments = arguments.arguments;
    let (own, mut rest) = own_arguments(arguments.clone())?;
    if own.help {
        terminal.text(&HELP);
        return Ok(());
    }
    if own.supervise {
        return watch(
            &arguments,
            own.background.as_ref().map(|(folder, _)| folder.as_path()),
        );
    }
    if let Some(environment) = &global.environment {
        rest.push(format!("--environment={environment}"));
    }
    let folder = match own.settings.or_else(|| global.checkout.clone()) {
        Some(folder) => folder,
        None => PathBuf::from("."),
    };
    if !folder.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            "settingsMissing",
            format!("{} is not a folder", folder.display()),
        )
        .fix("name the folder that holds appsettings.json with --settings DIR"));
    }
    let background = own.background.as_ref();
    let started = ProcessInputs {
        secrets: background.map(|(folder, _)| folder.join(crate::instance::SECRETS)),
        ..ProcessInputs::here(rest)
    };
    let environment = started.environment();
    let layers = Layers::load(&folder, Links::Followed, &environment, &started)?;
    let settings = HubSettings::read(&layers, &environment, &folder)?;
    telemetry::start_logging(level(settings.log_level));
    if let Err(error) = platform::raise_file_limit() {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    runtime::start(tokio::runtime::Builder::new_multi_thread())?.block_on(serve(
        settings,
        own.background,
        arguments,
        &environment,
        &folder,
        terminal,
    ))
}

async fn serve(
    settings: HubSettings,
    background: Option<(PathBuf, String)>,
    arguments: Vec<String>,
    environment: &str,
    folder: &Path,
    terminal: Terminal,
) -> Result<(), Failure> {
    let mut listeners = Vec::new();
    let mut uses_own_certificate = false;
    let mut addresses = Vec::new();
    for KestrelEndpoint { url, certificate } in &settings.endpoints {
        let acceptor = match certificate {
            _ if !url.tls => None,
            Some(source) => Some(tls::acceptor(source)?),
            None => {
                uses_own_certificate = true;
                Some(tls::acceptor(&certificate::development()?)?)
            }
        };
        let bound = url.bind()?;
        addresses.push(url.announced(&bound));
        listeners.extend(bound.into_iter().map(|listener| ServerListener {
            listener,
            tls: acceptor.clone(),
        }));
    }
    if uses_own_certificate {
        task::spawn(certificate::renew());
    }
    let admin = match &settings.admin {
        Some(url) => url.bind()?,
        None => Vec::new(),
    };
    let (doors, token_file) = doors::open(&settings, admin, background.as_ref())?;
    let _pid_file = match background {
        Some((folder, fingerprint)) => {
            task::spawn(hub_process::rotate_log(folder.join(crate::instance::LOG)));
            let running = Running {
                pid: std::process::id(),
                fingerprint,
                version: env!("CARGO_PKG_VERSION").into(),
                started_at: now(),
                url: settings
                    .endpoints
                    .first()
                    .map(|endpoint| endpoint.url.to_string())
                    .unwrap_or_default(),
                admin_url: settings
                    .admin
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                arguments,
            };
            let held = hub_process::hold(&folder, &running);
            Some(held.map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    "hubRunning",
                    "the hub can't be told from another",
                )
                .why(error.to_string())
            })?)
        }
        None => None,
    };
    // The same lines as Kestrel's, which other tools wait for.
    addresses
        .iter()
        .for_each(|address| terminal.text(&format!("Now listening on: {address}")));
    doors
        .iter()
        .for_each(|door| terminal.text(&doors::announced(door, token_file.as_deref())));
    terminal.text(&"Application started. Press Ctrl+C to shut down.");
    terminal.text(&format!("Hosting environment: {environment}"));
    terminal.text(&format!(
        "Content root path: {}",
        std::path::absolute(folder)
            .unwrap_or(folder.to_owned())
            .display()
    ));
    let stop = CancellationToken::new();
    task::spawn(stop_on_signal(stop.clone()));
    hub::run(settings, listeners, doors, stop).await;
    Ok(())
}

/// Watches over a hub in the background, in this process, which serves nothing itself.
fn watch(arguments: &[String], folder: Option<&Path>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, "hubProcess", "the hub can't be watched over")
            .why(error.to_string())
    };
    let folder = folder
        .ok_or_else(|| Failure::new(Exit::Usage, "usage", "--supervise needs --background"))?;
    let served: Vec<_> = arguments
        .iter()
        .filter(|argument| *argument != supervisor::SUPERVISE)
        .cloned()
        .collect();
    let status = supervisor::run(&served, folder).map_err(failed)?;
    // What went wrong, the hub said itself.
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(Exit::Failed, "hubDied", "the hub ended").shown())
    }
}

async fn stop_on_signal(stop: CancellationToken) {
    let mut interruption = match Interruption::listen() {
        Ok(interruption) => interruption,
        Err(error) => {
            return tracing::error!(%error, "this hub can only be killed, not stopped in order");
        }
    };
    interruption.asked().await;
    stop.cancel();
}

fn own_arguments(arguments: Vec<String>) -> Result<(Own, Vec<String>), Failure> {
    let (mut own, mut rest) = (Own::default(), Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut needed = |value: Option<String>| {
            value
                .or_else(|| arguments.next())
                .ok_or_else(|| Failure::new(Exit::Usage, "usage", format!("{name} needs a value")))
        };
        match name {
            "-h" | "--help" => own.help = true,
            supervisor::SUPERVISE => own.supervise = true,
            "--settings" => own.settings = Some(needed(value)?.into()),
            "--background" => own.background = Some((needed(value)?.into(), String::new())),
            "--fingerprint" => {
                let fingerprint = needed(value)?;
                if let Some((_, known)) = &mut own.background {
                    *known = fingerprint;
                }
            }
            _ => rest.push(argument),
        }
    }
    Ok((own, rest))
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Verbose => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Information => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
        LogLevel::None => LevelFilter::OFF,
    }
}
