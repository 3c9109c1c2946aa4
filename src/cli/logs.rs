//! `harmony logs`: the logs of Redis, RabbitMQ and the hub, merged by time, each with its own
//! prefix and colour.

use super::context::Context;
use super::failure::Failure;
use crate::containers::Service;
use crate::containers::docker::Observer;
use crate::provision::{LogSources, container_of, log_sources};
use crate::terminal::safe::Neutral;
use anstyle::{AnsiColor, Color, Style};
use futures_util::StreamExt;
use serde::Serialize;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a file is read again, and a missing container looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The capacity of the queue of lines; above it the sources wait.
const WAITING: usize = 256;

#[derive(Debug, clap::Args)]
pub struct LogsArguments {
    /// Whose logs [default: all]
    #[arg(value_enum)]
    sources: Vec<LogSource>,
    /// Follow new output, across restarts
    #[arg(short, long)]
    follow: bool,
    /// Number of last lines to show of each
    #[arg(long, default_value_t = 100)]
    tail: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
enum LogSource {
    Redis,
    Rabbitmq,
    Hub,
}

const LOG_SOURCES: [LogSource; 3] = [LogSource::Redis, LogSource::Rabbitmq, LogSource::Hub];

/// One line of a log.
#[derive(Debug, Serialize)]
struct LogLine {
    source: LogSource,
    /// ISO 8601 in UTC; a line without a time has the time of the line before.
    time: String,
    line: String,
}

impl LogLine {
    /// Splits the time off the start of a line.
    fn read(source: LogSource, line: &str, before: &str) -> Self {
        let line = line.trim_end_matches(['\r', '\n']);
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let is_time = first.len() > 18
            && first.as_bytes()[10] == b'T'
            && first.starts_with(|letter: char| letter.is_ascii_digit());
        let (time, line) = if is_time {
            (first, rest.trim_start())
        } else {
            (before, line)
        };
        LogLine {
            source,
            time: time.to_owned(),
            line: line.to_owned(),
        }
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, colour) = match self.source {
            LogSource::Redis => ("redis", AnsiColor::Red),
            LogSource::Rabbitmq => ("rabbitmq", AnsiColor::Yellow),
            LogSource::Hub => ("hub", AnsiColor::Cyan),
        };
        let style = Style::new().fg_color(Some(Color::Ansi(colour)));
        let clock = self.time.get(11..19).unwrap_or("        ");
        write!(
            formatter,
            "{style}{name:<8} {clock}{style:#}  {}",
            Neutral(&self.line)
        )
    }
}

pub async fn run(context: &Context, arguments: LogsArguments) -> Result<(), Failure> {
    let sources = if arguments.sources.is_empty() {
        LOG_SOURCES.to_vec()
    } else {
        arguments.sources.clone()
    };
    let LogSources {
        observer,
        engine_failure,
    } = log_sources(&context.installation()?).await?;
    let show = |line: &LogLine| {
        if context.terminal.json {
            context.terminal.json_result(line)
        } else {
            context.terminal.text(line)
        }
    };
    let tail = arguments.tail.to_string();
    let mut lines = Vec::new();
    for source in sources.iter().copied() {
        if source == LogSource::Hub {
            lines.extend(file_tail(&context.instance.log(), arguments.tail));
        }
        let Some(observer) = &observer else { continue };
        let instance = &context.instance.name;
        let Some(id) = container_of(observer, instance, service(source)).await? else {
            continue;
        };
        let mut log = pin!(observer.logs(&id, false, &tail, 0));
        let mut before = String::new();
        while let Some(text) = log.next().await {
            let line = LogLine::read(source, &text, &before);
            before.clone_from(&line.time);
            lines.push(line);
        }
    }
    lines.sort_by(|left, right| left.time.cmp(&right.time));
    lines.iter().for_each(show);
    // The hub's log file does not need Docker.
    if let Some(error) = engine_failure.filter(|_| needs_engine(&sources)) {
        return Err(error.into());
    }
    if !arguments.follow {
        if lines.is_empty() {
            context
                .terminal
                .note("There are no logs yet; 'harmony up' starts what writes them.");
        }
        return Ok(());
    }
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let mut tasks = tokio::task::JoinSet::new();
    for source in sources {
        if let Some(observer) = &observer {
            tasks.spawn(follow_container(
                observer.clone(),
                context.instance.name.clone(),
                service(source),
                source,
                sender.clone(),
            ));
        }
        // The hub may have changed between process and container.
        if source == LogSource::Hub {
            tasks.spawn(follow_file(context.instance.log(), sender.clone()));
        }
    }
    drop(sender);
    while let Some(line) = receiver.recv().await {
        show(&line);
    }
    Ok(())
}

fn service(source: LogSource) -> Service {
    match source {
        LogSource::Redis => Service::Redis,
        LogSource::Rabbitmq => Service::RabbitMq,
        LogSource::Hub => Service::Hub,
    }
}

/// Where the logs of a source are: a hub process logs to a file, everything else to Docker.
fn needs_engine(sources: &[LogSource]) -> bool {
    sources.iter().any(|source| *source != LogSource::Hub)
}

fn file_tail(path: &Path, most: usize) -> Vec<LogLine> {
    // There may be no log yet.
    let Ok(file) = std::fs::File::open(path) else {
        return Vec::new();
    };
    let mut lines: Vec<LogLine> = Vec::new();
    for text in BufReader::new(file).lines().map_while(Result::ok) {
        let before = lines
            .last()
            .map(|line| line.time.clone())
            .unwrap_or_default();
        lines.push(LogLine::read(LogSource::Hub, &text, &before));
    }
    lines.split_off(lines.len().saturating_sub(most))
}

/// Follows the log of a container and of the containers that replace it.
async fn follow_container(
    observer: Observer,
    instance: String,
    service: Service,
    source: LogSource,
    lines: mpsc::Sender<LogLine>,
) {
    let mut since = i32::try_from(crate::hub_process::now()).unwrap_or_default();
    let mut last = String::new();
    loop {
        let all = observer.containers(&instance).await.unwrap_or_default();
        if let Some(found) = all
            .into_iter()
            .find(|found| found.service == service.name() && found.running)
        {
            let mut log = pin!(observer.logs(&found.id, true, "all", since));
            while let Some(text) = log.next().await {
                let line = LogLine::read(source, &text, &last);
                // Docker's `since` has whole seconds: skip lines that were shown before the
                // restart.
                if line.time < last {
                    continue;
                }
                last.clone_from(&line.time);
                if lines.send(line).await.is_err() {
                    return;
                }
            }
            since = i32::try_from(crate::hub_process::now())
                .unwrap_or_default()
                .saturating_sub(1);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Follows a file. A file that became shorter is a new one and is read from the start.
async fn follow_file(path: std::path::PathBuf, lines: mpsc::Sender<LogLine>) {
    let mut place = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let (mut rest, mut before) = (Vec::new(), String::new());
    loop {
        let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if length < place {
            (place, rest) = (0, Vec::new());
        }
        if length > place
            && let Ok(mut file) = std::fs::File::open(&path)
            && file.seek(SeekFrom::Start(place)).is_ok()
            && let Ok(read) = file.take(length - place).read_to_end(&mut rest)
        {
            place += read as u64;
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let text: Vec<u8> = rest.drain(..=end).collect();
                let line = LogLine::read(LogSource::Hub, &String::from_utf8_lossy(&text), &before);
                before.clone_from(&line.time);
                if lines.send(line).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
