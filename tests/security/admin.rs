//! The admin listener opens for the token alone; metrics have an address of their own.

use crate::harness::Folder;
use crate::harness::free_port;
use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, Program, address, harmony, run, text};
use crate::harness::raw::{Answer, http};
use crate::harness::services::RabbitMq;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;

fn ask(admin: &str, line: &str, headers: &str) -> Answer {
    let request = format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    http(address(admin), request.as_bytes())
}

#[test]
fn only_the_token_opens_the_admin_listener() {
    let hub = Hub::embedded(&[]);
    let local = "Host: localhost\r\n";
    let token = format!("Authorization: Bearer {}\r\n", hub.token);
    let status = |line: &str, headers: &str| ask(&hub.admin, line, headers).status;
    assert_eq!(status("GET /metrics", &format!("{local}{token}")), 200);
    assert_eq!(status("GET /metrics", local), 401);
    assert_eq!(status("POST /notifications", local), 401);
    for wrong in [
        "Bearer ",
        "Bearer x",
        "Basic x",
        &format!("bearer {}", hub.token),
    ] {
        let headers = format!("{local}Authorization: {wrong}\r\n");
        assert_eq!(status("GET /metrics", &headers), 401, "{wrong}");
    }
    let longer = format!("{local}Authorization: Bearer {}x\r\n", hub.token);
    assert_eq!(status("GET /metrics", &longer), 401);
    // A page's request, and one by a name that a page's owner chose.
    let page = format!("{local}{token}Origin: http://localhost\r\n");
    assert_eq!(status("GET /metrics", &page), 403);
    let rebound = format!("Host: evil.example\r\n{token}");
    assert_eq!(status("GET /metrics", &rebound), 403);
}

#[test]
fn the_admin_listener_stops_the_hub_in_an_orderly_way() {
    let mut hub = Hub::embedded(&[]);
    let local = "Host: localhost\r\nContent-Length: 0\r\n";
    let token = format!("{local}Authorization: Bearer {}\r\n", hub.token);
    assert_eq!(ask(&hub.admin, "POST /stop", local).status, 401);
    assert_eq!(ask(&hub.admin, "GET /stop", &token).status, 405);
    assert!(!hub.program.has_ended());
    assert_eq!(ask(&hub.admin, "POST /stop", &token).status, 202);
    assert_eq!(hub.program.wait(), Some(0));
}

#[cfg(unix)]
#[test]
fn the_token_is_readable_to_its_owner_alone() {
    let folder = Folder::new();
    let mut command = harmony(folder.path());
    let file = folder.path().join("state/token");
    command.args([
        "hub",
        "--urls=http://127.0.0.1:0",
        "--rabbitmq=embedded",
        "--redis=none",
        "--Admin:Url=http://127.0.0.1:0",
        &format!("--Admin:TokenFile={}", file.display()),
    ]);
    let mut program = Program::start(&mut command);
    program.wait_for_line("Application started.");
    let metadata = std::fs::metadata(&file).expect("a token");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(&file).expect("a token");
    assert!(token.len() >= 32);
    assert!(!program.lines().join("\n").contains(&token), "never shown");
    // It stays across restarts.
    program.stop();
    let mut program = Program::start(&mut command);
    program.wait_for_line("Application started.");
    assert_eq!(std::fs::read_to_string(&file).expect("a token"), token);
}

#[test]
fn no_settings_file_lets_the_admin_listener_leave_this_machine() {
    let folder = Folder::new();
    folder.write(
        "appsettings.json",
        r#"{ "RUNNING_IN_CONTAINER": "true", "Admin": { "Url": "http://0.0.0.0:0" } }"#,
    );
    let start = [
        "hub",
        "--urls=http://127.0.0.1:0",
        "--rabbitmq=embedded",
        "--redis=none",
    ];
    let refused = |more: &[&str], variables: &[(&str, &str)]| {
        let mut command = harmony(folder.path());
        command
            .args(start)
            .args(more)
            .envs(variables.iter().copied());
        let output = run(&mut command);
        let said = text(&output.stderr);
        !output.status.success() && said.contains("can be reached from other machines")
    };
    assert!(refused(&[], &[]));
    assert!(refused(&[], &[("DOTNET_RUNNING_IN_CONTAINER", "true")]));
    folder.write("appsettings.json", r#"{ "RUNNING_IN_CONTAINER": "true" }"#);
    assert!(refused(&["--Admin:Url=http://0.0.0.0:0"], &[]));
    folder.write("appsettings.json", "{}");
    assert!(refused(&["--Admin:Url=http://0.0.0.0:0"], &[]));
    let mut command = harmony(folder.path());
    command
        .args(start)
        .arg("--Admin:Url=http://0.0.0.0:0")
        .env("DOTNET_RUNNING_IN_CONTAINER", "true");
    let mut program = Program::start(&mut command);
    let admin = program.wait_for_line("Admin listening on: ");
    let (admin, _) = admin.split_once(", token in ").expect("a token's file");
    let port = admin.rsplit(':').next().expect("a port");
    let answer = ask(
        &format!("http://127.0.0.1:{port}"),
        "GET /metrics",
        "Host: localhost\r\n",
    );
    assert_eq!(answer.status, 401, "the token counts there too");
}

#[test]
fn metrics_have_an_address_of_their_own_that_only_reads() {
    let port = free_port();
    let hub = Hub::embedded(&[&format!("--Metrics:Url=http://127.0.0.1:{port}")]);
    let url = format!("http://127.0.0.1:{port}");
    let scraped = ask(&url, "GET /metrics", "Host: hub.internal\r\n");
    assert_eq!(scraped.status, 200);
    assert!(
        scraped.body.contains("harmony_hub_connections "),
        "{}",
        scraped.body
    );
    // Names that clients choose appear nowhere.
    let samples = scraped.body.lines().filter(|line| !line.starts_with('#'));
    assert!(samples.into_iter().all(|line| !line.contains('{')));
    assert_eq!(ask(&url, "POST /metrics", "Host: x\r\n").status, 405);
    assert_eq!(ask(&url, "POST /notifications", "Host: x\r\n").status, 404);
    drop(hub);
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn the_inbox_is_there_only_without_a_broker() {
    if !has(
        "the_inbox_is_there_only_without_a_broker",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let [host, port, virtual_host] = rabbitmq.arguments();
    let hub = Hub::start(&[&host, &port, &virtual_host, "--redis=none"]);
    let answer = hub.notify("CardTitleChanged", "{}");
    assert_eq!(answer.status, 404, "{answer:?}");
}
