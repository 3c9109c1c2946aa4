//! Where a hub listens, and with which certificate, for the same settings.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Program, dotnet, harmony, peer, run, text};
use crate::harness::{Folder, free_port, wait_for};
use std::process::Command;

/// One of the two hubs, started with settings; `None` where it refuses them.
fn started(program: &mut Command, variables: &[(&str, String)]) -> Option<(Program, Vec<String>)> {
    const LISTENING: &str = "Now listening on: ";
    program
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .env("Logging__LogLevel__Default", "Information");
    let mut program = Program::start(program);
    let ended = wait_for("the hub, or its end", || {
        let ended = program.has_ended();
        (ended
            || program
                .lines()
                .iter()
                .any(|line| line.contains("Application started")))
        .then_some(ended)
    });
    if ended {
        return None;
    }
    let mut lines: Vec<_> = program
        .lines()
        .iter()
        .filter_map(|line| Some(line.split_once(LISTENING)?.1.to_owned()))
        .collect();
    lines.sort();
    Some((program, lines))
}

/// Where ours listens, then .NET's: one after the other, since both do at the same places.
fn both(variables: &[(&str, String)]) -> [Option<Vec<String>>; 2] {
    let folder = Folder::new();
    let ours = started(
        harmony(folder.path()).args(["hub", "--rabbitmq=embedded", "--redis=none"]),
        variables,
    )
    .map(|(_, lines)| lines);
    let theirs = started(
        dotnet(&peer().expect("the peer"), "refhub").current_dir(folder.path()),
        variables,
    )
    .map(|(_, lines)| lines);
    [ours, theirs]
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn the_same_settings_listen_at_the_same_places() {
    if !has("the_same_settings_listen_at_the_same_places", &[Part::Peer]) {
        return;
    }
    let cases: &[&[(&str, &str)]] = &[
        &[("ASPNETCORE_URLS", "http://localhost:{0}")],
        &[("ASPNETCORE_URLS", "http://LocalHost:{0};http://[::1]:{1}")],
        &[("ASPNETCORE_URLS", "http://*:{0};http://127.0.0.1:{1}/;")],
        &[("ASPNETCORE_URLS", "http://127.1:{0}")],
        &[("ASPNETCORE_URLS", "HTTP://name.example:{0}")],
        &[("ASPNETCORE_URLS", "http://127.0.0.1:{0}/path")],
        &[("ASPNETCORE_URLS", "127.0.0.1:{0}")],
        &[("ASPNETCORE_URLS", "http://localhost:0")],
        &[
            ("ASPNETCORE_URLS", "http://127.0.0.1:{0}"),
            ("URLS", "http://127.0.0.1:{1}"),
        ],
        &[
            ("ASPNETCORE_URLS", "http://127.0.0.1:{0}"),
            ("ASPNETCORE_HTTP_PORTS", "{1}"),
        ],
        &[("ASPNETCORE_HTTP_PORTS", "{0};{1}")],
        &[("ASPNETCORE_HTTP_PORTS", "{0}"), ("HTTP_PORTS", "{1}")],
        &[
            ("URLS", "http://127.0.0.1:{0}"),
            ("Kestrel__Endpoints__A__Url", "http://127.0.0.1:{1}"),
        ],
        &[("Kestrel__Endpoints__A__Protocols", "Http1")],
        &[
            ("URLS", "https://127.0.0.1:{0}"),
            ("Kestrel__Certificates__Default__Path", "gone.pfx"),
        ],
        &[
            ("URLS", "https://127.0.0.1:{0}"),
            ("Kestrel__Certificates__Default__Subject", "nobody"),
        ],
    ];
    for case in cases {
        let ports = [free_port(), free_port()];
        let filled = |text: &str| {
            text.replace("{0}", &ports[0].to_string())
                .replace("{1}", &ports[1].to_string())
        };
        let variables: Vec<_> = case
            .iter()
            .map(|(name, value)| (*name, filled(value)))
            .collect();
        let [ours, theirs] = both(&variables);
        assert_eq!(ours, theirs, "{variables:?}");
    }
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn each_endpoint_has_its_own_certificate() {
    if !has("each_endpoint_has_its_own_certificate", &[Part::Peer]) {
        return;
    }
    let folder = Folder::new();
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let file = |ending, text: &str| {
            folder
                .write(&format!("{name}.{ending}"), text)
                .display()
                .to_string()
        };
        [
            file("pem", &made.cert.pem()),
            file("key", &made.signing_key.serialize_pem()),
        ]
    };
    let ([default, default_key], [own, own_key]) = (made("default.example"), made("own.example"));
    let ports = [free_port(), free_port()];
    let url = |place: usize| format!("https://127.0.0.1:{}", ports[place]);
    let variables = [
        ("Kestrel__Certificates__Default__Path", default),
        ("Kestrel__Certificates__Default__KeyPath", default_key),
        ("Kestrel__Endpoints__A__Url", url(0)),
        ("Kestrel__Endpoints__B__Url", url(1)),
        ("Kestrel__Endpoints__B__Certificate__Path", own),
        ("Kestrel__Endpoints__B__Certificate__KeyPath", own_key),
    ];
    let certificates = || {
        ports.map(|port| {
            let shown = run(Command::new("openssl").args([
                "s_client",
                "-connect",
                &format!("127.0.0.1:{port}"),
            ]));
            let shown = text(&shown.stdout);
            let end = "-----END CERTIFICATE-----";
            shown
                .split_once("-----BEGIN")
                .and_then(|(_, rest)| rest.split_once(end))
                .map(|(certificate, _)| certificate.to_owned())
                .unwrap_or(shown)
        })
    };
    let ours = started(
        harmony(folder.path()).args(["hub", "--rabbitmq=embedded", "--redis=none"]),
        &variables,
    )
    .expect("our hub");
    let by_ours = certificates();
    drop(ours);
    let _theirs = started(
        dotnet(&peer().expect("the peer"), "refhub").current_dir(folder.path()),
        &variables,
    )
    .expect("the .NET hub");
    assert_eq!(by_ours, certificates());
    assert_ne!(by_ours[0], by_ours[1]);
}
