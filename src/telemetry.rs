//! Logs at the settings' level, and metrics by name in OpenMetrics text.

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text::encode};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard output, as .NET's console logger does. Other crates' chatter is kept
/// to warnings unless everything is wanted.
pub fn start_logging(level: LevelFilter) {
    let others = if level == LevelFilter::TRACE {
        level
    } else {
        level.min(LevelFilter::WARN)
    };
    let filter = Targets::new()
        .with_default(others)
        .with_target("harmony", level)
        .with_target("lapin", LevelFilter::OFF);
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colour)
        .with_target(false)
        .with_filter(FloodGate::default());
    // A second call, as in a test with several hubs, keeps the first logger.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
}

/// Lines of one kind that are written within a window; more are counted. Peers cause some of them
/// as often as they like.
const LINES_PER_WINDOW: u32 = 60;
const WINDOW: Duration = Duration::from_secs(60);

static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Lines that were left out.
pub fn left_out() -> &'static AtomicU64 {
    &LEFT_OUT
}

/// Lets through so many lines of each kind, which is the place in the code that writes them.
#[derive(Debug, Default)]
struct FloodGate {
    windows: Mutex<HashMap<Identifier, (Instant, u32)>>,
}

impl<S> Filter<S> for FloodGate {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        // Who asks for details wants all of them.
        if *event.metadata().level() > Level::INFO {
            return true;
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (began, lines) = windows
            .entry(event.metadata().callsite())
            .or_insert((now, 0));
        if now - *began > WINDOW {
            (*began, *lines) = (now, 0);
        }
        *lines += 1;
        let through = *lines <= LINES_PER_WINDOW;
        LEFT_OUT.fetch_add(u64::from(!through), Ordering::Relaxed);
        through
    }
}

/// One number with its name and what it means.
pub struct Sample {
    pub name: &'static str,
    pub help: &'static str,
    pub value: u64,
    pub kind: SampleKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    Counter,
    Gauge,
}

/// The content type of [`open_metrics`].
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes samples as OpenMetrics text, names prefixed with `harmony_hub_`.
pub fn open_metrics(samples: Vec<Sample>) -> String {
    let mut registry = Registry::with_prefix("harmony_hub");
    registry.register_collector(Box::new(Samples(samples)));
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Samples(Vec<Sample>);

impl std::fmt::Debug for Sample {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}={}", self.name, self.value)
    }
}

impl prometheus_client::collector::Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for sample in &self.0 {
            match sample.kind {
                SampleKind::Counter => {
                    write_sample(&mut encoder, sample, &ConstCounter::new(sample.value))?
                }
                SampleKind::Gauge => {
                    let value = i64::try_from(sample.value).unwrap_or(i64::MAX);
                    write_sample(&mut encoder, sample, &ConstGauge::new(value))?;
                }
            }
        }
        Ok(())
    }
}

fn write_sample(
    encoder: &mut DescriptorEncoder<'_>,
    sample: &Sample,
    metric: &impl EncodeMetric,
) -> std::fmt::Result {
    metric.encode(encoder.encode_descriptor(
        sample.name,
        sample.help,
        None,
        metric.metric_type(),
    )?)
}
