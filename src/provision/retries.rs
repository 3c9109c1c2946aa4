//! Failures after which one run looks and plans again.

use crate::containers::docker::DockerError;
use crate::provision::error::Error;

/// How often a port may be taken by others between looking and using it.
const PORT_RACES: usize = 4;
/// The exit code of a container that was killed.
const KILLED: i64 = 137;

/// How often one run was planned again, by reason.
#[derive(Default)]
pub struct Retries {
    ports: usize,
    killed: usize,
}

impl Retries {
    /// Whether the world changed between looking and acting, so that a new plan may succeed.
    pub fn may_help(&mut self, error: &Error) -> bool {
        match error {
            // The port was free at the look and is taken now: the new plan chooses another.
            Error::Docker(DockerError::PortTaken { .. }) => {
                self.ports += 1;
                self.ports < PORT_RACES
            }
            // The engine was still executing the request of an earlier, killed run: once is enough.
            Error::ContainerDied {
                code: KILLED,
                was_running: true,
                ..
            } => {
                self.killed += 1;
                self.killed == 1
            }
            _ => false,
        }
    }
}
