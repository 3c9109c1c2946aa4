//! Settings that are booleans and numbers.

use super::error::HubSettingsError;
use crate::appsettings::layers::Layers;

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
