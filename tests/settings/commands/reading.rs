//! `get`, `list`, `why`, `validate` and `schema`.

use super::{BASE, PRODUCTION, checkout, said, settings};
use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use serde_json::Value;

#[test]
fn lists_show_what_only_a_variable_sets() {
    let folder = checkout();
    folder.write(BASE, "{ \"A\": \"x\u{7f}y\" }");
    let output = run(harmony(folder.path())
        .args(["settings", "--json", "list"])
        .env("Kestrel__Certificates__Default__Path", "hub.pfx")
        .env("ASPNETCORE_Kestrel__Limits", "1")
        .env("AllowedHosts", "hub.example")
        .env("LC_NOTHING", "x"));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = list["settings"].as_array().expect("settings");
    let value = |key: &str| {
        let found = all.iter().find(|setting| setting["key"] == key);
        found.map(|setting| setting["value"].clone())
    };
    assert_eq!(
        value("Kestrel:Certificates:Default:Path"),
        Some("hub.pfx".into())
    );
    assert_eq!(value("Kestrel:Limits"), Some("1".into()));
    assert_eq!(value("AllowedHosts"), Some("hub.example".into()));
    assert_eq!(value("LC_NOTHING"), None);
    assert_eq!(value("A"), Some("x\u{7f}y".into()), "no letter is lost");
}

#[test]
fn why_shows_every_layer_and_the_winner() {
    let folder = checkout();
    let (_, why) = settings(&folder, &["why", "RedisConnectionString", "--show-secrets"]);
    assert_eq!(why["value"], "127.0.0.1:6379");
    let layers = why["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 2);
    assert_eq!([&layers[0]["wins"], &layers[1]["wins"]], [false, true]);
    assert_eq!(layers[1]["source"]["kind"], "file");
    assert!(
        layers[1]["source"]["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("appsettings.Production.json"))
    );
    let output = run(harmony(folder.path())
        .args(["settings", "--json", "why", "BrokerConfiguration:Host"])
        .env("BrokerConfiguration__Host", "mq"));
    let why: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&why["value"], &why["layers"][1]["source"]["kind"]),
        (&"mq".into(), &"environment".into())
    );
}

#[test]
fn lists_mask_secrets() {
    let folder = checkout();
    settings(&folder, &["set", "BrokerConfiguration:Password", "hunter2"]);
    let (_, list) = settings(&folder, &["list"]);
    let all = list["settings"].as_array().expect("settings");
    let password = all
        .iter()
        .find(|setting| setting["key"] == "BrokerConfiguration:Password")
        .expect("the password");
    assert_eq!(
        (&password["value"], &password["secret"]),
        (&"********".into(), &true.into())
    );
    assert!(all.iter().any(
        |setting| setting["key"] == "Serilog:MinimumLevel:Override:Microsoft"
            && setting["value"] == "Information"
    ));
    assert!(
        !all.iter().any(|setting| setting["key"] == "PATH"),
        "what is no setting of Harmony is left out"
    );
    let output = run(harmony(folder.path()).args(["settings", "list"]));
    assert!(!text(&output.stdout).contains("hunter2"));
}

#[test]
fn a_password_is_masked_wherever_it_stands() {
    for text in [
        "h,password=hunter2",
        "h, PassWord =hunter2",
        "h,sslpassword=hunter2",
        "h,=password=hunter2",
        "password=hunter2=hunter2,h",
        "x=password=hunter2",
    ] {
        let masked = harmony::connection_string::redis::masked(text);
        assert!(
            !masked.contains("hunter2") && masked.contains("********"),
            "{text}: {masked}"
        );
    }
    assert_eq!(
        harmony::connection_string::redis::masked("h:1,ssl=true,user=password"),
        "h:1,ssl=true,user=password"
    );
}

#[test]
fn lists_mark_defaults_and_what_is_hidden() {
    let folder = checkout();
    folder.write(
        PRODUCTION,
        "{ \"ElasticConfiguration\": { \"Uri\": null } }",
    );
    let (_, list) = settings(&folder, &["list"]);
    let all = list["settings"].as_array().expect("settings");
    let of = |key: &str| {
        all.iter()
            .find(|setting| setting["key"] == key)
            .unwrap_or_else(|| panic!("{key} is not listed"))
    };
    assert_eq!(
        (
            &of("ElasticConfiguration:Uri")["hidden"],
            &of("ElasticConfiguration:Uri")["value"]
        ),
        (&true.into(), &Value::Null)
    );
    assert_eq!(
        (
            &of("Admin:Url")["source"]["kind"],
            &of("Admin:Url")["value"]
        ),
        (&"default".into(), &"".into())
    );
    assert_eq!(of("DetailedErrors")["value"], "False");
}

#[test]
fn a_cache_that_could_not_parse_its_address_is_told() {
    let folder = checkout();
    folder.write("src/Services/Harmony.Api/appsettings.json", "{\n  \"CacheProvider\": \"Redis\",\n  \"RedisConnectionString\": \"127.0.0.1:6379,password=hunter2\"\n}");
    let (code, answer) = settings(&folder, &["validate"]);
    let violation = &answer["violations"][0];
    assert_eq!(
        (code, &violation["key"], &violation["line"]),
        (Some(3), &"RedisConnectionString".into(), &3.into())
    );
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
}

#[test]
fn validate_reports_everything_at_once() {
    let folder = checkout();
    let broken = folder
        .read(BASE)
        .replace("5672", "99999")
        .replace("\"Default\": \"Information\"", "\"Default\": \"Loud\"")
        .replace("AllowedHosts", "AlowedHosts");
    folder.write(BASE, &broken);
    let (code, answer) = settings(&folder, &["validate"]);
    assert_eq!(code, Some(3));
    let violations = answer["violations"].as_array().expect("violations");
    let keys: Vec<_> = violations
        .iter()
        .map(|violation| {
            (
                violation["key"].as_str().expect("a key"),
                violation["severity"].as_str().expect("a severity"),
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            ("BrokerConfiguration:Port", "error"),
            ("Serilog:MinimumLevel:Default", "error"),
            ("AlowedHosts", "warning")
        ]
    );
    assert_eq!(violations[2]["suggestion"], "AllowedHosts");
    assert_eq!(
        (&violations[0]["line"], &violations[0]["column"]),
        (&5.into(), &13.into())
    );
}

#[test]
fn schemas_are_printed_and_are_schemas() {
    let folder = Folder::new();
    let names = harmony::schema::APPLICATIONS
        .iter()
        .map(|application| application.name);
    for application in names.chain(["answers"]) {
        let output = run(harmony(folder.path()).args(["settings", "schema", application]));
        let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(jsonschema::meta::is_valid(&schema), "{application}");
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        described(&schema, application);
    }
}

/// Every property says what it is, of what type, and gives examples.
fn described(schema: &Value, place: &str) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}:{name}");
        for word in ["title", "description", "x-allowed"] {
            assert!(property[word].is_string(), "{place} has no {word}");
        }
        assert!(
            ["type", "enum", "anyOf"]
                .iter()
                .any(|word| property.get(word).is_some()),
            "{place} has no type"
        );
        if property.get("properties").is_none() {
            let default = property.get("default").is_some() || place.starts_with("answers");
            assert!(
                default && property["examples"].is_array(),
                "{place} has no default or examples"
            );
        }
        described(property, &place);
    }
}

#[test]
fn a_secret_is_not_printed_as_a_mask_that_scripts_would_store() {
    let folder = checkout();
    settings(&folder, &["set", "BrokerConfiguration:Password", "hunter2"]);
    let (code, out, err) = said(&folder, &["get", "BrokerConfiguration:Password"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("--show-secrets") && !err.contains("hunter2"),
        "{err}"
    );
    let shown = said(
        &folder,
        &["get", "BrokerConfiguration:Password", "--show-secrets"],
    );
    assert_eq!(shown.1, "hunter2\n");
    let (code, out, _) = said(&folder, &["get", "RedisConnectionString"]);
    assert_eq!((code, out.as_str()), (Some(0), "127.0.0.1:6379\n"));
}
