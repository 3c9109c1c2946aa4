//! A plan on one screen: files by what changes in them, the other steps with their causes, and what
//! becomes reachable from where.

use crate::appsettings::SettingsFile;
use crate::provision::Proposal;
use crate::provision::plan::{Action, Plan, Step, Target};
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::Path;

/// A plan with what is needed to say it briefly.
pub struct PlanText<'p> {
    pub plan: &'p Plan,
    files: &'p [SettingsFile],
    /// Paths below are shown without it.
    root: &'p Path,
}

impl<'p> PlanText<'p> {
    pub fn of(proposal: &'p Proposal, root: &'p Path) -> Self {
        PlanText {
            plan: &proposal.plan,
            files: &proposal.decision.files,
            root,
        }
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }

    /// Edits of files, those with the same changes in one line.
    fn edits(&self) -> Vec<String> {
        let mut groups: Vec<(String, Vec<&Path>)> = Vec::new();
        for step in &self.plan.steps {
            let (Action::Edit, Target::File(path)) = (step.action, &step.target) else {
                continue;
            };
            let file = self.files.iter().find(|file| file.path == *path);
            let keys = file.map(SettingsFile::changed_keys).unwrap_or_default();
            for section in sections(&keys) {
                match groups.iter_mut().find(|(known, _)| *known == section) {
                    Some((_, paths)) => paths.push(path),
                    None => groups.push((section, vec![path])),
                }
            }
        }
        let rows = groups
            .into_iter()
            .map(|(section, paths)| match paths.as_slice() {
                [path] => format!("edit    {}: {section}", self.relative(path)),
                paths => format!("edit    {} files: {section}", paths.len()),
            });
        rows.collect()
    }

    /// What can be reached, by who can reach it.
    fn open_ports(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
        for exposure in &self.plan.exposed {
            let port = format!("{} {}", exposure.what, exposure.address);
            let reach = exposure.reach.words();
            match groups.iter_mut().find(|(known, _)| *known == reach) {
                Some((_, ports)) => ports.push(port),
                None => groups.push((reach, vec![port])),
            }
        }
        groups
    }

    fn step(&self, step: &Step) -> String {
        let text = step.to_string();
        match &step.target {
            Target::File(path) => {
                text.replacen(&path.display().to_string(), &self.relative(path), 1)
            }
            _ => text,
        }
    }
}

/// Keys by their first name: `BrokerConfiguration (Host, Port)`.
fn sections(keys: &[String]) -> Vec<String> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for key in keys {
        let (section, name) = key.split_once(':').unwrap_or((key, ""));
        match sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, names)) => names.push(name),
            None => sections.push((section, vec![name])),
        }
    }
    let shown = sections
        .into_iter()
        .map(|(section, names)| match names.as_slice() {
            [""] => section.to_owned(),
            names => format!("{section} ({})", names.join(", ")),
        });
    shown.collect()
}

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.steps.is_empty() {
            return formatter.write_str("Nothing would change.");
        }
        let is_edit =
            |step: &&Step| step.action == Action::Edit && matches!(step.target, Target::File(_));
        let others = self.plan.steps.iter().filter(|step| !is_edit(step));
        let mut rows = self.edits();
        rows.extend(others.map(|step| self.step(step)));
        let mut lines: Vec<_> = rows.iter().map(|row| format!("  {row}")).collect();
        for (reach, ports) in self.open_ports() {
            lines.push(format!("Open to {reach}:"));
            lines.push(format!("  {}", ports.join(", ")));
        }
        formatter.write_str(&lines.join("\n"))
    }
}

impl Serialize for PlanText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.plan.serialize(serializer)
    }
}
