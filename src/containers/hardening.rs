//! What a container may do and use: capabilities, memory, processes.

use super::service::Service;

const MIB: i64 = 1024 * 1024;

/// Limits on one container. None of them is part of a container's hash: one that runs is not
/// replaced, and so loses no data, because a newer version of this program is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardening {
    /// Kept of all.
    pub capabilities: &'static [&'static str],
    /// Bytes; unlimited where the program keeps limits of its own.
    pub memory: Option<i64>,
    /// Processes and threads.
    pub pids: i64,
}

impl Hardening {
    pub fn of(service: Service) -> Self {
        match service {
            // The images start as root, take over their data folder and continue as another user.
            Service::Redis => Hardening {
                // Redis 8 gives up the bounding set too, which takes SETPCAP, and changes modes.
                capabilities: &[
                    "CHOWN",
                    "DAC_OVERRIDE",
                    "FOWNER",
                    "SETGID",
                    "SETPCAP",
                    "SETUID",
                ],
                // Rewriting its log may copy all of its 256 MB.
                memory: Some(768 * MIB),
                pids: 256,
            },
            Service::RabbitMq => Hardening {
                capabilities: &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
                // It blocks publishers at 40% or 60% of this.
                memory: Some(2048 * MIB),
                // Erlang starts several threads for each processor, its tools as many again.
                pids: 4096,
            },
            Service::Hub => Hardening {
                capabilities: &[],
                memory: None,
                pids: 2048,
            },
        }
    }
}
