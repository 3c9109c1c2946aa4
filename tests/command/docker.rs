//! With Docker: containers started, used, found again, and gone without a trace.

use super::bare::{Down, javascript, json};
use super::checkouts::{new_layout, old_layout};
use crate::harness::program::{Program, dotnet, harmony, peer, run, text};
use crate::harness::services::{Part, has, registry};
use crate::harness::{Folder, free_port, unique};
use serde_json::Value;
use std::process::Command;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

/// `harmony up` of an instance, its images from the local registry.
pub(crate) fn up(folder: &Folder, instance: &str, arguments: &[&str]) -> Command {
    let mut command = harmony(folder.path());
    command.args([
        "up",
        "--yes",
        "--instance",
        instance,
        "--image-registry",
        &registry().expect("a registry"),
    ]);
    command
        .args(["--redis", "container", "--rabbitmq", "container"])
        .args(arguments);
    command
}

pub(crate) fn with(folder: &Folder, instance: &str, arguments: &[&str]) -> Command {
    let mut command = harmony(folder.path());
    command.args(arguments).args(["--instance", instance]);
    command
}

pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = run(Command::new("docker").args(arguments));
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

pub(crate) fn down<'f>(folder: &'f Folder, instance: &str) -> Down<'f> {
    Down(folder, vec!["--instance".into(), instance.into()])
}

/// Everything that carries the instance's label.
pub(crate) fn leftovers(instance: &str) -> String {
    let label = format!("label=harmony.instance={instance}");
    let list = |kind: &[&str]| docker(&[kind, &["-q", "--filter", &label]].concat());
    let images = docker(&["images", "-q", &format!("harmony-{instance}-signalr")]);
    list(&["ps", "-a"]) + &list(&["volume", "ls"]) + &list(&["network", "ls"]) + &images
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn from_a_checkout_to_the_official_clients_and_back_to_nothing() {
    const TEST: &str = "from_a_checkout_to_the_official_clients_and_back_to_nothing";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    new_layout(&folder);
    let _down = down(&folder, &instance);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut up(&folder, &instance, &["--hub-url", &url]));
    for service in ["redis", "rabbitmq"] {
        assert_eq!(first[service]["state"], "running", "{first}");
        assert_eq!(
            first[service]["container"],
            format!("harmony-{instance}-{service}")
        );
    }
    assert!(
        !first["redis"]["connectionString"]
            .as_str()
            .expect("a text")
            .contains(&password(&folder)),
        "secrets are masked: {first}"
    );

    // Published on loopback alone, labelled, and no secret in arguments.
    let inspected: Value =
        serde_json::from_str(&docker(&["inspect", &format!("harmony-{instance}-redis")]))
            .expect("JSON");
    let bindings = &inspected[0]["HostConfig"]["PortBindings"]["6379/tcp"][0];
    assert_eq!(bindings["HostIp"], "127.0.0.1");
    let labels = &inspected[0]["Config"]["Labels"];
    assert_eq!(labels["harmony.instance"], instance);
    assert_eq!(labels["harmony.version"], env!("CARGO_PKG_VERSION"));
    assert!(
        labels["harmony.config-hash"]
            .as_str()
            .is_some_and(|hash| hash.len() == 32)
    );
    assert!(
        !inspected[0]["Args"]
            .to_string()
            .contains(&password(&folder))
    );
    assert!(
        !docker(&["logs", &format!("harmony-{instance}-rabbitmq")])
            .contains(&broker_password(&folder))
    );

    let second = json(&mut up(&folder, &instance, &[]));
    assert_eq!(second["changes"], 0, "{second}");
    assert_eq!(json(&mut with(&folder, &instance, &["verify"]))["ok"], true);
    let status = json(&mut with(&folder, &instance, &["status"]));
    assert_eq!(
        [
            &status["hub"]["state"],
            &status["redis"]["state"],
            &status["rabbitmq"]["state"]
        ],
        ["running", "running", "running"]
    );

    // A card is created, and both official clients hear it.
    let mut clients: Vec<(&str, Program)> = Vec::new();
    if has(TEST, &[Part::Node]) {
        clients.push(("JavaScript", javascript(&url, BOARD, "OnCardCreated")));
    }
    if has(TEST, &[Part::Peer]) {
        let mut command = dotnet(&peer().expect("the peer"), "refclient");
        command.args([&format!("{url}/signalRHub"), BOARD, "60"]);
        let mut program = Program::start(&mut command);
        program.wait_for_line("joined");
        clients.push((".NET", program));
    }
    let card = [
        "publish",
        "CardCreated",
        "--board",
        BOARD,
        "--field",
        "Card.Title=Made by harmony",
        "--field",
        "UserId=u",
    ];
    let published = run(&mut with(&folder, &instance, &card));
    assert!(published.status.success(), "{}", text(&published.stderr));
    for (name, client) in &mut clients {
        let line = client.wait_for_line("OnCardCreated");
        eprintln!("{name}: OnCardCreated{line}");
        assert!(line.contains("Made by harmony"), "{name}: {line}");
    }
    drop(clients);

    let down = json(&mut with(
        &folder,
        &instance,
        &["down", "--volumes", "--yes"],
    ));
    assert_eq!(down["changes"], 4, "{down}");
    assert_eq!(leftovers(&instance), "");
    assert_eq!(
        json(&mut with(&folder, &instance, &["status"]))["hub"]["state"],
        "absent"
    );
}

fn password(folder: &Folder) -> String {
    let text = folder.read("src/Services/Harmony.SignalR/appsettings.json");
    text.split("password=")
        .nth(1)
        .expect("a password")
        .split('"')
        .next()
        .expect("its end")
        .to_owned()
}

fn broker_password(folder: &Folder) -> String {
    let text = folder.read("src/Services/Harmony.SignalR/appsettings.json");
    text.split("\"Password\": \"")
        .nth(1)
        .expect("a password")
        .split('"')
        .next()
        .expect("its end")
        .to_owned()
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn what_is_wrong_with_images_and_containers_is_said() {
    if !has(
        "what_is_wrong_with_images_and_containers_is_said",
        &[Part::Docker],
    ) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let _down = down(&folder, &instance);
    let url = format!("http://localhost:{}", free_port());
    let failing = |arguments: &[&str]| {
        let output = run(up(&folder, &instance, &["--hub-url", &url])
            .args(arguments)
            .arg("--json"));
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

    // The RabbitMQ image has no redis-server configuration to start with: it ends at once.
    let wrong = format!(
        "{}/rabbitmq:3-management-alpine",
        registry().expect("a registry")
    );
    let dying = run(Command::new("docker").args(["pull", "-q", &wrong]));
    assert!(dying.status.success());
    let broken = format!("{instance}:broken");
    let container = docker(&[
        "create",
        &wrong,
        "/bin/sh",
        "-c",
        "echo these are my last words; exit 3",
    ]);
    docker(&[
        "commit",
        "--change",
        "ENTRYPOINT [\"/bin/sh\",\"-c\",\"echo these are my last words; exit 3\"]",
        container.trim(),
        &broken,
    ]);
    docker(&["rm", "-v", container.trim()]);
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
    assert_eq!(leftovers(&instance), "", "what was made is unmade");
    assert!(
        !folder
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

#[cfg(unix)]
#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_registry_that_asks_who_we_are_is_told_by_dockers_own_files() {
    if !has(
        "a_registry_that_asks_who_we_are_is_told_by_dockers_own_files",
        &[Part::Docker],
    ) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let _down = down(&folder, &instance);
    let (_registry, address) = guarded_registry(&folder);
    let image = format!("{address}/redis:7-alpine");
    let url = format!("http://localhost:{}", free_port());
    let attempt = |path: Option<&str>| {
        let mut command = with(
            &folder,
            &instance,
            &[
                "up",
                "--yes",
                "--json",
                "--hub-url",
                &url,
                "--redis",
                "container",
                "--rabbitmq",
                "embedded",
                "--redis-image",
                &image,
                "--pull",
                "always",
            ],
        );
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
    folder.write(
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
    json(&mut with(&folder, &instance, &["down", "--yes"]));
    // By a helper.
    let helper = folder.write("bin/docker-credential-test", &format!("#!/bin/sh\nread registry\n[ \"$registry\" = {address} ] && echo '{{\"ServerURL\":\"\",\"Username\":\"somebody\",\"Secret\":\"Open-Sesame\"}}'\n"));
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a program");
    folder.write("home/.docker/config.json", "{\"credsStore\": \"test\"}");
    let welcome = attempt(Some(&folder.path().join("bin").display().to_string()));
    assert!(
        welcome.status.success(),
        "{}{}",
        text(&welcome.stdout),
        text(&welcome.stderr)
    );
    run(Command::new("docker").args(["rmi", "-f", &image]));
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_engine_behind_tls_is_spoken_to_with_dockers_certificates() {
    if !has(
        "an_engine_behind_tls_is_spoken_to_with_dockers_certificates",
        &[Part::Docker],
    ) {
        return;
    }
    let folder = Folder::new();
    let script = "set -e
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca-key.pem -out ca.pem -subj /CN=ca 2>/dev/null
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -keyout $name-key.pem -out $name.csr -subj /CN=$name 2>/dev/null
            printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' >$name.ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile $name.ext -out $name.pem 2>/dev/null
        done
        mkdir certificates; cp ca.pem certificates/; cp client.pem certificates/cert.pem; cp client-key.pem certificates/key.pem";
    let made = run(Command::new("bash")
        .current_dir(folder.path())
        .args(["-c", script]));
    assert!(made.status.success(), "{}", text(&made.stderr));
    let port = free_port();
    let host = format!("tcp://127.0.0.1:{port}");
    let path = |name: &str| folder.path().join(name).display().to_string();
    // The engine itself, behind TLS that wants a certificate of its clients, as dockerd --tlsverify does: a second
    // dockerd would take the first one's bridge away.
    let door = "
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server-key.pem'); context.load_verify_locations('ca.pem'); context.verify_mode = ssl.CERT_REQUIRED
def pump(source, target):
    try:
        while data := source.recv(65536): target.sendall(data)
    except OSError: pass
    finally: target.close()
def serve(client):
    try: client = context.wrap_socket(client, server_side=True)
    except (OSError, ssl.SSLError): return
    engine = socket.socket(socket.AF_UNIX); engine.connect('/var/run/docker.sock')
    threading.Thread(target=pump, args=(engine, client), daemon=True).start(); pump(client, engine)
listener = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('listening', flush=True)
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";
    let mut engine = Program::start(Command::new("python3").current_dir(folder.path()).args([
        "-c",
        door,
        &port.to_string(),
    ]));
    engine.wait_for_line("listening");
    let doctor = |certificates: Option<&str>| {
        let mut command = harmony(folder.path());
        command.args(["doctor", "--json"]).env("DOCKER_HOST", &host);
        if let Some(folder) = certificates {
            command
                .env("DOCKER_TLS_VERIFY", "1")
                .env("DOCKER_CERT_PATH", folder);
        }
        let answer: Value = serde_json::from_slice(&run(&mut command).stdout).expect("JSON");
        answer["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .find(|check| check["name"] == "engine")
            .cloned()
            .expect("the engine")
    };
    assert_eq!(doctor(Some(&path("certificates")))["status"], "ok");
    assert_eq!(doctor(None)["status"], "failed");
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_volume_with_another_password_is_given_the_one_of_the_settings() {
    if !has(
        "a_volume_with_another_password_is_given_the_one_of_the_settings",
        &[Part::Docker],
    ) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    old_layout(&folder);
    let _down = down(&folder, &instance);
    let url = format!("http://localhost:{}", free_port());
    json(&mut up(&folder, &instance, &["--hub-url", &url]));
    json(&mut with(&folder, &instance, &["down"]));
    let volume = docker(&[
        "volume",
        "ls",
        "-q",
        "--filter",
        &format!("label=harmony.instance={instance}"),
    ]);
    let settings = folder.read("src/Web/Harmony.SignalR/appsettings.json");
    let known = settings
        .split("\"Password\": \"")
        .nth(1)
        .expect("a password")
        .split('"')
        .next()
        .expect("its end")
        .to_owned();
    let another = settings
        .replace(&known, "another-Password")
        .replace("\"Username\": \"harmony\"", "\"Username\": \"somebody\"");
    folder.write("src/Web/Harmony.SignalR/appsettings.json", &another);
    let output = run(up(&folder, &instance, &[]).arg("--json"));
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(
        text(&output.stderr).contains("its data stays")
            && !text(&output.stderr).contains("another-Password")
    );
    assert_eq!(
        docker(&[
            "volume",
            "ls",
            "-q",
            "--filter",
            &format!("label=harmony.instance={instance}")
        ]),
        volume,
        "the volume is the same"
    );
    assert_eq!(json(&mut with(&folder, &instance, &["verify"]))["ok"], true);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn logs_come_from_all_three_and_doctor_finds_all_well() {
    if !has(
        "logs_come_from_all_three_and_doctor_finds_all_well",
        &[Part::Docker],
    ) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    old_layout(&folder);
    let _down = down(&folder, &instance);
    let [redis_port, rabbitmq_port] = [free_port().to_string(), free_port().to_string()];
    let url = format!("http://localhost:{}", free_port());
    json(&mut up(
        &folder,
        &instance,
        &[
            "--hub-url",
            &url,
            "--redis-port",
            &redis_port,
            "--rabbitmq-port",
            &rabbitmq_port,
        ],
    ));
    // RabbitMQ answers a little before it says that it has started.
    for (source, line) in [
        ("redis", "Ready to accept connections"),
        ("rabbitmq", "Server startup complete"),
        ("hub", "Application started"),
    ] {
        crate::harness::wait_for(line, || {
            let logs = text(&run(&mut with(&folder, &instance, &["logs"])).stdout);
            logs.lines()
                .any(|found| found.starts_with(source) && found.contains(line))
                .then_some(())
        });
    }
    // Followed over a restart.
    let mut following =
        Program::start(with(&folder, &instance, &["logs", "redis", "-f", "--tail", "0"]).arg("-q"));
    let redis = format!("harmony-{instance}-redis");
    for _ in 0..2 {
        docker(&["restart", "-t", "2", &redis]);
        following.wait_for_line("Ready to accept connections");
    }
    let ready = || {
        following
            .lines()
            .iter()
            .filter(|line| line.contains("Ready to accept connections"))
            .count()
    };
    crate::harness::wait_for("both restarts", || (ready() >= 2).then_some(()));
    drop(following);

    let diagnosis = json(&mut with(&folder, &instance, &["doctor"]));
    assert_eq!(diagnosis["summary"]["failed"], 0, "{diagnosis}");
    let of = |name: &str| {
        diagnosis["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .find(|check| check["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    assert!(
        of("Redis")["message"]
            .as_str()
            .expect("a message")
            .contains(&redis_port),
        "{diagnosis}"
    );
    let variables = text(
        &run(&mut with(
            &folder,
            &instance,
            &["status", "--format", "dotnet-env"],
        ))
        .stdout,
    );
    assert!(
        variables.contains(&format!("BrokerConfiguration__Port={rabbitmq_port}\n")),
        "{variables}"
    );
    assert!(
        variables.contains(&format!(
            "RedisConnectionString='127.0.0.1:{redis_port},password="
        )) || variables.contains(&format!("RedisConnectionString=127.0.0.1:{redis_port}")),
        "{variables}"
    );

    docker(&["stop", "-t", "1", &redis]);
    let ill = run(with(&folder, &instance, &["doctor"]).arg("--json"));
    assert_eq!(ill.status.code(), Some(1));
    assert!(
        text(&ill.stdout).contains("does not respond"),
        "{}",
        text(&ill.stdout)
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_taken_port_is_named_with_its_holder() {
    if !has("a_taken_port_is_named_with_its_holder", &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let thief = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = thief.local_addr().expect("an address").port().to_string();
    let output = run(up(&folder, &instance, &["--redis-port", &port]).arg("--json"));
    let error: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(error["error"]["code"], "portInUse", "{error}");
    assert!(
        error["error"]["why"]
            .as_str()
            .expect("a reason")
            .contains(&format!("pid {}", std::process::id())),
        "{error}"
    );
    assert_eq!(leftovers(&instance), "");
    assert!(!folder.path().join("harmony").exists());
}

#[cfg(unix)]
#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_interrupted_up_ends_with_130_and_the_next_one_repairs() {
    if !has(
        "an_interrupted_up_ends_with_130_and_the_next_one_repairs",
        &[Part::Docker],
    ) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let _down = down(&folder, &instance);
    let url = format!("http://localhost:{}", free_port());
    let mut interrupted = Program::start(&mut up(&folder, &instance, &["--hub-url", &url]));
    interrupted.wait_for_line("waiting for rabbitmq");
    interrupted.signal(rustix::process::Signal::INT);
    assert_eq!(interrupted.wait(), Some(130));
    assert_eq!(leftovers(&instance), "", "what was made is unmade");
    json(&mut up(&folder, &instance, &[]));
    assert_eq!(json(&mut with(&folder, &instance, &["verify"]))["ok"], true);
    // Killed, it leaves no more behind than the next one can use.
    json(&mut with(
        &folder,
        &instance,
        &["down", "--volumes", "--yes"],
    ));
    let mut killed = Program::start(&mut up(&folder, &instance, &["--hub-url", &url]));
    killed.wait_for_line("waiting for rabbitmq");
    killed.signal(rustix::process::Signal::KILL);
    assert_eq!(killed.wait(), None);
    json(&mut up(&folder, &instance, &[]));
    assert_eq!(json(&mut with(&folder, &instance, &["verify"]))["ok"], true);
}

#[test]
#[ignore = "needs Docker, Redis and RabbitMQ: run tests/run"]
fn a_server_that_answers_at_the_configured_address_is_used_and_never_stopped() {
    use crate::harness::services::{RabbitMq, Redis};
    const TEST: &str = "a_server_that_answers_at_the_configured_address_is_used_and_never_stopped";
    if !has(TEST, &[Part::Docker, Part::Redis, Part::RabbitMq]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    old_layout(&folder);
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let _down = down(&folder, &instance);
    for (name, from, to) in [
        (
            "appsettings.Production.json",
            "127.0.0.1:6379".to_owned(),
            redis.connection_string(),
        ),
        (
            "appsettings.json",
            "5672".to_owned(),
            rabbitmq.port.to_string(),
        ),
        (
            "appsettings.json",
            "\"VirtualHost\": \"\"".to_owned(),
            format!("\"VirtualHost\": \"{}\"", rabbitmq.virtual_host),
        ),
    ] {
        let path = format!("src/Web/Harmony.SignalR/{name}");
        folder.write(&path, &folder.read(&path).replace(&from, &to));
    }
    let before = folder.read("src/Web/Harmony.SignalR/appsettings.json");
    let url = format!("http://localhost:{}", free_port());
    let report = json(
        with(&folder, &instance, &["up", "--yes", "--hub-url", &url])
            .env_remove("ASPNETCORE_ENVIRONMENT"),
    );
    assert_eq!(
        [&report["redis"]["state"], &report["rabbitmq"]["state"]],
        ["external", "external"],
        "{report}"
    );
    assert_eq!(
        folder.read("src/Web/Harmony.SignalR/appsettings.json"),
        before
    );
    assert_eq!(json(&mut with(&folder, &instance, &["verify"]))["ok"], true);
    json(&mut with(
        &folder,
        &instance,
        &["down", "--volumes", "--yes"],
    ));
    drop(redis.listen());
}
