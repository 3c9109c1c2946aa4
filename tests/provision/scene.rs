//! A world that a test arranges, a request, and what provisioning makes of them.

use crate::harness::Folder;
use harmony::appsettings;
use harmony::checkout;
use harmony::connection_string::Endpoint;
use harmony::connection_string::amqp::BrokerAddress;
use harmony::connection_string::redis::RedisOptions;
use harmony::containers::docker::{DockerError, ObservedContainer, ObservedVolume};
use harmony::containers::readiness::NotReady;
use harmony::containers::whereabouts::Surroundings;
use harmony::containers::{ContainerSpec, SERVICES, Service, container_name, network_name};
use harmony::hub_process::Running;
use harmony::instance::Instance;
use harmony::project::{Project, Scope};
use harmony::provision::decide::decide;
use harmony::provision::decision::{Decision, HubDecision};
use harmony::provision::error::Error;
use harmony::provision::plan::Plan;
use harmony::provision::ports::{PortAddress, PortHolder, PortLook, PortState};
use harmony::provision::reconcile;
use harmony::provision::request::{Installation, Request, ServerChoice};
use harmony::provision::world::{
    EngineContents, EngineLook, FreePorts, HubImage, NewPasswords, Probe, World,
};
use harmony::secret::Secret;
use std::net::{IpAddr, Ipv4Addr};

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub struct Scene {
    pub folder: Folder,
    pub request: Request,
    pub world: World,
}

impl Scene {
    /// A new checkout on a machine with an engine that has nothing, and with servers nowhere.
    pub fn new() -> Self {
        let folder = Folder::new();
        let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        for name in [
            "Harmony.SignalR/appsettings.json",
            "Harmony.Client/wwwroot/appsettings.json",
        ] {
            let text = std::fs::read_to_string(sources.join(name)).expect("a template");
            folder.write(name, &text);
        }
        let installation = Installation {
            instance: Instance::new("blue", &folder.path().join("states")).expect("an instance"),
            docker: Surroundings::default(),
            home: None,
            certificates: folder.path().join("https"),
            variables: Vec::new(),
        };
        let checkout = checkout::at(folder.path())
            .expect("a checkout")
            .expect("one");
        Scene {
            request: Request::new(installation, checkout, Scope::of("Production")),
            folder,
            world: world(),
        }
    }

    /// The same, after an `up` that started everything.
    pub fn up() -> Self {
        let mut scene = Self::new();
        scene.settle();
        scene
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn embedded() -> Self {
        Self::new().with(|scene| {
            scene.request.wanted.redis = Some(ServerChoice::Without);
            scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
        })
    }

    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.folder.read(file);
        assert!(text.contains(from), "{from} is not in {text}");
        self.folder.write(file, &text.replacen(from, to, 1));
    }

    pub fn contents(&mut self) -> &mut EngineContents {
        match &mut self.world.engine {
            EngineLook::Reachable(contents) => contents,
            other => panic!("{other:?} has no contents"),
        }
    }

    pub fn found(&mut self, service: Service) -> &mut ObservedContainer {
        let name = container_name("blue", service);
        let containers = &mut self.contents().containers;
        let found = containers.iter_mut().find(|found| found.name == name);
        found.expect("a container")
    }

    pub fn remove(&mut self, service: Service) {
        let name = container_name("blue", service);
        self.contents()
            .containers
            .retain(|found| found.name != name);
    }

    pub fn take(&mut self, port: u16, holder: PortHolder) {
        for address in [PortAddress::Ip(LOOPBACK), PortAddress::Localhost] {
            let state = PortState::Taken(Some(holder.clone()));
            self.look(address, port, state);
        }
    }

    pub fn look(&mut self, address: PortAddress, port: u16, state: PortState) {
        self.world.ports.push(PortLook {
            address,
            port,
            state,
        });
    }

    pub fn redis_says(&mut self, text: &str, result: Result<(), NotReady>) {
        let asked = RedisOptions::parse(text).expect("a connection string");
        self.world.redis = Some(Probe { asked, result });
    }

    pub fn rabbitmq_says(&mut self, address: &str, user: &str, result: Result<(), NotReady>) {
        let endpoint = Endpoint::parse(address, 5672).expect("an address");
        let asked = BrokerAddress::new(endpoint, user, "secret", "/");
        self.world.rabbitmq = Some(Probe { asked, result });
    }

    pub fn unreachable(&mut self) {
        self.world.engine = EngineLook::Unreachable(DockerError::NotRunning {
            host: "unix:///run/docker.sock".into(),
            error: "connection refused".into(),
        });
    }

    pub fn decide(&self) -> Result<Decision, Error> {
        let project = Project::read(&self.request.checkout, &self.request.scope)?;
        decide(&self.request, project, &self.world)
    }

    /// The steps, one a line, behind the warnings; or the error.
    pub fn plan(&self) -> String {
        match self.decide() {
            Ok(decision) => {
                let plan = reconcile::up(&decision, &self.world);
                let warnings = decision.warnings.iter();
                let warnings = warnings.map(|warning| format!("warning: {warning}"));
                self.text(warnings.chain(steps(&plan)).collect())
            }
            Err(error) => self.text(vec![format!("error: {error}")]),
        }
    }

    pub fn exposed(&self) -> String {
        let exposed = self.decide().expect("a decision").exposed;
        let lines = exposed.iter().map(|exposure| {
            format!(
                "{} {} {}",
                exposure.what,
                exposure.address,
                exposure.reach.words()
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn text(&self, lines: Vec<String>) -> String {
        let spelt = |text: String| text.replace('\\', "/");
        let place = spelt(self.folder.path().display().to_string());
        let text = spelt(lines.join("\n")).replace(&format!("{place}/"), "");
        text.replace(&place, "HERE")
    }

    /// Makes the world what it is once the plan was carried out.
    pub fn settle(&mut self) {
        let decision = self.decide().expect("a decision");
        for replacement in appsettings::replacements(&decision.files) {
            std::fs::write(&replacement.path, &replacement.after).expect("a file");
        }
        self.world.hub = decision.hub.launch().map(|launch| Running {
            pid: 4711,
            fingerprint: launch.fingerprint.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: 0,
            url: launch.url.to_string(),
            admin_url: launch.admin_url.clone(),
            arguments: launch.arguments.clone(),
        });
        let specs: Vec<_> = SERVICES
            .into_iter()
            .filter_map(|service| decision.spec(service).cloned())
            .collect();
        if let EngineLook::Reachable(contents) = &mut self.world.engine {
            contents.containers = specs.iter().map(container).collect();
            contents.volumes = specs.iter().filter_map(volume).collect();
            contents.networks = match decision.hub {
                HubDecision::Container { .. } => vec![network_name("blue")],
                _ => Vec::new(),
            };
        }
        self.world.has_own_image = decision.hub.spec().is_some();
        self.world.known = decision.state;
        self.world.redis = None;
        self.world.rabbitmq = None;
        let wanted = std::mem::take(&mut self.request.wanted);
        self.request.wanted.image_registry = wanted.image_registry;
    }
}

fn steps(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(ToString::to_string);
    let steps: Vec<_> = steps.collect();
    if steps.is_empty() {
        return vec!["nothing".to_owned()];
    }
    steps
}

pub fn container(spec: &ContainerSpec) -> ObservedContainer {
    ObservedContainer {
        id: format!("id of {}", spec.name()),
        name: spec.name(),
        service: spec.service.name().into(),
        image: spec.image.clone(),
        image_moved: false,
        image_digest: String::new(),
        image_id: String::new(),
        server_version: String::new(),
        running: true,
        unfinished: false,
        hash: spec.hash(),
        networks: spec.network.iter().cloned().collect(),
        version: env!("CARGO_PKG_VERSION").into(),
        ports: spec.ports.clone(),
        created: 1,
    }
}

fn volume(spec: &ContainerSpec) -> Option<ObservedVolume> {
    let (name, _) = spec.volume.clone()?;
    Some(ObservedVolume {
        name,
        image: spec.image.clone(),
        server_version: String::new(),
    })
}

fn world() -> World {
    World {
        instance: "blue".into(),
        engine: EngineLook::Reachable(EngineContents::default()),
        free_ports: FreePorts {
            redis: 20_001,
            rabbitmq: 20_002,
            management: 20_003,
            admin: 20_004,
        },
        localhost: vec![LOOPBACK],
        own_image: Some(HubImage {
            name: "harmony-blue-signalr:1".into(),
            command: vec!["/harmony".into()],
        }),
        new_passwords: NewPasswords {
            redis: Secret::new("new-redis-password"),
            rabbitmq: Secret::new("new-rabbitmq-password"),
        },
        ..World::default()
    }
}

/// One test a line: a scene, and the plan that comes of it.
macro_rules! plans {
    ($($name:ident: $scene:expr => $($line:literal)+;)+) => {$(
        #[test]
        fn $name() {
            let expected: &[&str] = &[$($line),+];
            assert_eq!($scene.plan(), expected.join("\n"));
        }
    )+};
}
pub(super) use plans;
