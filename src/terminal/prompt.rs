//! The only code that asks.

use std::io;

/// Asks for a yes; the default is no. `None` where the question was left by Ctrl-C or Escape.
pub fn confirm(question: &str, default: bool) -> Option<bool> {
    let asked = dialoguer::Confirm::new().with_prompt(question).default(default).interact_opt();
    match asked {
        Ok(answer) => answer,
        Err(dialoguer::Error::IO(error)) if error.kind() == io::ErrorKind::Interrupted => None,
        Err(_) => None,
    }
}
