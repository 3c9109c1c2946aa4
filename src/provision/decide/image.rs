//! Which image a container is made from: as asked for, else the version that is there, else ours.

use super::basis::Basis;
use crate::containers::Service;
use crate::containers::generation::{Generation, UnusableData};
use crate::provision::error::Error;

/// The image to run.
pub fn choose(basis: &Basis<'_>, service: Service, asked: Option<&str>) -> Result<String, Error> {
    let image = match asked {
        Some(image) => image.to_owned(),
        None => unasked(basis, service),
    };
    check_data(basis, service, &image)?;
    Ok(image)
}

/// The image of the container that is there, else one of the generation that wrote the volume, else
/// the usual one; from the registry that was named.
fn unasked(basis: &Basis<'_>, service: Service) -> String {
    let known = known(basis, service);
    let Some(registry) = &basis.wanted.image_registry else {
        return known.unwrap_or_else(|| service.default_image().to_owned());
    };
    let registry = registry.trim_end_matches('/');
    let is_from_there = |image: &String| image.starts_with(&format!("{registry}/"));
    if let Some(known) = known.clone().filter(is_from_there) {
        return known;
    }
    let generation = known.and_then(|image| Generation::of(&image, ""));
    let name = generation.map(|generation| generation.image());
    let name = name.unwrap_or_else(|| service.default_image().to_owned());
    format!("{registry}/{name}")
}

/// The image of the container that is there, else of the volume.
fn known(basis: &Basis<'_>, service: Service) -> Option<String> {
    let found = basis.world.found(service).map(|found| found.image.clone());
    let named = |image: &String| !image.is_empty() && !image.starts_with("sha256:");
    if let Some(image) = found.filter(named) {
        return Some(image);
    }
    let volume = basis.world.volume(service)?;
    Some(volume.image.clone())
        .filter(named)
        .or_else(|| Some(volume_generation(basis, service)?.image()))
}

/// What wrote the data of a service.
fn volume_generation(basis: &Basis<'_>, service: Service) -> Option<Generation> {
    let volume = basis.world.volume(service)?;
    let known = Generation::of(&volume.image, &volume.server_version);
    known.or_else(|| Generation::before_labels(service))
}

/// Refuses an image that cannot open the data that is there.
fn check_data(basis: &Basis<'_>, service: Service, image: &str) -> Result<(), Error> {
    let Some(volume) = basis.world.volume(service) else {
        return Ok(());
    };
    match (Generation::of(image, ""), volume_generation(basis, service)) {
        (Some(wanted), Some(data)) if !wanted.opens(&data) => Err(UnusableData {
            volume: volume.name.clone(),
            data,
            image: image.to_owned(),
            wanted,
        }
        .into()),
        _ => Ok(()),
    }
}
