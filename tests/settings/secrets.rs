//! Secrets are judged by their whole key and by the shape of their value, and shown nowhere.

use harmony::connection_string::masking;
use harmony::connection_string::redis::{RedisOptions, masked};
use harmony::schema::{self, Application};
use serde_json::Value;

fn shown(key: &str, value: &str) -> String {
    schema::masked(&Value::Null, key, value).unwrap_or_else(|| value.to_owned())
}

#[test]
fn keys_are_judged_by_their_whole_path() {
    for key in [
        "BrokerConfiguration:Password",
        "Jwt:Key",
        "Authentication:Jwt:Secret",
        "PrivateKey",
        "Passwords:0",
        "Secrets:A",
        "Sentry:Dsn",
        "Storage:AccountKey",
        "ApiKey",
        "API_KEY",
        "Aws:SecretAccessKey",
        "Smtp:Passwd",
        "OAuth:ClientSecret",
        "Tokens:Github:0",
        "Certificates:Default:Password",
    ] {
        assert!(!shown(key, "hunter2 and more").contains("hunter2"), "{key}");
    }
    for (key, value) in [
        ("Certificates:Default:KeyPath", "hub.key"),
        ("Identity:Password:RequireDigit", "True"),
        ("PasswordPolicy:Length", "8"),
        ("Jwt:TokenLifetime", "15"),
        ("OAuth:TokenUrl", "https://login.example/token"),
        ("Localization:Key", "en"),
        ("AllowedHosts", "*"),
        ("BrokerConfiguration:Host", "localhost"),
        ("Serilog:MinimumLevel:Default", "Information"),
    ] {
        assert_eq!(shown(key, value), value, "{key}");
    }
}

#[test]
fn values_are_judged_by_their_shape() {
    for (value, expected) in [
        ("amqp://user:hunter2@mq:5672/v", "amqp://********@mq:5672/v"),
        ("redis://:hunter2@h:6379", "redis://********@h:6379"),
        (
            "https://x.example/a?sig=hunter2&b=1",
            "https://x.example/a?sig=********&b=1",
        ),
        ("https://x.example/a?b=1", "https://x.example/a?b=1"),
        (
            "Server=db,1433;Database=d;User Id=sa;Password=hunter2;Encrypt=True",
            "Server=db,1433;Database=d;User Id=sa;Password=********;Encrypt=True",
        ),
        ("Host=db;Pwd=hunter2", "Host=db;Pwd=********"),
        (
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=hunter2==;EndpointSuffix=x",
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=********;EndpointSuffix=x",
        ),
        ("a, b = c", "a, b = c"),
        ("http://localhost:9200", "http://localhost:9200"),
    ] {
        assert_eq!(shown("Some:Thing", value), expected);
    }
    let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    assert_eq!(shown("Pem", key), "********");
    assert_eq!(
        shown("Header", "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.hunter2"),
        "********"
    );
}

#[test]
fn connection_strings_show_their_hosts_and_harmless_options() {
    for (value, expected) in [
        ("127.0.0.1:6379", "127.0.0.1:6379"),
        (
            "h:1,password=hun,ter2,ssl=true,abortConnect=false",
            "h:1,password=********,********,ssl=true,abortConnect=false",
        ),
        ("h:1,user=u,password=a=b", "h:1,user=u,password=********"),
        ("h:1,pwd=hunter2", "h:1,pwd=********"),
        ("h:1,unknown=hunter2", "h:1,********"),
        (
            "[::1]:7000,b,!/run/redis.sock",
            "[::1]:7000,b,!/run/redis.sock",
        ),
        ("redis://u:hun@ter2@h:6379", "redis://********@h:6379"),
    ] {
        assert_eq!(shown("RedisConnectionString", value), expected);
    }
    let hub = Application::named("harmony.signalr")
        .expect("the hub")
        .schema();
    assert!(schema::is_secret(&hub, "redisconnectionstring"));
}

#[test]
fn no_error_of_the_parser_shows_a_password() {
    for text in [
        "redis://:hunter2@h:6379",
        "redis://:hunter2=x@h:6379",
        "rediss://user:hunter2@h",
        "h,passwort=hunter2",
        "h,hunter2:99999",
        "password:hunter2@h:1",
        "Host=h;Password=hunter2",
        "h,password=x,hunter2/y",
        "h,ssl=hunter2",
        "h,syncTimeout=hunter2",
    ] {
        let said = match RedisOptions::parse(text) {
            Ok(options) => format!("{options:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        let hosts = text.starts_with("h,hunter2") || text.starts_with("h,password=x");
        assert!(hosts || !said.contains("hunter2"), "{text}: {said}");
        assert!(
            !masked(text).contains("hunter2") || hosts,
            "{text}: {}",
            masked(text)
        );
        let _ = masking::any_text(text);
    }
}
