//! The terminal's input mode: raw while a line is edited, afterwards as it was before.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io;
use std::time::Duration;

/// The mode that the terminal had at some moment.
pub struct InputMode(Termios);

impl InputMode {
    /// The present mode; `None` where there is no terminal.
    pub fn now() -> Option<Self> {
        tcgetattr(io::stdin()).ok().map(InputMode)
    }

    pub fn restore(&self) {
        // A terminal that is gone needs no care.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }

    /// Whether the terminal is in this mode; also when it is gone.
    pub fn is_present(&self) -> bool {
        tcgetattr(io::stdin()).is_ok_and(|now| now.local_modes == self.0.local_modes)
    }

    /// Every key is read at once and none is shown. What is printed is still processed.
    pub fn set_raw(&self) -> io::Result<()> {
        let mut raw = self.0.clone();
        raw.make_raw();
        raw.output_modes = self.0.output_modes;
        Ok(tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?)
    }

    /// Whole lines are read, and not shown.
    pub fn set_quiet(&self) -> io::Result<()> {
        let mut quiet = self.0.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?)
    }
}

/// Whether input waits to be read, or comes within a time.
pub fn has_input(within: Duration) -> bool {
    let stdin = io::stdin();
    let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
    let within = Timespec::try_from(within).ok();
    poll(&mut waiting, within.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Whether more follows the key that was read, as where text is pasted.
pub fn is_followed() -> bool {
    has_input(Duration::ZERO)
}
