//! What Docker refuses, in its own words or in ours.

use crate::containers::whereabouts::WhereaboutsError;
use bollard::errors::Error;

/// What Docker did not do, and why.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DockerError {
    #[error("{0}")]
    Context(#[from] WhereaboutsError),
    #[error("nothing is at {0}")]
    NoSocket(String),
    #[error("this user may not use {0}")]
    NotPermitted(String),
    #[error("the engine at {host} does not answer: {error}")]
    NotRunning { host: String, error: String },
    #[error("cannot get image {image}: {error}")]
    Image { image: String, error: String },
    #[error("port {port} is taken")]
    PortTaken { port: u16 },
    #[error("{what}: {error}")]
    Refused { what: String, error: String },
}

pub(super) fn refused(what: impl Into<String>) -> impl FnOnce(Error) -> DockerError {
    let what = what.into();
    move |error| match error {
        Error::DockerResponseServerError { message, .. } => match taken_port(&message) {
            Some(port) => DockerError::PortTaken { port },
            None => DockerError::Refused {
                what,
                error: message,
            },
        },
        error => DockerError::Refused {
            what,
            error: with_causes(&error),
        },
    }
}

/// An error with what caused it, which its own text leaves out.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The port in the engine's "address already in use" messages.
fn taken_port(message: &str) -> Option<u16> {
    let taken = message.contains("already in use") || message.contains("port is already allocated");
    let before = message.split(": bind: address").next().unwrap_or(message);
    let before = before
        .split(" failed: port is already")
        .next()
        .unwrap_or(before);
    before
        .rsplit(':')
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .ok()
        .filter(|_| taken)
}

/// What an engine does not know is none; other failures stay failures.
pub(super) fn absent<T>(error: Error, what: String) -> Result<Option<T>, DockerError> {
    match error {
        Error::DockerResponseServerError {
            status_code: 404, ..
        } => Ok(None),
        error => Err(refused(what)(error)),
    }
}

/// What is to be gone may be gone already.
pub(super) fn gone_is_fine(result: Result<(), Error>, what: String) -> Result<(), DockerError> {
    match result {
        Err(Error::DockerResponseServerError {
            status_code: 404 | 304,
            ..
        }) => Ok(()),
        result => result.map_err(refused(what)),
    }
}

/// The engine's own message, without the status around it.
pub(super) fn message(error: Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. }
        | Error::DockerStreamError { error: message } => message,
        error => with_causes(&error),
    }
}
