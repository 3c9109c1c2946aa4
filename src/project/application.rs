//! One application's settings files, and which of them an edit goes to.

use crate::appsettings::document::{EditError, NewValue};
use crate::appsettings::key_path::KeyPath;
use crate::appsettings::layers::{Layers, file_names};
use crate::appsettings::{Links, SettingsError, SettingsFile};
use crate::checkout::Checkout;
use crate::schema::Application;
use crate::templates::Template;
use std::path::Path;

/// Which environment's settings count, and which files an edit goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub environment: String,
    pub edits: EditedFiles,
}

/// Which files of an application an edit goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditedFiles {
    /// The base, and each environment's file that has the key already.
    WhereverItIsSet,
    /// The environment's own file only, because the user named the environment.
    OnlyTheEnvironment,
}

impl Scope {
    /// For reading: what an application sees that starts in an environment.
    pub fn of(environment: impl Into<String>) -> Self {
        Scope {
            environment: environment.into(),
            edits: EditedFiles::WhereverItIsSet,
        }
    }
}

/// One application's settings files: the base first, then each environment's.
#[derive(Debug, Clone)]
pub struct ApplicationSettings {
    files: Vec<SettingsFile>,
    scope: Scope,
}

impl ApplicationSettings {
    /// Reads `appsettings.json` and every `appsettings.*.json` of a folder.
    pub fn read(folder: &Path, links: Links<'_>, scope: &Scope) -> Result<Self, SettingsError> {
        let [base, own] = file_names(&scope.environment);
        let mut files: Vec<_> = SettingsFile::read(&folder.join(&base), links)?
            .into_iter()
            .collect();
        let entries = std::fs::read_dir(folder).map_err(|error| SettingsError::Read {
            path: folder.to_owned(),
            error,
        })?;
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        for name in names {
            if name.starts_with("appsettings.") && name.ends_with(".json") && name != base {
                files.extend(SettingsFile::read(&folder.join(name), links)?);
            }
        }
        let has_own = files.iter().any(|file| file.path.ends_with(&own));
        if scope.edits == EditedFiles::OnlyTheEnvironment && !has_own {
            files.push(SettingsFile::planned(&folder.join(&own), "{\n}\n")?);
        }
        Ok(ApplicationSettings {
            files,
            scope: scope.clone(),
        })
    }

    /// Reads the settings in one of a checkout's folders, and nothing outside.
    pub fn of(checkout: &Checkout, folder: &Path, scope: &Scope) -> Result<Self, SettingsError> {
        Self::read(folder, Links::Within(checkout.boundary(folder)), scope)
    }

    /// The settings that a template makes below a root.
    pub(super) fn planned(
        root: &Path,
        template: &Template,
        scope: &Scope,
    ) -> Result<Self, SettingsError> {
        let file = SettingsFile::planned(&root.join(template.path), template.text)?;
        Ok(ApplicationSettings {
            files: vec![file],
            scope: Scope::of(&*scope.environment),
        })
    }

    /// What the application reads when it starts in the environment.
    pub fn layers(&self) -> Layers {
        let names = file_names(&self.scope.environment);
        let files = names
            .iter()
            .filter_map(|name| self.files.iter().find(|file| file.path.ends_with(name)));
        Layers::of_files(files.map(|file| (file.path.as_path(), &file.document)))
    }

    /// What it reads as the files are on disk.
    pub fn original_layers(&self) -> Layers {
        let documents: Vec<_> = file_names(&self.scope.environment)
            .iter()
            .filter_map(|name| self.files.iter().find(|file| file.path.ends_with(name)))
            .filter_map(|file| Some((file.path.as_path(), file.original()?)))
            .collect();
        Layers::of_files(documents.iter().map(|(path, document)| (*path, document)))
    }

    /// Sets a key in the files that the scope names.
    pub fn set(&mut self, key: &str, value: NewValue) -> Result<(), EditError> {
        let key = KeyPath::new(key);
        let [base, own] = file_names(&self.scope.environment);
        for file in &mut self.files {
            let concerned = match self.scope.edits {
                EditedFiles::OnlyTheEnvironment => file.path.ends_with(&own),
                EditedFiles::WhereverItIsSet => {
                    file.path.ends_with(&base) || file.document.has(&key)
                }
            };
            if concerned {
                file.document.set(&key, &value)?;
            }
        }
        Ok(())
    }

    /// Removes a key from every file that counts in the environment.
    pub fn remove(&mut self, key: &str) -> Result<(), EditError> {
        let key = KeyPath::new(key);
        let names = file_names(&self.scope.environment);
        for file in &mut self.files {
            if names.iter().any(|name| file.path.ends_with(name)) {
                file.document.remove(&key)?;
            }
        }
        Ok(())
    }

    /// Whether these are the settings of an application.
    pub fn is_of(&self, application: &str) -> bool {
        let path = self.files.first().map(|file| file.path.as_path());
        let known = path.and_then(Application::of);
        known.is_some_and(|known| known.name == application)
    }

    /// Whether the application keeps its cache in Redis, at an address of its own.
    pub fn caches_in_redis(&self) -> bool {
        self.layers()
            .get("CacheProvider")
            .eq_ignore_ascii_case("redis")
    }

    pub fn files(&self) -> &[SettingsFile] {
        &self.files
    }
}
