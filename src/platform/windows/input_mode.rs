//! The console's input mode: as it was before, after a question.

use crossterm_winapi::{Console, Handle};
use std::io;
use std::time::Duration;
use winsafe::{HSTD, SysResult, co};

/// The mode that the console had at some moment.
pub struct InputMode(co::CONSOLE);

/// The console stays open: its handle is the process's, not ours.
fn with_console<T>(act: impl FnOnce(&HSTD) -> SysResult<T>) -> SysResult<T> {
    let mut console = HSTD::GetStdHandle(co::STD_HANDLE::INPUT)?;
    act(&console.leak())
}

impl InputMode {
    /// The present mode; `None` where there is no console.
    pub fn now() -> Option<Self> {
        with_console(HSTD::GetConsoleMode).ok().map(InputMode)
    }

    pub fn restore(&self) {
        // A console that is gone needs no care.
        let _ = self.set(self.0);
    }

    /// Whether the console is in this mode; also when it is gone.
    pub fn is_present(&self) -> bool {
        Self::now().is_some_and(|now| now.0 == self.0)
    }

    /// Keys are read one by one, as events: the mode can stay.
    pub fn set_raw(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whole lines are read, and not shown.
    pub fn set_quiet(&self) -> io::Result<()> {
        self.set(self.0 & !co::CONSOLE::ENABLE_ECHO_INPUT)
    }

    fn set(&self, mode: co::CONSOLE) -> io::Result<()> {
        with_console(|console| console.SetConsoleMode(mode))
            .map_err(|error| io::Error::from_raw_os_error(error.raw() as i32))
    }
}

/// Whether input waits to be read. A console sends a key as one event, so nothing follows an
/// Escape.
pub fn has_input(_within: Duration) -> bool {
    false
}

/// Whether more follows the key that was read, as where text is pasted. The release of that key is
/// one event itself.
pub fn is_followed() -> bool {
    let console = Handle::current_in_handle().map(Console::from);
    let waiting = console.and_then(|console| console.number_of_console_input_events());
    waiting.is_ok_and(|events| events > 1)
}
