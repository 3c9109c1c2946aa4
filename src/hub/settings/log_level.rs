//! How much the hub logs.

use super::error::HubSettingsError;
use crate::appsettings::layers::Layers;

/// Serilog's levels, of which .NET's older names are aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Verbose,
    Debug,
    Information,
    Warning,
    Error,
    Fatal,
    None,
}

/// Serilog's level, else that of .NET's older form; a level may be a name, a number or a switch.
pub(super) fn log_level(layers: &Layers) -> Result<LogLevel, HubSettingsError> {
    for key in [
        "Serilog:MinimumLevel:Default",
        "Serilog:MinimumLevel:ControlledBy",
        "Serilog:MinimumLevel",
        "Logging:LogLevel:Default",
    ] {
        let mut text = layers.get(key).trim();
        if text.starts_with('$') {
            let switch = format!("Serilog:LevelSwitches:{text}");
            text = layers.get(&switch).trim();
        }
        if text.is_empty() {
            continue;
        }
        let level = LogLevel::named(text).or_else(|| LogLevel::numbered(text.parse().ok()?));
        return level.ok_or_else(|| HubSettingsError::LogLevel(key, text.to_owned()));
    }
    Ok(LogLevel::Information)
}

impl LogLevel {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "verbose" | "trace" => LogLevel::Verbose,
            "debug" => LogLevel::Debug,
            "information" => LogLevel::Information,
            "warning" => LogLevel::Warning,
            "error" => LogLevel::Error,
            "fatal" | "critical" => LogLevel::Fatal,
            "none" => LogLevel::None,
            _ => return None,
        })
    }

    /// Both forms count alike; a number that no level has logs what is above it.
    fn numbered(number: i32) -> Option<Self> {
        Some(match number {
            i32::MIN..=0 => LogLevel::Verbose,
            1 => LogLevel::Debug,
            2 => LogLevel::Information,
            3 => LogLevel::Warning,
            4 => LogLevel::Error,
            5 => LogLevel::Fatal,
            6.. => LogLevel::None,
        })
    }
}
