//! Rejected messages as they are shown, in a list and whole.

use crate::broker::rejected::Rejected;
use crate::moment;
use crate::terminal::safe::{Neutral, neutral_lines};
use serde::Serialize;
use std::fmt;

/// A body's beginning that a list shows.
const GLIMPSE: usize = 60;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectedRow {
    number: usize,
    reason: Option<String>,
    #[serde(rename = "type")]
    notification: Option<String>,
    routing_key: Option<String>,
    rejected_at: Option<String>,
    bytes: usize,
    body: String,
    /// How many headers were left out because they were long or nested.
    headers_omitted: i64,
    /// The size of a body that was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_omitted: Option<i64>,
    /// Whether it is shown whole.
    #[serde(skip)]
    whole: bool,
}

impl RejectedRow {
    pub(super) fn of(number: usize, rejected: &Rejected, whole: bool) -> Self {
        RejectedRow {
            number,
            reason: rejected.reason(),
            notification: rejected.notification_type(),
            routing_key: rejected.routing_key(),
            rejected_at: rejected.rejected_at().and_then(moment::of_seconds),
            bytes: rejected.body().len(),
            body: String::from_utf8_lossy(rejected.body()).into_owned(),
            headers_omitted: rejected.headers_omitted(),
            body_omitted: rejected.body_omitted(),
            whole,
        }
    }

    /// What was left out when the message was set aside; empty where it is whole.
    fn omissions(&self) -> String {
        let body = self
            .body_omitted
            .map(|bytes| format!("the body of {bytes} bytes"));
        let headers = match self.headers_omitted {
            0 => None,
            1 => Some("1 header".to_owned()),
            count => Some(format!("{count} headers")),
        };
        let omitted: Vec<_> = body.into_iter().chain(headers).collect();
        omitted.join(" and ")
    }
}

impl fmt::Display for RejectedRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RejectedRow {
            number,
            reason,
            notification,
            bytes,
            body,
            ..
        } = self;
        let name = Neutral(notification.as_deref().unwrap_or("(no type)"));
        let reason = Neutral(reason.as_deref().unwrap_or("(no reason)"));
        let omissions = self.omissions();
        if self.whole {
            let body = neutral_lines(body);
            write!(
                formatter,
                "type    {name}\nreason  {reason}\nbytes   {bytes}\n"
            )?;
            if !omissions.is_empty() {
                writeln!(formatter, "omitted {omissions}")?;
            }
            return write!(formatter, "\n{body}");
        }
        let glimpse: String = body.chars().take(GLIMPSE).collect();
        let glimpse = Neutral(&glimpse);
        write!(formatter, "{number:>4}  {name}  {reason}\n      {glimpse}")?;
        if omissions.is_empty() {
            return Ok(());
        }
        write!(formatter, "(without {omissions})")
    }
}

#[derive(Serialize)]
pub(super) struct RejectedList {
    pub(super) rejected: Vec<RejectedRow>,
}

impl fmt::Display for RejectedList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rejected.is_empty() {
            return formatter.write_str("No messages were rejected.");
        }
        let lines: Vec<_> = self.rejected.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

#[derive(Serialize)]
pub(super) struct QueueChange {
    pub(super) changes: usize,
    #[serde(skip)]
    pub(super) what: &'static str,
}

impl fmt::Display for QueueChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueChange { changes, what } = self;
        write!(
            formatter,
            "{changes} {} {what}.",
            if *changes == 1 { "message" } else { "messages" }
        )
    }
}
