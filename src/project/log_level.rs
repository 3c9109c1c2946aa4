//! The hub's log level, where Serilog reads it.

use crate::appsettings::layers::Layers;

/// The two keys that Serilog reads the log level from.
const LOG_LEVELS: [&str; 2] = ["Serilog:MinimumLevel:Default", "Serilog:MinimumLevel"];

/// The key of the hub's log level, which Serilog reads in two forms, and its value.
pub fn log_level(layers: &Layers) -> (&'static str, &str) {
    let set = LOG_LEVELS
        .into_iter()
        .map(|key| (key, layers.get(key)))
        .find(|(_, level)| !level.is_empty());
    set.unwrap_or((LOG_LEVELS[0], "Information"))
}
