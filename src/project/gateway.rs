//! The gateway's routes to the hub, in an Ocelot file.

use crate::appsettings::SettingsFile;
use crate::appsettings::document::{EditError, NewValue};
use crate::appsettings::key_path::KeyPath;
use url::Url;

/// The path under which clients reach the hub.
const ROUTE: &str = "/signalRHub";

/// A route that cannot lead to another hub by an edit of ours.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error("{file}: the route {template} leads to the hub and to everything else")]
    CatchAll { file: String, template: String },
    #[error("{file}: the route {template} finds the hub by its service name '{service}'")]
    Discovery {
        file: String,
        template: String,
        service: String,
    },
    #[error(
        "{file}: the route {template} has no {ROUTE} in its DownstreamPathTemplate to put {path} before"
    )]
    Path {
        file: String,
        template: String,
        path: String,
    },
}

/// One route: where it stands in the file.
struct Route<'g> {
    gateway: &'g SettingsFile,
    key: String,
}

impl Route<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let key = KeyPath::new(&format!("{}:{name}", self.key));
        self.gateway.document.get(&key)
    }

    fn template(&self) -> &str {
        self.get("UpstreamPathTemplate").unwrap_or_default()
    }

    /// Whether clients of the hub come by: a route that only begins alike is another's.
    fn leads_to_hub(&self) -> bool {
        begins_with_hub(self.template())
            || self
                .get("DownstreamPathTemplate")
                .is_some_and(begins_with_hub)
    }

    /// Whether it takes every path, so the hub's too.
    fn is_catch_all(&self) -> bool {
        let path = self.template().trim_matches('/');
        path.split('/')
            .all(|part| part.starts_with('{') && part.ends_with('}'))
    }

    fn servers(&self) -> usize {
        let key = KeyPath::new(&format!("{}:DownstreamHostAndPorts", self.key));
        self.gateway.document.array_length(&key)
    }
}

fn begins_with_hub(path: &str) -> bool {
    let (head, rest) = path.split_at_checked(ROUTE.len()).unwrap_or_default();
    head.eq_ignore_ascii_case(ROUTE) && (rest.is_empty() || rest.starts_with(['/', '{', '?']))
}

/// Every route; older files call them ReRoutes.
fn routes(gateway: &SettingsFile) -> Vec<Route<'_>> {
    let lists = ["Routes", "ReRoutes"].into_iter();
    lists
        .flat_map(|list| {
            let count = gateway.document.array_length(&KeyPath::new(list));
            (0..count).map(move |index| Route {
                gateway,
                key: format!("{list}:{index}"),
            })
        })
        .collect()
}

/// Whether clients of the hub reach it by a route.
pub fn has_route(gateway: &SettingsFile) -> bool {
    let routes = routes(gateway);
    routes
        .iter()
        .any(|route| route.leads_to_hub() || route.is_catch_all())
}

/// Where the first route to the hub leads.
pub fn route_url(gateway: &SettingsFile) -> Option<Url> {
    let routes = routes(gateway);
    let route = routes.iter().find(|route| route.leads_to_hub())?;
    let scheme = match route.get("DownstreamScheme")? {
        "ws" | "http" => "http",
        _ => "https",
    };
    let host = route.get("DownstreamHostAndPorts:0:Host")?;
    let port = route.get("DownstreamHostAndPorts:0:Port")?;
    let downstream = route.get("DownstreamPathTemplate").unwrap_or_default();
    let path = hub_path(downstream).map_or("", |(before, _)| before);
    Url::parse(&format!("{scheme}://{host}:{port}{path}")).ok()
}

/// Points every route to the hub at another address; no other route changes.
pub fn set_route(gateway: &mut SettingsFile, url: &Url) -> Result<(), GatewayError> {
    let mut edits: Vec<(String, NewValue)> = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    let file = gateway.path.display().to_string();
    let all = routes(gateway);
    let leading: Vec<_> = all.iter().filter(|route| route.leads_to_hub()).collect();
    if leading.is_empty()
        && let Some(route) = all.iter().find(|route| route.is_catch_all())
    {
        let template = route.template().to_owned();
        return Err(GatewayError::CatchAll { file, template });
    }
    for route in leading {
        let template = route.template().to_owned();
        let service = route.get("ServiceName").unwrap_or_default();
        if !service.is_empty() {
            return Err(GatewayError::Discovery {
                file,
                template,
                service: service.to_owned(),
            });
        }
        let mut edit =
            |name: &str, value: NewValue| edits.push((format!("{}:{name}", route.key), value));
        edit(
            "DownstreamScheme",
            NewValue::Text(scheme(route, url).into()),
        );
        let host = url.host_str().unwrap_or("localhost").to_owned();
        edit("DownstreamHostAndPorts:0:Host", NewValue::Text(host));
        let port = i64::from(url.port_or_known_default().unwrap_or(443));
        edit("DownstreamHostAndPorts:0:Port", NewValue::Integer(port));
        let downstream = route.get("DownstreamPathTemplate").unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        match hub_path(downstream) {
            Some((before, hub)) if before != path => {
                edit(
                    "DownstreamPathTemplate",
                    NewValue::Text(format!("{path}{hub}")),
                );
            }
            None if !path.is_empty() => {
                let path = path.to_owned();
                return Err(GatewayError::Path {
                    file,
                    template,
                    path,
                });
            }
            _ => {}
        }
        // Requests would be shared out among the hubs before and the new one.
        let others = (1..route.servers()).rev();
        removed.extend(others.map(|place| format!("{}:DownstreamHostAndPorts:{place}", route.key)));
    }
    for key in removed {
        gateway.document.remove(&KeyPath::new(&key))?;
    }
    for (key, value) in edits {
        gateway.document.set(&KeyPath::new(&key), &value)?;
    }
    Ok(())
}

/// The scheme of the address in the kind of the route: a WebSocket's or plain HTTP's.
fn scheme(route: &Route<'_>, url: &Url) -> &'static str {
    let present = route.get("DownstreamScheme").unwrap_or_default();
    let is_http = present.to_ascii_lowercase().starts_with("http");
    match (is_http, url.scheme() == "https") {
        (true, true) => "https",
        (true, false) => "http",
        (false, true) => "wss",
        (false, false) => "ws",
    }
}

/// A path apart at the hub's own: what stands before it, and the rest.
fn hub_path(path: &str) -> Option<(&str, &str)> {
    let at = path
        .to_ascii_lowercase()
        .find(&ROUTE.to_ascii_lowercase())?;
    Some(path.split_at(at)).filter(|(_, hub)| begins_with_hub(hub))
}
