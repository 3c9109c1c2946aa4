//! What an engine says of itself: which one it is, for whom it runs, and what it can do.

use bollard::models::{SystemInfo, SystemVersion};
use std::path::PathBuf;

/// Which engine responds to Docker's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineProduct {
    Docker,
    DockerDesktop,
    Podman,
}

impl EngineProduct {
    pub fn title(self) -> &'static str {
        match self {
            EngineProduct::Docker => "Docker",
            EngineProduct::DockerDesktop => "Docker Desktop",
            EngineProduct::Podman => "Podman",
        }
    }
}

/// An engine's own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    pub product: EngineProduct,
    pub version: String,
    /// Its clock, as ISO 8601 has it; containers have the same.
    pub clock: Option<String>,
    /// It runs as an ordinary user.
    pub is_rootless: bool,
    /// It keeps containers to their limits of memory and processes.
    pub enforces_limits: bool,
    /// Where images, containers and volumes lie on its machine.
    pub storage: Option<PathBuf>,
    /// Where containers log unless they say otherwise.
    pub log_driver: String,
    /// The log drivers that it knows.
    pub log_drivers: Vec<String>,
}

impl EngineFacts {
    pub fn of(version: &SystemVersion, info: SystemInfo) -> Self {
        let components = version.components.iter().flatten();
        let is_podman = components
            .clone()
            .any(|component| component.name.starts_with("Podman"));
        let product = match info.operating_system.as_deref() {
            _ if is_podman => EngineProduct::Podman,
            Some("Docker Desktop") => EngineProduct::DockerDesktop,
            _ => EngineProduct::Docker,
        };
        let options = info.security_options.unwrap_or_default();
        EngineFacts {
            product,
            version: version.version.clone().unwrap_or_default(),
            clock: info.system_time,
            is_rootless: options.iter().any(|option| option.contains("rootless")),
            enforces_limits: info.memory_limit != Some(false) && info.pids_limit != Some(false),
            storage: info.docker_root_dir.map(PathBuf::from),
            log_driver: info.logging_driver.unwrap_or_default(),
            log_drivers: info
                .plugins
                .and_then(|plugins| plugins.log)
                .unwrap_or_default(),
        }
    }
}
