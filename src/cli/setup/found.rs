//! What the wizard finds before its first question: the checkout, Docker, and servers that respond.

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::connection_string::Endpoint;
use crate::connection_string::redis::RedisOptions;
use crate::containers::Service;
use crate::containers::readiness::NotReady;
use crate::hub::settings::{HubSettingsError, broker_address};
use crate::instance::{ServiceOrigin, State};
use crate::project::{HUB_URL, Project};
use crate::provision::look::look;
use crate::provision::ports::REDIS_PORT;
use crate::provision::questions::Questions;
use crate::provision::world::{EngineLook, World};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

const ASK_WITHIN: Duration = Duration::from_millis(800);

/// Whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerResponse {
    /// With the credentials that the settings have.
    Welcome,
    /// It is one, and wants other credentials.
    Refused,
    Nothing,
}

/// A server as it was found.
#[derive(Debug, Clone)]
pub struct FoundServer {
    pub endpoint: Endpoint,
    pub response: ServerResponse,
    /// A container of this instance is what it is.
    pub ours: bool,
    /// Where it came from the last time.
    pub before: ServiceOrigin,
}

pub struct Findings {
    checkout: String,
    environment: String,
    pub docker: Result<(), String>,
    pub redis: FoundServer,
    pub rabbitmq: FoundServer,
    hub: Option<u32>,
    pub hub_url: String,
    pub rabbitmq_user: String,
    rabbitmq_virtual_host: String,
    /// What was chosen the last time.
    known: State,
}

impl Findings {
    /// What an answer leaves as it is, by the answer's key.
    pub fn present(&self) -> BTreeMap<&'static str, String> {
        let known = &self.known;
        let port = |port: u16| Some(port.to_string()).filter(|_| port != 0);
        let present = [
            ("environment", Some(self.environment.clone())),
            ("redisPort", port(known.redis_port)),
            ("rabbitmqPort", port(known.rabbitmq_port)),
            ("redisVolume", known.redis_volume.then(|| "True".to_owned())),
            ("rabbitmqUser", Some(self.rabbitmq_user.clone())),
            ("rabbitmqVhost", Some(self.rabbitmq_virtual_host.clone())),
            ("bind", known.bind.map(|address| address.to_string())),
        ];
        let known = |(key, value): (&'static str, Option<String>)| Some((key, value?));
        present.into_iter().filter_map(known).collect()
    }

    pub async fn look(context: &Context) -> Result<Self, Failure> {
        let _step = context.terminal.step("looking at what is there");
        let checkout = context.find_checkout()?;
        let project = Project::read(&checkout, &context.scope()?)?;
        project.check()?;
        let layers = project.hub.layers();
        let mut questions = Questions::about_servers(&layers, ASK_WITHIN);
        // Where nothing is configured: the usual port.
        let text = layers.get("RedisConnectionString");
        questions.redis = Some(match text {
            "" => RedisOptions::at(Endpoint::new("127.0.0.1", REDIS_PORT)),
            text => RedisOptions::parse(text).map_err(HubSettingsError::from)?,
        });
        let broker = broker_address(&layers)?;
        let world = look(&context.installation()?, &questions).await?.world;
        let place = checkout.root.display();
        let hub_url = project.hub_url();
        Ok(Findings {
            checkout: match checkout.exists {
                true => place.to_string(),
                false => format!("none here; {place} will be made"),
            },
            environment: context.environment.clone(),
            docker: match &world.engine {
                EngineLook::Reachable(_) => Ok(()),
                EngineLook::Unreachable(error) => Err(error.to_string()),
                EngineLook::Absent | EngineLook::NotAsked => Err("not found".into()),
            },
            redis: redis(&world),
            rabbitmq: FoundServer::of(
                &world,
                Service::RabbitMq,
                broker.endpoint,
                world.rabbitmq.as_ref().map(|probe| &probe.result),
            ),
            hub: world.hub.as_ref().map(|running| running.pid),
            hub_url: hub_url.map_or_else(
                || HUB_URL.to_owned(),
                |url| url.as_str().trim_end_matches('/').to_owned(),
            ),
            rabbitmq_user: broker.username,
            rabbitmq_virtual_host: broker.virtual_host,
            known: world.known,
        })
    }
}

fn redis(world: &World) -> FoundServer {
    let usual = Endpoint::new("127.0.0.1", REDIS_PORT);
    let probe = world.redis.as_ref();
    let endpoint = probe.and_then(|probe| probe.asked.endpoints.first().cloned());
    let result = probe.map(|probe| &probe.result);
    FoundServer::of(world, Service::Redis, endpoint.unwrap_or(usual), result)
}

impl FoundServer {
    fn of(
        world: &World,
        service: Service,
        endpoint: Endpoint,
        result: Option<&Result<(), NotReady>>,
    ) -> Self {
        FoundServer {
            endpoint,
            response: match result {
                Some(Ok(())) => ServerResponse::Welcome,
                Some(Err(NotReady::Refused)) => ServerResponse::Refused,
                Some(Err(_)) | None => ServerResponse::Nothing,
            },
            ours: world.found(service).is_some(),
            before: match service {
                Service::Redis => world.known.redis,
                _ => world.known.rabbitmq,
            },
        }
    }
}

impl fmt::Display for FoundServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FoundServer {
            endpoint,
            response,
            ours,
            ..
        } = self;
        let whose = if *ours { " (a container of ours)" } else { "" };
        match response {
            ServerResponse::Welcome => write!(formatter, "responds at {endpoint}{whose}"),
            ServerResponse::Refused => write!(
                formatter,
                "at {endpoint}{whose}; refuses the credentials of the settings"
            ),
            ServerResponse::Nothing => write!(formatter, "no response at {endpoint}"),
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "Found")?;
        writeln!(formatter, "  checkout     {}", self.checkout)?;
        writeln!(formatter, "  environment  {}", self.environment)?;
        writeln!(
            formatter,
            "  Docker       {}",
            self.docker
                .as_ref()
                .map_or_else(String::as_str, |()| "responds")
        )?;
        writeln!(formatter, "  Redis        {}", self.redis)?;
        writeln!(formatter, "  RabbitMQ     {}", self.rabbitmq)?;
        match self.hub {
            Some(pid) => writeln!(formatter, "  hub          runs (pid {pid})")?,
            None => writeln!(formatter, "  hub          does not run")?,
        }
        write!(
            formatter,
            "\nPress Enter to accept the default. Esc goes back. Ctrl-C leaves everything as it is.\n"
        )
    }
}
