//! What the instance's hub says of itself on its admin listener: what became of notifications.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::admin_token;
use crate::hub_client::http::{self, Exchange};
use crate::hub_process;
use crate::secret::Secret;
use std::time::Duration;
use url::Url;

const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// The hub counts a message when it takes it, and only then looks into it.
const JUDGE_WITHIN: Duration = Duration::from_millis(200);

/// Notifications since the hub started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub taken: u64,
    pub ignored: u64,
    pub rejected: u64,
}

impl Counters {
    /// From OpenMetrics text.
    pub fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| {
                let value = line.strip_prefix(name)?.strip_prefix("_total ")?;
                value.split(' ').next()?.parse().ok()
            });
            line.unwrap_or_default()
        };
        Counters {
            taken: value("harmony_hub_notifications"),
            ignored: value("harmony_hub_notifications_ignored"),
            rejected: value("harmony_hub_notifications_rejected"),
        }
    }
}

/// An admin listener, and what opens it.
pub struct AdminAccess {
    url: Url,
    token: Secret,
}

impl AdminAccess {
    /// One of its addresses.
    pub fn at(&self, path: &str) -> Result<Url, Failure> {
        self.url.join(path).map_err(unusable)
    }

    /// The value of the header that every request has to bring.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.token.reveal())
    }
}

impl std::fmt::Display for AdminAccess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.url.fmt(formatter)
    }
}

fn unusable(error: url::ParseError) -> Failure {
    Failure::new(Exit::Failed, "adminUrl", error.to_string())
}

/// The admin listener of the hub that runs; `None` where none does.
pub fn admin_access(context: &Context) -> Result<Option<AdminAccess>, Failure> {
    let state = context.instance.state()?;
    let url = match hub_process::find(&context.instance)? {
        Some(running) => running.admin_url,
        None if state.hub_in_container => state.admin_url(),
        None => return Ok(None),
    };
    if url.is_empty() {
        return Ok(None);
    }
    let file = context.instance.folder.join(admin_token::FILE);
    let token = admin_token::read(&file).map_err(|error| {
        let what = format!("cannot read the hub's admin token {}", file.display());
        Failure::new(Exit::Failed, "adminToken", what)
            .why(error.to_string())
            .fix("run it as the user that started the hub, or start the hub anew: harmony up")
    })?;
    let url = Url::parse(&url).map_err(unusable)?;
    Ok(Some(AdminAccess { url, token }))
}

/// The counters now; `None` where the hub does not say.
pub async fn read(admin: &AdminAccess) -> Option<Counters> {
    let (url, authorization) = (admin.at("/metrics").ok()?, admin.authorization());
    let request = Exchange::new(hyper::Method::GET, &url).header("Authorization", &authorization);
    let response = http::send(&request, ANSWER_WITHIN).await.ok()?;
    (response.status == 200).then(|| Counters::parse(&response.body))
}

/// Waits until the hub has taken more than before; what it counts then. `None` where it does not
/// within the time.
pub async fn await_more(
    admin: &AdminAccess,
    before: Counters,
    limit: Duration,
) -> Option<Counters> {
    let taking = async {
        loop {
            if let Some(now) = read(admin).await
                && now.taken > before.taken
            {
                return now;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    let taken = tokio::time::timeout(limit, taking).await.ok()?;
    let judging = async {
        loop {
            match read(admin).await {
                Some(now) if (now.ignored, now.rejected) != (before.ignored, before.rejected) => {
                    return now;
                }
                _ => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    };
    let judged = tokio::time::timeout(JUDGE_WITHIN, judging).await;
    Some(judged.unwrap_or(taken))
}
