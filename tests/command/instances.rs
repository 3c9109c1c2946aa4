//! Several instances, and several runs, on one machine.

use super::bare::Down;
use super::docker::with;
use super::faults::error;
use crate::harness::installation::{Installation, docker, image_with_script, json, leftovers};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::Program;
use crate::harness::{Folder, free_port, unique};

#[test]
#[ignore = "needs Docker: run tests/run"]
fn instances_with_like_names_do_not_touch_each_other() {
    if !has(
        "instances_with_like_names_do_not_touch_each_other",
        &[Part::Docker],
    ) {
        return;
    }
    // One's name is the beginning of the other's, and of its containers'.
    let (folder, one) = (Folder::new(), unique("t"));
    let other = format!("{one}-redis");
    let _downs = [&one, &other].map(|name| Down(&folder, vec!["--instance".into(), name.clone()]));
    let up = |instance: &str| {
        let image = format!("{}/redis:7-alpine", registry().expect("a registry"));
        let (url, port) = (
            format!("http://localhost:{}", free_port()),
            free_port().to_string(),
        );
        let checkout = folder.path().join(instance).display().to_string();
        std::fs::create_dir_all(&checkout).expect("a folder");
        json(
            with(
                &folder,
                instance,
                &[
                    "up",
                    "--yes",
                    "--checkout",
                    &checkout,
                    "--redis",
                    "container",
                    "--rabbitmq",
                    "embedded",
                ],
            )
            .args([
                "--redis-image",
                &image,
                "--hub-url",
                &url,
                "--redis-port",
                &port,
            ]),
        )
    };
    let (first, second) = (up(&one), up(&other));
    assert_ne!(first["redis"]["container"], second["redis"]["container"]);
    assert_eq!(
        json(&mut with(&folder, &one, &["down", "--volumes", "--yes"]))["changes"],
        2
    );
    assert_eq!(leftovers(&one), "");
    let status = json(&mut with(&folder, &other, &["status"]));
    assert_eq!(
        [&status["redis"]["state"], &status["hub"]["state"]],
        ["running", "running"],
        "{status}"
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn while_one_works_the_other_is_told_and_what_never_answers_is_given_up_in_time() {
    if !has(
        "while_one_works_the_other_is_told_and_what_never_answers_is_given_up_in_time",
        &[Part::Docker],
    ) {
        return;
    }
    let here = Installation::new();
    let instance = &here.instance;
    // A Redis that starts and says nothing.
    let image = format!("{}/redis:7-alpine", registry().expect("a registry"));
    let silent = image_with_script(&image, format!("{instance}:silent"), "sleep 1000");
    let port = free_port().to_string();
    let up = |timeout: &str| {
        here.up_with_redis(
            &silent,
            &[
                "--timeout",
                timeout,
                "--redis-port",
                &port,
                "--bind",
                "0.0.0.0",
            ],
        )
    };
    let mut first = Program::start(&mut up("60s"));
    let said = first.wait_for_line("published on 0.0.0.0: ");
    assert!(
        said.contains("who reaches that address reaches them"),
        "{said}"
    );
    let (code, second) = error(&mut up("60s"));
    assert_eq!(
        (code, &second["code"]),
        (Some(1), &"instanceBusy".into()),
        "{second}"
    );
    assert!(
        second["message"]
            .as_str()
            .expect("words")
            .contains("harmony up --yes (pid "),
        "{second}"
    );
    first.signal(rustix::process::Signal::INT);
    first.wait();
    let (code, late) = error(&mut up("1500ms"));
    assert_eq!(
        (code, &late["code"]),
        (Some(5), &"serviceNotReady".into()),
        "{late}"
    );
    docker(&["rmi", "-f", &silent]);
    assert_eq!(here.leftovers(), "");
}
