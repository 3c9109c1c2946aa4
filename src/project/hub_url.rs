//! The address of a hub, as people write it.

use url::Url;

/// Where Harmony's client looks for the hub unless its settings say otherwise.
pub const HUB_URL: &str = "https://localhost:7262";

/// Reads the address of a hub as people write it.
pub fn parse_hub_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim())
        .map_err(|error| format!("{error}; expected an address such as {HUB_URL}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https are possible".into());
    }
    if url.port() == Some(0) {
        return Err("a hub cannot be reached at port 0".into());
    }
    Ok(url)
}
