//! Checks of who may reach the hub: web pages by their origin, proxies by the addresses they
//! forward.

use super::check::{Check, CheckStatus};
use crate::appsettings::layers::{Layers, ProcessInputs};
use crate::appsettings::{Links, SettingsFile};
use crate::checkout::Checkout;
use crate::cli::context::Context;
use crate::hub::allowed_origins::normalized;
use url::Url;

const ORIGINS: &str = "Cors:Origins";
/// ASP.NET Core's own switch, in settings or, behind `ASPNETCORE_` and `DOTNET_`, in variables.
const FORWARDED_HEADERS: &str = "FORWARDEDHEADERS_ENABLED";

pub fn checks(context: &Context, checkout: &Checkout) -> Vec<Check> {
    let inputs = ProcessInputs::here(Vec::new());
    let links = Links::Within(checkout.boundary(&checkout.hub));
    // What cannot be read has a check of its own.
    let Ok(layers) = Layers::load(&checkout.hub, links, &context.environment, &inputs) else {
        return Vec::new();
    };
    let mut checks = vec![cors(&layers, &client_pages(checkout))];
    checks.extend(forwarded_headers(&layers));
    checks
}

fn cors(layers: &Layers, pages: &[String]) -> Check {
    let origins = normalized(&layers.list(ORIGINS));
    let warning = |message: String| Check::new("settings", "CORS", CheckStatus::Warning, message);
    if origins.is_empty() || origins.iter().any(|origin| origin == "*") {
        let message = "every web page may talk to the hub, which is the default, as in Harmony; \
                       'harmony rehost URL --origins' names those that may";
        return Check::ok("settings", "CORS", message);
    }
    if let Some(wrong) = origins.iter().find(|origin| !is_origin(origin)) {
        return warning(format!(
            "no browser sends the origin '{wrong}' of {ORIGINS}"
        ))
        .fix("write it as browsers do: https://HOST, with :PORT only where it is not 443 or 80");
    }
    match pages.iter().find(|page| !origins.contains(page)) {
        Some(page) => warning(format!(
            "Harmony.Client is served at {page}, which {ORIGINS} leaves out"
        ))
        .fix(format!("add {page} to {ORIGINS}")),
        None => {
            let message = format!("only {} may talk to the hub", origins.join(", "));
            Check::ok("settings", "CORS", message)
        }
    }
}

/// Whether a text is what a browser sends: scheme, host, and a port that is not the usual one.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

/// Where Visual Studio serves the client, as its launch settings say.
fn client_pages(checkout: &Checkout) -> Vec<String> {
    let folders = checkout
        .client
        .iter()
        .flat_map(|client| client.ancestors().take(2));
    let files = folders.filter_map(|folder| {
        let links = Links::Within(checkout.boundary(folder));
        let file = folder.join("Properties/launchSettings.json");
        SettingsFile::read(&file, links).ok()?
    });
    let entries = files.flat_map(|file| file.document.entries());
    let urls = entries.filter(|entry| {
        entry.key.starts_with("profiles:") && entry.key.ends_with(":applicationUrl")
    });
    let pages = urls.filter_map(|entry| entry.value).flat_map(|urls| {
        let pages = urls
            .split(';')
            .filter_map(|url| Url::parse(url.trim()).ok());
        pages
            .map(|url| url.origin().ascii_serialization())
            .collect::<Vec<_>>()
    });
    pages.collect()
}

fn forwarded_headers(layers: &Layers) -> Option<Check> {
    let switch = layers.setting(FORWARDED_HEADERS)?;
    let value = switch.value.as_deref().unwrap_or_default().trim();
    let is_on = value.eq_ignore_ascii_case("true") || value == "1";
    let names_proxies = ["KnownProxies", "KnownNetworks"]
        .iter()
        .any(|name| !layers.list(&format!("ForwardedHeaders:{name}")).is_empty());
    if !is_on || names_proxies {
        return None;
    }
    let message = format!(
        "{FORWARDED_HEADERS} ({}) alone trusts every proxy: whoever reaches the hub can claim any \
         address",
        switch.source
    );
    let check = Check::new(
        "settings",
        "forwarded headers",
        CheckStatus::Warning,
        message,
    );
    Some(check.fix("name the proxies: ForwardedHeaders:KnownProxies"))
}
