//! A server of somebody else: its address and credentials, tried at once, and taken anyway on
//! request.

use super::found::Findings;
use super::property::question;
use crate::cli::arguments::Answers;
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::containers::Service;
use crate::containers::readiness::{NotReady, ask_foreign_rabbitmq, ask_redis};
use crate::provision::ports::{RABBITMQ_PORT, REDIS_PORT};
use crate::provision::request::ServerChoice;
use crate::secret::Secret;
use crate::terminal::prompt::{self, Question, Reply};
use std::time::Duration;

const ASK_WITHIN: Duration = Duration::from_secs(3);

/// What is asked about a server, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Address,
    User,
    Password,
    Trial,
}

/// A server as it is being described.
struct Described {
    service: Service,
    endpoint: Endpoint,
    user: String,
    password: Option<Secret>,
}

/// Asks for a server and tries it. Esc goes back a question.
pub async fn ask_for_server(
    service: Service,
    found: &Findings,
    answers: &mut Answers,
) -> Reply<()> {
    let endpoint = match service {
        Service::Redis => &found.redis.endpoint,
        _ => &found.rabbitmq.endpoint,
    };
    let mut server = Described {
        service,
        endpoint: endpoint.clone(),
        user: found.rabbitmq_user.clone(),
        password: None,
    };
    let mut part = Part::Address;
    loop {
        let reply = match part {
            Part::Address => address(&mut server).await,
            Part::User => user(&mut server).await,
            Part::Password => password(&mut server).await,
            Part::Trial => trial(&server, answers).await,
        };
        part = match (part, reply) {
            (_, Reply::Left) => return Reply::Left,
            (Part::Address, Reply::Back) => return Reply::Back,
            (_, Reply::Back) => Part::Address,
            (_, Reply::Given(Next::Take)) => break,
            (_, Reply::Given(Next::Ask(next))) => next,
        };
    }
    take(server, answers);
    Reply::Given(())
}

/// What comes after a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Ask(Part),
    Take,
}

async fn address(server: &mut Described) -> Reply<Next> {
    let (title, port, next) = match server.service {
        Service::Redis => ("Redis address", REDIS_PORT, Part::Password),
        _ => ("RabbitMQ address", RABBITMQ_PORT, Part::User),
    };
    let asked = Question::new(title, "HOST:PORT of the server.");
    loop {
        let text = match prompt::input(asked.clone(), &server.endpoint.to_string()).await {
            Reply::Given(text) => text,
            Reply::Back => return Reply::Back,
            Reply::Left => return Reply::Left,
        };
        match Endpoint::parse(&text, port) {
            Some(endpoint) => {
                server.endpoint = endpoint;
                return Reply::Given(Next::Ask(next));
            }
            None => prompt::object(&format!(
                "'{text}' is no address; expected HOST:PORT, such as 127.0.0.1:{port}"
            )),
        }
    }
}

async fn user(server: &mut Described) -> Reply<Next> {
    let asked = question("Harmony.SignalR", "BrokerConfiguration:Username");
    match prompt::input(asked, &server.user).await {
        Reply::Given(user) => {
            server.user = user;
            Reply::Given(Next::Ask(Part::Password))
        }
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

async fn password(server: &mut Described) -> Reply<Next> {
    let asked = match server.service {
        Service::Redis => Question::new("Redis password", "Empty: none."),
        _ => question("Harmony.SignalR", "BrokerConfiguration:Password"),
    };
    match prompt::password(asked).await {
        Reply::Given(text) => {
            server.password = Some(text).filter(|text| !text.is_empty()).map(Secret::new);
            Reply::Given(Next::Ask(Part::Trial))
        }
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

/// Tries the server; where it cannot be used, asks what to do about it.
async fn trial(server: &Described, answers: &mut Answers) -> Reply<Next> {
    let tried = match server.service {
        Service::Redis => {
            let mut options = RedisOptions::at(server.endpoint.clone());
            options.password.clone_from(&server.password);
            ask_redis(&options, ASK_WITHIN).await
        }
        _ => ask_foreign_rabbitmq(&server.broker(answers), ASK_WITHIN).await,
    };
    let Err(error) = tried else {
        return Reply::Given(Next::Take);
    };
    let title = server.service.title();
    let what = format!("{title} at {} cannot be used: {error}", server.endpoint);
    prompt::object(&what);
    let refused = matches!(error, NotReady::Refused);
    let again = if refused {
        ("type the password again", Next::Ask(Part::Password))
    } else {
        ("try again", Next::Ask(Part::Trial))
    };
    let offers = [
        again,
        ("another address", Next::Ask(Part::Address)),
        ("use it anyway", Next::Take),
    ];
    let items = offers.map(|(text, _)| text.to_owned());
    match prompt::select(Question::new(title, ""), &items, 0).await {
        Reply::Given(place) => {
            answers.use_anyway |= offers[place].1 == Next::Take;
            Reply::Given(offers[place].1)
        }
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

impl Described {
    fn broker(&self, answers: &Answers) -> BrokerAddress {
        BrokerAddress::new(
            self.endpoint.clone(),
            &self.user,
            self.password
                .as_ref()
                .map(Secret::reveal)
                .unwrap_or_default(),
            answers.rabbitmq_vhost.as_deref().unwrap_or_default(),
        )
    }
}

fn take(server: Described, answers: &mut Answers) {
    let choice = Some(ServerChoice::Server(server.endpoint.clone()));
    answers
        .passwords_from_file
        .retain(|service| *service != server.service);
    if server.service == Service::Redis {
        answers.redis = choice;
        answers.redis_password = server.password;
        return;
    }
    let address = server.broker(answers);
    answers.rabbitmq = choice;
    answers.rabbitmq_user = Some(address.username);
    answers.rabbitmq_password = Some(address.password);
}
