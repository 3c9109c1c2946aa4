//! Environment variables that would override what settings files say.

/// The variables that would override what the files say, among these.
pub fn overriding(variables: &[String]) -> Vec<String> {
    const KEYS: [&str; 5] = [
        "RedisConnectionString",
        "URLS",
        "ASPNETCORE_URLS",
        "HTTP_PORTS",
        "HTTPS_PORTS",
    ];
    const SECTIONS: [&str; 2] = ["BrokerConfiguration", "Kestrel:Endpoints"];
    let overrides = |name: &&String| {
        let key = name.replace("__", ":").to_ascii_lowercase();
        let is_key = KEYS.iter().any(|known| key == known.to_ascii_lowercase());
        let in_section = SECTIONS.iter().any(|section| {
            let section = section.to_ascii_lowercase();
            key.strip_prefix(&section)
                .is_some_and(|rest| rest.starts_with(':'))
        });
        is_key || in_section
    };
    variables.iter().filter(overrides).cloned().collect()
}
