//! The wizard's questions, in order: each with its title and hint from the schema, its default and its check.

use super::found::{Findings, FoundServer, ServerResponse};
use crate::cli::arguments::{Answers, HubFlag};
use crate::cli::failure::Failure;
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::containers::Service;
use crate::containers::readiness::{NotReady, ask_foreign_rabbitmq, ask_redis};
use crate::instance::Choice;
use crate::project::parse_hub_url;
use crate::provision::request::ServerChoice;
use crate::schema;
use crate::secret::Secret;
use crate::terminal::prompt::{self, Question, Reply};
use serde_json::Value;
use std::time::Duration;

const ASK_WITHIN: Duration = Duration::from_secs(3);

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Redis,
    RedisServer,
    RabbitMq,
    RabbitMqServer,
    HubUrl,
    LogLevel,
    Hub,
}

const TOPICS: [Topic; 7] = [
    Topic::Redis,
    Topic::RedisServer,
    Topic::RabbitMq,
    Topic::RabbitMqServer,
    Topic::HubUrl,
    Topic::LogLevel,
    Topic::Hub,
];

/// How a question ended.
enum Turn {
    Next,
    Back,
    /// The check failed: the same question again.
    Again,
}

/// The flag of the first question that flags and files leave open.
pub fn unanswered(answers: &Answers) -> Option<&'static str> {
    let open = [
        (answers.redis.is_none(), "--redis"),
        (answers.rabbitmq.is_none(), "--rabbitmq"),
        (answers.hub_url.is_none(), "--hub-url"),
        (answers.hub.is_none(), "--hub"),
    ];
    open.into_iter()
        .find(|(open, _)| *open)
        .map(|(_, flag)| flag)
}

/// Asks what is still open.
pub async fn ask(found: &Findings, answers: &mut Answers) -> Result<(), Failure> {
    let given = answers.clone();
    let open: Vec<_> = TOPICS
        .into_iter()
        .filter(|topic| !is_given(*topic, &given))
        .collect();
    let mut place = 0;
    while let Some(topic) = open.get(place) {
        if !concerns(*topic, answers) {
            place += 1;
            continue;
        }
        match turn(*topic, found, answers).await? {
            Turn::Next => place += 1,
            Turn::Again => {}
            Turn::Back => {
                place = open[..place]
                    .iter()
                    .rposition(|before| concerns(*before, answers))
                    .unwrap_or(place)
            }
        }
    }
    Ok(())
}

fn is_given(topic: Topic, given: &Answers) -> bool {
    match topic {
        Topic::Redis | Topic::RedisServer => given.redis.is_some(),
        Topic::RabbitMq | Topic::RabbitMqServer => given.rabbitmq.is_some(),
        Topic::HubUrl => given.hub_url.is_some(),
        Topic::LogLevel => given.log_level.is_some(),
        Topic::Hub => given.hub.is_some(),
    }
}

/// Whether a topic matters after the answers before it: only a server elsewhere has an address to ask for.
fn concerns(topic: Topic, answers: &Answers) -> bool {
    match topic {
        Topic::RedisServer => answers.redis.is_none(),
        Topic::RabbitMqServer => answers.rabbitmq.is_none(),
        _ => true,
    }
}

async fn turn(topic: Topic, found: &Findings, answers: &mut Answers) -> Result<Turn, Failure> {
    match topic {
        Topic::Redis => service(Service::Redis, &found.redis, found, &mut answers.redis).await,
        Topic::RabbitMq => {
            service(
                Service::RabbitMq,
                &found.rabbitmq,
                found,
                &mut answers.rabbitmq,
            )
            .await
        }
        Topic::RedisServer => redis_server(found, answers).await,
        Topic::RabbitMqServer => rabbitmq_server(found, answers).await,
        Topic::HubUrl => hub_url(found, answers).await,
        Topic::LogLevel => log_level(found, answers).await,
        Topic::Hub => hub(found, answers).await,
    }
}

/// A schema property's title and description, as a question.
fn question(schema: &Value, key: &str) -> Question {
    let text = |word: &str| {
        schema::property(schema, key)
            .and_then(|property| property[word].as_str())
            .unwrap_or(key)
            .to_owned()
    };
    Question::new(text("title"), text("description"))
}

fn hub_question(key: &str) -> Question {
    question(&schema::APPLICATIONS[0].schema(), key)
}

/// Where a service comes from: only what is possible is offered.
async fn service(
    service: Service,
    server: &FoundServer,
    found: &Findings,
    answer: &mut Option<ServerChoice>,
) -> Result<Turn, Failure> {
    let (key, lone) = if service == Service::Redis {
        (
            "RedisConnectionString",
            "none: one hub alone needs no Redis",
        )
    } else {
        (
            "BrokerConfiguration",
            "none: notifications come by HTTP, for trying it out",
        )
    };
    let mut offers = Vec::new();
    if server.response == ServerResponse::Welcome && !server.ours {
        offers.push((
            format!("the server that answers at {}", server.endpoint),
            Some(ServerChoice::Server(server.endpoint.clone())),
        ));
    }
    if found.docker.is_ok() {
        offers.push((
            format!(
                "a container ({}), on 127.0.0.1, with a generated password",
                service.default_image()
            ),
            Some(ServerChoice::Container),
        ));
    }
    offers.push(("a server elsewhere".to_owned(), None));
    offers.push((lone.to_owned(), Some(ServerChoice::Without)));
    let remembered = match server.before {
        Choice::Container => Some(ServerChoice::Container),
        Choice::Embedded => Some(ServerChoice::Without),
        Choice::External | Choice::Unknown => None,
    };
    let usual = if found.docker.is_ok() || server.response == ServerResponse::Welcome {
        0
    } else {
        offers.len() - 1
    };
    let known = answer.clone().or(remembered);
    let default = offers
        .iter()
        .position(|(_, offer)| offer.is_some() && *offer == known)
        .unwrap_or(usual);
    let items: Vec<_> = offers.iter().map(|(text, _)| text.clone()).collect();
    Ok(
        match prompt::select(hub_question(key), &items, default).await {
            Reply::Given(place) => {
                *answer = offers[place].1.clone();
                Turn::Next
            }
            Reply::Back => Turn::Back,
            Reply::Left => return Err(Failure::interrupted()),
        },
    )
}

async fn redis_server(found: &Findings, answers: &mut Answers) -> Result<Turn, Failure> {
    let Some(endpoint) = endpoint(
        Question::new("Redis address", "HOST:PORT of the server."),
        &found.redis.endpoint,
        6379,
    )
    .await?
    else {
        return Ok(Turn::Back);
    };
    let Some(endpoint) = endpoint else {
        return Ok(Turn::Again);
    };
    let Some(password) = secret(Question::new("Redis password", "Empty: none.")).await? else {
        return Ok(Turn::Back);
    };
    let mut options = RedisOptions::at(endpoint.clone());
    options.password = password.clone();
    if let Err(error) = ask_redis(&options, ASK_WITHIN).await {
        objection(&format!("Redis at {endpoint}"), &error);
        return Ok(Turn::Again);
    }
    answers.redis = Some(ServerChoice::Server(endpoint));
    answers.redis_password = password;
    Ok(Turn::Next)
}

async fn rabbitmq_server(found: &Findings, answers: &mut Answers) -> Result<Turn, Failure> {
    let Some(endpoint) = endpoint(
        Question::new("RabbitMQ address", "HOST:PORT of the server."),
        &found.rabbitmq.endpoint,
        5672,
    )
    .await?
    else {
        return Ok(Turn::Back);
    };
    let Some(endpoint) = endpoint else {
        return Ok(Turn::Again);
    };
    let user = match prompt::input(
        hub_question("BrokerConfiguration:Username"),
        &found.rabbitmq_user,
    )
    .await
    {
        Reply::Given(user) => user,
        Reply::Back => return Ok(Turn::Back),
        Reply::Left => return Err(Failure::interrupted()),
    };
    let Some(password) = secret(hub_question("BrokerConfiguration:Password")).await? else {
        return Ok(Turn::Back);
    };
    let text = password.as_ref().map(Secret::reveal).unwrap_or_default();
    let address = BrokerAddress::new(
        endpoint.clone(),
        &user,
        text,
        answers.rabbitmq_vhost.as_deref().unwrap_or_default(),
    );
    if let Err(error) = ask_foreign_rabbitmq(&address, ASK_WITHIN).await {
        objection(&format!("RabbitMQ at {endpoint}"), &error);
        return Ok(Turn::Again);
    }
    answers.rabbitmq = Some(ServerChoice::Server(endpoint));
    answers.rabbitmq_user = Some(address.username);
    answers.rabbitmq_password = Some(address.password);
    Ok(Turn::Next)
}

/// An address; `None` to go back, `Some(None)` where it was none.
async fn endpoint(
    question: Question,
    present: &Endpoint,
    port: u16,
) -> Result<Option<Option<Endpoint>>, Failure> {
    Ok(match prompt::input(question, &present.to_string()).await {
        Reply::Given(text) => {
            let parsed = Endpoint::parse(&text, port);
            if parsed.is_none() {
                prompt::object(&format!(
                    "'{text}' is no address; HOST:PORT is expected, such as 127.0.0.1:{port}"
                ));
            }
            Some(parsed)
        }
        Reply::Back => None,
        Reply::Left => return Err(Failure::interrupted()),
    })
}

/// A secret, typed unseen; `None` to go back.
async fn secret(question: Question) -> Result<Option<Option<Secret>>, Failure> {
    match prompt::password(question).await {
        Reply::Given(text) => Ok(Some(
            Some(text).filter(|text| !text.is_empty()).map(Secret::new),
        )),
        Reply::Back => Ok(None),
        Reply::Left => Err(Failure::interrupted()),
    }
}

fn objection(server: &str, error: &NotReady) {
    prompt::object(&format!("{server} can't be used: {error}"));
}

async fn hub_url(found: &Findings, answers: &mut Answers) -> Result<Turn, Failure> {
    let client = schema::Application::named("Harmony.Client")
        .map(schema::Application::schema)
        .unwrap_or_default();
    let asked = Question::new(
        question(&client, "signalrHostUrl").title,
        "Where browsers find the hub; it listens there.",
    );
    let present = answers
        .hub_url
        .as_ref()
        .map_or(found.hub_url.clone(), |url| {
            url.as_str().trim_end_matches('/').to_owned()
        });
    Ok(match prompt::input(asked, &present).await {
        Reply::Given(text) => match parse_hub_url(&text) {
            Ok(url) => {
                answers.hub_url = Some(url);
                Turn::Next
            }
            Err(error) => {
                prompt::object(&error);
                Turn::Again
            }
        },
        Reply::Back => Turn::Back,
        Reply::Left => return Err(Failure::interrupted()),
    })
}

async fn log_level(found: &Findings, answers: &mut Answers) -> Result<Turn, Failure> {
    let key = "Serilog:MinimumLevel:Default";
    let schema = schema::APPLICATIONS[0].schema();
    let known = schema::property(&schema, key)
        .and_then(|property| property["enum"].as_array().cloned())
        .unwrap_or_default();
    let levels: Vec<_> = known
        .iter()
        .filter_map(|level| level.as_str().map(str::to_owned))
        .collect();
    let present = answers.log_level.as_ref().unwrap_or(&found.log_level);
    let default = levels
        .iter()
        .position(|level| level == present)
        .unwrap_or_default();
    Ok(
        match prompt::select(question(&schema, key), &levels, default).await {
            Reply::Given(place) => {
                answers.log_level = Some(levels[place].clone());
                Turn::Next
            }
            Reply::Back => Turn::Back,
            Reply::Left => return Err(Failure::interrupted()),
        },
    )
}

async fn hub(found: &Findings, answers: &mut Answers) -> Result<Turn, Failure> {
    let mut offers = vec![
        ("started now, in the background", HubFlag::Process),
        ("not started: settings and servers only", HubFlag::None),
    ];
    if found.docker.is_ok() {
        offers.insert(1, ("started now, as a container", HubFlag::Container));
    }
    let items: Vec<_> = offers.iter().map(|(text, _)| (*text).to_owned()).collect();
    let default = offers
        .iter()
        .position(|(_, choice)| answers.hub == Some(*choice))
        .unwrap_or_default();
    Ok(
        match prompt::select(
            Question::new("Hub", "It serves clients until 'harmony down'."),
            &items,
            default,
        )
        .await
        {
            Reply::Given(place) => {
                answers.hub = Some(offers[place].1);
                Turn::Next
            }
            Reply::Back => Turn::Back,
            Reply::Left => return Err(Failure::interrupted()),
        },
    )
}
