//! The command line: global flags, one variant per command, dispatch.

mod answers;
mod context;
mod difference;
mod doctor;
mod down;
mod execute;
mod failure;
mod hosting;
mod hub;
mod logs;
mod publish;
mod ready;
mod rehost;
mod rejected;
mod report;
mod services;
mod settings;
mod setup;
mod status;
mod steps;
mod up;
mod verify;

use crate::terminal::{Colour, Terminal};
use clap::{Args, CommandFactory, Parser, Subcommand};
use context::Context;
use failure::{Exit, Failure};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 settings invalid, 4 changes pending \
(--detailed-exitcode), 5 a service did not become ready, 6 Docker not reachable, 130 interrupted";

/// Harmony's real-time hub, set up and served: settings, Redis, RabbitMQ and a SignalR server in one command
#[derive(Debug, Parser)]
#[command(name = "harmony", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// A Harmony checkout or publish folder [default: the nearest upwards, else ./harmony, which is made]
    #[arg(long, value_name = "DIR", global = true)]
    checkout: Option<PathBuf>,
    /// The .NET environment whose files count [default: ASPNETCORE_ENVIRONMENT, else Production]
    #[arg(long, value_name = "NAME", global = true)]
    environment: Option<String>,
    /// Several side by side are told apart by their names
    #[arg(long, value_name = "NAME", default_value = "harmony", global = true)]
    instance: String,
    /// One JSON document on standard output, progress as JSON lines on standard error
    #[arg(long, global = true)]
    json: bool,
    /// Take the defaults, ask nothing
    #[arg(short, long, global = true)]
    yes: bool,
    /// Answers for up and setup, as --record-answers writes them
    #[arg(long, value_name = "FILE", global = true)]
    answers: Option<PathBuf>,
    /// Write what was answered to a file; for a password the name of an environment variable
    #[arg(long, value_name = "FILE", global = true)]
    record_answers: Option<PathBuf>,
    /// Show the plan, change nothing
    #[arg(long, global = true)]
    dry_run: bool,
    /// Exit with 4 where something would change
    #[arg(long, global = true)]
    detailed_exitcode: bool,
    /// How long to wait for services, such as 90s or 2m
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration, global = true)]
    timeout: Duration,
    /// Only results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Also how long each step took
    #[arg(short, long, conflicts_with = "quiet", global = true)]
    verbose: bool,
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value = "auto",
        global = true
    )]
    color: Colour,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The wizard: asks, shows the difference of every file and the plan, then does what up does
    Setup(answers::Answers),
    /// Bring everything to what is configured: settings, Redis, RabbitMQ, the hub in the background
    Up(answers::Answers),
    /// Stop the hub and the containers
    Down(down::DownArguments),
    /// What runs, where, since when, and whether it is healthy
    Status(status::StatusArguments),
    /// The logs of Redis, RabbitMQ and the hub
    Logs(logs::LogsArguments),
    /// Everything that tells why it would not work, each with its fix
    Doctor,
    /// Proof end to end: publish a notification, and hear it over a WebSocket through the hub
    Verify(verify::VerifyArguments),
    /// Send one notification as Harmony.Api sends it
    Publish(publish::PublishArguments),
    /// Messages that could not be delivered: list, show, retry, drop
    Rejected(rejected::RejectedArguments),
    /// Point the client, or the gateway's route, at another hub
    Rehost(rehost::RehostArguments),
    /// One application's settings: get, set, unset, list, why, validate, undo, schema
    Settings(settings::SettingsArguments),
    /// The hub in the foreground, configured as the .NET one
    #[command(disable_help_flag = true)]
    Hub(hub::HubArguments),
    /// Shell completions, on standard output
    Completions { shell: clap_complete::Shell },
    /// The manual page, on standard output
    Man,
}

/// Runs one command line to its end.
pub fn run(cli: Cli) -> ExitCode {
    let terminal = Terminal::new(
        cli.global.json,
        cli.global.quiet,
        cli.global.verbose,
        cli.global.color,
    );
    crate::tls::install_provider();
    match dispatch(cli, terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.show(&terminal);
            ExitCode::from(failure.exit() as u8)
        }
    }
}

fn dispatch(cli: Cli, terminal: Terminal) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Hub(arguments) => hub::run(&global, arguments, terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "harmony", &mut script);
            terminal.text(&String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| Failure::new(Exit::Failed, "man", error.to_string()))?;
            terminal.text(&String::from_utf8_lossy(&page).trim_end());
            Ok(())
        }
        Command::Rehost(arguments) => interruptible(&global, terminal, async |context| {
            rehost::run(context, arguments).await
        }),
        Command::Settings(arguments) => settings::run(&Context::new(&global, terminal)?, arguments),
        Command::Setup(answers) => interruptible(&global, terminal, async |context| {
            setup::run(context, answers).await
        }),
        Command::Up(arguments) => interruptible(&global, terminal, async |context| {
            up::run(context, arguments).await
        }),
        Command::Down(arguments) => interruptible(&global, terminal, async |context| {
            down::run(context, arguments).await
        }),
        Command::Status(arguments) => interruptible(&global, terminal, async |context| {
            status::run(context, arguments).await
        }),
        Command::Logs(arguments) => interruptible(&global, terminal, async |context| {
            logs::run(context, arguments).await
        }),
        Command::Doctor => interruptible(&global, terminal, async |context| {
            doctor::run(context).await
        }),
        Command::Rejected(arguments) => interruptible(&global, terminal, async |context| {
            rejected::run(context, arguments).await
        }),
        Command::Verify(arguments) => interruptible(&global, terminal, async |context| {
            verify::run(context, arguments).await
        }),
        Command::Publish(arguments) => interruptible(&global, terminal, async |context| {
            publish::run(context, arguments).await
        }),
    }
}

/// Runs a command until its end or Ctrl-C, which waits until what is half-done is undone; a second one doesn't.
fn interruptible(
    global: &Global,
    terminal: Terminal,
    command: impl AsyncFnOnce(&Context) -> Result<(), Failure>,
) -> Result<(), Failure> {
    runtime(tokio::runtime::Builder::new_current_thread())?.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        // Heard from before the command's first step: a question would otherwise be killed by it,
        // and leave the terminal as it is while one asks.
        let signals = signal(SignalKind::interrupt())
            .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
        let context = Context::new(global, terminal)?;
        let Ok((mut interrupt, mut terminate)) = signals else {
            return command(&context).await;
        };
        let mut told = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let mut command = pin!(command(&context));
        tokio::select! {
            result = &mut command => return result,
            () = told() => context.interrupted.cancel(),
        }
        tokio::select! {
            biased;
            result = &mut command => result,
            // At once, unless work goes on that ends by itself.
            _ = context.working.lock() => Err(Failure::interrupted()),
            () = told() => Err(Failure::interrupted()),
        }
    })
}

fn runtime(mut builder: tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Failure> {
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, "runtime", error.to_string()))
}

/// `90`, `90s`, `1500ms`, `2m`, `1h`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.len()
        - text
            .trim_start_matches(|letter: char| letter.is_ascii_digit())
            .len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "a number with ms, s, m or h is expected, such as 90s".to_owned())?;
    match unit.trim() {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(format!("'{unit}' is not a unit of time; use ms, s, m or h")),
    }
}
