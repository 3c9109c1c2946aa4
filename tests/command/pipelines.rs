//! The README's jobs for GitHub Actions, GitLab and Azure Pipelines, run step by step.

use super::bare::Down;
use crate::harness::program::{HARMONY, harmony, run, text};
use crate::harness::{Folder, free_port};
use std::path::{Path, PathBuf};
use std::process::Command;

const URL: &str = "http://localhost:7262";

/// The block of YAML that follows a line.
fn job(after: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).expect("README.md");
    let (_, rest) = readme.split_once(&format!("\n{after}:\n")).expect("a job");
    let (_, block) = rest.split_once("```yaml\n").expect("YAML");
    block.split("```").next().expect("its end").to_owned()
}

/// The commands of a job's steps, in order: what follows a key, or stands in a list.
fn steps(job: &str, key: &str) -> Vec<String> {
    job.lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("- ").unwrap_or(line);
            line.strip_prefix(key).map(str::to_owned)
        })
        .collect()
}

/// A machine of a pipeline: a checkout's folder, `harmony` on the path, no Docker.
struct Machine {
    folder: Folder,
    url: String,
}

impl Machine {
    fn new() -> Self {
        Machine {
            folder: Folder::new(),
            url: format!("http://localhost:{}", free_port()),
        }
    }

    /// Runs a step as the runner does; the port is free here, whatever else runs.
    fn step(&self, script: &str, variables: &[(String, String)]) {
        let script = script.replace(URL, &self.url);
        let mut command = Command::new("bash");
        command.env_clear().current_dir(self.folder.path());
        for (name, value) in harmony(self.folder.path()).get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let own = Path::new(HARMONY).parent().expect("a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
        command
            .env("PATH", path.expect("a path"))
            .env("CI", "true")
            .env("GITHUB_ENV", self.folder.path().join("github.env"))
            .envs(variables.iter().cloned())
            .args(["-e", "-c", &script]);
        let output = run(&mut command);
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        eprintln!("$ {script}\n{out}{error}");
        assert!(output.status.success(), "{script}: {out}{error}");
    }

    /// What earlier steps handed to the next ones.
    fn handed_on(&self) -> Vec<(String, String)> {
        let path = self.folder.path().join("github.env");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

#[test]
fn the_github_actions_job_runs() {
    let machine = Machine::new();
    let _down = Down(&machine.folder, vec![]);
    let steps = steps(&job("GitHub Actions"), "run: ");
    assert_eq!(steps.len(), 6, "{steps:?}");
    for step in steps {
        machine.step(&step, &machine.handed_on());
    }
    assert!(!machine.handed_on().is_empty());
}

#[test]
fn the_gitlab_job_runs() {
    let machine = Machine::new();
    let _down = Down(&machine.folder, vec![]);
    let job = job("GitLab");
    let (script, after) = job.split_once("after_script:").expect("two lists");
    for list in [script, after] {
        let lines: Vec<_> = list
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("- "))
            .collect();
        assert!(lines.len() >= 2, "{list}");
        // All lines of a list run in one shell.
        machine.step(&lines.join("\n"), &[]);
    }
}

#[test]
fn the_azure_pipelines_job_runs() {
    let machine = Machine::new();
    let _down = Down(&machine.folder, vec![]);
    let steps = steps(&job("Azure Pipelines"), "bash: ");
    assert_eq!(steps.len(), 5, "{steps:?}");
    for step in steps {
        machine.step(&step, &[]);
    }
}
