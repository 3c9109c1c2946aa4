//! What .NET itself reads, against what we read: generated files, environments, arguments and
//! connection strings.

use super::oracle::{all, cases, compare_folder, oracle};
use crate::harness::program::{dotnet, run};
use harmony::appsettings::key_path::fold;
use harmony::appsettings::layers::ProcessInputs;
use harmony::connection_string::redis::RedisOptions;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use std::collections::BTreeMap;

/// Cases that are the same in every run, in chunks for as many threads.
fn generate<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..cases(120))
        .map(|_| strategy.new_tree(&mut runner).expect("a case").current())
        .collect()
}

fn documents() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("False".to_lowercase()),
        prop_oneof![
            Just("1.50"),
            Just("1e3"),
            Just("-0"),
            Just("0.0"),
            Just("12345678901234567890")
        ]
        .prop_map(str::to_owned),
        any::<i32>().prop_map(|number| number.to_string()),
        "[ -~&&[^\"\\\\]]{0,8}".prop_map(|text| format!("\"{text}\"")),
        Just("\"\\u00e9\\n\\t\\/\"".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
    ];
    let name = prop_oneof![
        "[aAbB]{1,2}",
        Just("c:d".to_owned()),
        Just("0".to_owned()),
        Just("é".to_owned()),
        Just("É".to_owned())
    ];
    let object = move |inner: proptest::strategy::BoxedStrategy<String>| {
        let members = prop::collection::vec((name.clone(), inner), 0..4);
        (members, any::<bool>(), any::<bool>()).prop_map(|(members, comma, comment)| {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\": {value}"))
                .collect();
            let comma = if comma && !members.is_empty() {
                ","
            } else {
                ""
            };
            let comment = if comment { "/* c */ // d\n" } else { "" };
            format!("{{ {comment}{}{comma} }}", members.join(", "))
        })
    };
    let inner = object.clone();
    let tree = leaf.prop_recursive(3, 16, 4, move |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            inner(value.boxed())
        ]
    });
    prop_oneof![
        12 => object(tree.boxed()),
        1 => Just("{ \"a\": 1 \"b\": 2 }".to_owned()),
        1 => Just("[1]".to_owned()),
        1 => Just("{ 'a': 1 }".to_owned()),
        1 => Just("{ \"a\": 01 }".to_owned()),
        1 => Just("\u{feff}{ \"a\": 1 }".to_owned()),
    ]
}

#[test]
fn settings_are_layered_as_dotnet_layers_them() {
    let Some(peer) = oracle("settings_are_layered_as_dotnet_layers_them") else {
        return;
    };
    let key = prop_oneof![
        "[aAbB]{1,2}",
        "[aA]:[bB]",
        Just("a:0".to_owned()),
        Just("c:d".to_owned())
    ];
    // The oracle leaves out variables without `__`: this machine's own are among them.
    let variable = prop_oneof![
        "[aA]__[bB]",
        Just("a__0".to_owned()),
        Just("c__d".to_owned()),
        Just("A__b__aa".to_owned())
    ];
    // Of two that differ only in case, which one wins is chance in .NET too.
    let variables =
        prop::collection::btree_map(variable, "[a-z]{0,3}", 0..3).prop_map(|variables| {
            let folded: BTreeMap<_, _> = variables
                .into_iter()
                .map(|(name, value)| (fold(&name), (name, value)))
                .collect();
            folded.into_values().collect::<BTreeMap<_, _>>()
        });
    let argument = prop_oneof![
        (key.clone(), "[a-z]{0,3}").prop_map(|(key, value)| vec![format!("--{key}={value}")]),
        (key.clone(), "[a-z]{1,3}").prop_map(|(key, value)| vec![format!("--{key}"), value]),
        (key.clone(), "[a-z]{1,3}").prop_map(|(key, value)| vec![format!("/{key}={value}")]),
        (key, "[a-z]{1,3}").prop_map(|(key, value)| vec![format!("{key}={value}")]),
    ];
    let arguments = prop::collection::vec(argument, 0..3).prop_map(|arguments| arguments.concat());
    let cases = generate((
        documents(),
        prop::option::of(documents()),
        variables,
        arguments,
    ));
    let refused = all(&cases, |(base, own, variables, arguments)| {
        let folder = crate::harness::Folder::new();
        folder.write("appsettings.json", base);
        if let Some(own) = own {
            folder.write("appsettings.Development.json", own);
        }
        let started = ProcessInputs {
            variables: variables.clone().into_iter().collect(),
            arguments: arguments.clone(),
            ..ProcessInputs::default()
        };
        compare_folder(&peer, &folder, &started).map_err(|difference| {
            format!("{base}\n{own:?}\n{variables:?}\n{arguments:?}\n{difference}")
        })
    });
    eprintln!(
        "{} cases of settings, {refused} refused by both, 0 differences",
        cases.len()
    );
}

#[test]
fn connection_strings_are_read_as_stackexchange_redis_reads_them() {
    let Some(peer) = oracle("connection_strings_are_read_as_stackexchange_redis_reads_them") else {
        return;
    };
    let endpoint = prop_oneof![
        "[a-z]{1,6}(:[0-9]{1,5})?",
        "10\\.0\\.0\\.[0-9]{1,2}(:[1-9][0-9]{1,3})?",
        Just("[::1]:7000".to_owned()),
        Just("[fe80::1]".to_owned()),
        Just("::1".to_owned()),
        Just("x.redis.cache.windows.net".to_owned()),
        Just("x.redis.cache.windows.net:6380".to_owned()),
    ];
    let boolean = prop_oneof![
        Just("true"),
        Just("FALSE"),
        Just("yes"),
        Just("no"),
        Just("on"),
        Just("1"),
        Just("0"),
        Just("maybe")
    ];
    let number = prop_oneof![Just("5"), Just("1000"), Just("30000"), Just("x"), Just("")];
    let option = prop_oneof![
        (
            prop_oneof![
                Just("ssl"),
                Just("abortConnect"),
                Just("ALLOWADMIN"),
                Just("resolveDns")
            ],
            boolean
        )
            .prop_map(|(key, value)| format!("{key}={value}")),
        (
            prop_oneof![
                Just("connectTimeout"),
                Just("syncTimeout"),
                Just("asyncTimeout"),
                Just("keepAlive"),
                Just("connectRetry"),
                Just("defaultDatabase")
            ],
            number
        )
            .prop_map(|(key, value)| format!("{key}={value}")),
        "password=[a-zA-Z0-9=+/]{0,8}",
        " user = [a-z]{0,5} ",
        "name=[a-z]{1,5}",
        "channelPrefix=[a-z]{1,5}",
        "serviceName=[a-z]{1,5}",
        "sslHost=[a-z]{1,5}",
        Just("pasword=x".to_owned()),
        Just("tiebreaker=".to_owned()),
        Just("$config=".to_owned()),
        Just(String::new()),
    ];
    let strings = (
        prop::collection::vec(endpoint, 0..3),
        prop::collection::vec(option, 0..4),
    )
        .prop_map(|(endpoints, options)| [endpoints, options].concat().join(","));
    let cases = generate(strings);
    let mut refused = 0;
    for text in &cases {
        let theirs: Value =
            serde_json::from_slice(&run(dotnet(&peer, "refconfig").args(["redis", text])).stdout)
                .expect("JSON");
        let ours = RedisOptions::parse(text);
        let case = format!("{text}\nours {ours:?}\n.NET {theirs}");
        if theirs.get("error").is_some_and(|error| error.is_string()) {
            assert!(ours.is_err(), "{case}");
            refused += 1;
            continue;
        }
        // .NET takes a string without endpoints and fails when it connects; ours says so at once.
        if theirs["endPoints"].as_array().is_some_and(Vec::is_empty) {
            assert!(ours.is_err(), "{case}");
            refused += 1;
            continue;
        }
        let ours = ours.unwrap_or_else(|error| panic!("{error}\n{case}"));
        let text_of = |value: &Value| value.as_str().map(str::to_owned);
        assert_eq!(
            ours.password
                .as_ref()
                .map(|password| password.reveal().to_owned()),
            text_of(&theirs["password"]),
            "{case}"
        );
        assert_eq!(ours.user, text_of(&theirs["user"]), "{case}");
        assert_eq!(ours.tls, theirs["ssl"], "{case}");
        assert_eq!(ours.abort_connect, theirs["abortConnect"], "{case}");
        assert_eq!(
            ours.connect_timeout.as_millis() as u64,
            theirs["connectTimeout"].as_u64().expect("a time"),
            "{case}"
        );
        assert_eq!(
            ours.async_timeout.as_millis() as u64,
            theirs["asyncTimeout"].as_u64().expect("a time"),
            "{case}"
        );
        assert_eq!(ours.service_name, text_of(&theirs["serviceName"]), "{case}");
        assert_eq!(
            ours.endpoints.len(),
            theirs["endPoints"].as_array().expect("endpoints").len(),
            "{case}"
        );
    }
    eprintln!(
        "{} connection strings, {refused} refused by both, 0 differences",
        cases.len()
    );
}

#[test]
fn a_rewritten_connection_string_has_one_endpoint() {
    use harmony::connection_string::Endpoint;
    use harmony::connection_string::redis::rewrite;
    for text in [
        "a:1,b:2,ssl=true",
        "=,ssl=true",
        "=x",
        "[::1]:7,password=p,ssl=true",
    ] {
        let rewritten = rewrite(text, &Endpoint::new("127.0.0.1", 6379), None);
        let options = RedisOptions::parse(&rewritten).expect("a string that reads");
        assert_eq!(
            (options.endpoints, options.password),
            (vec![Endpoint::new("127.0.0.1", 6379)], None),
            "{text}: {rewritten}"
        );
        assert_eq!(options.tls, text.contains("ssl"), "{text}: {rewritten}");
    }
}
