//! Where the hub listens: addresses for clients with their certificates, and for the admin
//! listener.

use super::error::HubSettingsError;
use super::kinds::boolean;
use crate::appsettings::layers::{Layers, Source};
use crate::listen::ListenUrl;
use crate::secret::Secret;
use crate::tls::CertificateSource;
use std::path::Path;

/// An address that the hub listens on.
#[derive(Debug, Clone)]
pub struct KestrelEndpoint {
    pub url: ListenUrl,
    /// Where it is HTTPS; without one a development certificate is used.
    pub certificate: Option<CertificateSource>,
}

/// `Kestrel:Endpoints`, each with a certificate of its own or Kestrel's default; else what is
/// listed without them.
pub(super) fn endpoints(
    layers: &Layers,
    folder: &Path,
) -> Result<Vec<KestrelEndpoint>, HubSettingsError> {
    let default = match certificate(layers, folder, "Kestrel:Certificates:Default")? {
        None => certificate(layers, folder, "Kestrel:Certificates:Development")?,
        found => found,
    };
    let named = layers.children("Kestrel:Endpoints");
    if named.is_empty() {
        return Ok(urls(layers)?
            .into_iter()
            .map(|url| KestrelEndpoint {
                url,
                certificate: default.clone(),
            })
            .collect());
    }
    let endpoint = |name: String| {
        let place = format!("Kestrel:Endpoints:{name}");
        let url = ListenUrl::parse(layers.get(&format!("{place}:Url"))).map_err(|error| {
            HubSettingsError::Url {
                key: "Kestrel:Endpoints",
                error,
            }
        })?;
        let own = certificate(layers, folder, &format!("{place}:Certificate"))?;
        Ok(KestrelEndpoint {
            url,
            certificate: own.or_else(|| default.clone()),
        })
    };
    named.into_iter().map(endpoint).collect()
}

/// `urls`, else the ports alone, else port 5000 on this machine.
fn urls(layers: &Layers) -> Result<Vec<ListenUrl>, HubSettingsError> {
    let error = |key| move |error| HubSettingsError::Url { key, error };
    let listed = ListenUrl::parse_list(layers.get("urls")).map_err(error("urls"))?;
    if !listed.is_empty() {
        return Ok(listed);
    }
    let mut ports = Vec::new();
    for (key, scheme) in [("HTTP_PORTS", "http"), ("HTTPS_PORTS", "https")] {
        for port in layers
            .get(key)
            .split(';')
            .map(str::trim)
            .filter(|port| !port.is_empty())
        {
            ports.push(ListenUrl::parse(&format!("{scheme}://*:{port}")).map_err(error(key))?);
        }
    }
    if ports.is_empty() {
        ports.push(ListenUrl::parse("http://localhost:5000").map_err(error("urls"))?);
    }
    Ok(ports)
}

/// As ASP.NET Core finds it: told, or that of the one HTTPS address.
pub(super) fn https_port(layers: &Layers, endpoints: &[KestrelEndpoint]) -> Option<u16> {
    let told = layers.get("https_port").trim().parse().ok();
    let mut secure: Vec<_> = endpoints
        .iter()
        .filter(|endpoint| endpoint.url.tls)
        .map(|endpoint| endpoint.url.port)
        .collect();
    secure.dedup();
    told.or(if secure.len() == 1 {
        secure.first().copied().filter(|port| *port != 0)
    } else {
        None
    })
}

/// The certificate that a section names, if it does.
fn certificate(
    layers: &Layers,
    folder: &Path,
    place: &str,
) -> Result<Option<CertificateSource>, HubSettingsError> {
    let value =
        |name: &str| Some(layers.get(&format!("{place}:{name}"))).filter(|text| !text.is_empty());
    let Some(path) = value("Path") else {
        return if value("Subject").is_some() {
            Err(HubSettingsError::CertificateStore(place.to_owned()))
        } else {
            Ok(None)
        };
    };
    Ok(Some(CertificateSource {
        path: folder.join(path),
        key_path: value("KeyPath").map(|path| folder.join(path)),
        password: value("Password").map(Secret::new),
    }))
}

pub(super) fn listen_url(
    layers: &Layers,
    key: &'static str,
) -> Result<Option<ListenUrl>, HubSettingsError> {
    match layers.get(key) {
        "" => Ok(None),
        text => match ListenUrl::parse(text) {
            Ok(url) => Ok(Some(url)),
            Err(error) => Err(HubSettingsError::Url { key, error }),
        },
    }
}

/// What .NET's images say that they run in a container by.
const IN_CONTAINER: &str = "RUNNING_IN_CONTAINER";

/// The admin listener's address. It leaves this machine in a container only, where what is
/// published decides who reaches it, and only by who starts the container: no settings file opens
/// it.
pub(super) fn admin(layers: &Layers) -> Result<Option<ListenUrl>, HubSettingsError> {
    const KEY: &str = "Admin:Url";
    let Some(url) = listen_url(layers, KEY)? else {
        return Ok(None);
    };
    let set_by = |key: &str| layers.setting(key).map(|setting| &setting.source);
    let told = matches!(set_by(KEY), Some(Source::CommandLine { .. }));
    // .NET's own images say so by a variable.
    let by_image = !matches!(set_by(IN_CONTAINER), Some(Source::File { .. }));
    let in_container = by_image && boolean(layers, IN_CONTAINER)? == Some(true);
    if url.is_loopback() || (told && in_container) {
        Ok(Some(url))
    } else {
        Err(HubSettingsError::AdminNotLoopback(
            layers.get(KEY).to_owned(),
        ))
    }
}
