//! Settings that are lists, booleans and numbers.

use super::error::HubSettingsError;
use crate::appsettings::layers::Layers;

/// A list's items, or the parts of a text at commas and semicolons.
pub(super) fn list(layers: &Layers, key: &str) -> Vec<String> {
    let children = layers.children(key);
    let items = children
        .iter()
        .map(|child| layers.get(&format!("{key}:{child}")));
    std::iter::once(layers.get(key))
        .chain(items)
        .flat_map(|text| text.split([';', ',']))
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

pub(super) fn boolean(
    layers: &Layers,
    key: &'static str,
) -> Result<Option<bool>, HubSettingsError> {
    match layers.get(key).trim() {
        "" => Ok(None),
        text if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        text if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        text => Err(HubSettingsError::Boolean(key, text.to_owned())),
    }
}

pub(super) fn count(layers: &Layers, key: &'static str) -> Result<Option<usize>, HubSettingsError> {
    match layers.get(key).trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(count @ 1..) => Ok(Some(count)),
            _ => Err(HubSettingsError::Count(key, text.to_owned())),
        },
    }
}
