//! What the wizard finds before its first question: the checkout, Docker, and servers that answer already.

use crate::appsettings::layers::Layers;
use crate::cli::answers::Answers;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::services::Surveyor;
use crate::connection_string::Endpoint;
use crate::connection_string::redis::RedisOptions;
use crate::containers::Service;
use crate::containers::readiness::{NotReady, ask_foreign_rabbitmq, ask_redis};
use crate::hub::settings::broker_address;
use crate::hub_process;
use crate::instance::Choice;
use crate::project::{HUB_URL, Project, log_level};
use std::fmt;
use std::time::Duration;

const ASK_WITHIN: Duration = Duration::from_millis(800);

/// Whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With the credentials that the settings have.
    Welcome,
    /// It is one, and wants other credentials.
    Refused,
    Nothing,
}

/// A server as it was found.
#[derive(Debug, Clone)]
pub struct Server {
    pub endpoint: Endpoint,
    pub answer: Answer,
    /// A container of this instance is what it is.
    pub ours: bool,
    /// Where it came from the last time.
    pub before: Choice,
}

pub struct Found {
    checkout: String,
    environment: String,
    pub docker: Result<(), String>,
    pub redis: Server,
    pub rabbitmq: Server,
    hub: Option<u32>,
    pub hub_url: String,
    pub log_level: String,
    pub rabbitmq_user: String,
}

impl Found {
    pub async fn look(context: &Context, answers: &Answers) -> Result<Self, Failure> {
        let _step = context.terminal.step("looking at what is there");
        let state = context.instance.state()?;
        let checkout = context.find_checkout()?;
        let settings = Project::read(&checkout, &context.scope())?;
        settings.check()?;
        let layers = settings.hub.layers();
        let surveyor = Surveyor::look(context, answers, &state).await?;
        let ours = |service| surveyor.found(service).is_some();
        let (redis, rabbitmq) = tokio::join!(find_redis(&layers), find_rabbitmq(&layers));
        let (rabbitmq, user) = rabbitmq?;
        let place = checkout.root.display();
        Ok(Found {
            checkout: if checkout.exists {
                place.to_string()
            } else {
                format!("none here; {place} will be made")
            },
            environment: context.environment.clone(),
            docker: match &surveyor.docker {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err("not found".into()),
                Err(error) => Err(error.to_string()),
            },
            redis: Server {
                ours: ours(Service::Redis),
                before: state.redis,
                ..redis?
            },
            rabbitmq: Server {
                ours: ours(Service::RabbitMq),
                before: state.rabbitmq,
                ..rabbitmq
            },
            hub: hub_process::find(&context.instance)?.map(|running| running.pid),
            hub_url: settings.hub_url().map_or_else(
                || HUB_URL.to_owned(),
                |url| url.as_str().trim_end_matches('/').to_owned(),
            ),
            log_level: log_level(&layers).1.to_owned(),
            rabbitmq_user: user,
        })
    }
}

fn server(endpoint: Endpoint, asked: Result<(), NotReady>) -> Server {
    let answer = match asked {
        Ok(()) => Answer::Welcome,
        Err(NotReady::Refused) => Answer::Refused,
        Err(_) => Answer::Nothing,
    };
    Server {
        endpoint,
        answer,
        ours: false,
        before: Choice::Unknown,
    }
}

/// Where the settings say, else at the usual port.
async fn find_redis(layers: &Layers) -> Result<Server, Failure> {
    let text = layers.get("RedisConnectionString");
    let text = if text.is_empty() {
        "127.0.0.1:6379"
    } else {
        text
    };
    let options =
        RedisOptions::parse(text).map_err(crate::hub::settings::HubSettingsError::from)?;
    let asked = ask_redis(&options, ASK_WITHIN).await;
    Ok(server(options.endpoints[0].clone(), asked))
}

async fn find_rabbitmq(layers: &Layers) -> Result<(Server, String), Failure> {
    let address = broker_address(layers)?;
    let asked = ask_foreign_rabbitmq(&address, ASK_WITHIN).await;
    Ok((server(address.endpoint, asked), address.username))
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server {
            endpoint,
            answer,
            ours,
            ..
        } = self;
        let whose = if *ours { " (a container of ours)" } else { "" };
        match answer {
            Answer::Welcome => write!(formatter, "answers at {endpoint}{whose}"),
            Answer::Refused => write!(
                formatter,
                "answers at {endpoint}{whose}, and wants other credentials than the settings have"
            ),
            Answer::Nothing => write!(formatter, "nothing answers at {endpoint}"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "Found")?;
        writeln!(formatter, "  checkout     {}", self.checkout)?;
        writeln!(formatter, "  environment  {}", self.environment)?;
        writeln!(
            formatter,
            "  Docker       {}",
            self.docker
                .as_ref()
                .map_or_else(String::as_str, |()| "answers")
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
