//! Harmony's checkouts as committed, both layouts, rebuilt from the contract (hub/contract.md,
//! "Files").

use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};

const BROKER: &str = r#"  "BrokerConfiguration": {
    "Host": "localhost",
    "Port": 5672,
    "Username": "",
    "Password": "",
    "VirtualHost": ""
  },
"#;

fn hub(redis: &str, broker: &str) -> String {
    format!(
        r#"{{
  "RedisConnectionString": "{redis}",
{broker}  "Serilog": {{
    "MinimumLevel": {{
      "Default": "Information",
      "Override": {{
        "Microsoft": "Information",
        "System": "Warning"
      }}
    }}
  }},
  "ElasticConfiguration": {{
    "Uri": "http://localhost:9200"
  }},
  "AllowedHosts": "*"
}}
"#
    )
}

const DEVELOPMENT: &str = "{\n  \"Logging\": {\n    \"LogLevel\": {\n      \"Default\": \"Information\",\n      \"Microsoft.AspNetCore\": \"Warning\"\n    }\n  }\n}\n";

fn solution(folder: &Folder, web: &str) {
    folder.write(
        "Harmony.sln",
        "Microsoft Visual Studio Solution File, Format Version 12.00\n",
    );
    folder.write(
        &format!("{web}/Harmony.SignalR/appsettings.json"),
        &hub("", BROKER),
    );
    folder.write(
        &format!("{web}/Harmony.SignalR/appsettings.Development.json"),
        DEVELOPMENT,
    );
    folder.write(
        &format!("{web}/Harmony.SignalR/appsettings.Production.json"),
        &format!("\u{feff}{}", hub("127.0.0.1:6379", "")),
    );
    folder.write(
        &format!("{web}/Harmony.Api/appsettings.json"),
        &format!("{{\n  \"CacheProvider\": \"Memory\",\n  \"RedisConnectionString\": \"127.0.0.1:6379\",\n{BROKER}  \"AllowedHosts\": \"*\"\n}}\n"),
    );
}

/// Since February 2024: services, a gateway, and a client that knows only the gateway.
pub fn new_layout(folder: &Folder) {
    solution(folder, "src/Services");
    folder.write(
        "src/Web/Harmony.Client/wwwroot/appsettings.json",
        "\u{feff}{\n  \"gatewayUrl\": \"https://localhost:7108\"\n}",
    );
    folder.write(
        "src/Web/Harmony.Client/wwwroot/appsettings.Production.json",
        "\u{feff}{\n  \"gatewayUrl\": \"https://localhost:7108\"\n}",
    );
    folder.write(
        "src/ApiGateways/Harmony.ApiGateway/ocelot.json",
        r#"{
  "Routes": [
    {
      "UpstreamPathTemplate": "/api/{everything}",
      "DownstreamPathTemplate": "/api/{everything}",
      "DownstreamScheme": "https",
      "DownstreamHostAndPorts": [
        {
          "Host": "localhost",
          "Port": 7094
        }
      ]
    },
    {
      "UpstreamPathTemplate": "/signalRHub/{everything}",
      "DownstreamPathTemplate": "/signalRHub/{everything}",
      "DownstreamScheme": "wss",
      "DownstreamHostAndPorts": [
        {
          "Host": "localhost",
          "Port": 7262
        }
      ]
    }
  ]
}"#,
    );
}

/// Before: everything below `src/Web`, and a client that knows the hub itself.
pub fn old_layout(folder: &Folder) {
    solution(folder, "src/Web");
    let client = "\u{feff}{\n  \"signalrHostUrl\": \"https://localhost:7262\",\n  \"backendUrl\": \"https://localhost:7094\"\n}";
    folder.write("src/Web/Harmony.Client/wwwroot/appsettings.json", client);
    folder.write(
        "src/Web/Harmony.Client/wwwroot/appsettings.Production.json",
        client,
    );
}

#[test]
fn both_layouts_get_the_hubs_address_where_it_belongs_and_nothing_else_changes() {
    use super::bare::{Down, bare, json};
    for (layout, hub_first) in [(new_layout as fn(&Folder), false), (old_layout, true)] {
        let folder = Folder::new();
        layout(&folder);
        let _down = Down(&folder, vec![]);
        let client = "src/Web/Harmony.Client/wwwroot/appsettings.json";
        let gateway = "src/ApiGateways/Harmony.ApiGateway/ocelot.json";
        let before = folder.read(if hub_first { client } else { gateway });
        let port = crate::harness::free_port();
        json(&mut bare(
            &folder,
            &[
                "up",
                "--yes",
                "--hub-url",
                &format!("http://localhost:{port}"),
            ],
        ));
        let after = folder.read(if hub_first { client } else { gateway });
        let expected = if hub_first {
            before.replace(
                "https://localhost:7262",
                &format!("http://localhost:{port}"),
            )
        } else {
            before
                .replace("\"wss\"", "\"ws\"")
                .replace("7262", &port.to_string())
        };
        assert_eq!(after, expected);
        if !hub_first {
            assert!(
                folder.read(client).contains("gatewayUrl")
                    && !folder.read(client).contains("signalrHostUrl")
            );
        }
    }
}

#[test]
fn from_below_a_checkout_it_is_found_upwards() {
    let folder = Folder::new();
    new_layout(&folder);
    let below = folder.path().join("src/Web/Harmony.Client");
    let found = harmony::checkout::find(&below)
        .expect("one checkout")
        .expect("a checkout");
    assert_eq!(found.root, folder.path());
    assert!(found.hub.ends_with("src/Services/Harmony.SignalR"));
    assert_eq!(found.others.len(), 1);
}

#[test]
fn a_folder_of_templates_is_no_checkout_of_the_one_who_stands_above_it() {
    // As in this very repository, where the first command of the README is run.
    let folder = Folder::new();
    folder.write("templates/Harmony.SignalR/appsettings.json", "{}");
    assert_eq!(
        harmony::checkout::find(folder.path()).expect("nothing in doubt"),
        None
    );
    folder.write("harmony/Harmony.SignalR/appsettings.json", "{}");
    let made = harmony::checkout::find(folder.path())
        .expect("nothing in doubt")
        .expect("what was made");
    assert_eq!(made.root, folder.path().join("harmony"));
}

/// The broker's address goes to every application that shares it, also beside a publish folder.
#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn every_application_that_shares_the_broker_learns_of_it() {
    use super::bare::{Down, json};
    use crate::harness::parts::{Part, has};
    use crate::harness::program::harmony;
    use crate::harness::services::{RabbitMq, Redis};
    if !has(
        "every_application_that_shares_the_broker_learns_of_it",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let applications = [
        "Harmony.Api",
        "Harmony.Automations",
        "Harmony.Notifications",
        "Harmony.Integrations.SourceControl",
    ];
    for published in [false, true] {
        let folder = Folder::new();
        let checkout = if published {
            folder.write("out/hub/Harmony.SignalR.dll", "");
            folder.write("out/hub/appsettings.json", &hub("", BROKER));
            for name in applications {
                folder.write(&format!("out/{name}/{name}.dll"), "");
                folder.write(&format!("out/{name}/appsettings.json"), &format!("{{\r\n\t\"CacheProvider\": \"Redis\",\r\n{}\t\"RedisConnectionString\": \"old:1\"\r\n}}", BROKER.replace('\n', "\r\n")));
            }
            "out/hub"
        } else {
            new_layout(&folder);
            folder.write(
                "src/Services/Harmony.Automations/appsettings.json",
                &format!("{{\n{BROKER}  \"AllowedHosts\": \"*\"\n}}"),
            );
            folder.write("src/Services/Harmony.Notifications/appsettings.json", "{}");
            folder.write(
                "src/Integrations/Harmony.Integrations.SourceControl/appsettings.json",
                "{}",
            );
            "."
        };
        let _down = Down(&folder, vec![]);
        let address = rabbitmq.address();
        let mut up = harmony(folder.path());
        up.args([
            "up",
            "--yes",
            "--hub",
            "none",
            "--checkout",
            checkout,
            "--redis",
            &format!("127.0.0.1:{}", redis.port),
        ]);
        up.args([
            "--rabbitmq",
            &address.endpoint.to_string(),
            "--rabbitmq-user",
            &address.username,
            "--rabbitmq-vhost",
            &address.virtual_host,
        ]);
        up.args(["--rabbitmq-password-env", "THE_PASSWORD"])
            .env("THE_PASSWORD", address.password.reveal());
        json(&mut up);
        for name in ["Harmony.SignalR"].iter().chain(&applications) {
            let get = |key: &str| {
                let mut get = harmony(folder.path());
                json(get.args([
                    "settings",
                    "get",
                    key,
                    "--app",
                    name,
                    "--checkout",
                    checkout,
                    "--show-secrets",
                ]))["value"]
                    .clone()
            };
            assert_eq!(
                get("BrokerConfiguration:Port"),
                address.endpoint.port.to_string(),
                "{name}"
            );
            assert_eq!(
                get("BrokerConfiguration:Password"),
                address.password.reveal(),
                "{name}"
            );
            assert_eq!(
                get("BrokerConfiguration:VirtualHost"),
                address.virtual_host,
                "{name}"
            );
            if published {
                // Its cache can parse only HOST:PORT.
                assert_eq!(
                    get("RedisConnectionString"),
                    format!("127.0.0.1:{}", redis.port),
                    "{name}"
                );
            }
        }
        if !published {
            let api = folder.read("src/Services/Harmony.Api/appsettings.json");
            assert!(
                api.contains("\"RedisConnectionString\": \"127.0.0.1:6379\""),
                "a cache in memory is left alone: {api}"
            );
        }
    }
}

#[test]
fn a_checkout_in_a_deep_folder_can_be_written_and_undone() {
    let folder = Folder::new();
    let deep = ["a-folder-with-a-name-of-some-length"; 40].join("/");
    let file = format!("{deep}/Harmony.SignalR/appsettings.json");
    let before = "{ \"DetailedErrors\": false }\n";
    folder.write(&file, before);
    let change = |arguments: &[&str]| {
        let output = run(harmony(folder.path())
            .args(["--checkout", &deep, "settings"])
            .args(arguments));
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    change(&["set", "DetailedErrors", "true"]);
    assert!(folder.read(&file).contains("true"));
    change(&["undo", "--yes"]);
    assert_eq!(folder.read(&file), before);
}
