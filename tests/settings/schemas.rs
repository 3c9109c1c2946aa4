//! Schemas take what the applications take, and refuse what these would die of.

use harmony::appsettings::document::Document;
use harmony::appsettings::layers::Layers;
use harmony::hub::settings::HubSettings;
use harmony::schema::{Application, defaults, property, violations};
use std::path::Path;

fn said(text: &str) -> Vec<String> {
    let schema = Application::named("Harmony.SignalR")
        .expect("the hub")
        .schema();
    let document = Document::parse(text.as_bytes()).expect("settings");
    let path = Path::new("appsettings.json");
    let all = violations(&schema, path, &document).into_iter();
    all.map(|violation| {
        format!(
            "{}:{} {}: {}",
            violation.line, violation.column, violation.key, violation.message
        )
    })
    .collect()
}

fn read(text: &str) -> Result<HubSettings, String> {
    let document = Document::parse(text.as_bytes()).expect("settings");
    let layers = Layers::of_files([(Path::new("appsettings.json"), &document)]);
    HubSettings::read(&layers, "Production", Path::new(".")).map_err(|error| error.to_string())
}

/// The settings that the source of the hub reads by a whole key.
fn keys_of_the_hub() -> Vec<String> {
    let source = include_str!("../../src/hub/settings.rs");
    let texts = source.split('"').skip(1).step_by(2);
    let is_key = |text: &&str| {
        let parts = text.split(':');
        text.contains(':')
            && parts.clone().all(|part| {
                part.starts_with(char::is_uppercase) && part.chars().all(char::is_alphanumeric)
            })
    };
    texts.filter(is_key).map(str::to_owned).collect()
}

#[test]
fn every_setting_that_the_hub_reads_is_in_its_schema_with_the_hub_s_own_default() {
    let schema = Application::named("Harmony.SignalR")
        .expect("the hub")
        .schema();
    let keys = keys_of_the_hub();
    assert!(keys.len() > 20, "{keys:?}");
    for key in &keys {
        assert!(property(&schema, key).is_some(), "{key}");
    }
    let none = format!("{:#?}", read("{}"));
    for (key, value) in defaults(&schema) {
        let text = serde_json::json!({ &key: &value }).to_string();
        assert_eq!(format!("{:#?}", read(&text)), none, "{key} = {value}");
    }
}

#[test]
fn every_limit_of_the_hub_is_in_the_readme() {
    let readme = include_str!("../../README.md");
    for key in keys_of_the_hub() {
        if let Some(limit) = key.strip_prefix("Limits:") {
            assert!(readme.contains(&format!("`{limit}`")), "{key}");
        }
    }
}

#[test]
fn what_dotnet_runs_with_is_valid_and_the_hub_reads_it() {
    for text in [
        r#"{"Logging":{"LogLevel":{"Default":"warning","Microsoft":"NONE","A":3,"B":"5","C":null}}}"#,
        r#"{"Logging":{"LogLevel":{"Default":2}}}"#,
        r#"{"Logging":{"Console":{"LogLevel":{"Default":"debug"},"IncludeScopes":true}}}"#,
        r#"{"Logging":{"IncludeScopes":false}}"#,
        r#"{"Serilog":{"MinimumLevel":"debug"}}"#,
        r#"{"Serilog":{"MinimumLevel":{"Default":"INFORMATION","Override":{"A":"error","B":"$x"}}}}"#,
        r#"{"Serilog":{"LevelSwitches":{"$x":"Warning"},"MinimumLevel":{"ControlledBy":"$x"}}}"#,
        r#"{"Serilog":{"LevelSwitches":{"$x":"fatal"},"MinimumLevel":{"Default":"$x"}}}"#,
        r#"{"Serilog":{"MinimumLevel":{"Default":3}}}"#,
        r#"{"BrokerConfiguration":{"Username":12345,"Password":true,"Port":"5672","Host":"mq"}}"#,
        r#"{"BrokerConfiguration:Port":"5672","brokerconfiguration":{"host":"x"}}"#,
        r#"{"RedisConnectionString":"h,ssl=YES,proxy=None,version=7,sslProtocols=tls12|Tls13"}"#,
        r#"{"RedisConnectionString":"!/run/redis.sock"}"#,
        r#"{"Urls":"http://*:8080;https://localhost:7262","AllowedHosts":"*"}"#,
        r#"{"Kestrel":{"Endpoints":{"A":{"Url":"http://*:1"}}},"Admin":{"Url":"http://127.0.0.1:1"}}"#,
    ] {
        assert_eq!(said(text), Vec::<String>::new(), "{text}");
        assert!(read(text).is_ok(), "{text}: {:?}", read(text));
    }
}

#[test]
fn what_the_application_could_not_use_is_told_in_its_parsers_words() {
    for (value, why) in [
        (
            "redis://:pw@h:6379",
            "is not HOST:PORT; write h:6379,password=********",
        ),
        ("rediss://h/3", "write h:6379,ssl=true,defaultDatabase=3"),
        (
            "Host=h;Port=6380;Password=x",
            "separated by commas here; write h:6380,password=********",
        ),
        (
            "h:6379,pwd=x",
            "Keyword 'pwd' is not supported. Did you mean 'password'?",
        ),
        ("h:70000", "the port 70000"),
        ("h,ssl=yup", "'ssl' requires true or false"),
        ("h,sslprotocols=foo", "'sslProtocols' requires"),
        (
            "h,proxy=foo",
            "'proxy' requires None, Twemproxy or Envoyproxy",
        ),
        ("h,tunnel=foo", "'tunnel' requires http:HOST:PORT"),
        (
            "h,syncTimeout=0",
            "'syncTimeout' requires a number of milliseconds above 0",
        ),
        ("h,version=x", "'version' requires a version"),
        ("h,protocol=4", "'protocol' requires resp2 or resp3"),
    ] {
        let said = said(&format!("{{\n  \"RedisConnectionString\": \"{value}\"\n}}"));
        assert!(
            said.len() == 1 && said[0].starts_with("2:28 Redis") && said[0].contains(why),
            "{value}: {said:?}"
        );
    }
    for (text, key) in [
        (r#"{"Urls":"foo"}"#, "Urls"),
        (r#"{"Admin":{"Url":"http://0.0.0.0:1"}}"#, "Admin:Url"),
        (
            r#"{"Kestrel":{"Endpoints":{"A":{"Url":"foo"}}}}"#,
            "Kestrel:Endpoints:A:Url",
        ),
        (
            r#"{"Logging":{"Console":{"LogLevel":"foo"}}}"#,
            "Logging:Console:LogLevel",
        ),
        (
            r#"{"Logging":{"Console":{"LogLevel":{"A":"foo"}}}}"#,
            "Logging:Console:LogLevel:A",
        ),
        (
            r#"{"Logging":{"LogLevel":{"a/b~c":"Loud"}}}"#,
            "Logging:LogLevel:a/b~c",
        ),
        (
            r#"{"Logging":{"LogLevel":{"A":true}}}"#,
            "Logging:LogLevel:A",
        ),
        (
            r#"{"Serilog":{"MinimumLevel":{"Default":"Loud"}}}"#,
            "Serilog:MinimumLevel:Default",
        ),
        (
            r#"{"ElasticConfiguration":{"Uri":"foo"}}"#,
            "ElasticConfiguration:Uri",
        ),
        (
            r#"{"BrokerConfiguration:Port":"many"}"#,
            "BrokerConfiguration:Port",
        ),
    ] {
        let said = said(text);
        let at = text.rfind(if text.contains("true") {
            "true"
        } else {
            "\"foo"
        });
        let column = at.map_or(0, |at| at + 1);
        assert_eq!(said.len(), 1, "{text}: {said:?}");
        assert!(said[0].contains(&format!(" {key}: ")), "{text}: {said:?}");
        assert!(
            column == 0 || said[0].starts_with(&format!("1:{column} ")),
            "{text}: {said:?}"
        );
    }
}
