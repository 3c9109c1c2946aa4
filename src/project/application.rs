//! One application's settings files, and which of them an edit goes to.

use crate::appsettings::document::{EditError, NewValue};
use crate::appsettings::key_path::KeyPath;
use crate::appsettings::layers::{Layers, file_names};
use crate::appsettings::{Links, SettingsError, SettingsFile, user_secrets};
use crate::checkout::Checkout;
use crate::schema::Application;
use crate::secret::SecretsStore;
use crate::templates::Template;
use std::path::{Path, PathBuf};

/// Which environment's settings count, and which files an edit goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub environment: String,
    pub edits: EditedFiles,
    /// Where passwords of servers are written.
    pub store: SecretsStore,
    /// A file of ours that may hold some, whatever the store is now.
    pub own_secrets: Option<PathBuf>,
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
            store: SecretsStore::Files,
            own_secrets: None,
        }
    }
}

fn read_or_plan(path: &Path) -> Result<SettingsFile, SettingsError> {
    SettingsFile::read_or_plan(path, Links::Followed)
}

/// One application's settings files: the base first, then each environment's.
#[derive(Debug, Clone)]
pub struct ApplicationSettings {
    files: Vec<SettingsFile>,
    /// Secrets that .NET reads outside of the project, or why it does not.
    user_secrets: Result<SettingsFile, &'static str>,
    /// Secrets of ours, read last.
    own_secrets: Option<SettingsFile>,
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
            files.push(SettingsFile::empty(&folder.join(&own))?);
        }
        let user_secrets = match user_secrets::find(folder, links, &scope.environment)? {
            Ok(path) => Ok(read_or_plan(&path)?),
            Err(why) => Err(why),
        };
        let own_secrets = scope.own_secrets.as_deref().map(read_or_plan);
        Ok(ApplicationSettings {
            files,
            user_secrets,
            own_secrets: own_secrets.transpose()?,
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
        // In the system's own spelling.
        let path: PathBuf = root.join(template.path).components().collect();
        let file = SettingsFile::planned(&path, template.text)?;
        Ok(ApplicationSettings {
            files: vec![file],
            user_secrets: Err("no project file (*.csproj) is there"),
            own_secrets: scope.own_secrets.as_deref().map(read_or_plan).transpose()?,
            scope: Scope {
                edits: EditedFiles::WhereverItIsSet,
                ..scope.clone()
            },
        })
    }

    /// What the application reads when it starts in the environment.
    pub fn layers(&self) -> Layers {
        let names = file_names(&self.scope.environment);
        let files = names
            .iter()
            .filter_map(|name| self.files.iter().find(|file| file.path.ends_with(name)))
            .chain(self.apart());
        Layers::of_files(files.map(|file| (file.path.as_path(), &file.document)))
    }

    /// What it reads as the files are on disk.
    pub fn original_layers(&self) -> Layers {
        let documents: Vec<_> = file_names(&self.scope.environment)
            .iter()
            .filter_map(|name| self.files.iter().find(|file| file.path.ends_with(name)))
            .chain(self.apart())
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

    /// Sets a secret where secrets are kept; the settings files then hold what is harmless of it.
    pub fn set_secret(&mut self, key: &str, secret: &str, harmless: &str) -> Result<(), EditError> {
        let path = KeyPath::new(key);
        let value = NewValue::Text(secret.to_owned());
        if self.scope.store == SecretsStore::Files {
            self.set(key, value.clone())?;
            // What is read later would win.
            let apart = self.user_secrets.iter_mut().chain(&mut self.own_secrets);
            for file in apart.filter(|file| file.document.has(&path)) {
                file.document.set(&path, &value)?;
            }
            return Ok(());
        }
        for file in &mut self.files {
            if file.document.get(&path) == Some(secret) {
                let harmless = NewValue::Text(harmless.to_owned());
                file.document.set(&path, &harmless)?;
            }
        }
        let (kept, other) = match self.scope.store {
            SecretsStore::UserSecrets => {
                (self.user_secrets.as_mut().ok(), self.own_secrets.as_mut())
            }
            _ => (self.own_secrets.as_mut(), self.user_secrets.as_mut().ok()),
        };
        if let Some(file) = kept {
            file.document.set(&path, &value)?;
        }
        if let Some(file) = other {
            file.document.remove(&path)?;
        }
        Ok(())
    }

    /// The same with every secret in the settings files, for a reader that has nothing else.
    pub fn with_secrets_in_files(&self) -> Result<Self, EditError> {
        let layers = self.layers();
        let mut whole = self.clone();
        let entries: Vec<_> = self
            .apart()
            .flat_map(|file| file.document.entries())
            .collect();
        for entry in entries {
            whole.set(
                &entry.key,
                NewValue::Text(layers.get(&entry.key).to_owned()),
            )?;
        }
        Ok(whole)
    }

    /// Why .NET would not read what is kept in its user secrets.
    pub fn reads_no_user_secrets(&self) -> Option<&'static str> {
        self.user_secrets.as_ref().err().copied()
    }

    /// The application's name.
    pub fn name(&self) -> String {
        let path = self.files.first().map(|file| file.path.as_path());
        match path.and_then(Application::of) {
            Some(known) => known.name.to_owned(),
            None => "the application".to_owned(),
        }
    }

    /// Files outside of the project, the one that wins last.
    fn apart(&self) -> impl Iterator<Item = &SettingsFile> {
        self.user_secrets.iter().chain(&self.own_secrets)
    }

    /// All files, also those outside of the project.
    pub fn all_files(&self) -> impl Iterator<Item = &SettingsFile> {
        let apart = self.apart().filter(|file| !file.is_nothing());
        self.files.iter().chain(apart)
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
