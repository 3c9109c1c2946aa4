//! What clients are told of calls that fail (protocol.md, "Error texts").

use crate::signalr::hub::Refusal;

pub(super) fn failed(target: &str) -> String {
    format!("An unexpected error occurred invoking '{target}' on the server.")
}

pub(super) fn too_many_streams(target: &str) -> String {
    format!("{} HubException: too many streams", failed(target))
}

/// The text for a client whose call did not start.
pub(super) fn refusal_text(refusal: &Refusal, target: &str, detailed: bool) -> String {
    let unable = format!("Failed to invoke '{target}' due to an error on the server.");
    match refusal {
        Refusal::NoSuchMethod => format!("{unable} HubException: Method does not exist."),
        Refusal::Arguments(error) if detailed => {
            format!("{unable} InvalidDataException: {error}")
        }
        Refusal::Arguments(_) => unable,
        Refusal::Failed(error) => failed(target) + &error.suffix(detailed),
        Refusal::Streams { sent, expected } => format!(
            "{} HubException: Client sent {sent} stream(s), Hub method expects {expected}.",
            failed(target)
        ),
    }
}
