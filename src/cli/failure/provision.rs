//! Provisioning's errors, each with its code, its cause and its fix.

use super::port::port_in_use;
use crate::cli::failure::{Exit, Failure};
use crate::connection_string::Endpoint;
use crate::containers::Service;
use crate::containers::readiness::NotReady;
use crate::provision::error::Error;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Project(error) => error.into(),
            Error::Docker(error) => error.into(),
            Error::Instance(error) => error.into(),
            Error::HubSettings(error) => error.into(),
            Error::HubProcess(error) => error.into(),
            Error::Tls(error) => error.into(),
            Error::Interrupted => Failure::rolled_back(),
            Error::AdminToken(_) => Failure::new(Exit::Failed, "adminToken", message),
            Error::Random(_) => Failure::new(Exit::Failed, "noRandomNumbers", message)
                .why("passwords could be guessed")
                .fix("give passwords: --redis-password-env, --rabbitmq-password-env"),
            Error::ServerUnusable {
                service,
                endpoint,
                error,
                advice,
            } => unusable(service, &endpoint, &error, advice),
            Error::PortInUse { port, holder } => {
                port_in_use(port, holder.map(|holder| holder.to_string()).as_deref())
            }
            Error::AddressNotHere(_) => Failure::new(Exit::Usage, "addressNotHere", message)
                .fix("name an address of this machine with --bind"),
            Error::NoPort(_) => Failure::new(Exit::Failed, "noPort", message),
            Error::NoHubUrl => {
                Failure::new(Exit::Usage, "hubUrl", message).fix("name one with --hub-url")
            }
            Error::RollbackFailed { first, rollback } => rollback_failed(*first, &rollback),
            Error::OutOfReach { .. } | Error::HubOnAnotherMachine(_) | Error::HubImage(_) => {
                hub(error)
            }
            Error::RedisWithoutPassword(_)
            | Error::SecretsNotRead { .. }
            | Error::PasswordNotExpressible { .. }
            | Error::OtherCheckout { .. }
            | Error::UnusableData(_) => refused(error),
            Error::ImageNotHere(_)
            | Error::ContainerDied { .. }
            | Error::NotReady { .. }
            | Error::CredentialsRefused => container(error),
        }
    }
}

/// The failure itself comes first; what rolling back met is told with it.
fn rollback_failed(first: Error, rollback: &[Error]) -> Failure {
    let texts: Vec<_> = rollback
        .iter()
        .map(|error| format!("  - {error}"))
        .collect();
    Failure::from(first).and_why(&format!(
        "rolling back failed too, so something may be left over:\n{}",
        texts.join("\n")
    ))
}

fn unusable(
    service: Service,
    endpoint: &Endpoint,
    error: &NotReady,
    advice: Option<String>,
) -> Failure {
    let message = format!("cannot use {} at {endpoint}", service.title());
    let failure = |code| Failure::new(Exit::NotReady, code, message).why(error.to_string());
    match error {
        NotReady::Denied(_)
        | NotReady::VirtualHost(_)
        | NotReady::Topology(_)
        | NotReady::Blocked(_) => failure("serviceUnusable").fix(advice.unwrap_or_default()),
        NotReady::Refused if advice.is_some() => {
            failure("credentialsRefused").fix(advice.unwrap_or_default())
        }
        NotReady::Refused => failure("credentialsRefused").fix(format!(
            "put the right credentials into the settings: {}",
            match service {
                Service::Redis => "RedisConnectionString",
                _ => "BrokerConfiguration:Username and :Password",
            }
        )),
        NotReady::TooOld(..) => failure("serviceTooOld").fix(format!(
            "update it, or let harmony run a container: --{} container",
            service.name()
        )),
        _ => failure("serviceUnreachable").fix(format!(
            "start it, or let harmony run a container: --{} container",
            service.name()
        )),
    }
}

/// Why the hub cannot run as a container.
fn hub(error: Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::OutOfReach { service, .. } => Failure::new(Exit::Failed, "outOfReach", message)
            .why("inside a container that address is the container's own")
            .fix(format!(
                "run the hub as a process (--hub process), or use {} in a container or at an \
                 address that others reach",
                service.title()
            )),
        Error::HubOnAnotherMachine(_) => Failure::new(Exit::Usage, "hubOnAnotherMachine", message)
            .why("its admin listener would be on that machine's loopback, out of reach from here")
            .fix("run the hub as a process: --hub process"),
        _ => Failure::new(Exit::Failed, "hubImage", "cannot make the hub's image")
            .why(message)
            .fix("run the hub as a process: --hub process"),
    }
}

/// What is refused before anything is done.
fn refused(error: Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::RedisWithoutPassword(_) => Failure::new(
            Exit::Usage,
            "redisWithoutPassword",
            message,
        )
        .why(
            "Harmony's caches (CacheProvider: Redis) use the same Redis and cannot give a \
                 password, so everyone who reaches that address could read and change it",
        )
        .fix(
            "publish on loopback (--bind 127.0.0.1), or use a Redis of your own: --redis HOST:PORT",
        ),
        Error::SecretsNotRead { .. } => Failure::new(Exit::Usage, "secretsNotRead", message)
            .fix("choose --secrets files, or --secrets environment"),
        Error::PasswordNotExpressible { why, .. } => {
            Failure::new(Exit::Usage, "passwordNotExpressible", message)
                .why(why)
                .fix("choose another password")
        }
        Error::OtherCheckout {
            instance,
            owner,
            checkout,
        } => Failure::new(Exit::Usage, "otherCheckout", message)
            .why(format!(
                "this is {}; its containers, passwords and hub would replace the other's",
                checkout.display()
            ))
            .fix(format!(
                "use another instance with --instance NAME, work on the other with --checkout \
                 '{}', or take '{instance}' over with --adopt",
                owner.display()
            )),
        Error::UnusableData(_) => Failure::new(Exit::Usage, "unusableData", message)
            .why("a new major version opens the data of the one before only after a migration")
            .fix(
                "leave out --redis-image or --rabbitmq-image to keep the version; or move: let the \
                 hub empty its queue, delete the data with 'harmony down --volumes', and start the \
                 new image; Harmony's queues are made again, and anything else in the volume is lost",
            ),
        _ => Failure::new(Exit::Failed, "refused", message),
    }
}

/// What went wrong with a container.
fn container(error: Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::ImageNotHere(_) => Failure::new(Exit::Failed, "imageUnavailable", message)
            .why("--pull never forbids pulling it")
            .fix("load it with 'docker load', or allow pulling with --pull missing"),
        Error::ContainerDied {
            service, code, log, ..
        } => {
            let message = format!(
                "the {} container ended at once (exit code {code})",
                service.name()
            );
            Failure::new(Exit::NotReady, "containerDied", message)
                .why(format!("its last lines:\n{log}"))
        }
        Error::NotReady {
            service,
            within,
            log,
        } => {
            let message = format!("{} did not become ready within {within:?}", service.name());
            Failure::new(Exit::NotReady, "serviceNotReady", message)
                .why(format!("its last lines:\n{log}"))
                .fix("allow more time with --timeout")
        }
        _ => Failure::new(Exit::NotReady, "credentialsRefused", message)
            .why("its volume was made with other credentials than the settings have")
            .fix(
                "put the earlier ones into BrokerConfiguration, or delete the data: harmony down \
                 --volumes",
            ),
    }
}
