//! A change of settings that was interrupted, ended before anything else.

use crate::appsettings::change::{self, Recovered};
use crate::cli::failure::Failure;
use crate::instance::Instance;
use crate::terminal::Terminal;

/// Ends a change of settings that was interrupted, unless somebody is at it right now.
pub(super) fn recover(instance: &Instance, terminal: Terminal) -> Result<(), Failure> {
    let backups = instance.backups();
    if !change::is_interrupted(&backups)? {
        return Ok(());
    }
    let Ok(_lock) = instance.lock() else {
        return Ok(());
    };
    match change::recover(&backups)? {
        Some(Recovered::Finished) => {
            terminal.note("An interrupted change of the settings was finished.")
        }
        Some(Recovered::Undone) => {
            terminal.note("An interrupted change of the settings was undone.")
        }
        None => {}
    }
    Ok(())
}
