//! `doctor --bundle`: a support archive, its settings and logs without secrets.

use crate::appsettings::layers::Layers;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::status;
use crate::project::Project;
use crate::provision;
use crate::provision::request::Wanted;
use crate::schema;
use crate::secret::MASK;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The end of the hub's log that is kept.
const LOG_BYTES: u64 = 1 << 20;
/// Shorter values occur in every text.
const SHORTEST_SECRET: usize = 4;

/// Writes the archive; what cannot be told is named in it.
pub async fn write(
    context: &Context,
    path: &Path,
    diagnosis: &Value,
    project: Option<&Project>,
) -> Result<(), Failure> {
    let secrets = project.map(secrets).unwrap_or_default();
    let mut files = vec![
        ("version.txt", env!("CARGO_PKG_VERSION").to_owned()),
        ("doctor.json", pretty(diagnosis)),
        ("status.json", pretty(&status(context).await)),
        ("plan.json", pretty(&plan(context).await)),
        ("hub.log", log(&context.instance.log())),
    ];
    if let Some(project) = project {
        files.push(("settings.json", pretty(&settings(project))));
    }
    let files = files
        .into_iter()
        .map(|(name, text)| (name, masked(text, &secrets)));
    archive(path, files).map_err(|error| {
        Failure::new(
            Exit::Failed,
            "bundle",
            format!("cannot write {}", path.display()),
        )
        .why(error.to_string())
    })
}

fn archive(path: &Path, files: impl Iterator<Item = (&'static str, String)>) -> io::Result<()> {
    let file = std::fs::File::create(path)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        let place = format!("harmony-support/{name}");
        archive.append_data(&mut header, place, text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.flush()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

async fn status(context: &Context) -> Value {
    match status::look(context).await {
        Ok((report, _)) => serde_json::to_value(report).unwrap_or_default(),
        Err(failure) => json!({ "error": failure }),
    }
}

/// What the next `up` would do.
async fn plan(context: &Context) -> Value {
    let proposed = async {
        let request = context.request(Wanted::default())?;
        Ok::<_, Failure>(provision::propose(&request, &()).await?.plan)
    };
    match proposed.await {
        Ok(plan) => serde_json::to_value(plan).unwrap_or_default(),
        Err(failure) => json!({ "error": failure }),
    }
}

/// Every application's settings in force, secrets masked.
fn settings(project: &Project) -> Value {
    let applications = applications(project).map(|(name, layers, schema)| {
        let settings: serde_json::Map<_, _> = layers
            .effective()
            .into_iter()
            .map(|setting| {
                let value = setting.value.as_deref().unwrap_or_default();
                let hide = !value.is_empty() && schema::is_secret(&schema, &setting.key);
                let shown = if hide { MASK } else { value };
                (setting.key.clone(), Value::from(shown))
            })
            .collect();
        (name, Value::Object(settings))
    });
    Value::Object(applications.collect())
}

/// The values that must not leave this machine, wherever they stand.
fn secrets(project: &Project) -> Vec<String> {
    let mut found: Vec<String> = applications(project)
        .flat_map(|(_, layers, schema)| {
            let values = layers.effective().into_iter().filter_map(|setting| {
                let value = setting.value.clone()?;
                schema::is_secret(&schema, &setting.key).then_some(value)
            });
            values.collect::<Vec<_>>()
        })
        .flat_map(|value| {
            // Of a connection string also the password alone.
            let parts: Vec<_> = value
                .split(',')
                .filter_map(|part| part.trim().strip_prefix("password="))
                .map(str::to_owned)
                .collect();
            parts.into_iter().chain([value])
        })
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
        .collect();
    // The longest first, so that none is cut in two by a part of it.
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

fn applications(project: &Project) -> impl Iterator<Item = (String, Layers, Value)> {
    let all = std::iter::once(&project.hub)
        .chain(&project.client)
        .chain(&project.others);
    all.filter_map(|application| {
        let file = application.files().first()?;
        let schema = schema::schema_of(&file.path);
        let name = schema["title"].as_str().unwrap_or_default().to_owned();
        Some((name, application.layers(), schema))
    })
}

fn masked(text: String, secrets: &[String]) -> String {
    secrets.iter().fold(text, |text, secret| {
        let quoted = Value::from(secret.as_str()).to_string();
        text.replace(secret, MASK)
            .replace(quoted.trim_matches('"'), MASK)
    })
}

fn log(path: &Path) -> String {
    let read = || {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("no log: {error}\n"))
}
