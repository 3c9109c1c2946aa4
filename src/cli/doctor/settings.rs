//! Checks of the checkout, its settings and the hub's certificate.

use super::check::{Check, CheckStatus};
use super::surroundings::SOON;
use crate::appsettings::layers::Layers;
use crate::cli::certs;
use crate::cli::context::{Context, certificates};
use crate::cli::failure::Failure;
use crate::hub::settings::HubSettings;
use crate::hub_process::now;
use crate::platform::advice;
use crate::project::{HUB_URL, Project};
use crate::{schema, tls};
use std::path::Path;
use url::Url;

/// Who trusts the development certificate.
pub const TRUST: &str = "certificate trust";

/// The settings, and what is to be said of them; `None` where they cannot be read.
pub fn read(context: &Context, checks: &mut Vec<Check>) -> Option<Project> {
    let read = || {
        let checkout = context.find_checkout()?;
        let project = Project::read(&checkout, &context.scope()?)?;
        Ok::<_, Failure>((checkout, project))
    };
    let (checkout, project) = match read() {
        Ok(read) => read,
        Err(failure) => {
            checks.push(Check::failed("settings", "settings", &failure));
            return None;
        }
    };
    let place = checkout.root.display();
    checks.push(Check::ok(
        "settings",
        "checkout",
        match checkout.exists {
            true => place.to_string(),
            false => format!("none here; 'harmony up' makes {place}"),
        },
    ));
    checks.extend(values(context, &project));
    if project.client.is_none() {
        let message = "no Harmony.Client found";
        checks.push(
            Check::new("settings", "client", CheckStatus::Warning, message)
                .fix("point a published client at the hub: harmony rehost URL --client DIR"),
        );
    }
    Some(project)
}

fn values(context: &Context, project: &Project) -> Vec<Check> {
    let files = project.files();
    let violations: Vec<_> = files.iter().flat_map(schema::all_violations).collect();
    if violations.is_empty() {
        let message = format!("all are valid for {}", context.environment);
        return vec![Check::ok("settings", "values", message)];
    }
    let check = |violation: &schema::Violation| {
        let status = match violation.severity {
            "error" => CheckStatus::Failed,
            _ => CheckStatus::Warning,
        };
        Check::new("settings", "value", status, violation.to_string())
            .fix("correct the file; 'harmony settings validate' shows every violation")
    };
    violations.iter().map(check).collect()
}

pub fn certificate(context: &Context, project: &Project, layers: &Layers) -> Option<Check> {
    let url = project.hub_url().or_else(|| Url::parse(HUB_URL).ok())?;
    if url.scheme() != "https" {
        return Some(Check::ok(
            "settings",
            "certificate",
            "not needed: the hub uses plain http",
        ));
    }
    let read = HubSettings::read(layers, &context.environment, Path::new("."));
    if let Ok(settings) = &read
        && let Some(source) = settings.certificate()
    {
        return Some(match tls::acceptor(source) {
            Ok(_) => not_ending(source),
            Err(error) => Check::failed("settings", "certificate", &error.into()),
        });
    }
    let made = certificates().ok()?.join("localhost.pem");
    let distrusting = match certs::distrusting(context) {
        Ok(Some(stores)) => stores,
        Ok(None) => {
            let message = "'harmony up' makes one for localhost; 'harmony certs trust' lets \
                           browsers trust it";
            return Some(Check::ok("settings", "certificate", message));
        }
        Err(failure) => return Some(Check::failed("settings", "certificate", &failure)),
    };
    if distrusting.is_empty() {
        let message = "this machine and its browsers trust the development certificate";
        return Some(Check::ok("settings", TRUST, message));
    }
    let message = format!(
        "the development certificate is not trusted by {}",
        distrusting.join(", ")
    );
    Some(
        Check::new("settings", TRUST, CheckStatus::Warning, message).fix(format!(
            "for browsers: harmony certs trust; for the machine: {}; where .NET made it: dotnet \
         dev-certs https --trust",
            advice::trust(&made)
        )),
    )
}

/// A certificate that is good, unless it ends soon.
fn not_ending(source: &tls::CertificateSource) -> Check {
    let path = source.path.display();
    let now = i64::try_from(now()).unwrap_or_default();
    let days = match tls::look::not_after(source) {
        Ok(end) => (end - now) / 86_400,
        Err(error) => return Check::failed("settings", "certificate", &error.into()),
    };
    match days {
        ..0 => Check::new(
            "settings",
            "certificate",
            CheckStatus::Failed,
            format!("{path} has ended"),
        )
        .fix("renew it; the hub reads its files again by itself"),
        0..SOON => Check::new(
            "settings",
            "certificate",
            CheckStatus::Warning,
            format!("{path} ends in {days} days"),
        )
        .fix("renew it; the hub reads its files again by itself"),
        _ => Check::ok("settings", "certificate", path.to_string()),
    }
}

pub fn authentication(layers: &Layers) -> Check {
    let on = !layers.get("Authentication:Jwt:Secret").is_empty();
    let message = if on {
        "clients must present a token that Harmony.Api signed"
    } else {
        "off, as in Harmony: whoever reaches the hub can listen to any board whose id they know"
    };
    Check::ok("settings", "authentication", message)
}
