//! `harmony wait`: returns once everything of the instance is healthy.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::Shown;
use super::status;
use crate::hub_client::HubClient;
use crate::provision::report::{Report, ServiceState};
use std::time::{Duration, Instant};
use url::Url;

const ASK_AGAIN: Duration = Duration::from_millis(200);
const ASK_WITHIN: Duration = Duration::from_secs(2);

pub async fn run(context: &Context) -> Result<(), Failure> {
    let deadline = Instant::now() + context.timeout;
    let step = context.terminal.step("waiting until everything is healthy");
    loop {
        // An engine that cannot be asked yet may be so later.
        let missing = match status::look(context).await {
            Ok((_, Some(failure))) | Err(failure) => failure.in_words().0,
            Ok((report, None)) => {
                let missing = unhealthy(context, &report).await?;
                if missing.is_empty() {
                    drop(step);
                    context.terminal.result(&Shown(&report));
                    return Ok(());
                }
                missing.join(", ")
            }
        };
        if Instant::now() > deadline {
            return Err(Failure::new(
                Exit::NotReady,
                "notReady",
                format!("not everything is healthy within {:?}", context.timeout),
            )
            .why(missing)
            .fix("'harmony doctor' shows what is wrong; --timeout allows more time"));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// What is not healthy, in words.
async fn unhealthy(context: &Context, report: &Report) -> Result<Vec<String>, Failure> {
    let fine = |state| {
        matches!(
            state,
            ServiceState::Running | ServiceState::External | ServiceState::Embedded
        )
    };
    let mut missing = Vec::new();
    // With --hub none somebody else's hub is at the address.
    if !fine(report.hub.state) && !answers(&context.instance.state()?.hub_url).await {
        missing.push(format!("the hub is {}", report.hub.state));
    }
    for (name, state) in [
        ("Redis", report.redis.state),
        ("RabbitMQ", report.rabbitmq.state),
    ] {
        if !fine(state) {
            missing.push(format!("{name} is {}", state));
        }
    }
    Ok(missing)
}

async fn answers(hub: &str) -> bool {
    match Url::parse(hub) {
        Ok(url) => HubClient::connect(&url, ASK_WITHIN).await.is_ok(),
        Err(_) => false,
    }
}
