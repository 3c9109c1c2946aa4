//! Redis connection strings of every keyword and shape: StackExchange.Redis and we understand the
//! same.

use super::oracle::{all, cases, oracle, seed};
use crate::harness::Random;
use crate::harness::program::{dotnet, run};
use harmony::connection_string::redis::{RedisOptions, RedisStringError};
use serde_json::Value;
use std::path::Path;

const ADDRESSES: [&str; 31] = [
    "h",
    "h:6380",
    "Cache-1.example.org:7000",
    "H:6380",
    "10.0.0.1",
    "10.0.0.1:6379",
    "[::1]:7000",
    "[fe80::1]",
    "::1",
    "x.redis.cache.windows.net",
    "x.redis.cache.windows.net:6380",
    "X.Redis.Cache.Windows.NET:6380",
    "y.redisenterprise.cache.azure.net:10000",
    "!/run/redis.sock",
    "h:0",
    "h:65535",
    // Numbers of every kind that are addresses, and some that are none.
    "5",
    "127.1:6380",
    "0x7f.0.0.1",
    "010.0.0.1",
    "1.2.3.4.5",
    "08.1.1.1",
    "300.1.1.1",
    // None of these can be connected to.
    "h:65536",
    "h:-1",
    "h:x",
    "h:",
    ":6379",
    "redis://h:1",
    "a b",
    "u@h:1",
];
const GOOD_ADDRESSES: u64 = 23;
const KEYWORDS: [&str; 33] = [
    "abortConnect",
    "allowAdmin",
    "asyncTimeout",
    "channelPrefix",
    "checkCertificateRevocation",
    "configChannel",
    "configCheckSeconds",
    "connectRetry",
    "connectTimeout",
    "defaultDatabase",
    "highIntegrity",
    "highPriorityThreads",
    "keepAlive",
    "name",
    "password",
    "preserveAsyncOrder",
    "protocol",
    "proxy",
    "resolveDns",
    "responseTimeout",
    "serviceName",
    "setlib",
    "ssl",
    "sslHost",
    "sslProtocols",
    "syncTimeout",
    "tiebreaker",
    "tunnel",
    "user",
    "version",
    "writeBuffer",
    // Unknown ones.
    "pasword",
    "host",
];
const GOOD_KEYWORDS: u64 = 31;
const VALUES: [&str; 47] = [
    "true",
    "FALSE",
    "yes",
    "No",
    "on",
    "off",
    "1",
    "0",
    "5",
    "1000",
    " 30000 ",
    "-1",
    "+7",
    "007",
    "2147483647",
    "2147483648",
    "x",
    "",
    " ",
    "maybe",
    "a=b",
    "p@ss:w/rd",
    "ü😀",
    "resp2",
    "RESP3",
    "2",
    "3",
    "4",
    "None",
    "twemproxy",
    "Envoyproxy",
    "tls12",
    "Tls12|tls13",
    "tls|tls11",
    "tls12|",
    "ssl3",
    "3072",
    "7.2",
    "6.0.9",
    "7",
    "1.2.3.4",
    "1.2.3.4.5",
    "-1.2",
    "http:proxy:3128",
    "http:proxy",
    "https:proxy:3128",
    "1,5",
];

/// Values that a keyword takes, mostly.
fn value(random: &mut Random, keyword: &str) -> String {
    let fitting: &[&str] = match keyword {
        "protocol" => &["resp2", "RESP3", "2", "3"],
        "proxy" => &["None", "twemproxy", "Envoyproxy", "1"],
        "sslProtocols" => &["tls12", "Tls12|tls13", "tls|tls11", "3072"],
        "version" => &["7.2", "6.0.9", "1.2.3.4"],
        "tunnel" => &["http:proxy:3128", ""],
        "asyncTimeout" | "connectTimeout" | "syncTimeout" | "keepAlive" | "connectRetry"
        | "configCheckSeconds" | "defaultDatabase" => &["5", "1000", " 30000 ", "007", "+7"],
        "password" | "user" | "name" | "channelPrefix" | "serviceName" | "sslHost"
        | "tiebreaker" | "configChannel" => &["x", "a=b", "p@ss:w/rd", "ü😀", "", "true"],
        _ => &["true", "FALSE", "yes", "No", "on", "off", "1", "0"],
    };
    let choices = if random.one_in(12) { &VALUES } else { fitting };
    (*random.pick(choices)).to_owned()
}

fn text(random: &mut Random) -> String {
    let mut tokens: Vec<String> = Vec::new();
    for _ in 0..random.below(3) + u64::from(!random.one_in(20)) {
        let limit = match random.one_in(15) {
            true => ADDRESSES.len() as u64,
            false => GOOD_ADDRESSES,
        };
        tokens.push(ADDRESSES[random.below(limit) as usize].to_owned());
    }
    for _ in 0..random.below(6) {
        let limit = match random.one_in(40) {
            true => KEYWORDS.len() as u64,
            false => GOOD_KEYWORDS,
        };
        let keyword = KEYWORDS[random.below(limit) as usize];
        let value = value(random, keyword);
        let spelt = match random.below(4) {
            0 => keyword.to_ascii_uppercase(),
            1 => keyword.to_ascii_lowercase(),
            _ => keyword.to_owned(),
        };
        let sign = *random.pick(&["=", "=", "=", " = ", "= "]);
        let at = random.below(tokens.len() as u64 + 1) as usize;
        tokens.insert(at, format!("{spelt}{sign}{value}"));
    }
    if random.one_in(8) {
        let at = random.below(tokens.len() as u64 + 1) as usize;
        tokens.insert(
            at,
            (*random.pick(&["", " ", "=", "=x", "$info=", "$get=got"])).to_owned(),
        );
    }
    let separator = *random.pick(&[",", ",", ", ", " , "]);
    tokens.join(separator)
}

/// What both understand, as far as .NET says it; `None` where we take it for a host that cannot be.
fn differs(text: &str, theirs: &Value, ours: &RedisOptions) -> Option<String> {
    let said = |name: &str| theirs[name].as_str().map(str::to_owned);
    let number = |name: &str| theirs[name].as_i64();
    let endpoints: Vec<_> = theirs["endPoints"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    // A port that is not named is the default only once it connects.
    let same_place = |(ours, theirs): (&String, &String)| {
        theirs == ours
            || theirs
                .strip_suffix(":0")
                .is_some_and(|host| ours.starts_with(&format!("{host}:")))
            || ours.strip_prefix('!') == Some(theirs.as_str())
    };
    let own: Vec<_> = ours.endpoints.iter().map(ToString::to_string).collect();
    let millis = |time: std::time::Duration| time.as_millis() as i64;
    // Without a meaning below zero: the first database, no wait.
    let positive = |name: &str| number(name).map(|number| number.max(0));
    let checks = [
        (
            "endpoints",
            own.len() == endpoints.len() && own.iter().zip(&endpoints).all(same_place),
        ),
        ("user", ours.user == said("user")),
        (
            "password",
            ours.password.as_ref().map(|own| own.reveal().to_owned()) == said("password"),
        ),
        ("ssl", theirs["ssl"] == ours.tls),
        (
            "sslHost",
            ours.tls_host.is_none() || ours.tls_host == said("sslHost"),
        ),
        (
            "database",
            i64::from(ours.database) == positive("defaultDatabase").unwrap_or(0),
        ),
        ("abortConnect", theirs["abortConnect"] == ours.abort_connect),
        (
            "connectTimeout",
            Some(millis(ours.connect_timeout)) == positive("connectTimeout"),
        ),
        (
            "asyncTimeout",
            Some(millis(ours.async_timeout)) == positive("asyncTimeout"),
        ),
        ("name", ours.client_name == said("name")),
        (
            "serviceName",
            ours.service_name == said("serviceName").filter(|name| !name.is_empty()),
        ),
        (
            "channelPrefix",
            match said("channelPrefix") {
                Some(prefix) if prefix != "(null)" => ours.channel_prefix == prefix,
                _ => ours.channel_prefix.is_empty(),
            },
        ),
    ];
    let wrong: Vec<_> = checks
        .iter()
        .filter(|(_, same)| !same)
        .map(|(name, _)| *name)
        .collect();
    (!wrong.is_empty()).then(|| format!("{text:?}: {wrong:?}\nours {ours:?}\n.NET {theirs}"))
}

fn compare(peer: &Path, text: &str) -> Result<bool, String> {
    let output = run(dotnet(peer, "refconfig").args(["redis", text]));
    let theirs: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("{text:?}: {error}"))?;
    let ours = RedisOptions::parse(text);
    let refuses = theirs["error"].is_string();
    let nowhere = theirs["endPoints"].as_array().is_some_and(Vec::is_empty);
    match ours {
        Err(_) if refuses || nowhere => Ok(true),
        // It takes these for names of hosts, and fails when it connects.
        Err(RedisStringError::Endpoint { .. }) => Ok(true),
        Err(error) => Err(format!("{text:?}: ours refuses: {error}\n.NET {theirs}")),
        Ok(ours) if refuses => Err(format!("{text:?}: ours {ours:?}\n.NET {theirs}")),
        Ok(ours) => differs(text, &theirs, &ours).map_or(Ok(false), Err),
    }
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn strings_of_every_keyword_are_understood_as_stackexchange_redis_does() {
    let Some(peer) = oracle("strings_of_every_keyword_are_understood_as_stackexchange_redis_does")
    else {
        return;
    };
    let mut random = Random(seed().wrapping_mul(1_000_003));
    random.below(2);
    let texts: Vec<_> = (0..cases(120)).map(|_| text(&mut random)).collect();
    let refused = all(&texts, |text| compare(&peer, text));
    eprintln!(
        "seed {}: {} Redis strings, {refused} refused by both, 0 differences",
        seed(),
        texts.len()
    );
}
