//! What a published client's folder lists of its files: hashes, lengths and tags, renewed with
//! them.

use crate::appsettings::change::Replacement;
use crate::appsettings::document::{Document, EditError, NewValue};
use crate::appsettings::key_path::KeyPath;
use crate::appsettings::{Links, SettingsError, read_file, twins};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

/// The service worker's list, and the worker that names the list's version.
const ASSETS: &str = "service-worker-assets.js";
const WORKER: &str = "service-worker.js";
const BOOT: &str = "_framework/blazor.boot.json";
/// The end of the name of ASP.NET Core's list.
const ENDPOINTS: &str = ".staticwebassets.endpoints.json";
/// How a hash begins wherever browsers check it.
const HASH: &str = "sha256-";

/// A list that cannot be renewed.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot understand {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// Adds to the changes of a client's folder what lists them, each list with its twins.
pub fn renew(folder: &Path, changes: &mut Vec<Replacement>) -> Result<(), PublishedError> {
    if changes.is_empty() {
        return Ok(());
    }
    renew_boot(folder, changes)?;
    if let Some((before, after)) = renew_assets(folder, changes)? {
        let worker = folder.join(WORKER);
        let replaced = |text: String| text.replace(&before, &after);
        rewrite(&worker, folder, changes, |text| Ok(replaced(text)))?;
    }
    let above = folder.parent().unwrap_or(folder);
    for place in [folder, above] {
        for list in lists(place)? {
            let known = changes.clone();
            rewrite(&list, place, changes, |text| {
                endpoints(&list, folder, &known, &text)
            })?;
        }
    }
    Ok(())
}

/// Blazor's own list, in the generations that have hashes in it.
fn renew_boot(folder: &Path, changes: &mut Vec<Replacement>) -> Result<(), PublishedError> {
    let path = folder.join(BOOT);
    let known = changes.clone();
    rewrite(&path, folder, changes, |text| {
        let mut list = parse(&path, &text)?;
        for entry in list.entries() {
            let (_, name) = entry.key.rsplit_once(':').unwrap_or_default();
            let is_hash = entry.value.is_some_and(|value| value.starts_with(HASH));
            let change = change_of(folder, &known, name.trim_start_matches("../"));
            if let (true, Some(change)) = (is_hash, change) {
                let value = NewValue::Text(integrity(&change.after));
                list.set(&KeyPath::new(&entry.key), &value)?;
            }
        }
        Ok(String::from_utf8_lossy(&list.to_bytes()).into_owned())
    })
}

/// The service worker's list; its version before and after, where there is one.
fn renew_assets(
    folder: &Path,
    changes: &mut Vec<Replacement>,
) -> Result<Option<(String, String)>, PublishedError> {
    let path = folder.join(ASSETS);
    let known = changes.clone();
    let mut versions = None;
    rewrite(&path, folder, changes, |text| {
        let (Some(start), Some(end)) = (text.find('{'), text.rfind('}')) else {
            let why = "it holds no list".to_owned();
            return Err(PublishedError::Unreadable {
                path: path.clone(),
                why,
            });
        };
        let mut list = parse(&path, text.get(start..=end).unwrap_or_default())?;
        let mut has_changed = false;
        let count = list.array_length(&KeyPath::new("assets"));
        let mut hashes = Vec::new();
        for place in 0..count {
            let key = |name: &str| KeyPath::new(&format!("assets:{place}:{name}"));
            let url = list.get(&key("url")).unwrap_or_default().to_owned();
            if let Some(change) = change_of(folder, &known, &url) {
                has_changed |= list.set(&key("hash"), &NewValue::Text(integrity(&change.after)))?;
            }
            let hash = list.get(&key("hash")).unwrap_or_default().to_owned();
            hashes.push((url, hash));
        }
        let before = list
            .get(&KeyPath::new("version"))
            .unwrap_or_default()
            .to_owned();
        let after = version(hashes);
        if has_changed && !before.is_empty() {
            list.set(&KeyPath::new("version"), &NewValue::Text(after.clone()))?;
            versions = Some((before, after));
        }
        let list = String::from_utf8_lossy(&list.to_bytes()).into_owned();
        Ok(format!("{}{list}{}", &text[..start], &text[end + 1..]))
    })?;
    Ok(versions)
}

/// The version as the .NET SDK makes it: of all hashes, in the order of their URLs.
fn version(mut hashes: Vec<(String, String)>) -> String {
    hashes.sort();
    let all: Vec<_> = hashes.into_iter().map(|(_, hash)| hash).collect();
    let mut version = digest(all.join("\n").as_bytes());
    version.truncate(8);
    version
}

/// ASP.NET Core's list: length, tag, hash and fingerprint of each file and of its twins.
fn endpoints(
    path: &Path,
    folder: &Path,
    changes: &[Replacement],
    text: &str,
) -> Result<String, PublishedError> {
    let mut list = parse(path, text)?;
    for place in 0..list.array_length(&KeyPath::new("Endpoints")) {
        let endpoint = format!("Endpoints:{place}");
        for (name, value) in renewed(&list, &endpoint, folder, changes) {
            let key = KeyPath::new(&format!("{endpoint}:{name}"));
            list.set(&key, &NewValue::Text(value))?;
        }
    }
    Ok(String::from_utf8_lossy(&list.to_bytes()).into_owned())
}

/// What an endpoint is to say of a file that changes.
fn renewed(
    list: &Document,
    endpoint: &str,
    folder: &Path,
    changes: &[Replacement],
) -> Vec<(String, String)> {
    let get = |name: &str| {
        let value = list.get(&KeyPath::new(&format!("{endpoint}:{name}")));
        value.unwrap_or_default()
    };
    let (file, route) = (get("AssetFile"), get("Route"));
    let Some(own) = change_of(folder, changes, file) else {
        return Vec::new();
    };
    // A twin stands for the file whose address it has.
    let plain = change_of(folder, changes, without_coding(file)).unwrap_or(own);
    let shown = if without_coding(route) == route {
        plain
    } else {
        own
    };
    let mut values = Vec::new();
    let sections = ["ResponseHeaders", "EndpointProperties"];
    for (section, item) in sections.into_iter().flat_map(|section| {
        let key = KeyPath::new(&format!("{endpoint}:{section}"));
        (0..list.array_length(&key)).map(move |item| (section, item))
    }) {
        let key = format!("{section}:{item}:Value");
        let before = get(&key);
        let name = get(&format!("{section}:{item}:Name")).to_ascii_lowercase();
        let after = match name.as_str() {
            "content-length" => own.after.len().to_string(),
            "last-modified" => now(),
            "etag" if before.starts_with("W/") => format!("W/\"{}\"", digest(&plain.after)),
            "etag" => format!("\"{}\"", digest(&own.after)),
            "original-resource" => format!("\"{}\"", digest(&plain.after)),
            "integrity" => integrity(&shown.after),
            "fingerprint" => {
                let is_own = own.before.as_deref().map(fingerprint).as_deref() == Some(before);
                let after = fingerprint(if is_own { &own.after } else { &plain.after });
                values.push(("Route".to_owned(), route.replace(before, &after)));
                after
            }
            _ => continue,
        };
        values.push((key, after));
    }
    values
}

fn without_coding(name: &str) -> &str {
    let plain = name.strip_suffix(".gz");
    plain.or_else(|| name.strip_suffix(".br")).unwrap_or(name)
}

/// The change of a file by its path below the folder.
fn change_of<'c>(folder: &Path, changes: &'c [Replacement], name: &str) -> Option<&'c Replacement> {
    let name = name.trim_start_matches('/');
    let name = name.strip_prefix("wwwroot/").unwrap_or(name);
    changes
        .iter()
        .find(|change| !name.is_empty() && change.path == folder.join(name))
}

/// Rewrites a list and its twins, where it is there; nothing outside a folder.
fn rewrite(
    path: &Path,
    folder: &Path,
    changes: &mut Vec<Replacement>,
    edit: impl FnOnce(String) -> Result<String, PublishedError>,
) -> Result<(), PublishedError> {
    let links = Links::Within(folder);
    let Some(before) = read_file(path, links)? else {
        return Ok(());
    };
    let text = String::from_utf8(before.clone()).map_err(|error| PublishedError::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    let after = edit(text)?.into_bytes();
    if after != before {
        changes.extend(twins::stale(path, &after, links)?);
        changes.push(Replacement {
            path: path.to_owned(),
            before: Some(before),
            after,
        });
    }
    Ok(())
}

/// ASP.NET Core's lists in a folder.
fn lists(folder: &Path) -> Result<Vec<PathBuf>, PublishedError> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_list = |path: &PathBuf| path.to_string_lossy().ends_with(ENDPOINTS);
    Ok(paths.filter(is_list).collect())
}

fn parse(path: &Path, text: &str) -> Result<Document, PublishedError> {
    Document::parse(text.as_bytes()).map_err(|error| PublishedError::Unreadable {
        path: path.to_owned(),
        why: error.message,
    })
}

fn integrity(bytes: &[u8]) -> String {
    format!("{HASH}{}", digest(bytes))
}

fn digest(bytes: &[u8]) -> String {
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

/// The mark in a file's address as the .NET SDK makes it: nine bytes of the hash, the lowest first,
/// as a signed number's ten lowest digits to base 36.
fn fingerprint(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let nine = hash.as_ref().iter().take(9).rev();
    let number = nine.fold(0_i128, |number, byte| number << 8 | i128::from(*byte));
    // The ninth byte holds the sign.
    let mut rest = ((number << 56) >> 56).unsigned_abs();
    let mut text = String::new();
    for _ in 0..10 {
        text.extend(
            u32::try_from(rest % 36)
                .ok()
                .and_then(|digit| char::from_digit(digit, 36)),
        );
        rest /= 36;
    }
    text
}

/// Now, as HTTP writes it.
fn now() -> String {
    let date = time::OffsetDateTime::now_utc();
    format!(
        "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
        &date.weekday().to_string()[..3],
        date.day(),
        &date.month().to_string()[..3],
        date.year(),
        date.hour(),
        date.minute(),
        date.second()
    )
}
