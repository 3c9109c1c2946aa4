//! Why provisioning failed.

use crate::appsettings::SettingsError;
use crate::appsettings::document::EditError;
use crate::connection_string::Endpoint;
use crate::containers::Service;
use crate::containers::docker::DockerError;
use crate::containers::generation::UnusableData;
use crate::containers::readiness::NotReady;
use crate::hub::settings::HubSettingsError;
use crate::hub_process::HubProcessError;
use crate::instance::InstanceError;
use crate::project::ProjectError;
use crate::provision::ports::PortHolder;
use crate::schema::Violations;
use crate::secret::RandomError;
use crate::tls::TlsError;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    HubSettings(#[from] HubSettingsError),
    #[error(transparent)]
    HubProcess(#[from] HubProcessError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the hub's admin token can't be kept: {0}")]
    AdminToken(std::io::Error),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("{} at {endpoint} cannot be used: {error}", service.title())]
    ServerUnusable {
        service: Service,
        endpoint: Endpoint,
        error: NotReady,
        /// What to do about it, where more than starting the server is needed.
        advice: Option<String>,
    },
    #[error("port {port} is in use")]
    PortInUse {
        port: u16,
        holder: Option<PortHolder>,
    },
    #[error("{0} is not an address of this machine")]
    AddressNotHere(IpAddr),
    #[error("there is no free port: {0}")]
    NoPort(io::Error),
    #[error("there is no address for the hub")]
    NoHubUrl,
    #[error("the hub's container cannot reach {} at {endpoint}", service.title())]
    OutOfReach {
        service: Service,
        endpoint: Endpoint,
    },
    #[error("the hub cannot run as a container on {0}")]
    HubOnAnotherMachine(String),
    #[error("Redis without a password would be reachable at {0}")]
    RedisWithoutPassword(String),
    #[error("{reader} would not see the passwords: {why}")]
    SecretsNotRead { reader: String, why: String },
    #[error("{} cannot have this password: {why}", service.title())]
    PasswordNotExpressible { service: Service, why: &'static str },
    #[error("instance '{instance}' belongs to the checkout {}", owner.display())]
    OtherCheckout {
        instance: String,
        owner: PathBuf,
        checkout: PathBuf,
    },
    #[error(transparent)]
    UnusableData(#[from] UnusableData),
    #[error("the hub's image cannot be made: {0}")]
    HubImage(io::Error),
    #[error("the image {0} is not here")]
    ImageNotHere(String),
    #[error("the {} container ended at once (exit code {code}):\n{log}", service.name())]
    ContainerDied {
        service: Service,
        code: i64,
        log: String,
        /// It ran before this run began.
        was_running: bool,
    },
    #[error("{} did not become ready within {within:?}:\n{log}", service.name())]
    NotReady {
        service: Service,
        within: Duration,
        log: String,
    },
    #[error("RabbitMQ refuses the user or the password")]
    CredentialsRefused,
    #[error("interrupted")]
    Interrupted,
    #[error("{first}\nrolling back failed too: {}", list(rollback))]
    RollbackFailed {
        first: Box<Error>,
        rollback: Vec<Error>,
    },
}

impl Error {
    /// The failure itself, whatever became of rolling back.
    pub fn first(&self) -> &Error {
        match self {
            Error::RollbackFailed { first, .. } => first,
            error => error,
        }
    }

    pub fn is_interrupted(&self) -> bool {
        matches!(self.first(), Error::Interrupted)
    }

    /// With what went wrong while rolling back; the failure itself stays the first.
    pub fn and_rollback(self, rollback: Vec<Error>) -> Self {
        if rollback.is_empty() {
            return self;
        }
        Error::RollbackFailed {
            first: Box::new(self),
            rollback,
        }
    }
}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        Error::Project(error.into())
    }
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        Error::Project(error.into())
    }
}

impl From<Violations> for Error {
    fn from(error: Violations) -> Self {
        Error::Project(error.into())
    }
}

fn list(errors: &[Error]) -> String {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
