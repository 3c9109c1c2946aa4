//! Harmony's hub assembled: consumer to backplane to connections, health and admin beside them, and
//! an orderly stop.
#![doc = ""]
#![doc = include_str!("hub/contract.md")]

pub mod admin;
pub mod allowed_hosts;
pub mod allowed_origins;
pub mod compose;
pub mod consumer;
pub mod date;
pub mod intake;
pub mod methods;
pub mod notification;
pub mod page;
pub mod settings;
pub mod shape;
pub mod site;
pub mod status;

use crate::hub::admin::Door;
use crate::hub::consumer::Consumer;
use crate::hub::methods::HarmonyHub;
use crate::hub::settings::{HUB_NAME, HubSettings};
use crate::hub::site::HubSite;
use crate::platform;
use crate::signalr::backplane::Backplane;
use crate::signalr::backplane::redis::{RedisBackplane, new_server_name};
use crate::signalr::gate::Gate;
use crate::signalr::serve::{self, ServerListener};
use crate::signalr::server::Server;
use crate::task;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Runs the hub on its listeners until `stop`, then drains it: consuming ends first, what is in
/// flight is finished and acknowledged, then clients are told to reconnect.
pub async fn run(
    mut settings: HubSettings,
    listeners: Vec<ServerListener>,
    admin: Vec<(TcpListener, Door)>,
    stop: CancellationToken,
) {
    let redis = settings.redis.take();
    let methods = HarmonyHub {
        token_secret: settings.token_secret.take(),
    };
    let server = Server::new(methods, settings.options.clone(), |parts| match redis {
        None => Backplane::Local(parts.delivery),
        Some(options) => {
            let name = new_server_name(&platform::host_name());
            Backplane::Redis(RedisBackplane::start(options, HUB_NAME, name, parts))
        }
    });
    let hub = Arc::new(HubSite::new(&settings, server, stop.clone()));
    let gate = Gate::new(
        settings.proxies,
        hub.server.options.gate,
        hub.server.metrics.clone(),
        hub.server.budget.clone(),
    );
    let serving = CancellationToken::new();
    let connections = TaskTracker::new();
    for listener in listeners {
        connections.spawn(serve::accept(
            listener,
            hub.clone(),
            gate.clone(),
            serving.clone(),
            connections.clone(),
        ));
    }
    for (listener, door) in admin {
        connections.spawn(admin::serve(listener, door, hub.clone(), serving.clone()));
    }
    match settings.broker {
        Some(address) => {
            let consumer = Consumer::new(
                address,
                hub.server.clone(),
                hub.status.clone(),
                stop.clone(),
                settings.notifications,
            );
            // A task, since what runs on the main thread is woken across threads for each message.
            if let Err(panicked) = task::spawn(consumer.run()).await {
                std::panic::resume_unwind(panicked.into_panic());
            }
        }
        None => hub.status.set_broker(true),
    }
    stop.cancelled().await;
    tracing::info!("stopping: clients are told to reconnect");
    let deadline = Instant::now() + STOP_WITHIN;
    serving.cancel();
    hub.server.stop(deadline).await;
    connections.close();
    let _ = tokio::time::timeout_at(deadline, connections.wait()).await;
}
