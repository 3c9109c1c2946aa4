//! Images that cannot be had or do not run, and registries that ask who we are.

use crate::harness::installation::{Installation, docker, image_with_script};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{Program, run, text};
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::process::Command;

#[test]
#[ignore = "needs Docker: run tests/run"]
fn what_is_wrong_with_images_and_containers_is_said() {
    if !has(
        "what_is_wrong_with_images_and_containers_is_said",
        &[Part::Docker],
    ) {
        return;
    }
    let here = Installation::new();
    let instance = &here.instance;
    let url = &here.url;
    let failing = |arguments: &[&str]| {
        let output = run(here.up(&["--hub-url", url]).args(arguments).arg("--json"));
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), answer["error"].clone())
    };
    let missing = format!("{}/redis:nope", registry().expect("a registry"));
    let (code, error) = failing(&["--redis-image", &missing]);
    assert_eq!(
        (code, &error["code"]),
        (Some(1), &"imageUnavailable".into()),
        "{error}"
    );
    assert!(
        error["message"]
            .as_str()
            .expect("a message")
            .contains("redis:nope")
    );

    let rabbitmq = format!(
        "{}/rabbitmq:3-management-alpine",
        registry().expect("a registry")
    );
    let script = "echo these are my last words; exit 3";
    let broken = image_with_script(&rabbitmq, format!("{instance}:broken"), script);
    let (code, error) = failing(&["--redis-image", &broken]);
    docker(&["rmi", "-f", &broken]);
    assert_eq!(
        (code, &error["code"]),
        (Some(5), &"containerDied".into()),
        "{error}"
    );
    assert!(
        error["why"]
            .as_str()
            .expect("a reason")
            .contains("these are my last words"),
        "{error}"
    );
    assert_eq!(here.leftovers(), "", "what was made is unmade");
    assert!(
        !here
            .folder
            .path()
            .join("harmony/Harmony.SignalR/appsettings.json")
            .exists(),
        "the settings too"
    );
}

/// A registry that lets in only `somebody`, in front of the images that the open one has.
fn guarded_registry(folder: &Folder) -> (Program, String) {
    let hash = run(Command::new("python3").args(["-c", "import crypt; print(crypt.crypt('Open-Sesame', crypt.mksalt(crypt.METHOD_BLOWFISH)), end='')"]));
    folder.write("htpasswd", &format!("somebody:{}\n", text(&hash.stdout)));
    let address = format!("127.0.0.1:{}", free_port());
    let settings = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\nproxy: {{remoteurl: \"http://{}\"}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n",
        folder.path().join("images").display(),
        registry().expect("a registry"),
        folder.path().join("htpasswd").display()
    );
    let settings = folder.write("registry.yml", &settings);
    let program = Program::start(Command::new("docker-registry").arg("serve").arg(settings));
    crate::harness::wait_for("the registry", || {
        std::net::TcpStream::connect(&address).ok()
    });
    (program, address)
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_registry_that_asks_who_we_are_is_told_by_dockers_own_files() {
    if !has(
        "a_registry_that_asks_who_we_are_is_told_by_dockers_own_files",
        &[Part::Docker],
    ) {
        return;
    }
    let here = Installation::new();
    let (_registry, address) = guarded_registry(&here.folder);
    let image = format!("{address}/redis:7-alpine");
    let attempt = |path: Option<&str>| {
        let mut command = here.up_with_redis(&image, &["--json", "--pull", "always"]);
        if let Some(path) = path {
            command.env(
                "PATH",
                format!("{path}:{}", std::env::var("PATH").expect("a path")),
            );
        }
        run(&mut command)
    };
    let refused = attempt(None);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stdout).contains("docker login"),
        "{}",
        text(&refused.stdout)
    );
    // As `docker login` writes it.
    here.folder.write(
        "home/.docker/config.json",
        &format!(
            "{{\"auths\": {{\"{address}\": {{\"auth\": \"c29tZWJvZHk6T3Blbi1TZXNhbWU=\"}}}}}}"
        ),
    );
    let welcome = attempt(None);
    assert!(
        welcome.status.success(),
        "{}{}",
        text(&welcome.stdout),
        text(&welcome.stderr)
    );
    here.json(&["down", "--yes"]);
    // By a helper.
    here.folder.script("bin/docker-credential-test", &format!("#!/bin/sh\nread registry\n[ \"$registry\" = {address} ] && echo '{{\"ServerURL\":\"\",\"Username\":\"somebody\",\"Secret\":\"Open-Sesame\"}}'\n"));
    here.folder
        .write("home/.docker/config.json", "{\"credsStore\": \"test\"}");
    let welcome = attempt(Some(&here.folder.path().join("bin").display().to_string()));
    assert!(
        welcome.status.success(),
        "{}{}",
        text(&welcome.stdout),
        text(&welcome.stderr)
    );
    run(Command::new("docker").args(["rmi", "-f", &image]));
}
