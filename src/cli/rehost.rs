//! `harmony rehost`: point the client, or the gateway's route, at another hub.

mod verify;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::appsettings::document::NewValue;
use crate::appsettings::{self, Links, SettingsFile, change, twins};
use crate::hub_client::HubClient;
use crate::project::{ApplicationSettings, HubUrlPlace, Project, parse_hub_url, published};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The file that a client's browsers read.
const SETTINGS: &str = "appsettings.json";
const ASK_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub struct RehostArguments {
    /// URL where clients find the hub
    #[arg(value_name = "URL", value_parser = parse_url)]
    url: Url,
    /// Folder of a published client's appsettings.json
    #[arg(long, value_name = "DIR")]
    client: Option<PathBuf>,
    /// The URL is a gateway's: write it to the client's gatewayUrl, not to the gateway's route
    #[arg(long)]
    gateway: bool,
    /// Web pages that may connect, others no longer (Cors:Origins of the hub); '*' lets all in
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = parse_origin)]
    origins: Vec<String>,
    /// Do not check that a hub answers there
    #[arg(long)]
    no_check: bool,
    /// Fetch the client's settings from this URL afterwards, also compressed, and compare
    #[arg(long, value_name = "URL")]
    verify_url: Option<Url>,
}

#[derive(Debug, Serialize)]
struct Rehosted {
    url: String,
    changes: usize,
    #[serde(skip)]
    dry_run: bool,
    files: Vec<PathBuf>,
}

impl fmt::Display for Rehosted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.files.is_empty() {
            return write!(
                formatter,
                "Clients find the hub at {} already; nothing had to change.",
                self.url
            );
        }
        let now = if self.dry_run { "would find" } else { "find" };
        write!(formatter, "Clients {now} the hub at {} now.", self.url)?;
        self.files
            .iter()
            .try_for_each(|path| write!(formatter, "\n  {}", path.display()))
    }
}

pub async fn run(context: &Context, arguments: RehostArguments) -> Result<(), Failure> {
    let _lock = if context.dry_run {
        None
    } else {
        Some(context.instance.lock()?)
    };
    if !arguments.no_check {
        ask(&arguments.url).await?;
    }
    let place = match &arguments.client {
        Some(folder) => Some(published_folder(folder)?),
        None => client_here(context)?,
    };
    if arguments.verify_url.is_some() && place.is_none() {
        let message = "--verify-url compares with a published client's folder";
        return Err(Failure::new(Exit::Usage, "notAClient", message).fix("name it with --client"));
    }
    if !arguments.origins.is_empty() && place.is_some() {
        let message = "--origins changes the hub's settings, and a published client has none";
        return Err(Failure::new(Exit::Usage, "noHubSettings", message).fix(
            "set Cors:Origins where the hub runs: 'harmony settings set Cors:Origins ORIGIN'",
        ));
    }
    let (boundary, files) = match &place {
        Some(folder) => (folder.clone(), published(context, folder, &arguments)?),
        None => checkout(context, &arguments)?,
    };
    for file in files.iter().filter(|file| file.is_changed()) {
        crate::schema::check(file)?;
    }
    let mut replacements = appsettings::replacements(&files);
    for file in files.iter().filter(|file| !file.is_new()) {
        let bytes = file.document.to_bytes();
        let links = Links::Within(&boundary);
        replacements.extend(twins::stale(&file.path, &bytes, links)?);
    }
    if let Some(folder) = &place {
        published::renew(folder, &mut replacements)?;
    }
    let files = if context.dry_run {
        replacements
            .iter()
            .map(|replacement| replacement.path.clone())
            .collect()
    } else {
        change::commit(&replacements, &context.instance.backups())?
    };
    let changes = files.len();
    context.terminal.result(&Rehosted {
        url: shown(&arguments.url),
        changes,
        dry_run: context.dry_run,
        files,
    });
    if context.dry_run {
        return context.pending(changes);
    }
    match (&arguments.verify_url, place) {
        (Some(url), Some(folder)) => verify::served(url, &folder.join(SETTINGS)).await,
        _ => Ok(()),
    }
}

/// Whether a hub answers; anything else there would leave every browser without updates.
async fn ask(url: &Url) -> Result<(), Failure> {
    let failure = |why: String| {
        Failure::new(
            Exit::NotReady,
            "notAHub",
            format!("no hub answers at {}", shown(url)),
        )
        .why(why)
        .fix("start it, correct the URL, or go on without asking: --no-check")
    };
    match HubClient::connect(url, ASK_WITHIN).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure(error.to_string())),
    }
}

/// The folder of a published client's static files.
fn published_folder(folder: &Path) -> Result<PathBuf, Failure> {
    let inner = folder.join("wwwroot");
    let folders = [inner, folder.to_owned()];
    let found = folders
        .into_iter()
        .find(|folder| folder.join(SETTINGS).exists());
    found.ok_or_else(|| {
        let message = format!("{} holds no appsettings.json", folder.display());
        Failure::new(Exit::Usage, "notAClient", message)
            .fix("name the folder of the client's static files with --client")
    })
}

/// The published client that the current folder is, or holds in its wwwroot.
fn client_here(context: &Context) -> Result<Option<PathBuf>, Failure> {
    if context.names_checkout() {
        return Ok(None);
    }
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(Exit::Failed, "currentFolder", error.to_string()))?;
    let is_client = |folder: &PathBuf| {
        let files = ["_framework", "index.html", "service-worker-assets.js"];
        folder.join(SETTINGS).exists() && files.iter().any(|file| folder.join(file).exists())
    };
    let is_source = here
        .ancestors()
        .any(|folder| folder.join("Harmony.sln").exists());
    let found = [here.clone(), here.join("wwwroot")]
        .into_iter()
        .find(is_client);
    Ok(found.filter(|_| !is_source))
}

/// The files of a published client, which may be anywhere.
fn published(
    context: &Context,
    folder: &Path,
    arguments: &RehostArguments,
) -> Result<Vec<SettingsFile>, Failure> {
    let mut client = ApplicationSettings::read(folder, Links::Within(folder), &context.scope()?)?;
    let key = client_key(&client, arguments.gateway);
    warn_of_mixed_content(context, &client, &arguments.url);
    client.set(key, NewValue::Text(shown(&arguments.url)))?;
    Ok(client.files().to_vec())
}

/// A checkout's folder and files: the client's, or the gateway's where the client knows only that.
fn checkout(
    context: &Context,
    arguments: &RehostArguments,
) -> Result<(PathBuf, Vec<SettingsFile>), Failure> {
    let checkout = context.known_checkout()?;
    let mut settings = Project::read(&checkout, &context.scope()?)?;
    match &settings.client {
        Some(client) => warn_of_mixed_content(context, client, &arguments.url),
        None if !settings.has_gateway() => {
            let message = format!("{} holds no client", checkout.root.display());
            return Err(Failure::new(Exit::Usage, "noClient", message)
                .fix("name the folder of a published client with --client"));
        }
        None => {}
    }
    match &mut settings.client {
        Some(client) if arguments.gateway => {
            client.set("gatewayUrl", NewValue::Text(shown(&arguments.url)))?
        }
        _ => {
            let place = settings.set_hub_url(&arguments.url)?;
            if place == HubUrlPlace::Nowhere {
                let message = "the client asks the gateway, and no route leads to the hub";
                return Err(Failure::new(Exit::Failed, "noRoute", message)
                    .why("the client reads gatewayUrl only")
                    .fix("add a route for /signalRHub/{everything}, or pass --gateway"));
            }
            if place == HubUrlPlace::GatewayRoute && !settings.set_docker_route(&arguments.url)? {
                context.terminal.note(
                    "did not change ocelot.docker.json: a container cannot use a loopback address",
                );
            }
        }
    }
    if !arguments.origins.is_empty() {
        let origins = NewValue::Text(arguments.origins.join(";"));
        settings.hub.set("Cors:Origins", origins)?;
    }
    Ok((checkout.root, settings.files()))
}

/// The key by which a client finds the hub.
fn client_key(client: &ApplicationSettings, gateway: bool) -> &'static str {
    let layers = client.layers();
    let only_gateway =
        layers.setting("signalrHostUrl").is_none() && layers.setting("gatewayUrl").is_some();
    if gateway || only_gateway {
        "gatewayUrl"
    } else {
        "signalrHostUrl"
    }
}

/// A browser does not let an HTTPS page call a plain HTTP hub.
fn warn_of_mixed_content(context: &Context, client: &ApplicationSettings, url: &Url) {
    let layers = client.layers();
    let secure = ["backendUrl", "gatewayUrl"]
        .iter()
        .any(|key| layers.get(key).to_ascii_lowercase().starts_with("https://"));
    let loopback = crate::connection_string::Endpoint::new(url.host_str().unwrap_or_default(), 0)
        .is_loopback();
    if url.scheme() == "http" && secure && !loopback {
        context.terminal.warn(
            "the client is served over HTTPS; browsers will not let it call a hub over plain HTTP",
        );
    }
}

/// The address as settings have it: without a slash at its end.
fn shown(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// An origin as browsers send it: scheme, host and port.
fn parse_origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url.origin().ascii_serialization()),
        _ => Err("an origin such as https://kanban.example.com is expected".into()),
    }
}

/// An address as people paste it: with a slash at its end, or the hub's own path.
fn parse_url(text: &str) -> Result<Url, String> {
    let mut url = parse_hub_url(text)?;
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err("an address without user, query and fragment is expected".into());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let cut = path.len().saturating_sub("/signalRHub".len());
    let path = match path.split_at_checked(cut) {
        Some((before, own)) if own.eq_ignore_ascii_case("/signalRHub") => before.to_owned(),
        _ => path,
    };
    url.set_path(&path);
    Ok(url)
}
