//! Installations of a test's own, brought down when the test ends, however it ends.

use super::parts::registry;
use super::program::{harmony, run, text};
use super::{Folder, free_port, unique};
use serde_json::Value;
use std::process::Command;

/// An instance with a name, a folder and an address of its own.
pub struct Installation {
    pub folder: Folder,
    pub instance: String,
    /// Where its hub may listen.
    pub url: String,
    /// Where its containers are reached, unless a test says otherwise: the usual ports may be
    /// anybody's.
    pub redis_port: String,
    pub rabbitmq_port: String,
}

impl Installation {
    pub fn new() -> Self {
        Installation {
            folder: Folder::new(),
            instance: unique("t"),
            url: format!("http://localhost:{}", free_port()),
            redis_port: free_port().to_string(),
            rabbitmq_port: free_port().to_string(),
        }
    }

    /// In a checkout of the given layout.
    pub fn in_checkout(layout: fn(&Folder)) -> Self {
        let installation = Installation::new();
        layout(&installation.folder);
        installation
    }

    /// `harmony` with arguments, for this instance.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = harmony(self.folder.path());
        command.args(arguments).args(["--instance", &self.instance]);
        command
    }

    /// `harmony up` with both servers as containers, their images from the local registry.
    pub fn up(&self, arguments: &[&str]) -> Command {
        let mut command = self.up_again(arguments);
        add_missing(&mut command, arguments, "--redis-port", &self.redis_port);
        add_missing(
            &mut command,
            arguments,
            "--rabbitmq-port",
            &self.rabbitmq_port,
        );
        command
    }

    /// The same, on the ports that the instance remembers.
    pub fn up_again(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["up", "--yes"]);
        command
            .args(["--image-registry", &registry().expect("a registry")])
            .args(["--redis", "container", "--rabbitmq", "container"])
            .args(arguments);
        command
    }

    /// `harmony up` with Redis as a container of an image, and no RabbitMQ.
    pub fn up_with_redis(&self, image: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(&["up", "--yes", "--hub-url", &self.url]);
        command
            .args(["--redis", "container", "--rabbitmq", "embedded"])
            .args(["--redis-image", image])
            .args(arguments);
        add_missing(&mut command, arguments, "--redis-port", &self.redis_port);
        command
    }

    /// What a command answers as JSON; it must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        json(&mut self.command(arguments))
    }

    /// Clients receive what is published.
    pub fn assert_verified(&self) {
        let verified = self.json(&["verify"]);
        assert_eq!(verified["ok"], true, "{verified}");
    }

    /// Takes everything down, data included.
    pub fn remove(&self) -> Value {
        self.json(&["down", "--volumes", "--yes"])
    }

    /// The name of a service's container.
    pub fn container(&self, service: &str) -> String {
        format!("harmony-{}-{service}", self.instance)
    }

    /// Everything in Docker that belongs to it.
    pub fn leftovers(&self) -> String {
        leftovers(&self.instance)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        run(&mut self.command(&["down", "--volumes", "--yes"]));
    }
}

/// Gives an option to a command whose arguments lack it.
fn add_missing(command: &mut Command, arguments: &[&str], option: &str, value: &str) {
    if !arguments.contains(&option) {
        command.args([option, value]);
    }
}

/// What a command answers as JSON; it must succeed.
pub fn json(command: &mut Command) -> Value {
    let output = run(command.arg("--json"));
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

/// What the `docker` command prints; it must succeed.
pub fn docker(arguments: &[&str]) -> String {
    let output = run(Command::new("docker").args(arguments));
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Everything in Docker that carries an instance's label.
pub fn leftovers(instance: &str) -> String {
    let label = format!("label=harmony.instance={instance}");
    let list = |kind: &[&str]| docker(&[kind, &["-q", "--filter", &label]].concat());
    let images = docker(&["images", "-q", &format!("harmony-{instance}-signalr")]);
    list(&["ps", "-a"]) + &list(&["volume", "ls"]) + &list(&["network", "ls"]) + &images
}

/// Makes an image of `base` that runs a shell script whatever it is told to run; its name.
pub fn image_with_script(base: &str, name: String, script: &str) -> String {
    docker(&["pull", "-q", base]);
    let container = docker(&["create", base, "true"]);
    let entry = format!("ENTRYPOINT [\"/bin/sh\",\"-c\",\"{script}\"]");
    docker(&["commit", "--change", &entry, container.trim(), &name]);
    docker(&["rm", "-v", container.trim()]);
    name
}
