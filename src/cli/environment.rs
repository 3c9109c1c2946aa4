//! An environment that no settings file is for is pointed out: most are misspelt.

use super::context::Context;
use crate::appsettings::layers::file_names;

/// .NET's own names, which need no file.
const USUAL: [&str; 3] = ["Development", "Staging", "Production"];
/// Letters that a misspelt name may differ by.
const NEAR: usize = 3;

/// Warns where `--environment` names one that has no file and is not usual.
pub fn point_out(context: &Context) {
    let name = context.environment.as_str();
    if !context.only_environment || USUAL.contains(&name) {
        return;
    }
    // A checkout that is not there, or not recognised, has its own error.
    let Ok(checkout) = context.known_checkout() else {
        return;
    };
    let [_, file] = file_names(name);
    let folders = checkout.applications();
    if folders.clone().any(|folder| folder.join(&file).exists()) {
        return;
    }
    let mut known: Vec<String> = USUAL.map(str::to_owned).to_vec();
    known.extend(folders.flat_map(environments));
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= NEAR);
    let hint = near.map_or_else(String::new, |(_, near)| format!("; did you mean {near}?"));
    context
        .terminal
        .warn(&format!("no settings file is called {file}{hint}"));
}

/// The environments that a folder has files for.
fn environments(folder: &std::path::PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_prefix("appsettings.")?.strip_suffix(".json")?;
            Some(name.to_owned())
        })
        .collect()
}
