//! The application whose settings a command reads or changes, and the key that somebody means.

use crate::appsettings::key_path::same;
use crate::appsettings::layers::{self, Layers, ProcessInputs, file_names};
use crate::appsettings::{Links, SettingsFile};
use crate::checkout::Checkout;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::project::LaunchProfile;
use crate::schema::{self, APPLICATIONS};
use serde_json::Value;
use std::path::PathBuf;

/// One application: where its settings are, and what they may say.
pub(super) struct ChosenApplication {
    pub(super) name: String,
    folder: PathBuf,
    /// Nothing outside is read.
    boundary: PathBuf,
    pub(super) schema: Value,
}

impl ChosenApplication {
    pub(super) fn of(checkout: &Checkout, name: &str) -> Result<Self, Failure> {
        let known = schema::Application::named(name);
        let folder = folder(checkout, name)?;
        Ok(ChosenApplication {
            name: name.to_owned(),
            boundary: checkout.boundary(&folder).to_owned(),
            folder,
            schema: known.map(schema::Application::schema).unwrap_or_default(),
        })
    }

    /// What the application reads that starts here and now, this shell's variables included.
    pub(super) fn layers(&self, context: &Context) -> Result<Layers, Failure> {
        Ok(Layers::load(
            &self.folder,
            Links::Within(&self.boundary),
            &context.environment,
            &inputs(context),
        )?)
    }

    /// The files that it reads, lowest first.
    pub(super) fn files(&self, context: &Context) -> Result<Vec<SettingsFile>, Failure> {
        let links = Links::Within(&self.boundary);
        let paths = layers::paths(&self.folder, links, &context.environment, &inputs(context))?;
        let mut files = Vec::new();
        for (path, links) in paths {
            files.extend(SettingsFile::read(&path, links)?);
        }
        Ok(files)
    }

    /// The key that somebody means, and what these files, this shell's variables included, say at
    /// it and below it.
    pub(super) fn at(
        &self,
        context: &Context,
        files: &[SettingsFile],
        typed: &str,
    ) -> (String, Layers) {
        let inputs = inputs(context);
        let at = |key: &str| {
            let files = files.iter().map(|file| (&*file.path, &file.document));
            Layers::at(key, files, &inputs)
        };
        let layers = at(typed);
        let key = as_meant(&layers, typed);
        match key == typed {
            true => (key, layers),
            false => (key.clone(), at(&key)),
        }
    }

    /// What the application reads that a launch profile starts.
    pub(super) fn layers_of_profile(
        &self,
        context: &Context,
        name: &str,
    ) -> Result<Layers, Failure> {
        let links = Links::Within(&self.boundary);
        let profiles = LaunchProfile::read(&self.folder, links)?;
        let Some(profile) = profiles.iter().find(|profile| same(&profile.name, name)) else {
            let names: Vec<_> = profiles
                .iter()
                .map(|profile| profile.name.as_str())
                .collect();
            let message = format!("{} has no launch profile '{name}'", self.name);
            let failure = Failure::new(Exit::Usage, "unknownProfile", message);
            return Err(match names.as_slice() {
                [] => failure.fix("add Properties/launchSettings.json to its project"),
                names => failure.fix(format!("choose one of: {}", names.join(", "))),
            });
        };
        let mut inputs = inputs(context);
        let is_set = |name: &str| profile.variables.iter().any(|(known, _)| same(known, name));
        inputs.variables.retain(|(name, _)| !is_set(name));
        inputs.variables.extend(profile.variables.iter().cloned());
        let environment = match context.only_environment {
            true => context.environment.clone(),
            false => inputs.environment(),
        };
        Ok(Layers::load(&self.folder, links, &environment, &inputs)?)
    }

    /// The file that is changed: the base, or the named environment's.
    pub(super) fn edited(&self, context: &Context) -> PathBuf {
        let [base, own] = file_names(&context.environment);
        let name = if context.only_environment { own } else { base };
        self.folder.join(name)
    }

    /// That file as it is, or as it would begin.
    pub(super) fn read_or_plan(&self, context: &Context) -> Result<SettingsFile, Failure> {
        let links = Links::Within(&self.boundary);
        Ok(SettingsFile::read_or_plan(&self.edited(context), links)?)
    }

    /// A key's known neighbour, where nobody knows the key itself.
    pub(super) fn neighbour(
        &self,
        context: &Context,
        layers: &Layers,
        key: &str,
    ) -> Result<Option<String>, Failure> {
        if schema::property(&self.schema, key).is_some() || layers.has(key) {
            return Ok(None);
        }
        Ok(self.near(&self.layers(context)?, key))
    }

    /// The known key that somebody may have meant.
    fn near(&self, layers: &Layers, key: &str) -> Option<String> {
        let distance =
            |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &key.to_lowercase());
        let written = layers.effective().into_iter().map(|setting| &setting.key);
        let written = written.min_by_key(|known| distance(known)).cloned();
        schema::nearest(&self.schema, key)
            .or_else(|| written.filter(|known| distance(known) <= known.len() / 8 + 1))
    }

    /// The failure of a key that no layer has.
    pub(super) fn unknown_key(&self, layers: &Layers, key: &str) -> Failure {
        let failure = Failure::new(
            Exit::Failed,
            "unknownKey",
            format!("{} has no setting '{key}'", self.name),
        );
        match self.near(layers, key) {
            Some(near) => failure.fix(format!("did you mean {near}?")),
            None => failure.fix("'harmony settings list' shows every key"),
        }
    }
}

/// This shell's variables, and the secrets that we keep.
fn inputs(context: &Context) -> ProcessInputs {
    ProcessInputs {
        secrets: Some(context.instance.secrets()),
        ..ProcessInputs::here(Vec::new())
    }
}

/// The key that somebody means who typed it: `__` may stand for `:` as in the names of variables,
/// unless a key is spelt so.
pub(super) fn as_meant(layers: &Layers, typed: &str) -> String {
    if layers.has(typed) {
        typed.to_owned()
    } else {
        typed.replace("__", ":")
    }
}

fn folder(checkout: &Checkout, application: &str) -> Result<PathBuf, Failure> {
    let folders = checkout.applications();
    let is_it = |folder: &&PathBuf| {
        let known = schema::Application::of(&folder.join("appsettings.json"));
        known.is_some_and(|known| same(known.name, application))
    };
    let publish_folder = Some(&checkout.hub).filter(|_| application == APPLICATIONS[0].name);
    folders
        .clone()
        .find(is_it)
        .or(publish_folder)
        .cloned()
        .ok_or_else(|| {
            let names = folders.filter_map(|folder| {
                folder
                    .components()
                    .find(|part| part.as_os_str().to_string_lossy().starts_with("Harmony."))
            });
            let names: Vec<_> = names
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            Failure::new(
                Exit::Usage,
                "unknownApplication",
                format!("no settings of '{application}' are in reach"),
            )
            .fix(format!("choose one of: {}", names.join(", ")))
        })
}
