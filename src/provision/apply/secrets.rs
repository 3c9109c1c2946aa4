//! The passwords as variables, where that is how they reach their readers.

use crate::appsettings::{self, SettingsError};
use crate::instance::Instance;
use crate::provision::decision::Decision;
use crate::secret::SecretsStore;
use std::fmt::Write;

/// Writes the file, or deletes the one that is there.
pub(super) fn write(instance: &Instance, decision: &Decision) -> Result<(), SettingsError> {
    let path = instance.secrets_as_variables();
    let own = instance.secrets();
    let file = decision.files.iter().find(|file| file.path == own);
    let is_wanted = decision.state.secrets == SecretsStore::Environment;
    let Some(file) = file.filter(|_| is_wanted) else {
        // One that is not there need not go.
        let _ = std::fs::remove_file(&path);
        return Ok(());
    };
    let mut text = String::new();
    for entry in file.document.entries() {
        let (name, value) = (
            entry.key.replace(':', "__"),
            entry.value.unwrap_or_default(),
        );
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}={value}");
    }
    appsettings::save(&path, text.as_bytes())
}
