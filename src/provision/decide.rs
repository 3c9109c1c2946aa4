//! Decides what a request means in the world as it was found. Pure: no file, socket or clock.

mod basis;
mod exposure;
mod hub;
mod image;
mod rabbitmq;
mod redis;

use crate::appsettings::SettingsFile;
use crate::appsettings::layers::ProcessInputs;
use crate::containers::Service;
use crate::instance::State;
use crate::project::{CacheAddress, EditedFiles, Project, ProjectError};
use crate::provision::decision::{Decision, RabbitMqDecision, RedisDecision};
use crate::provision::error::Error;
use crate::provision::ports::LOOPBACK;
use crate::provision::questions::{hub_in_container, hub_url};
use crate::provision::request::{HubChoice, Request};
use crate::provision::variables::overriding;
use crate::provision::warning::Warning;
use crate::provision::world::{EngineLook, World};
use crate::secret::SecretsStore;
use basis::Basis;
use url::Url;

/// Decides; the project's settings are edited on the way.
pub fn decide(request: &Request, mut project: Project, world: &World) -> Result<Decision, Error> {
    let mut warnings = owner(request, world)?;
    check_store(&project, request, &world.known)?;
    let layers = project.hub.layers();
    let basis = Basis::new(request, world, &layers);
    basis.check_engine()?;
    let shared = project.caches_in_redis();
    let mut redis = redis::decide(&basis, shared)?;
    let mut rabbitmq = rabbitmq::decide(&basis)?;
    let Some(url) = hub_url(&basis.wanted, &project) else {
        return Err(Error::NoHubUrl);
    };
    warnings.extend(edit(&mut project, request, &redis, &rabbitmq, &url)?);
    project.check_changes()?;
    warnings.extend(not_read_by_f5(&project, request));
    warnings.extend(read_as_variables(&project, request));
    let mut state = state(&basis, &url, &redis, &rabbitmq);
    state.admin_port = hub::admin_port(&basis);
    state.hub_in_container = hub_in_container(&basis.wanted, &world.known);
    if state.hub_in_container {
        redis::join_network(&mut redis, &world.instance);
        rabbitmq::join_network(&mut rabbitmq, &world.instance);
    }
    let hub = hub::decide(&basis, &project, &state, &url, (&redis, &rabbitmq))?;
    let mut decision = Decision {
        files: project.files(),
        redis,
        rabbitmq,
        hub,
        hub_url: url,
        state,
        pull: request.wanted.pull,
        warnings,
        exposed: Vec::new(),
    };
    decision.exposed = exposure::exposed(&basis, &decision);
    decision.warnings.extend(about(&basis, &decision));
    Ok(decision)
}

/// An instance belongs to the checkout that it was brought up for.
fn owner(request: &Request, world: &World) -> Result<Vec<Warning>, Error> {
    let owner = &world.known.checkout;
    let checkout = &request.checkout.root;
    if owner.as_os_str().is_empty() || owner == checkout || request.wanted.adopt {
        return Ok(Vec::new());
    }
    if world.owner_is_gone {
        return Ok(vec![Warning::Moved(owner.clone())]);
    }
    Err(Error::OtherCheckout {
        instance: world.instance.clone(),
        owner: owner.clone(),
        checkout: checkout.clone(),
    })
}

/// Writes what was decided into the settings.
fn edit(
    project: &mut Project,
    request: &Request,
    redis: &RedisDecision,
    rabbitmq: &RabbitMqDecision,
    url: &Url,
) -> Result<Vec<Warning>, Error> {
    let mut warnings = Vec::new();
    if let Some(text) = redis.connection_string() {
        project.set_redis(text)?;
    }
    if let (true, Some(options)) = (project.caches_in_redis(), redis.options())
        && project.share_cache(options)? == CacheAddress::NotExpressible
    {
        warnings.push(Warning::CachesLeftAlone);
    }
    if let Some(address) = rabbitmq.to_write() {
        project.set_broker(address)?;
    }
    if project.hub_url().as_ref() != Some(url) {
        match project.set_hub_url(url) {
            Err(ProjectError::Gateway(error)) => {
                warnings.push(Warning::RouteLeftAlone(error.to_string()));
            }
            written => {
                written?;
            }
        }
    }
    if let Some(level) = &request.wanted.log_level {
        project.set_log_level(level)?;
    }
    Ok(warnings)
}

/// Refuses a store that a reader of the same settings would not see.
fn check_store(project: &Project, request: &Request, known: &State) -> Result<(), Error> {
    if request.scope.store != SecretsStore::UserSecrets {
        return Ok(());
    }
    let not_read = |reader: String, why: &str| Error::SecretsNotRead {
        reader,
        why: why.to_owned(),
    };
    if hub_in_container(&request.wanted, known) {
        let why = "it cannot read the files of this user";
        return Err(not_read("the hub's container".to_owned(), why));
    }
    let mut readers = std::iter::once(&project.hub).chain(&project.others);
    let blind = readers.find_map(|reader| Some((reader, reader.reads_no_user_secrets()?)));
    match blind {
        Some((reader, why)) => Err(not_read(reader.name(), why)),
        None => Ok(()),
    }
}

/// Whoever reads the same settings has to be started with the variables.
fn read_as_variables(project: &Project, request: &Request) -> Option<Warning> {
    let is_dotnet_hub = request.wanted.hub == Some(HubChoice::None);
    let hub = is_dotnet_hub.then_some(&project.hub);
    let readers: Vec<_> = hub
        .into_iter()
        .chain(&project.others)
        .map(|one| one.name())
        .collect();
    let has_any = request.scope.store == SecretsStore::Environment && !readers.is_empty();
    has_any.then_some(Warning::SecretsInVariables(readers))
}

/// What the launch profile of the .NET hub hides of the settings that were written.
fn not_read_by_f5(project: &Project, request: &Request) -> Vec<Warning> {
    let Some(profile) = &project.profile else {
        return Vec::new();
    };
    let name = &profile.name;
    let inputs = ProcessInputs {
        variables: profile.variables.clone(),
        ..ProcessInputs::default()
    };
    let environment = inputs.environment();
    let mut why = Vec::new();
    let is_written = project.hub.files().iter().any(SettingsFile::is_changed);
    let only_ours = request.scope.edits == EditedFiles::OnlyTheEnvironment;
    if is_written && only_ours && environment != request.scope.environment {
        why.push(format!(
            "the launch profile {name} sets the environment {environment}, in which it does not \
             read what is written for {}",
            request.scope.environment
        ));
    }
    let variables: Vec<_> = profile
        .variables
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let hiding = overriding(&variables)
        .into_iter()
        .filter(|name| !name.to_ascii_uppercase().contains("URLS"));
    why.extend(hiding.map(|variable| {
        format!("the launch profile {name} sets {variable}, which wins over the settings")
    }));
    why.into_iter().map(Warning::NotReadByF5).collect()
}

/// What to remember.
fn state(
    basis: &Basis<'_>,
    hub_url: &Url,
    redis: &RedisDecision,
    rabbitmq: &RabbitMqDecision,
) -> State {
    let (request, known) = (basis.request, &basis.world.known);
    let management_port = match rabbitmq {
        RabbitMqDecision::Container {
            management_port, ..
        } => *management_port,
        _ => 0,
    };
    let unreachable = matches!(basis.world.engine, EngineLook::Unreachable(_));
    State {
        checkout: request.checkout.root.clone(),
        trusts_checkout: request.trusts_checkout
            || known.trusts_checkout && known.checkout == request.checkout.root,
        environment: request.scope.environment.clone(),
        hub_url: hub_url.to_string(),
        redis: redis.choice(),
        rabbitmq: rabbitmq.choice(),
        redis_port: redis.spec().map_or(0, |spec| spec.port()),
        rabbitmq_port: rabbitmq.spec().map_or(0, |spec| spec.port()),
        management_port,
        redis_volume: redis.spec().is_some_and(|spec| spec.volume.is_some()),
        bind: request
            .wanted
            .bind
            .or(known.bind)
            .filter(|bind| *bind != LOOPBACK),
        without_redis: basis.wanted.redis == Some(basis::WITHOUT),
        without_rabbitmq: basis.wanted.rabbitmq == Some(basis::WITHOUT),
        secrets: request.scope.store,
        without_hub: basis.wanted.hub == Some(HubChoice::None),
        containers_remain: unreachable && known.has_containers(),
        ..State::default()
    }
}

/// Containers that are kept although their tag stands for another image by now.
fn moved_images(basis: &Basis<'_>) -> impl Iterator<Item = Warning> {
    let servers = [Service::Redis, Service::RabbitMq].into_iter();
    servers.filter_map(|service| {
        let found = basis
            .world
            .found(service)
            .filter(|found| found.image_moved)?;
        Some(Warning::ImageMoved {
            service,
            image: found.image.clone(),
            digest: found.image_digest.clone(),
        })
    })
}

/// Servers that get a password only after this was read.
fn postponed(basis: &Basis<'_>) -> impl Iterator<Item = Warning> {
    let world = basis.world;
    let redis = world
        .redis
        .as_ref()
        .and_then(|probe| probe.asked.endpoints.first());
    let rabbitmq = world.rabbitmq.as_ref().map(|probe| &probe.asked.endpoint);
    [(Service::Redis, redis), (Service::RabbitMq, rabbitmq)]
        .into_iter()
        .filter(|(service, _)| world.is_postponed(*service))
        .filter_map(|(service, endpoint)| Some(Warning::SecretGoesTo(service, endpoint?.clone())))
}

/// What the user should know of a decision.
fn about(basis: &Basis<'_>, decision: &Decision) -> Vec<Warning> {
    let moved = [Service::Redis, Service::RabbitMq].map(|service| decision.moved(service));
    let mut warnings: Vec<_> = moved
        .into_iter()
        .flatten()
        .map(|moved| Warning::PortMoved(moved.clone()))
        .collect();
    warnings.extend(moved_images(basis));
    warnings.extend(postponed(basis));
    if let (EngineLook::Unreachable(error), true) =
        (&basis.world.engine, decision.state.containers_remain)
    {
        warnings.push(Warning::ContainersRemain(error.to_string()));
    }
    let redis_is_open = match &decision.redis {
        RedisDecision::Container { options, .. } => options.password.is_none(),
        _ => false,
    };
    if redis_is_open {
        warnings.push(Warning::RedisWithoutPassword);
    }
    let published = decision.redis.spec().is_some() || decision.rabbitmq.spec().is_some();
    match &basis.world.other_machine {
        _ if !published => {}
        Some(machine) => warnings.push(Warning::PublishedOnAnotherMachine(machine.clone())),
        None if !basis.bind.is_loopback() => warnings.push(Warning::PublishedOn(basis.bind)),
        None => {}
    }
    warnings
}
