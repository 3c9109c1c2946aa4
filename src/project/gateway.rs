//! The gateway's route to the hub, in an Ocelot file.

use crate::appsettings::SettingsFile;
use crate::appsettings::document::{EditError, NewValue};
use crate::appsettings::key_path::KeyPath;
use url::Url;

/// The path under which the gateway reaches the hub.
const ROUTE: &str = "/signalRHub";

/// Whether a route leads to the hub.
pub fn has_route(gateway: &SettingsFile) -> bool {
    route_index(gateway).is_some()
}

/// Where the route to the hub leads.
pub fn route_url(gateway: &SettingsFile) -> Option<Url> {
    let index = route_index(gateway)?;
    let get = |name: &str| {
        let key = KeyPath::new(&format!("Routes:{index}:{name}"));
        gateway.document.get(&key)
    };
    let scheme = match get("DownstreamScheme")? {
        "ws" | "http" => "http",
        _ => "https",
    };
    let host = get("DownstreamHostAndPorts:0:Host")?;
    let port = get("DownstreamHostAndPorts:0:Port")?;
    Url::parse(&format!("{scheme}://{host}:{port}")).ok()
}

/// Points the route to the hub, where there is one, at another address.
pub fn set_route(gateway: &mut SettingsFile, url: &Url) -> Result<(), EditError> {
    let Some(index) = route_index(gateway) else {
        return Ok(());
    };
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    let port = i64::from(url.port_or_known_default().unwrap_or(443));
    let host = url.host_str().unwrap_or("localhost").to_owned();
    for (key, value) in [
        ("DownstreamScheme", NewValue::Text(scheme.into())),
        ("DownstreamHostAndPorts:0:Host", NewValue::Text(host)),
        ("DownstreamHostAndPorts:0:Port", NewValue::Integer(port)),
    ] {
        let key = KeyPath::new(&format!("Routes:{index}:{key}"));
        gateway.document.set(&key, &value)?;
    }
    Ok(())
}

/// The place of the route that leads to the hub.
fn route_index(gateway: &SettingsFile) -> Option<usize> {
    let document = &gateway.document;
    let leads_to_hub = |index: &usize| {
        let key = KeyPath::new(&format!("Routes:{index}:UpstreamPathTemplate"));
        let head = document.get(&key).and_then(|path| path.get(..ROUTE.len()));
        head.is_some_and(|head| head.eq_ignore_ascii_case(ROUTE))
    };
    (0..document.array_length(&KeyPath::new("Routes"))).find(leads_to_hub)
}
