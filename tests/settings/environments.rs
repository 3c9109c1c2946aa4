//! Which environment counts: every combination of variables and arguments, asked of .NET.

use super::oracle::oracle;
use crate::harness::Folder;
use crate::harness::program::{dotnet, harmony, run, text};
use harmony::appsettings::layers::ProcessInputs;

const NAMES: [&str; 8] = ["", "Production", "Asp", "Dot", "Arg", "low", " sp ", "Und"];

/// The environment that a .NET host starts in: the one whose file it cannot read.
fn theirs(peer: &std::path::Path, folder: &Folder, started: &ProcessInputs) -> String {
    let mut command = dotnet(peer, "refhub");
    command
        .current_dir(folder.path())
        .env_clear()
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .envs(started.variables.iter().cloned())
        .args(&started.arguments);
    let output = run(&mut command);
    let said = text(&output.stderr) + &text(&output.stdout);
    let file = said
        .split("appsettings.")
        .nth(1)
        .unwrap_or_else(|| panic!("{said}"));
    let name = file.split("json'").next().expect("a name");
    name.trim_end_matches('.').to_owned()
}

fn combinations() -> Vec<ProcessInputs> {
    let dotnet = [None, Some(""), Some("Dot")].map(|value| ("DOTNET_ENVIRONMENT", value));
    let asp = [None, Some(""), Some("Asp")].map(|value| ("ASPNETCORE_ENVIRONMENT", value));
    let arguments = [None, Some("--environment="), Some("--environment=Arg")];
    let mut all = Vec::new();
    for (dotnet, asp, argument) in dotnet
        .iter()
        .flat_map(|dotnet| asp.iter().map(move |asp| (dotnet, asp)))
        .flat_map(|(dotnet, asp)| arguments.map(|argument| (dotnet, asp, argument)))
    {
        let variables = [dotnet, asp]
            .into_iter()
            .filter_map(|(name, value)| Some((String::from(*name), String::from((*value)?))));
        all.push(ProcessInputs {
            variables: variables.collect(),
            arguments: argument.into_iter().map(str::to_owned).collect(),
            secrets: None,
        });
    }
    let odd = [
        ("dotnet_environment", "low"),
        ("Aspnetcore_Environment", "low"),
        ("DOTNET_ENVIRONMENT", " sp "),
        ("ASPNETCORE__ENVIRONMENT", "Und"),
        ("ENVIRONMENT", "Und"),
    ];
    all.extend(odd.map(|(name, value)| ProcessInputs {
        variables: vec![(name.to_owned(), value.to_owned())],
        arguments: Vec::new(),
        secrets: None,
    }));
    all
}

#[test]
fn the_environment_is_the_one_that_dotnet_starts_in() {
    let Some(peer) = oracle("the_environment_is_the_one_that_dotnet_starts_in") else {
        return;
    };
    let folder = Folder::new();
    for name in NAMES {
        folder.write(&format!("appsettings.{name}.json"), "unreadable");
    }
    let all = combinations();
    for started in &all {
        let theirs = theirs(&peer, &folder, started);
        assert_eq!(started.environment(), theirs, "{started:?}");
    }
    eprintln!("{} combinations, 0 differences", all.len());
}

#[test]
fn every_command_takes_the_environment_from_both_variables() {
    let folder = Folder::new();
    folder.write(
        "Harmony.SignalR/appsettings.json",
        "{\"AllowedHosts\":\"base\"}",
    );
    for name in ["Dot", "Asp", ""] {
        let path = format!("Harmony.SignalR/appsettings.{name}.json");
        folder.write(&path, &format!("{{\"AllowedHosts\":\"{name}.example\"}}"));
    }
    let read = |variables: &[(&str, &str)]| {
        let mut command = harmony(folder.path());
        command.envs(variables.iter().copied());
        let output = run(command.args(["settings", "get", "AllowedHosts"]));
        text(&output.stdout).trim_end().to_owned()
    };
    let (dot, asp) = (
        ("DOTNET_ENVIRONMENT", "Dot"),
        ("ASPNETCORE_ENVIRONMENT", "Asp"),
    );
    assert_eq!(read(&[]), "base");
    assert_eq!(read(&[dot]), "Dot.example");
    assert_eq!(read(&[asp]), "Asp.example");
    assert_eq!(read(&[dot, asp]), "Dot.example");
    assert_eq!(read(&[("ASPNETCORE_ENVIRONMENT", "")]), ".example");
}

#[test]
fn the_layout_of_january_2024_is_a_checkout() {
    let folder = Folder::new();
    for place in ["Harmony.Server.SignalR", "Client/wwwroot"] {
        folder.write(&format!("src/Web/Harmony/{place}/appsettings.json"), "{}");
    }
    let found = harmony::checkout::at(folder.path()).expect("a checkout");
    let found = found.expect("a checkout that is there");
    assert!(found.hub.ends_with("Harmony.Server.SignalR"));
    assert!(
        found
            .client
            .is_some_and(|client| client.ends_with("Client/wwwroot"))
    );
}

#[test]
fn a_new_file_that_sets_nothing_is_not_written() {
    use harmony::appsettings::{SettingsFile, replacements};
    let path = std::path::Path::new("appsettings.Staging.json");
    let planned = SettingsFile::planned(path, "{\n}\n").expect("a file");
    assert!(replacements(&[planned]).is_empty());
}
