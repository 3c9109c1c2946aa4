//! The short way: where Redis and RabbitMQ come from, where clients find the hub, and how it runs.

use super::found::{Findings, FoundServer, ServerResponse};
use super::property::question;
use super::server::ask_for_server;
use crate::cli::arguments::Answers;
use crate::cli::flags::HubFlag;
use crate::containers::Service;
use crate::instance::ServiceOrigin;
use crate::project::parse_hub_url;
use crate::provision::request::ServerChoice;
use crate::terminal::prompt::{self, Question, Reply};

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Redis,
    RabbitMq,
    HubUrl,
    Hub,
}

const TOPICS: [Topic; 4] = [Topic::Redis, Topic::RabbitMq, Topic::HubUrl, Topic::Hub];

impl Topic {
    fn flag(self) -> &'static str {
        match self {
            Topic::Redis => "--redis",
            Topic::RabbitMq => "--rabbitmq",
            Topic::HubUrl => "--hub-url",
            Topic::Hub => "--hub",
        }
    }

    fn is_open(self, answers: &Answers) -> bool {
        match self {
            Topic::Redis => answers.redis.is_none(),
            Topic::RabbitMq => answers.rabbitmq.is_none(),
            Topic::HubUrl => answers.hub_url.is_none(),
            Topic::Hub => answers.hub.is_none(),
        }
    }
}

/// The topics that flags and files leave open.
pub fn open(answers: &Answers) -> Vec<Topic> {
    let open = TOPICS.into_iter().filter(|topic| topic.is_open(answers));
    open.collect()
}

/// The flag of the first of them.
pub fn unanswered(answers: &Answers) -> Option<&'static str> {
    open(answers).first().map(|topic| topic.flag())
}

/// Asks about topics in order, from one of them on; Esc goes back to the one before.
pub async fn ask_all(
    topics: &[Topic],
    from: Option<&Topic>,
    found: &Findings,
    answers: &mut Answers,
) -> Reply<()> {
    let start = topics.iter().position(|topic| Some(topic) == from);
    let mut place = start.unwrap_or_default();
    while let Some(topic) = topics.get(place) {
        match ask(*topic, found, answers).await {
            Reply::Given(()) => place += 1,
            Reply::Back => place = place.saturating_sub(1),
            Reply::Left => return Reply::Left,
        }
    }
    Reply::Given(())
}

/// Lets one answer be given again.
pub async fn change(found: &Findings, answers: &mut Answers) -> Reply<()> {
    let items: Vec<_> = super::review::summary(found, answers)
        .iter()
        .map(|[title, answer]| format!("{title}: {answer}"))
        .collect();
    let asked = Question::new("Change an answer", "");
    match prompt::select(asked, &items[..TOPICS.len()], 0).await {
        Reply::Given(place) => ask(TOPICS[place], found, answers).await,
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}

async fn ask(topic: Topic, found: &Findings, answers: &mut Answers) -> Reply<()> {
    match topic {
        Topic::Redis => service(Service::Redis, found, answers).await,
        Topic::RabbitMq => service(Service::RabbitMq, found, answers).await,
        Topic::HubUrl => hub_url(found, answers).await,
        Topic::Hub => hub(found, answers).await,
    }
}

/// Where a service comes from: only what is possible is offered.
async fn service(service: Service, found: &Findings, answers: &mut Answers) -> Reply<()> {
    let (key, lone, server) = match service {
        Service::Redis => (
            "RedisConnectionString",
            "none: one hub alone needs no Redis",
            &found.redis,
        ),
        _ => (
            "BrokerConfiguration",
            "none: notifications come by HTTP, for trying it out",
            &found.rabbitmq,
        ),
    };
    let offers = offers(service, server, found, lone);
    let answer = match service {
        Service::Redis => answers.redis.clone(),
        _ => answers.rabbitmq.clone(),
    };
    let items: Vec<_> = offers.iter().map(|(text, _)| text.clone()).collect();
    let mut default = default(&offers, answer.as_ref(), server, found);
    let mut asked = question("Harmony.SignalR", key);
    asked.hint += " Containers listen on 127.0.0.1 and get generated passwords.";
    loop {
        let place = match prompt::select(asked.clone(), &items, default).await {
            Reply::Given(place) => place,
            Reply::Back => return Reply::Back,
            Reply::Left => return Reply::Left,
        };
        if let Some(choice) = offers[place].1.clone() {
            match service {
                Service::Redis => answers.redis = Some(choice),
                _ => answers.rabbitmq = Some(choice),
            }
            return Reply::Given(());
        }
        match ask_for_server(service, found, answers).await {
            Reply::Back => default = place,
            ended => return ended,
        }
    }
}

/// What can be chosen; nothing beside a server elsewhere, which is asked for.
type Offer = (String, Option<ServerChoice>);

fn offers(service: Service, server: &FoundServer, found: &Findings, lone: &str) -> Vec<Offer> {
    let mut offers = Vec::new();
    if server.response == ServerResponse::Welcome && !server.ours {
        offers.push((
            format!("the server that responds at {}", server.endpoint),
            Some(ServerChoice::Server(server.endpoint.clone())),
        ));
    }
    if found.docker.is_ok() {
        offers.push((
            format!("a container ({})", service.default_image()),
            Some(ServerChoice::Container),
        ));
    }
    offers.push(("a server elsewhere".to_owned(), None));
    offers.push((lone.to_owned(), Some(ServerChoice::Without)));
    offers
}

/// The answer that was given, else what there is now, else what is easiest.
fn default(
    offers: &[Offer],
    answer: Option<&ServerChoice>,
    server: &FoundServer,
    found: &Findings,
) -> usize {
    let remembered = match server.before {
        ServiceOrigin::Container => Some(ServerChoice::Container),
        ServiceOrigin::Embedded => Some(ServerChoice::Without),
        ServiceOrigin::External | ServiceOrigin::Unknown => None,
    };
    let place_of = |wanted: &ServerChoice| {
        let mut choices = offers.iter().map(|(_, offer)| offer.as_ref());
        choices.position(|offer| offer == Some(wanted))
    };
    let elsewhere = offers.iter().position(|(_, offer)| offer.is_none());
    let given = match answer {
        Some(answer) => place_of(answer).or(elsewhere),
        None => remembered.as_ref().and_then(place_of),
    };
    let is_easy = found.docker.is_ok() || server.response == ServerResponse::Welcome;
    given.unwrap_or(if is_easy { 0 } else { offers.len() - 1 })
}

async fn hub_url(found: &Findings, answers: &mut Answers) -> Reply<()> {
    let present = match &answers.hub_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => found.hub_url.clone(),
    };
    let mut asked = question("Harmony.Client", "signalrHostUrl");
    asked.hint = "Where browsers find the hub; it listens there.".to_owned();
    loop {
        let text = match prompt::input(asked.clone(), &present).await {
            Reply::Given(text) => text,
            Reply::Back => return Reply::Back,
            Reply::Left => return Reply::Left,
        };
        match parse_hub_url(&text) {
            Ok(url) => {
                answers.hub_url = Some(url);
                return Reply::Given(());
            }
            Err(error) => prompt::object(&error),
        }
    }
}

async fn hub(found: &Findings, answers: &mut Answers) -> Reply<()> {
    let mut offers = vec![
        ("started now, in the background", HubFlag::Process),
        ("not started: settings and servers only", HubFlag::None),
    ];
    if found.docker.is_ok() {
        offers.insert(1, ("started now, as a container", HubFlag::Container));
    }
    let items: Vec<_> = offers.iter().map(|(text, _)| (*text).to_owned()).collect();
    let chosen = |(_, choice): &(&str, HubFlag)| answers.hub == Some(*choice);
    let default = offers.iter().position(chosen).unwrap_or_default();
    let asked = Question::new("Hub", "It serves clients until 'harmony down'.");
    match prompt::select(asked, &items, default).await {
        Reply::Given(place) => {
            answers.hub = Some(offers[place].1);
            Reply::Given(())
        }
        Reply::Back => Reply::Back,
        Reply::Left => Reply::Left,
    }
}
