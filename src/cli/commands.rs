//! The command line as clap reads it: one variant per command.

use super::arguments::Answers;
use super::certs::CertsArguments;
use super::deferred::Deferred;
use super::doctor::DoctorArguments;
use super::down::DownArguments;
use super::global::Global;
use super::hub::HubArguments;
use super::listen::ListenArguments;
use super::logs::LogsArguments;
use super::man::ManArguments;
use super::publish::PublishArguments;
use super::rehost::RehostArguments;
use super::rejected::RejectedArguments;
use super::settings::SettingsArguments;
use super::status::StatusArguments;
use super::verify::VerifyArguments;
use clap::{Parser, Subcommand};

/// Harmony's real-time hub in one command: settings, Redis, RabbitMQ and a SignalR server
#[derive(Debug, Parser)]
#[command(name = "harmony", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer a few questions, see the changes, then start everything
    #[command(visible_alias = "init")]
    Setup(Deferred<Answers>),
    /// Start everything as configured; return once clients can connect
    #[command(visible_alias = "start")]
    Up(Deferred<Answers>),
    /// Stop the hub and the containers; keep the data unless --volumes is given
    #[command(visible_alias = "stop")]
    Down(Deferred<DownArguments>),
    /// Point the client, or the gateway's route, at another hub URL
    Rehost(Deferred<RehostArguments>),
    /// Show, trust or delete the development certificate
    Certs(CertsArguments),
    /// Show what runs, where, since when, and whether it is healthy
    #[command(visible_alias = "ps")]
    Status(Deferred<StatusArguments>),
    /// Show the logs of Redis, RabbitMQ and the hub, in one stream
    Logs(Deferred<LogsArguments>),
    /// Check for problems and show how to fix them
    Doctor(Deferred<DoctorArguments>),
    /// Send a test notification and check that clients receive it
    Verify(Deferred<VerifyArguments>),
    /// Show the notifications that clients receive, as they come
    Listen(Deferred<ListenArguments>),
    /// Wait until everything is healthy
    Wait,
    /// List the instances on this machine
    #[command(visible_alias = "list")]
    Ls,
    /// List, show, resend or delete messages that could not be delivered
    Rejected(RejectedArguments),
    /// Read and change the settings of Harmony's applications
    Settings(SettingsArguments),
    /// Run the hub in the foreground, configured like the .NET hub
    #[command(disable_help_flag = true, override_help = super::hub::HELP)]
    Hub(HubArguments),
    /// Send one notification, as Harmony.Api sends it
    Publish(PublishArguments),
    /// Print a completion script for a shell
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual page of a command
    Man(ManArguments),
    /// Print the version; with --verbose also commit, target, profile and package
    #[command(hide = true)]
    Version,
}
