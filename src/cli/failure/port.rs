//! A port that is in use.

use crate::cli::failure::{Exit, Failure};

/// A port that another program has.
pub fn port_in_use(port: u16, holder: Option<&str>) -> Failure {
    let why = holder.map_or_else(
        || "cannot tell which program uses it".to_owned(),
        |holder| format!("{holder} uses it"),
    );
    Failure::new(Exit::Failed, "portInUse", format!("port {port} is in use"))
        .why(why)
        .fix("stop that program, or choose another port: --redis-port, --rabbitmq-port, --hub-url")
}
