//! Asks Redis and RabbitMQ whether they respond.

use crate::containers::Service;
use crate::containers::readiness::{NotReady, ask_foreign_rabbitmq, ask_redis};
use crate::provision::questions::{AskServers, Questions};
use crate::provision::world::{Probe, World};
use std::time::Duration;

/// Asks the servers that a decision depends on.
pub(super) async fn ask(world: &mut World, questions: &Questions) {
    let asked = |service| questions.servers == AskServers::All || world.found(service).is_none();
    let redis = questions.redis.clone().filter(|_| asked(Service::Redis));
    let rabbitmq = questions
        .rabbitmq
        .clone()
        .filter(|_| asked(Service::RabbitMq));
    let ask_redis = async {
        let asked = redis?;
        let result = match questions.postponed.contains(&Service::Redis) {
            true => Err(NotReady::NotAsked),
            false => ask_redis(&asked, questions.within).await,
        };
        Some(Probe { asked, result })
    };
    let ask_rabbitmq = async {
        let asked = rabbitmq?;
        let result = match questions.postponed.contains(&Service::RabbitMq) {
            true => Err(NotReady::NotAsked),
            false => ask_foreign_rabbitmq(&asked, questions.within).await,
        };
        Some(Probe { asked, result })
    };
    (world.redis, world.rabbitmq) = tokio::join!(ask_redis, ask_rabbitmq);
}

/// Asks the servers that were not to be asked before the plan was agreed to.
pub async fn ask_postponed(world: &mut World, within: Duration) {
    if let Some(Probe { asked, result }) = &mut world.redis
        && *result == Err(NotReady::NotAsked)
    {
        *result = ask_redis(asked, within).await;
    }
    if let Some(Probe { asked, result }) = &mut world.rabbitmq
        && *result == Err(NotReady::NotAsked)
    {
        *result = ask_foreign_rabbitmq(asked, within).await;
    }
}
