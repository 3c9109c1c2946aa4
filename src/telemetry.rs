//! Logs at the settings' level, and metrics by name in OpenMetrics text.

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text::encode};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
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
        .with_target(false);
    // A second call, as in a test with several hubs, keeps the first logger.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
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
