//! `publish`: what the hub would reject is not sent, and what became of the rest is said.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, harmony, run, text};
use crate::harness::services::{RabbitMq, refhub};
use crate::harness::{Folder, wait_for};
use serde_json::{Value, json};

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
const TITLE: [&str; 5] = [
    "publish",
    "CardTitleChanged",
    "--board",
    BOARD,
    "--field=Title=Hello",
];

fn published(folder: &Folder, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(harmony(folder.path()).args(arguments).arg("--json"));
    let answer = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    (output.status.code(), answer)
}

/// Settings of a hub that uses a RabbitMQ.
fn settings(folder: &Folder, rabbitmq: &RabbitMq) {
    let settings = json!({ "BrokerConfiguration": {
        "Host": "127.0.0.1", "Port": rabbitmq.port, "VirtualHost": rabbitmq.virtual_host
    }});
    folder.write(
        "harmony/Harmony.SignalR/appsettings.json",
        &settings.to_string(),
    );
}

#[test]
fn what_the_hub_would_reject_is_refused_before_it_is_sent() {
    let folder = Folder::new();
    for (arguments, reason) in [
        (&["publish", "BranchCreated"][..], "SerialKey"),
        (
            &["publish", "CardTitleChanged", "--board", "today"],
            "BoardId",
        ),
    ] {
        let (code, answer) = published(&folder, arguments);
        assert_eq!(code, Some(2), "{answer}");
        assert_eq!(answer["error"]["code"], "notification");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(reason), "{answer}");
    }
    folder.write("body.json", "{\"BoardId\": 5}");
    let (code, answer) = published(
        &folder,
        &["publish", "CardTitleChanged", "--body", "body.json"],
    );
    assert_eq!(code, Some(2), "{answer}");
    assert!(
        answer["error"]["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("--no-check"))
    );
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn an_unroutable_message_is_an_error() {
    if !has("an_unroutable_message_is_an_error", &[Part::RabbitMq]) {
        return;
    }
    let (folder, rabbitmq) = (Folder::new(), RabbitMq::start());
    settings(&folder, &rabbitmq);
    let (code, answer) = published(&folder, &TITLE);
    assert_eq!(code, Some(1), "{answer}");
    assert_eq!(answer["error"]["code"], "unroutable");
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn a_message_in_the_queue_says_how_many_hubs_consume_it() {
    if !has(
        "a_message_in_the_queue_says_how_many_hubs_consume_it",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let (folder, rabbitmq) = (Folder::new(), RabbitMq::start());
    settings(&folder, &rabbitmq);
    let arguments = rabbitmq.arguments();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut hub = Hub::start(&arguments);
    hub.wait_until_ready();
    let (code, answer) = published(&folder, &TITLE);
    assert_eq!(code, Some(0), "{answer}");
    assert_eq!(
        (&answer["outcome"], &answer["consumers"]),
        (&json!("queued"), &json!(1))
    );
    hub.program.stop();
    let output = run(harmony(folder.path()).args(TITLE));
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("queued, no consumers"));
    assert!(text(&output.stderr).contains("no hub consumes the queue"));
}

#[test]
#[ignore = "needs RabbitMQ and the .NET peer: run tests/run"]
fn the_dotnet_hubs_consumer_is_counted() {
    if !has(
        "the_dotnet_hubs_consumer_is_counted",
        &[Part::RabbitMq, Part::Peer],
    ) {
        return;
    }
    let (folder, rabbitmq) = (Folder::new(), RabbitMq::start());
    settings(&folder, &rabbitmq);
    let _dotnet = refhub(None, Some(&rabbitmq));
    wait_for("the .NET hub's consumer", || {
        let (_, answer) = published(&folder, &TITLE);
        (answer["outcome"] == "queued" && answer["consumers"] == 1).then_some(())
    });
}
