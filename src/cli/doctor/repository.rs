//! Checks of a checkout as a repository: secrets that git tracks, the gateway's route, .NET's
//! version.

use super::check::{Check, CheckStatus};
use crate::appsettings::{self, Links};
use crate::checkout::Checkout;
use crate::cli::tracked::{is_changed, secret_among};
use crate::hub_process::now;
use crate::project::Project;

/// The end of support of .NET's versions, as Microsoft publishes it, in seconds since 1970.
const DOTNET_SUPPORT: [(&str, u64); 5] = [
    ("net6.0", 1_731_369_600),
    ("net7.0", 1_715_644_800),
    ("net8.0", 1_794_268_800),
    ("net9.0", 1_794_268_800),
    ("net10.0", 1_857_772_800),
];

pub fn checks(checkout: &Checkout, project: &Project) -> Vec<Check> {
    let mut checks = vec![tracked_secrets(checkout, project)];
    checks.extend(route(checkout, project));
    checks.extend(dotnet(checkout));
    checks
}

/// A password in a file that git tracks is published with the next commit.
fn tracked_secrets(checkout: &Checkout, project: &Project) -> Check {
    let files = project.files();
    let exposed: Vec<_> = files
        .iter()
        .filter(|file| is_changed(&checkout.root, &file.path))
        .filter_map(|file| Some((file, secret_among(file, |_| true)?)))
        .map(|(file, key)| {
            let path = file.path.strip_prefix(&checkout.root).unwrap_or(&file.path);
            (path.display().to_string(), key)
        })
        .collect();
    let Some((path, key)) = exposed.first() else {
        return Check::ok(
            "settings",
            "git",
            "no changed file that git tracks holds a secret",
        );
    };
    let message = format!(
        "git tracks {} changed files that hold secrets, such as {key} in {path}",
        exposed.len()
    );
    Check::new("settings", "git", CheckStatus::Warning, message).fix(format!(
        "do not commit them: git update-index --skip-worktree '{path}'"
    ))
}

/// A client that knows only the gateway needs its route.
fn route(checkout: &Checkout, project: &Project) -> Option<Check> {
    let gateway = checkout.gateway.as_ref()?;
    let client = project.client.as_ref()?.layers();
    if !client.get("signalrHostUrl").is_empty() || client.get("gatewayUrl").is_empty() {
        return None;
    }
    let file = gateway.join("ocelot.json");
    Some(match project.hub_url() {
        Some(url) => Check::ok("settings", "gateway", format!("its route leads to {url}")),
        None => Check::new(
            "settings",
            "gateway",
            CheckStatus::Failed,
            format!("{} has no route for /signalRHub", file.display()),
        )
        .fix(
            "add one with UpstreamPathTemplate /signalRHub/{everything}, DownstreamScheme wss and \
             DownstreamHostAndPorts, then: harmony rehost URL",
        ),
    })
}

/// Whether the .NET version of the hub's project is still supported.
fn dotnet(checkout: &Checkout) -> Option<Check> {
    let project = checkout.hub.join("Harmony.SignalR.csproj");
    let links = Links::Within(checkout.boundary(&project));
    let bytes = appsettings::read_file(&project, links).ok()??;
    let text = String::from_utf8_lossy(&bytes);
    let (_, rest) = text.split_once("<TargetFramework>")?;
    let version = rest.split('<').next()?.trim();
    let (_, end) = DOTNET_SUPPORT.iter().find(|(name, _)| *name == version)?;
    let until = crate::moment::of_seconds(i64::try_from(*end).ok()?)?;
    let day = until.get(..10).unwrap_or_default();
    if *end > now() {
        let message = format!("{version}, supported until {day}");
        return Some(Check::ok("settings", ".NET", message));
    }
    let message = format!("{version} is out of support since {day}");
    let check = Check::new("settings", ".NET", CheckStatus::Warning, message);
    Some(check.fix("move Harmony to a newer .NET; 'harmony hub' needs none"))
}
