//! Finding a Harmony checkout or publish folder, and the files in it (hub/contract.md, "Files").

use std::path::{Path, PathBuf};

/// The folder that is made where there is no checkout.
pub const MADE: &str = "harmony";

/// Where the hub's settings may be below a checkout, newest layout first.
const HUB: [&str; 5] = [
    "src/Services/Harmony.SignalR",           // since February 2024
    "src/Web/Harmony.SignalR",                // before
    "src/Web/Harmony/Harmony.Server.SignalR", // before 21 January 2024
    "Harmony.SignalR",                        // made from our templates
    "",                                       // a publish folder
];
const CLIENT: [&str; 4] = [
    "src/Web/Harmony.Client/wwwroot",
    "src/Web/Harmony/Client/wwwroot",
    "Harmony.Client/wwwroot",
    "wwwroot",
];
const GATEWAY: &str = "src/ApiGateways/Harmony.ApiGateway";
/// The other applications that use the broker.
const OTHERS: [&str; 12] = [
    "src/Services/Harmony.Api",
    "src/Services/Harmony.Automations",
    "src/Services/Harmony.Notifications",
    "src/Integrations/Harmony.Integrations.SourceControl",
    "src/Web/Harmony.Api",
    "src/Web/Harmony/Server",
    "src/Web/Harmony.Automations",
    "src/Web/Harmony.Notifications",
    // Beside a hub that was made or published.
    "Harmony.Api",
    "Harmony.Automations",
    "Harmony.Notifications",
    "Harmony.Integrations.SourceControl",
];
const SETTINGS: &str = "appsettings.json";

/// The folders of a checkout that concern us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    pub root: PathBuf,
    /// The folder of Harmony.SignalR's settings.
    pub hub: PathBuf,
    /// The folder of Harmony.Client's settings.
    pub client: Option<PathBuf>,
    /// The folder of the gateway's routes.
    pub gateway: Option<PathBuf>,
    /// The folders of the other applications that use the broker.
    pub others: Vec<PathBuf>,
    /// False where it is still to be made from the templates.
    pub exists: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    #[error("several Harmony checkouts are in reach: {}", list(.0))]
    Several(Vec<PathBuf>),
    #[error("{} holds no Harmony.SignalR settings", .0.display())]
    NotACheckout(PathBuf),
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
}

/// The checkout in a named folder; `None` where the folder is still to be made.
pub fn at(folder: &Path) -> Result<Option<Checkout>, CheckoutError> {
    if !folder.exists() {
        return Err(CheckoutError::Missing(folder.to_owned()));
    }
    match recognise(folder)? {
        Some(checkout) => Ok(Some(checkout)),
        None if is_empty(folder) => Ok(None),
        None => Err(CheckoutError::NotACheckout(folder.to_owned())),
    }
}

/// The nearest checkout upwards from `start`, else the one that was made in `start`; `None` where
/// there is neither. Other folders below are nobody's business: they may be templates or copies.
pub fn find(start: &Path) -> Result<Option<Checkout>, CheckoutError> {
    for folder in start.ancestors() {
        if let Some(checkout) = recognise(folder)? {
            return Ok(Some(checkout));
        }
    }
    recognise(&start.join(MADE))
}

/// The checkout whose root a folder is.
fn recognise(folder: &Path) -> Result<Option<Checkout>, CheckoutError> {
    let holds_hub = |place: &str| {
        // A settings file alone makes no publish folder: the program must stand beside it.
        let program = !place.is_empty() || folder.join("Harmony.SignalR.dll").exists();
        program && folder.join(place).join(SETTINGS).exists()
    };
    let mut hubs = HUB
        .iter()
        .filter(|place| holds_hub(place))
        .map(|place| tidy(folder.join(place)));
    let Some(hub) = hubs.next() else {
        return Ok(None);
    };
    if let Some(second) = hubs.next() {
        return Err(CheckoutError::Several(vec![hub, second]));
    }
    let holds_settings = |place: &str| folder.join(place).join(SETTINGS).exists();
    let gateway = tidy(folder.join(GATEWAY));
    let mut others: Vec<_> = OTHERS
        .iter()
        .filter(|place| holds_settings(place))
        .map(|place| tidy(folder.join(place)))
        .collect();
    if hub == folder {
        others.extend(published_beside(folder));
    }
    Ok(Some(Checkout {
        root: folder.to_owned(),
        hub,
        client: CLIENT
            .iter()
            .find(|place| holds_settings(place))
            .map(|place| tidy(folder.join(place))),
        gateway: gateway.join("ocelot.json").exists().then_some(gateway),
        others,
        exists: true,
    }))
}

/// The other applications' publish folders beside the hub's: each holds its program.
fn published_beside(hub: &Path) -> Vec<PathBuf> {
    let names = OTHERS.iter().filter(|place| !place.contains('/'));
    let folders = names.filter_map(|name| Some((name, hub.parent()?.join(name))));
    folders
        .filter(|(name, folder)| {
            folder.join(format!("{name}.dll")).exists() && folder.join(SETTINGS).exists()
        })
        .map(|(_, folder)| folder)
        .collect()
}

impl Checkout {
    /// The folder that nothing below one of its folders may lead out of.
    pub fn boundary<'c>(&'c self, folder: &'c Path) -> &'c Path {
        // A publish folder beside the hub's stands for itself.
        match folder.starts_with(&self.root) {
            true => &self.root,
            false => folder,
        }
    }

    /// The folders that hold an application's settings.
    pub fn applications(&self) -> impl Iterator<Item = &PathBuf> + Clone {
        std::iter::once(&self.hub)
            .chain(&self.client)
            .chain(&self.others)
    }

    /// The folder that `up` will make from the templates.
    pub fn made(root: &Path) -> Self {
        Checkout {
            root: root.to_owned(),
            hub: root.join("Harmony.SignalR"),
            client: Some(tidy(root.join("Harmony.Client/wwwroot"))),
            gateway: None,
            others: Vec::new(),
            exists: false,
        }
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// `a/b/` joined with an empty place ends in a slash; the path without it, and in the system's own
/// spelling.
fn tidy(path: PathBuf) -> PathBuf {
    path.components().collect()
}

fn list(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
