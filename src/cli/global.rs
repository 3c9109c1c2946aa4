//! The options that every command takes.

use crate::terminal::Colour;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Harmony checkout or publish folder [default: the nearest upwards, else ./harmony]
    #[arg(long, value_name = "DIR", global = true)]
    pub checkout: Option<PathBuf>,
    /// .NET environment to use [default: DOTNET_ENVIRONMENT, ASPNETCORE_ENVIRONMENT, else
    /// Production]
    #[arg(long, value_name = "NAME", global = true)]
    pub environment: Option<String>,
    /// Name of this installation, if you run several
    #[arg(long, value_name = "NAME", default_value = "harmony", global = true)]
    pub instance: String,
    /// Use a checkout that belongs to another user; up remembers it
    #[arg(long, global = true)]
    pub trust_checkout: bool,
    /// Print one JSON document on stdout, progress as JSON lines on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Accept the defaults and confirm every question
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Read answers from a file that --record-answers wrote
    #[arg(long, value_name = "FILE", global = true)]
    pub answers: Option<PathBuf>,
    /// Write the answers to a file; passwords as names of environment variables, without secret
    /// settings
    #[arg(long, value_name = "FILE", global = true)]
    pub record_answers: Option<PathBuf>,
    /// Show what would change, change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Exit with 4 if something changes or would change
    #[arg(long, global = true)]
    pub detailed_exitcode: bool,
    /// How long to wait for services, such as 90s or 2m
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "2m",
        value_parser = parse_duration,
        global = true
    )]
    pub timeout: Duration,
    /// Print only results, warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Also print how long each step took
    #[arg(short, long, conflicts_with = "quiet", global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true,
        default_value = "auto",
        help = "When to use colour: auto, always or never",
        global = true
    )]
    pub color: Colour,
}

/// `90`, `90s`, `1500ms`, `2m`, `1h`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let is_digit = |letter: char| letter.is_ascii_digit();
    let digits = text.len() - text.trim_start_matches(is_digit).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number with ms, s, m or h, such as 90s".to_owned())?;
    match unit.trim() {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(format!("'{unit}' is not a unit of time: use ms, s, m or h")),
    }
}
