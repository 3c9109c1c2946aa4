//! The hub's image: this very program, with the libraries that it runs with, and nothing else.

use super::service::{Service, container_name};
use crate::platform;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PROGRAM: &str = "/harmony";
const LIBRARIES: &str = "/lib";
/// For servers behind TLS.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An image, before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// `harmony-signalr:0.1.0-<digest>`: another program makes another image, another instance has
    /// its own.
    pub name: String,
    executable: PathBuf,
    /// None where the program is linked statically.
    libraries: Vec<PathBuf>,
}

impl OwnImage {
    /// Looks at the program that runs; its libraries are those that it has loaded.
    pub fn of_this_program(instance: &str) -> io::Result<Self> {
        let executable = platform::own_program()?;
        let libraries = platform::loaded_libraries()?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &fs::read(&executable)?);
        let digest = crate::hex::encode(&digest.as_ref()[..8]);
        Ok(OwnImage {
            name: format!(
                "{}:{}-{digest}",
                repository(instance),
                env!("CARGO_PKG_VERSION")
            ),
            executable,
            libraries,
        })
    }

    /// How the program is started inside: by its own loader, where it has one, told where its
    /// libraries are.
    pub fn command(&self) -> Vec<String> {
        let loader = self
            .libraries
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .find(|name| name.starts_with("ld-"));
        match loader {
            Some(loader) => vec![
                format!("{LIBRARIES}/{loader}"),
                "--library-path".into(),
                LIBRARIES.into(),
                PROGRAM.into(),
            ],
            None => vec![PROGRAM.into()],
        }
    }

    /// The image's files, as a tar archive; nobody may change them, and only the program runs.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        add(&mut archive, &self.executable, PROGRAM, 0o555)?;
        for library in &self.libraries {
            for name in names(library)? {
                // The loader is a program too.
                let mode = if name.starts_with("ld-") {
                    0o555
                } else {
                    0o444
                };
                add(&mut archive, library, &format!("{LIBRARIES}/{name}"), mode)?;
            }
        }
        if Path::new(AUTHORITIES).exists() {
            add(
                &mut archive,
                &fs::canonicalize(AUTHORITIES)?,
                AUTHORITIES,
                0o444,
            )?;
        }
        archive.into_inner()
    }
}

fn add(archive: &mut tar::Builder<Vec<u8>>, path: &Path, name: &str, mode: u32) -> io::Result<()> {
    let content = fs::read(path)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_cksum();
    archive.append_data(
        &mut header,
        name.trim_start_matches('/'),
        content.as_slice(),
    )
}

/// An instance's images are called as its container is; an image's name has small letters only.
pub fn repository(instance: &str) -> String {
    container_name(instance, Service::Hub).to_ascii_lowercase()
}

/// A library's own name and those of the links beside it that lead to it, by one of which programs
/// ask for it.
fn names(library: &Path) -> io::Result<Vec<String>> {
    let folder = library.parent().unwrap_or(Path::new("/"));
    let beside = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let links = beside.filter(|path| {
        path.is_symlink() && fs::canonicalize(path).is_ok_and(|target| target == library)
    });
    Ok(links
        .chain([library.to_owned()])
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect())
}
