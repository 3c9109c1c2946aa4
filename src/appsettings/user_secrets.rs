//! .NET's user secrets: a settings file outside of the project, which an application reads in
//! Development.

use super::disk::{Links, read_bytes};
use super::error::SettingsError;
use crate::platform;
use std::path::{Path, PathBuf};

/// Where an application keeps its user secrets, or why it reads none.
pub type UserSecrets = Result<PathBuf, &'static str>;

/// The file that the application of a folder reads in an environment.
pub fn find(
    folder: &Path,
    links: Links<'_>,
    environment: &str,
) -> Result<UserSecrets, SettingsError> {
    if !environment.eq_ignore_ascii_case("Development") {
        return Ok(Err("it reads user secrets in Development only"));
    }
    let Some(project) = project_file(folder) else {
        return Ok(Err("no project file (*.csproj) is there"));
    };
    let bytes = read_bytes(&project, links)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    Ok(match identifier(&text) {
        Some(id) => file(id).ok_or("this user has no home folder"),
        None => Err("its project has no UserSecretsId"),
    })
}

fn project_file(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut projects: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "csproj"))
        .collect();
    projects.sort();
    projects.into_iter().next()
}

/// It becomes a folder's name: one that leads elsewhere is none.
fn identifier(project: &str) -> Option<&str> {
    let (_, rest) = project.split_once("<UserSecretsId>")?;
    let id = rest.split('<').next()?.trim();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (!id.is_empty() && !id.starts_with('.') && id.chars().all(is_plain)).then_some(id)
}

/// As .NET looks for it: by `APPDATA` where that is set, else in the home folder.
fn file(id: &str) -> Option<PathBuf> {
    let roaming = std::env::var_os("APPDATA").filter(|folder| !folder.is_empty());
    let folder = match roaming {
        Some(folder) => PathBuf::from(folder).join("Microsoft/UserSecrets"),
        None => platform::home_folder()?.join(".microsoft/usersecrets"),
    };
    Some(folder.join(id).join("secrets.json"))
}
