//! A container's description in the words of Docker's API, and its files as an archive.

use super::observed::ObservedImage;
use crate::containers::hardening::Hardening;
use crate::containers::{
    ContainerSpec, DIGEST_LABEL, HASH_LABEL, IMAGE_LABEL, INSTANCE_LABEL, SERVER_VERSION_LABEL,
    SERVICE_LABEL, Service, VERSION_LABEL,
};
use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use std::collections::HashMap;

/// The user that the hub runs as in its container: nobody.
const NOBODY: u32 = 65532;

/// `image`: what the spec's image is right now, remembered in labels.
pub(super) fn body(spec: &ContainerSpec, image: &ObservedImage) -> ContainerCreateBody {
    let labels = [
        (INSTANCE_LABEL, spec.instance.clone()),
        (SERVICE_LABEL, spec.service.name().to_owned()),
        (VERSION_LABEL, env!("CARGO_PKG_VERSION").to_owned()),
        (HASH_LABEL, spec.hash()),
        (IMAGE_LABEL, spec.image.clone()),
        (DIGEST_LABEL, image.digest.clone()),
        (SERVER_VERSION_LABEL, image.server_version.clone()),
    ];
    let environment = spec.environment.iter();
    let environment = environment.map(|(name, value)| format!("{name}={}", value.reveal()));
    let ports = port_bindings(spec);
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: spec.command.clone(),
        env: Some(environment.collect()),
        hostname: spec.hostname.map(str::to_owned),
        user: (spec.service == Service::Hub).then(|| format!("{NOBODY}:{NOBODY}")),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
        exposed_ports: Some(ports.keys().cloned().collect()),
        host_config: Some(host_config(spec, ports)),
        ..Default::default()
    }
}

fn host_config(
    spec: &ContainerSpec,
    ports: HashMap<String, Option<Vec<PortBinding>>>,
) -> HostConfig {
    let hardening = Hardening::of(spec.service);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let volume = spec.volume.as_ref();
    let in_memory = spec.in_memory.iter();
    let ours = spec.service == Service::Hub;
    // Our own program may listen on port 80, and starts again when it died.
    let sysctls = [(
        "net.ipv4.ip_unprivileged_port_start".to_owned(),
        "0".to_owned(),
    )];
    let restart_policy = RestartPolicy {
        name: Some(RestartPolicyNameEnum::ON_FAILURE),
        maximum_retry_count: None,
    };
    HostConfig {
        port_bindings: Some(ports),
        binds: volume.map(|(volume, folder)| vec![format!("{volume}:{folder}")]),
        tmpfs: Some(
            in_memory
                .map(|folder| ((*folder).to_owned(), String::new()))
                .collect(),
        ),
        cap_drop: Some(words(&["ALL"])),
        cap_add: Some(words(hardening.capabilities)),
        security_opt: Some(words(&["no-new-privileges"])),
        memory: hardening.memory,
        pids_limit: Some(hardening.pids),
        log_config: Some(HostConfigLogConfig {
            // Named, since the engine's own choice may not know these options.
            typ: Some("json-file".to_owned()),
            config: Some(
                [("max-size", "10m"), ("max-file", "3")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            ),
        }),
        sysctls: ours.then(|| sysctls.into()),
        restart_policy: ours.then_some(restart_policy),
        ..Default::default()
    }
}

fn port_bindings(spec: &ContainerSpec) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut ports: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for published in &spec.ports {
        let binding = PortBinding {
            host_ip: Some(published.address.to_string()),
            host_port: Some(published.port.to_string()),
        };
        let inside = ports.entry(format!("{}/tcp", published.inside));
        inside.or_default().get_or_insert_default().push(binding);
    }
    ports
}

/// A tar archive of a container's files, with their folders. The hub's hold credentials and the
/// certificate's key: only its own user reads them. The users of other images have no fixed number.
pub(super) fn archive(spec: &ContainerSpec) -> std::io::Result<Vec<u8>> {
    let (mode, owner) = match spec.service {
        Service::Hub => (0o400, NOBODY),
        Service::Redis | Service::RabbitMq => (0o444, 0),
    };
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in &spec.files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.reveal().len() as u64);
        header.set_mode(mode);
        header.set_uid(owner.into());
        header.set_gid(owner.into());
        header.set_cksum();
        archive.append_data(
            &mut header,
            path.trim_start_matches('/'),
            content.reveal().as_bytes(),
        )?;
    }
    archive.into_inner()
}
