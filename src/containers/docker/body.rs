//! A container's description in the words of Docker's API, and its files as an archive.

use crate::containers::{
    ContainerSpec, HASH_LABEL, INSTANCE_LABEL, SERVICE_LABEL, Service, VERSION_LABEL,
};
use crate::secret::Secret;
use bollard::models::{
    ContainerCreateBody, HostConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use std::collections::HashMap;

/// Whom the hub runs as in its container: nobody.
const NOBODY: &str = "65532:65532";

pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let labels = [
        (INSTANCE_LABEL, spec.instance.clone()),
        (SERVICE_LABEL, spec.service.name().to_owned()),
        (VERSION_LABEL, env!("CARGO_PKG_VERSION").to_owned()),
        (HASH_LABEL, spec.hash()),
    ];
    let inside = |port: u16| format!("{port}/tcp");
    let mut ports: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for published in &spec.ports {
        let binding = PortBinding {
            host_ip: Some(published.address.to_string()),
            host_port: Some(published.port.to_string()),
        };
        ports
            .entry(inside(published.inside))
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    let ours = spec.service == Service::Hub;
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: spec.command.clone(),
        env: Some(
            spec.environment
                .iter()
                .map(|(name, value)| format!("{name}={}", Secret::reveal(value)))
                .collect(),
        ),
        hostname: spec.hostname.map(str::to_owned),
        user: ours.then(|| NOBODY.to_owned()),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
        exposed_ports: Some(ports.keys().cloned().collect()),
        host_config: Some(HostConfig {
            port_bindings: Some(ports),
            binds: spec
                .volume
                .as_ref()
                .map(|(volume, folder)| vec![format!("{volume}:{folder}")]),
            tmpfs: Some(
                spec.in_memory
                    .iter()
                    .map(|folder| ((*folder).to_owned(), String::new()))
                    .collect(),
            ),
            // Our own program needs no rights, and is started again when it died; other images know what they need.
            cap_drop: ours.then(|| vec!["ALL".to_owned()]),
            security_opt: ours.then(|| vec!["no-new-privileges".to_owned()]),
            sysctls: ours.then(|| {
                [(
                    "net.ipv4.ip_unprivileged_port_start".to_owned(),
                    "0".to_owned(),
                )]
                .into()
            }),
            restart_policy: ours.then_some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::ON_FAILURE),
                maximum_retry_count: None,
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A tar archive of files readable by all inside the container, with their folders.
pub(super) fn archive(files: &[(String, Secret)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.reveal().len() as u64);
        header.set_mode(0o444);
        header.set_cksum();
        archive.append_data(
            &mut header,
            path.trim_start_matches('/'),
            content.reveal().as_bytes(),
        )?;
    }
    archive.into_inner()
}
