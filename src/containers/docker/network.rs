//! The network of an instance: made, joined and removed.

use super::engine::{Created, Engine, TRIES, TRY_AGAIN};
use super::error::{DockerError, gone_is_fine, refused};
use crate::containers::{INSTANCE_LABEL, Service};
use bollard::errors::Error;
use bollard::models::{
    EndpointSettings, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::ListNetworksOptionsBuilder;
use std::collections::HashMap;

impl Engine {
    pub async fn create_network(&self, name: &str, instance: &str) -> Result<Created, DockerError> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some([(INSTANCE_LABEL.to_owned(), instance.to_owned())].into()),
            ..Default::default()
        };
        let created = self.docker().create_network(request).await;
        created.map_err(refused(format!("creating the network {name}")))?;
        // Engines before 25 take a name twice: a run that was killed may have asked for it just
        // before.
        for surplus in self.networks_named(name).await?.iter().skip(1) {
            self.remove_network_by_id(surplus, name).await?;
        }
        Ok(Created::Network(name.to_owned()))
    }

    /// The ids of the networks of a name, as a rule one; the first is the one that counts, whoever
    /// looks.
    async fn networks_named(&self, name: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("name", vec![name.to_owned()])]);
        let options = ListNetworksOptionsBuilder::default()
            .filters(&filters)
            .build();
        let found = self
            .docker()
            .list_networks(Some(options))
            .await
            .map_err(refused("listing networks"))?;
        // The engine finds parts of names too.
        let named = found
            .into_iter()
            .filter(|network| network.name.as_deref() == Some(name));
        let mut ids: Vec<_> = named.filter_map(|network| network.id).collect();
        ids.sort();
        Ok(ids)
    }

    /// Lets a container join a network, in which it is found by its service's name.
    pub async fn join(&self, network: &str, id: &str, service: Service) -> Result<(), DockerError> {
        let endpoint = EndpointSettings {
            aliases: Some(vec![service.host_name().to_owned()]),
            ..Default::default()
        };
        let request = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(endpoint),
        };
        let known = self.networks_named(network).await?;
        let by_id = known.first().map_or(network, String::as_str);
        match self.docker().connect_network(by_id, request).await {
            // By a run that was killed, whose wish the engine still fulfilled.
            Err(Error::DockerResponseServerError { message, .. })
                if message.contains("already exists in network") =>
            {
                Ok(())
            }
            joined => joined.map_err(refused(format!("joining the network {network}"))),
        }
    }

    /// Removes a network, and any other of the same name; the containers that are still in it leave
    /// it.
    pub async fn remove_network(&self, name: &str) -> Result<(), DockerError> {
        for id in self.networks_named(name).await? {
            self.remove_network_by_id(&id, name).await?;
        }
        Ok(())
    }

    /// Again, where the engine is still at what a run wanted that was killed.
    async fn remove_network_by_id(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let docker = self.docker();
        let mut tries = 0..TRIES;
        loop {
            let inside = docker
                .inspect_network(id, None)
                .await
                .ok()
                .and_then(|network| network.containers)
                .unwrap_or_default();
            for container in inside.into_keys() {
                // One that has left meanwhile needs not; whether all have, the removal tells.
                let _ = docker
                    .disconnect_network(
                        id,
                        NetworkDisconnectRequest {
                            container,
                            force: Some(true),
                        },
                    )
                    .await;
            }
            match docker.remove_network(id).await {
                Err(Error::DockerResponseServerError { message, .. })
                    if message.contains("active endpoints") && tries.next().is_some() =>
                {
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                removed => return gone_is_fine(removed, format!("removing the network {name}")),
            }
        }
    }
}
