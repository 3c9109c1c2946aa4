//! Messages for a hub, into RabbitMQ and out of it.

use harmony::broker::{Broker, BrokerError, REJECTED_QUEUE};
use harmony::connection_string::amqp::BrokerAddress;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// A notification as Harmony.Api writes it.
pub fn message(number: usize, board: &str) -> String {
    format!(
        "{{\"BoardId\":\"{board}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"card number {number}\"}}"
    )
}

#[derive(Clone, Copy)]
pub enum Pace {
    Every(Duration),
    /// None waits for the one before it.
    AtOnce,
}

/// Publishes through RabbitMQ, to one board after the other; notes when.
pub fn publish(
    address: &BrokerAddress,
    boards: &[String],
    messages: usize,
    pace: Pace,
    when: &mut Vec<Instant>,
) {
    runtime().block_on(async {
        let broker = Broker::connect(address, "bench", Duration::from_secs(10)).await.expect("RabbitMQ");
        let bodies: Vec<_> = (0..messages).map(|number| message(number, &boards[number % boards.len()])).collect();
        let publish = |body| broker.publish("CardTitleChanged", body);
        let mut sent = futures_util::stream::FuturesUnordered::new();
        let began = Instant::now();
        for (number, body) in bodies.iter().enumerate() {
            if let Pace::Every(pause) = pace {
                // Those before it go on meanwhile: publishing takes several round trips.
                let mut due = std::pin::pin!(tokio::time::sleep_until((began + pause * number as u32).into()));
                loop {
                    tokio::select! {
                        () = &mut due => break,
                        Some(taken) = futures_util::StreamExt::next(&mut sent) => Result::<(), BrokerError>::expect(taken, "a message"),
                    }
                }
            }
            when.push(Instant::now());
            sent.push(publish(body.as_bytes()));
        }
        while let Some(taken) = futures_util::StreamExt::next(&mut sent).await {
            taken.expect("a message");
        }
        drop(sent);
        broker.close().await;
    });
}

/// Returns once a hub takes the messages.
pub fn wait_for_consumer(address: &BrokerAddress) {
    let deadline = Instant::now() + Duration::from_secs(30);
    runtime().block_on(async {
        let broker = Broker::connect(address, "bench", Duration::from_secs(10))
            .await
            .expect("RabbitMQ");
        broker.declare().await.expect("a queue");
        while broker.consumers().await.expect("a look") == 0 {
            assert!(Instant::now() < deadline, "no hub consumes");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        broker.close().await;
    });
}

/// Says when one of so many messages has come, as a hub takes them.
pub fn consume(address: &BrokerAddress, messages: usize) -> Receiver<()> {
    let (ready, consuming) = sync_channel(0);
    let (sender, receiver) = channel();
    let address = address.clone();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let broker = Broker::connect(&address, "bench", Duration::from_secs(10))
                .await
                .expect("RabbitMQ");
            broker.declare().await.expect("a queue");
            let mut coming = broker.consume(200).await.expect("a consumer");
            ready.send(()).expect("somebody who waits");
            for _ in 0..messages {
                let batch = coming.next_batch(1).await.expect("a message");
                sender.send(()).expect("somebody who listens");
                broker
                    .acknowledge_up_to(batch[0].tag())
                    .await
                    .expect("an acknowledgement");
            }
            broker.close().await;
        });
    });
    consuming.recv().expect("a consumer");
    receiver
}

/// A connection of the library's own, which reads anything.
async fn connected(port: u16) -> (Connection, Channel) {
    let uri = format!("amqp://127.0.0.1:{port}/%2f");
    let connection = Connection::connect(&uri, ConnectionProperties::default());
    let connection = connection.await.expect("RabbitMQ");
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Deletes what was set aside and kept, so that RabbitMQ does not work on it beside the next load.
pub fn forget(port: u16) {
    runtime().block_on(async {
        let (connection, channel) = connected(port).await;
        let options = QueuePurgeOptions::default();
        let _ = channel.queue_purge(KEPT.into(), options).await;
        // There is none before the first message.
        let _ = channel.queue_purge(REJECTED_QUEUE.into(), options).await;
        let _ = connection.close(200, "done".into()).await;
    });
}

/// A queue like that of the messages set aside.
pub const KEPT: &str = "harmony.bench.kept";

/// A queue whose messages somebody takes and forgets; its name. Beside it, [`KEPT`].
pub fn drain(port: u16) -> String {
    let (ready, consuming) = sync_channel(0);
    std::thread::spawn(move || {
        runtime().block_on(async {
            let (_connection, channel) = connected(port).await;
            let own = QueueDeclareOptions {
                exclusive: true,
                ..QueueDeclareOptions::default()
            };
            let queue = channel
                .queue_declare("".into(), own, FieldTable::default())
                .await;
            let name = queue.expect("a queue").name().to_string();
            let (durable, mut limits) = (QueueDeclareOptions::durable(), FieldTable::default());
            limits.insert("x-max-length-bytes".into(), AMQPValue::LongInt(256 << 20));
            limits.insert("x-expires".into(), AMQPValue::LongInt(600_000));
            let kept = channel.queue_declare(KEPT.into(), durable, limits).await;
            kept.expect("a queue");
            let at_once = BasicConsumeOptions {
                no_ack: true,
                ..BasicConsumeOptions::default()
            };
            let taken = channel.basic_consume(
                name.as_str().into(),
                "drain".into(),
                at_once,
                FieldTable::default(),
            );
            let mut taken = taken.await.expect("a consumer");
            ready.send(name).expect("somebody who waits");
            while futures_util::StreamExt::next(&mut taken).await.is_some() {}
        });
    });
    consuming.recv().expect("a queue")
}
