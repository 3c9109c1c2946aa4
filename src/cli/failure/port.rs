//! A port that is in use.

use crate::cli::failure::{Exit, Failure};

/// A port that another program has.
pub fn port_in_use(port: u16, holder: Option<&str>) -> Failure {
    let why = holder.map_or_else(
        || "cannot tell which program uses it".to_owned(),
        |holder| format!("{holder} uses it"),
    );
    let fix = match holder.is_some_and(is_dotnet_hub) {
        true => "to use that hub, run 'harmony up --hub none'; else stop it",
        false => {
            "stop that program, or choose another port: --redis-port, --rabbitmq-port, --hub-url"
        }
    };
    Failure::new(Exit::Failed, "portInUse", format!("port {port} is in use"))
        .why(why)
        .fix(fix)
}

/// Whether a program is what Visual Studio and `dotnet run` start for Harmony's own hub.
pub fn is_dotnet_hub(holder: &str) -> bool {
    let name = holder
        .split(" (pid")
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    // The system cuts long names.
    ["dotnet", "iisexpress"].contains(&name) || name.starts_with("harmony.signal")
}
