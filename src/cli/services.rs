//! Deciding where Redis and RabbitMQ come from: what was asked for, what answers already, Docker, or neither.

use super::answers::{Answers, Asked};
use super::context::Context;
use super::failure::{Exit, Failure, port_in_use};
use crate::appsettings::layers::Layers;
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::{RedisOptions, rewrite};
use crate::containers::docker::{DockerError, ObservedContainer, Observer};
use crate::containers::readiness::{NotReady, ask_foreign_rabbitmq, ask_redis};
use crate::containers::whereabouts::Whereabouts;
use crate::containers::{ContainerSpec, Service, ports};
use crate::hub::settings::broker_address;
use crate::instance::{Choice, State};
use crate::secret::Secret;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// A server that is there already answers at once; one that isn't must not hold us up.
const ASK_WITHIN: Duration = Duration::from_millis(1500);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MANAGEMENT_PORT: u16 = 15672;

/// Redis, decided.
pub struct RedisDecision {
    pub choice: Choice,
    pub options: Option<RedisOptions>,
    /// What the settings should say; `None` leaves them alone.
    pub connection_string: Option<String>,
    pub container: Option<ContainerSpec>,
    /// Why the container could not have the port that it should.
    pub moved: Option<String>,
}

/// RabbitMQ, decided.
pub struct RabbitMqDecision {
    pub choice: Choice,
    pub address: Option<BrokerAddress>,
    /// The settings should say so.
    pub write: bool,
    pub container: Option<ContainerSpec>,
    pub management_port: u16,
    /// Why the container could not have the port that it should.
    pub moved: Option<String>,
}

/// What decisions are made from.
pub struct Surveyor<'c> {
    pub context: &'c Context,
    pub arguments: &'c Answers,
    pub state: &'c State,
    /// `Ok(None)` where there is no Docker at all.
    pub docker: Result<Option<Observer>, DockerError>,
    pub containers: Vec<ObservedContainer>,
    pub networks: Vec<String>,
    /// Where the engine is, if it is not here: what it publishes is there.
    pub other_machine: Option<String>,
}

impl<'c> Surveyor<'c> {
    /// Looks for Docker and for what it runs of ours.
    pub async fn look(
        context: &'c Context,
        arguments: &'c Answers,
        state: &'c State,
    ) -> Result<Self, Failure> {
        let found = context.surroundings.docker_host();
        let other_machine = found.as_ref().ok().and_then(Whereabouts::other_machine);
        let docker = match found {
            Ok(host) => match Observer::connect(&host).await {
                Ok(observer) => Ok(Some(observer)),
                // No socket where nobody said that there should be one: a machine without Docker.
                Err(DockerError::NoSocket(_)) if context.surroundings.host.is_none() => Ok(None),
                Err(error) => Err(error),
            },
            Err(error) => Err(error.into()),
        };
        let (containers, networks) = match &docker {
            Ok(Some(observer)) => {
                let instance = &context.instance.name;
                tokio::try_join!(observer.containers(instance), observer.networks(instance))?
            }
            _ => Default::default(),
        };
        Ok(Surveyor {
            context,
            arguments,
            state,
            docker,
            containers,
            networks,
            other_machine,
        })
    }

    pub fn found(&self, service: Service) -> Option<&ObservedContainer> {
        self.containers
            .iter()
            .find(|found| found.service == service.name())
    }

    /// Docker, where it must be there.
    pub fn demand_docker(&self) -> Result<(), Failure> {
        match &self.docker {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                Err(DockerError::NoSocket(self.context.surroundings.usual_host.clone()).into())
            }
            Err(error) => Err(error.clone().into()),
        }
    }

    /// A container, or none where there is no Docker; Docker that is there and can't be used is an error.
    fn container_or_nothing(&self, known: Choice) -> Result<Choice, Failure> {
        match &self.docker {
            Ok(None) if known != Choice::Container => Ok(Choice::Embedded),
            _ => self.demand_docker().map(|()| Choice::Container),
        }
    }

    /// Decides for Redis; `shared` where caches of Harmony's use it too.
    pub async fn redis(&self, layers: &Layers, shared: bool) -> Result<RedisDecision, Failure> {
        let configured_text = layers.get("RedisConnectionString");
        let configured = if configured_text.is_empty() {
            None
        } else {
            Some(
                RedisOptions::parse(configured_text)
                    .map_err(crate::hub::settings::HubSettingsError::from)?,
            )
        };
        let without = RedisDecision {
            choice: Choice::Embedded,
            options: None,
            connection_string: None,
            container: None,
            moved: None,
        };
        match &self.arguments.redis {
            Some(Asked::Without) => return Ok(without),
            Some(Asked::Server(endpoint)) => {
                let known = configured
                    .as_ref()
                    .filter(|known| known.endpoints.first() == Some(endpoint));
                let given = self.arguments.redis_password.clone();
                let known = known.filter(|known| given.is_none() || given == known.password);
                let password = given.or_else(|| known.and_then(|known| known.password.clone()));
                let text = rewrite(configured_text, endpoint, password.as_ref());
                let options = RedisOptions::parse(&text)
                    .map_err(crate::hub::settings::HubSettingsError::from)?;
                ask_redis(&options, ASK_WITHIN)
                    .await
                    .map_err(|error| refused_server("Redis", endpoint, &error))?;
                let connection_string = known.is_none().then_some(text);
                return Ok(RedisDecision {
                    choice: Choice::External,
                    options: Some(options),
                    connection_string,
                    container: None,
                    moved: None,
                });
            }
            Some(Asked::Container) => self.demand_docker()?,
            None if self.found(Service::Redis).is_none() => {
                if let Some(options) = &configured {
                    match ask_redis(options, ASK_WITHIN).await {
                        Ok(()) => {
                            return Ok(RedisDecision {
                                choice: Choice::External,
                                options: configured,
                                connection_string: None,
                                container: None,
                                moved: None,
                            });
                        }
                        // Somebody chose this password for this server: another server would not be what is meant.
                        Err(NotReady::Refused) if options.password.is_some() => {
                            return Err(refused_server(
                                "Redis",
                                &options.endpoints[0],
                                &NotReady::Refused,
                            ));
                        }
                        Err(error @ NotReady::TooOld(..)) => {
                            return Err(refused_server("Redis", &options.endpoints[0], &error));
                        }
                        Err(_) => {}
                    }
                }
                if self.container_or_nothing(self.state.redis)? == Choice::Embedded {
                    return Ok(without);
                }
            }
            None => {}
        }
        let known = configured
            .as_ref()
            .and_then(|options| options.endpoints.first())
            .filter(|endpoint| endpoint.is_loopback());
        let (port, moved) = self
            .port(
                Service::Redis,
                6379,
                self.arguments.redis_port,
                self.state.redis_port,
                known.map(|known| known.port),
            )
            .await?;
        let configured_password = configured
            .as_ref()
            .and_then(|options| options.password.clone());
        let password = self
            .arguments
            .redis_password
            .clone()
            .or(configured_password);
        // Harmony's caches take the address apart at its colon: there a password can't stand.
        let password = if shared {
            None
        } else {
            Some(password.unwrap_or_else(Secret::generate))
        };
        let text = rewrite(
            configured_text,
            &Endpoint::new(self.reached_at(), port),
            password.as_ref(),
        );
        let options =
            RedisOptions::parse(&text).map_err(crate::hub::settings::HubSettingsError::from)?;
        let image = self.image(Service::Redis, self.arguments.redis_image.as_deref());
        let keeps = self
            .arguments
            .redis_volume
            .unwrap_or(self.state.redis_volume);
        let spec = ContainerSpec::redis(
            &self.context.instance.name,
            image,
            self.bind(),
            port,
            password.as_ref(),
            keeps,
        );
        Ok(RedisDecision {
            choice: Choice::Container,
            options: Some(options),
            connection_string: Some(text),
            container: Some(spec),
            moved,
        })
    }

    pub async fn rabbitmq(&self, layers: &Layers) -> Result<RabbitMqDecision, Failure> {
        let mut configured = broker_address(layers)?;
        let Answers {
            rabbitmq_user,
            rabbitmq_password,
            rabbitmq_vhost,
            ..
        } = self.arguments;
        let told =
            rabbitmq_user.is_some() || rabbitmq_password.is_some() || rabbitmq_vhost.is_some();
        configured.username = rabbitmq_user.clone().unwrap_or(configured.username);
        configured.password = rabbitmq_password.clone().unwrap_or(configured.password);
        configured.virtual_host = rabbitmq_vhost
            .clone()
            .filter(|name| !name.is_empty())
            .unwrap_or(configured.virtual_host);
        let without = RabbitMqDecision {
            choice: Choice::Embedded,
            address: None,
            write: false,
            container: None,
            management_port: 0,
            moved: None,
        };
        let external = |address, write| RabbitMqDecision {
            choice: Choice::External,
            address: Some(address),
            write,
            container: None,
            management_port: 0,
            moved: None,
        };
        match &self.arguments.rabbitmq {
            Some(Asked::Without) => return Ok(without),
            Some(Asked::Server(endpoint)) => {
                let address = BrokerAddress {
                    endpoint: endpoint.clone(),
                    ..configured
                };
                ask_foreign_rabbitmq(&address, ASK_WITHIN)
                    .await
                    .map_err(|error| refused_server("RabbitMQ", endpoint, &error))?;
                return Ok(external(address, true));
            }
            Some(Asked::Container) => self.demand_docker()?,
            None if self.found(Service::RabbitMq).is_none() => {
                match ask_foreign_rabbitmq(&configured, ASK_WITHIN).await {
                    Ok(()) => return Ok(external(configured, told)),
                    Err(NotReady::Refused) if configured.username != "guest" => {
                        return Err(refused_server(
                            "RabbitMQ",
                            &configured.endpoint,
                            &NotReady::Refused,
                        ));
                    }
                    Err(error @ NotReady::TooOld(..)) => {
                        return Err(refused_server("RabbitMQ", &configured.endpoint, &error));
                    }
                    Err(_) => {}
                }
                if self.container_or_nothing(self.state.rabbitmq)? == Choice::Embedded {
                    return Ok(without);
                }
            }
            None => {}
        }
        let known = Some(&configured.endpoint)
            .filter(|endpoint| endpoint.is_loopback())
            .map(|known| known.port);
        let (port, moved) = self
            .port(
                Service::RabbitMq,
                5672,
                self.arguments.rabbitmq_port,
                self.state.rabbitmq_port,
                known,
            )
            .await?;
        let (management_port, _) = self
            .port(
                Service::RabbitMq,
                MANAGEMENT_PORT,
                None,
                self.state.management_port,
                None,
            )
            .await?;
        // `guest` is everybody's: a user of our own, with a password that nobody knows.
        let own = configured.username != "guest";
        let address = BrokerAddress {
            endpoint: Endpoint::new(self.reached_at(), port),
            tls: None,
            username: if own {
                configured.username
            } else {
                "harmony".into()
            },
            password: if own && configured.password.reveal() != "guest" {
                configured.password
            } else {
                Secret::generate()
            },
            virtual_host: configured.virtual_host,
        };
        let image = self.image(Service::RabbitMq, self.arguments.rabbitmq_image.as_deref());
        let spec = ContainerSpec::rabbitmq(
            &self.context.instance.name,
            image,
            self.bind(),
            &address,
            management_port,
        );
        Ok(RabbitMqDecision {
            choice: Choice::Container,
            address: Some(address),
            write: true,
            container: Some(spec),
            management_port,
            moved,
        })
    }

    /// The address of this machine that ports are published on.
    fn bind(&self) -> IpAddr {
        // Another machine's loopback would be out of reach.
        let usual = if self.other_machine.is_some() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            LOOPBACK
        };
        self.arguments.bind.or(self.state.bind).unwrap_or(usual)
    }

    /// The host by which this machine reaches what is published.
    fn reached_at(&self) -> String {
        let here = Some(self.bind())
            .filter(|bind| !bind.is_unspecified())
            .unwrap_or(LOOPBACK);
        self.other_machine
            .clone()
            .unwrap_or_else(|| here.to_string())
    }

    /// The image to run: as asked for, else that of the container that is there, else the usual one.
    fn image(&self, service: Service, asked: Option<&str>) -> String {
        if let Some(image) = asked {
            return image.to_owned();
        }
        match (&self.arguments.image_registry, self.found(service)) {
            (Some(registry), _) => format!(
                "{}/{}",
                registry.trim_end_matches('/'),
                service.default_image()
            ),
            (None, Some(found)) if !found.image.starts_with("sha256:") => found.image.clone(),
            (None, _) => service.default_image().to_owned(),
        }
    }

    /// The port to publish `inside` on: the one asked for, which must be free; else the one used
    /// before, the one in the settings, the usual one; where that is taken, another, and why.
    async fn port(
        &self,
        service: Service,
        inside: u16,
        asked: Option<u16>,
        before: u16,
        configured: Option<u16>,
    ) -> Result<(u16, Option<String>), Failure> {
        let ours = self.found(service).and_then(|found| {
            found
                .ports
                .iter()
                .find(|published| published.inside == inside)
        });
        let ours = ours.map(|published| published.port);
        let before = Some(before).filter(|port| *port != 0);
        let wanted = asked.or(ours).or(before).or(configured).unwrap_or(inside);
        // Of another machine's ports its engine alone can tell.
        if ours == Some(wanted)
            || self.other_machine.is_some()
            || ports::is_free(self.bind(), wanted)
        {
            return Ok((wanted, None));
        }
        let holder = self.holder(wanted).await;
        // Whoever was killed while a container started may have left it starting.
        let starting = self.found(service).is_some_and(|found| {
            found.unfinished || holder.as_deref() == Some(&format!("container {}", found.name))
        });
        if starting {
            return Ok((wanted, None));
        }
        if asked.is_some() {
            return Err(port_in_use(wanted, holder.as_deref()));
        }
        let other = ports::free_port()
            .map_err(|error| Failure::new(Exit::Failed, "noPort", error.to_string()))?;
        let holder = holder.unwrap_or_else(|| "somebody".into());
        let moved = format!(
            "port {wanted} is taken by {holder}; {} uses {other} instead",
            service.name()
        );
        self.context.terminal.warn(&moved);
        Ok((other, Some(moved)))
    }

    async fn holder(&self, port: u16) -> Option<String> {
        if let Ok(Some(observer)) = &self.docker
            && let Some(container) = observer.publisher(port).await
        {
            return Some(format!("container {container}"));
        }
        ports::holder(port)
    }
}

fn refused_server(name: &str, endpoint: &Endpoint, error: &NotReady) -> Failure {
    let failure = |code| {
        Failure::new(
            Exit::NotReady,
            code,
            format!("{name} at {endpoint} can't be used"),
        )
        .why(error.to_string())
    };
    match error {
        NotReady::Refused => failure("credentialsRefused").fix(format!(
            "put the right credentials into the settings: {}",
            if name == "Redis" {
                "RedisConnectionString"
            } else {
                "BrokerConfiguration:Username and :Password"
            }
        )),
        NotReady::TooOld(..) => failure("serviceTooOld")
            .fix("update it, or let a container be started with 'container'"),
        _ => failure("serviceUnreachable")
            .fix("start it, or let a container be started with 'container'"),
    }
}
