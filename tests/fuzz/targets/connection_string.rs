//! Connection strings: no text makes the reader panic, and no mask lets a password through.
#![no_main]

use harmony::connection_string::Endpoint;
use harmony::connection_string::redis::{RedisOptions, masked, rewrite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Endpoint::parse(text, 6379);
    let Ok(options) = RedisOptions::parse(text) else {
        return;
    };
    let endpoint = Endpoint::new("127.0.0.1", 6379);
    let rewritten = RedisOptions::parse(&rewrite(text, &endpoint, options.password.as_ref()))
        .expect("a rewritten string reads");
    assert_eq!(rewritten.endpoints, [endpoint]);
    assert_eq!(rewritten.password, options.password);
    if let Some(password) = options
        .password
        .filter(|password| password.reveal().len() > 12)
    {
        assert!(!masked(text).contains(&format!("password={}", password.reveal())));
    }
});
