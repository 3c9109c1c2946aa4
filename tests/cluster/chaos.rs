//! Numbered messages through hubs, Redis and RabbitMQ while these die, restart and are cut off:
//! every one is counted.
//!
//! `HARMONY_CHAOS_SECONDS=600 HARMONY_CHAOS_SEED=1 tests/run cluster::chaos::random` for a long run
//! of random faults; `HARMONY_CHAOS_TABLE=1 tests/run cluster::chaos::table` for the table beside
//! the .NET hub.

mod cluster;
mod listener;
mod publisher;
mod rabbitmq;
mod servers;
pub mod way;

use crate::harness::parts::{Part, has};
use crate::harness::{Random, wait_for};
use cluster::{Cluster, Fault, Kind, Store, pause};
use publisher::Publisher;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use way::Passage;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
/// How long after the last fault, or after the last that was heard, everything must have been.
const HEAL_WITHIN: Duration = Duration::from_secs(45);

pub fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(task)
}

/// One line of the table.
#[derive(Debug)]
struct Outcome {
    accepted: usize,
    heard: usize,
    lost: usize,
    twice: usize,
    healed: Option<Duration>,
}

/// Publishes, paced or in a burst, lets the fault happen in the middle, and counts what the client
/// on the hub that lives through it all has heard.
fn endure(kind: Kind, fault: Fault, burst: bool) -> Outcome {
    let store = match fault {
        Fault::FailOver => Store::Sentinel,
        Fault::SlotMoved => Store::Cluster,
        _ => Store::Single,
    };
    let mut cluster = Cluster::start(kind, store, fault == Fault::ClockJumps);
    let publisher = Publisher::start(cluster.rabbitmq.address(), if burst { 0 } else { 5 });
    let some = if burst { 5000 } else { 200 };
    wait_for("the first messages", || {
        (publisher.count() > some).then_some(())
    });
    cluster.suffer(fault, &publisher);
    let mended = Instant::now();
    let before = publisher.count();
    wait_for("messages after the fault", || {
        (publisher.count() > before + some).then_some(())
    });
    let accepted = publisher.finish();
    let survivor = &cluster.listeners[1];
    let mut healed = None;
    while mended.elapsed() < HEAL_WITHIN && healed.is_none() {
        if survivor.lost(&accepted) == 0 {
            healed = Some(mended.elapsed());
        }
        // A hub that died hears nothing any more.
        let dead = cluster.hubs[1]
            .as_mut()
            .is_none_or(|hub| hub.program().has_ended());
        if dead && mended.elapsed() > Duration::from_secs(15) {
            break;
        }
        pause(20);
    }
    let lost = survivor.lost(&accepted);
    Outcome {
        accepted: accepted.len(),
        heard: accepted.len() - lost,
        lost,
        twice: survivor.twice(),
        healed,
    }
}

const TABLE: [(&str, Fault, bool); 23] = [
    ("nothing, burst", Fault::Nothing, true),
    ("hub killed, idle", Fault::Kill, false),
    ("hub killed, burst", Fault::Kill, true),
    ("hub stopped, burst", Fault::Stop, true),
    ("hub frozen 4 s", Fault::Freeze, false),
    ("Redis away 1 s", Fault::RedisRestart(1000), false),
    ("Redis away 30 s", Fault::RedisRestart(30_000), false),
    ("RabbitMQ killed", Fault::RabbitMqRestart, false),
    ("listeners cut, burst", Fault::CutListeners, true),
    ("listeners cut", Fault::CutListeners, false),
    ("all of Redis cut", Fault::CutAll, false),
    ("Redis paused 3 s", Fault::RedisPause, false),
    (
        "Redis slow 3 s",
        Fault::RedisWay(Passage::Slow, 3000),
        false,
    ),
    (
        "Redis half-open 8 s",
        Fault::RedisWay(Passage::Silent, 8000),
        false,
    ),
    (
        "RabbitMQ half-open 8 s, burst",
        Fault::RabbitMqWay(Passage::Silent, 8000),
        true,
    ),
    (
        "RabbitMQ half-open 8 s",
        Fault::RabbitMqWay(Passage::Silent, 8000),
        false,
    ),
    ("memory alarm", Fault::MemoryAlarm, false),
    ("queue deleted", Fault::QueueDeleted, false),
    ("broker closes connections", Fault::BrokerCloses, true),
    ("sentinel fails over", Fault::FailOver, false),
    ("cluster: slot moved", Fault::SlotMoved, true),
    ("no file descriptors 3 s", Fault::NoFiles, false),
    ("clock jumps", Fault::ClockJumps, false),
];

#[test]
#[ignore = "needs Redis, RabbitMQ and the .NET peer: run tests/run"]
fn table() {
    // Some minutes: only where it is asked for. The faults themselves are in the random run as
    // well.
    let Some(wanted) = std::env::var_os("HARMONY_CHAOS_TABLE") else {
        return;
    };
    if !has("table", &[Part::Redis, Part::RabbitMq, Part::Peer]) {
        return;
    }
    // One line alone by its name.
    let wanted = wanted.to_string_lossy().into_owned();
    let mut failed = Vec::new();
    eprintln!(
        "{:<28}{:<8}{:>9}{:>9}{:>8}{:>8}{:>11}",
        "fault", "hub", "accepted", "heard", "lost", "twice", "healed ms"
    );
    for (name, fault, burst) in TABLE
        .into_iter()
        .filter(|(name, ..)| wanted.len() < 3 || name.contains(&wanted))
    {
        for kind in [Kind::Ours, Kind::DotNet] {
            if (kind, fault) == (Kind::DotNet, Fault::ClockJumps) {
                eprintln!(
                    "{name:<28}.NET    takes no client within a minute where its clock is another"
                );
                continue;
            }
            let Outcome {
                accepted,
                heard,
                lost,
                twice,
                healed,
            } = endure(kind, fault, burst);
            let healed = healed.map_or_else(
                || "never".to_owned(),
                |healed| healed.as_millis().to_string(),
            );
            let hub = if kind == Kind::Ours { "ours" } else { ".NET" };
            eprintln!("{name:<28}{hub:<8}{accepted:>9}{heard:>9}{lost:>8}{twice:>8}{healed:>11}");
            if kind == Kind::Ours && lost > 0 {
                failed.push(name);
            }
        }
    }
    assert!(failed.is_empty(), "messages were lost: {failed:?}");
}

/// The faults that end quickly, one after the other, in every run of the suite.
#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn what_ails_redis_costs_no_message() {
    if !has(
        "what_ails_redis_costs_no_message",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    for fault in [Fault::FailOver, Fault::SlotMoved] {
        let outcome = endure(Kind::Ours, fault, false);
        assert_eq!(outcome.lost, 0, "{fault:?}: {outcome:?}");
    }
}

/// Each hub appends again what a Redis that begins anew has lost, whichever of their connections is
/// back first.
#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn a_redis_that_comes_back_empty_time_and_again_costs_no_message() {
    if !has(
        "a_redis_that_comes_back_empty_time_and_again_costs_no_message",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let mut cluster = Cluster::start(Kind::Ours, Store::Single, false);
    let publisher = Publisher::start(cluster.rabbitmq.address(), 1);
    for away in [100, 1500, 300, 2900, 50, 700] {
        let before = cluster.listeners[1].count();
        wait_for("messages to flow", || {
            (cluster.listeners[1].count() > before + 200).then_some(())
        });
        // So much at once that what Redis has taken is not what everybody has heard.
        publisher.pause.store(0, Ordering::Relaxed);
        let before = publisher.count();
        wait_for("a burst", || {
            (publisher.count() > before + 3000).then_some(())
        });
        cluster.suffer(Fault::RedisRestart(away), &publisher);
        publisher.pause.store(5, Ordering::Relaxed);
    }
    let accepted = publisher.finish();
    wait_for("all of them", || {
        (cluster.listeners[1].lost(&accepted) == 0).then_some(())
    });
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn random() {
    // A few seconds in every run of the suite; minutes where they are asked for.
    if !has("random", &[Part::Redis, Part::RabbitMq]) {
        return;
    }
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (seconds, seed) = (
        number("HARMONY_CHAOS_SECONDS", 20),
        number("HARMONY_CHAOS_SEED", u64::from(std::process::id())),
    );
    let mut random = Random(seed);
    let mut cluster = Cluster::start(Kind::Ours, Store::Single, false);
    let publisher = Publisher::start(cluster.rabbitmq.address(), 5);
    let (began, mut faults) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(seconds) {
        pause(300 + random.below(1500));
        publisher
            .pause
            .store([0, 2, 5, 20][random.below(4) as usize], Ordering::Relaxed);
        let fault = match random.below(14) {
            0 | 1 => Fault::Kill,
            2 => Fault::Stop,
            3 => Fault::Freeze,
            4 => Fault::RedisRestart(200 + random.below(4000)),
            5 if seconds > 60 => Fault::RabbitMqRestart,
            6 => Fault::CutAll,
            7 => Fault::RedisPause,
            8 => Fault::RedisWay(Passage::Slow, 500 + random.below(2000)),
            9 => Fault::RedisWay(Passage::Silent, 500 + random.below(8000)),
            10 => Fault::RabbitMqWay(Passage::Silent, 500 + random.below(8000)),
            11 if seconds > 60 => Fault::BrokerCloses,
            _ => Fault::CutListeners,
        };
        let before = publisher.count();
        cluster.suffer(fault, &publisher);
        faults.push((fault, before..publisher.count()));
        if cluster.hubs[0].is_none() {
            pause(random.below(1500));
            cluster.start_hub(0);
        }
    }
    publisher.pause.store(5, Ordering::Relaxed);
    let accepted = publisher.finish();
    let survivor = &cluster.listeners[1];
    // What is late is not lost: as long as something comes, more may.
    let (mut heard, mut since) = (0, Instant::now());
    while survivor.lost(&accepted) > 0 && since.elapsed() < HEAL_WITHIN {
        let now = survivor.count();
        if now > heard {
            (heard, since) = (now, Instant::now());
        }
        pause(500);
    }
    let lost = survivor.lost(&accepted);
    eprintln!(
        "seed {seed}, {seconds} s: {} faults, {} accepted, {lost} lost, {} twice",
        faults.len(),
        accepted.len(),
        survivor.twice()
    );
    // Where in the order of what was accepted it was lost, and while what happened.
    for gap in survivor.gaps(&accepted) {
        let near = |during: &Range<usize>| {
            during.start < gap.end && gap.start < during.end + accepted.len() / seconds as usize
        };
        eprintln!(
            "lost {gap:?} near {:?}",
            faults
                .iter()
                .filter(|(_, during)| near(during))
                .collect::<Vec<_>>()
        );
    }
    assert_eq!(lost, 0, "seed {seed}: {faults:?}");
}
