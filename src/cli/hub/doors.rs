//! What a hub listens on beside its clients: the admin listener with its token, and metrics.

use crate::admin_token;
use crate::cli::failure::{Exit, Failure};
use crate::hub::admin::{AdminToken, Door};
use crate::hub::settings::HubSettings;
use crate::platform;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;

/// A listener, and what it opens.
pub type OpenDoor = (TcpListener, Door);

/// The doors that the settings ask for, and the file of the admin's token. `background` is the
/// folder of an instance.
pub fn open(
    settings: &HubSettings,
    admin: Vec<TcpListener>,
    background: Option<&(PathBuf, String)>,
) -> Result<(Vec<OpenDoor>, Option<PathBuf>), Failure> {
    let token_file = match (&settings.admin_token_file, background) {
        (Some(path), _) => Some(path.clone()),
        (None, Some((folder, _))) => Some(folder.join(admin_token::FILE)),
        (None, None) => own_token_file(&admin),
    };
    let mut doors = Vec::new();
    if let (Some(path), false) = (&token_file, admin.is_empty()) {
        let failed = |why: String| {
            let what = format!("the admin token {} can't be kept", path.display());
            Failure::new(Exit::Failed, "adminToken", what).why(why)
        };
        let token = admin_token::keep(path).map_err(|error| failed(error.to_string()))?;
        let token = AdminToken::new(&token).map_err(|error| failed(error.to_string()))?;
        let door = |listener| (listener, Door::Admin(token.clone()));
        doors.extend(admin.into_iter().map(door));
    }
    let metrics = match &settings.metrics {
        Some(url) => url.bind()?,
        None => Vec::new(),
    };
    let open = |listener| (listener, Door::Metrics);
    doors.extend(metrics.into_iter().map(open));
    Ok((doors, token_file))
}

/// What is said of a door once it is open.
pub fn announced((listener, door): &OpenDoor, token_file: Option<&Path>) -> String {
    let address = listener
        .local_addr()
        .map_or_else(|error| error.to_string(), |address| address.to_string());
    let (name, token) = match (door, token_file) {
        (Door::Admin(_), Some(path)) => ("Admin", format!(", token in {}", path.display())),
        (Door::Admin(_), None) => ("Admin", String::new()),
        (Door::Metrics, _) => ("Metrics", String::new()),
    };
    format!("{name} listening on: http://{address}{token}")
}

/// Where a hub in the foreground keeps its token: below the user's state, by its port.
fn own_token_file(admin: &[TcpListener]) -> Option<PathBuf> {
    let port = admin.first()?.local_addr().ok()?.port();
    let folder = platform::state_folder()?.join("admin-tokens");
    Some(folder.join(port.to_string()))
}
