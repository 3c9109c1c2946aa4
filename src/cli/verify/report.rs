//! What `verify` found: each hop, each client, what failed and what to do about it.

use super::super::failure::Failure;
use super::super::source::Receipt;
use super::advice::Advice;
use super::test_client::{TestClient, milliseconds};
use crate::terminal::safe::Neutral;
use serde::Serialize;
use std::fmt;
use std::time::Instant;
use url::Url;

/// One step of a notification's way.
#[derive(Debug, Serialize)]
pub struct Hop {
    hop: String,
    milliseconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Hop {
    pub fn new(hop: String, since: Instant) -> Self {
        Hop {
            hop,
            milliseconds: milliseconds(since),
            why: None,
            fix: None,
        }
    }

    /// What went wrong, and what to do.
    pub fn with(mut self, problem: Option<(String, String)>) -> Self {
        if let Some((why, fix)) = problem {
            (self.why, self.fix) = (Some(why), Some(fix));
        }
        self
    }
}

/// One client.
#[derive(Debug, Serialize)]
pub struct Heard {
    url: String,
    /// How it was connected; `None` for a WebSocket without negotiation, as Harmony.Client does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    pub heard: bool,
    milliseconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    /// It works, but not for every client.
    #[serde(skip)]
    warning: bool,
    /// Nothing was sent that it could have heard.
    #[serde(skip)]
    unproven: bool,
}

impl Heard {
    pub fn of(client: &TestClient) -> Self {
        let problem = client.problem();
        let (why, fix) = problem.unzip();
        Heard {
            url: shown(&client.way.url),
            transport: client.way.transport.map(|transport| transport.name()),
            heard: client.heard && why.is_none(),
            milliseconds: client.milliseconds,
            unproven: why.is_none() && !client.heard,
            why,
            fix,
            warning: false,
        }
    }

    /// A page of another origin may not connect; a failure where that origin was asked about.
    pub fn cors(url: &Url, advice: &Advice, asked: bool) -> Self {
        Heard {
            url: shown(url),
            transport: Some("CORS"),
            heard: false,
            milliseconds: 0.0,
            why: Some(advice.what.clone()),
            fix: Some(advice.fix.clone()),
            warning: !asked,
            unproven: false,
        }
    }

    fn is_fine(&self) -> bool {
        self.heard || self.warning || self.unproven
    }
}

#[derive(Debug, Serialize)]
pub struct Verification {
    pub ok: bool,
    hops: Vec<Hop>,
    instances: Vec<Heard>,
    #[serde(skip)]
    published: bool,
}

impl Verification {
    pub fn of(
        hops: Vec<Hop>,
        instances: Vec<Heard>,
        receipt: Option<&Result<Receipt, Failure>>,
    ) -> Self {
        let refused = receipt.is_some_and(Result::is_err);
        Verification {
            ok: !refused && instances.iter().all(Heard::is_fine),
            hops,
            instances,
            published: receipt.is_some_and(Result::is_ok),
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for hop in &self.hops {
            let sign = if hop.why.is_some() { "FAILED" } else { "ok" };
            writeln!(
                formatter,
                "  {sign:<8}{:<52}{:>9.1} ms",
                hop.hop, hop.milliseconds
            )?;
            problem(formatter, hop.why.as_ref(), hop.fix.as_ref())?;
        }
        let failed: Vec<_> = self
            .hops
            .iter()
            .filter_map(|hop| hop.why.as_ref())
            .collect();
        for client in &self.instances {
            let sign = match client {
                client if client.heard || client.unproven => "ok",
                client if client.warning => "warning",
                _ => "FAILED",
            };
            let transport = client.transport.unwrap_or("WebSocket, not negotiated");
            let result = match client {
                client if client.heard => format!("received after {:.1} ms", client.milliseconds),
                client if client.unproven => "connected".to_owned(),
                client if client.warning => String::new(),
                _ => "NOT received".to_owned(),
            };
            writeln!(
                formatter,
                "  {sign:<8}{} by {transport}: {result}",
                client.url
            )?;
            // What a hop said already is not said again.
            if client
                .why
                .as_ref()
                .is_some_and(|why| !failed.contains(&why))
            {
                problem(formatter, client.why.as_ref(), client.fix.as_ref())?;
            }
        }
        formatter.write_str(match (self.ok, self.published) {
            (true, true) => "Verified: a notification reaches every client.",
            (true, false) => {
                "Clients can connect. No notification was sent: no hub settings are in reach; \
                 --checkout names them."
            }
            (false, _) => "Not verified.",
        })
    }
}

fn problem(
    formatter: &mut fmt::Formatter<'_>,
    why: Option<&String>,
    fix: Option<&String>,
) -> fmt::Result {
    for (label, text) in [("why", why), ("fix", fix)] {
        for line in text.into_iter().flat_map(|text| text.lines()) {
            writeln!(formatter, "          {label}: {}", Neutral(line))?;
        }
    }
    Ok(())
}

fn shown(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
