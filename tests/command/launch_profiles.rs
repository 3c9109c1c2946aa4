//! Visual Studio's side of a checkout: launch profiles, and a .NET hub that F5 has started.

use super::checkouts::new_layout;
use crate::harness::program::{HARMONY, Program, harmony, run, text};
use crate::harness::system::install;
use crate::harness::{Folder, free_port};
use serde_json::{Value, json};

const PROFILES: &str = "src/Services/Harmony.SignalR/Properties/launchSettings.json";
const CLIENT: &str = "src/Web/Harmony.Client/wwwroot/appsettings.json";

/// As Visual Studio writes it: a mark, comments, several profiles.
fn profiles() -> String {
    let profiles = json!({
        "$schema": "http://json.schemastore.org/launchsettings.json",
        "profiles": {
            "IIS Express": { "commandName": "IISExpress" },
            "Harmony.SignalR": {
                "commandName": "Project",
                "applicationUrl": "https://localhost:7262;http://localhost:5262",
                "environmentVariables": {
                    "ASPNETCORE_ENVIRONMENT": "Development",
                    "BrokerConfiguration__Host": "queue.example",
                },
            },
        },
    });
    format!("\u{feff}// of Visual Studio\n{profiles}")
}

fn checkout() -> Folder {
    let folder = Folder::new();
    new_layout(&folder);
    folder.write(PROFILES, &profiles());
    folder
}

#[test]
fn why_takes_a_profiles_variables_into_account() {
    let folder = checkout();
    let development = "src/Services/Harmony.SignalR/appsettings.Development.json";
    folder.write(development, "{ \"AllowedHosts\": \"dev.example\" }");
    let why = |key: &str, profile: &str| {
        let mut command = harmony(folder.path());
        command.args(["settings", "why", key, "--json", "--profile", profile]);
        let output = run(&mut command);
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (answer, output.status.code())
    };
    let (host, _) = why("BrokerConfiguration:Host", "harmony.signalr");
    assert_eq!(host["value"], "queue.example", "{host}");
    let (allowed, _) = why("AllowedHosts", "Harmony.SignalR");
    assert_eq!(
        allowed["value"], "dev.example",
        "its environment counts: {allowed}"
    );
    let (urls, _) = why("URLS", "Harmony.SignalR");
    assert!(
        urls["value"]
            .as_str()
            .is_some_and(|urls| urls.contains("7262")),
        "{urls}"
    );
    let (unknown, exit) = why("AllowedHosts", "Release");
    assert_eq!(
        (unknown["error"]["code"].as_str(), exit),
        (Some("unknownProfile"), Some(2))
    );
    assert!(
        unknown["error"]["fix"]
            .as_str()
            .is_some_and(|fix| fix.contains("IIS Express"))
    );
}

#[test]
fn up_says_what_f5_will_not_read() {
    let folder = checkout();
    let up = |more: &[&str]| {
        let mut command = harmony(folder.path());
        command.args(["up", "--dry-run", "--redis=none", "--rabbitmq=embedded"]);
        command.args(["--log-level=Debug", "--hub=none"]);
        text(&run(command.args(more)).stderr)
    };
    let said = up(&[]);
    assert!(
        said.contains("sets BrokerConfiguration__Host, which wins"),
        "{said}"
    );
    assert!(
        !said.contains("in which it does not"),
        "the base is read by F5 too: {said}"
    );
    let said = up(&["--environment=Staging"]);
    assert!(said.contains("sets the environment Development"), "{said}");
}

#[test]
fn a_dotnet_hub_on_the_port_is_named_and_can_be_used() {
    let folder = checkout();
    let url = format!("http://localhost:{}", free_port());
    folder.write(CLIENT, &json!({ "signalrHostUrl": url }).to_string());
    // What F5 starts has this name.
    let program = folder.path().join("Harmony.SignalR");
    install(HARMONY.as_ref(), &program);
    let mut command = std::process::Command::new(&program);
    command.env_clear().current_dir(folder.path());
    command.args(["hub", "--rabbitmq=embedded", "--redis=none", "--urls", &url]);
    let mut hub = Program::start(&mut command);
    hub.wait_for_line("Application started.");
    let said = |arguments: &[&str]| {
        let output = run(harmony(folder.path()).args(arguments));
        (
            text(&output.stdout) + &text(&output.stderr),
            output.status.code(),
        )
    };
    let holder = format!("Harmony.SignalR (pid {})", hub.pid());
    let (status, _) = said(&["status"]);
    assert!(
        status.contains("external") && status.contains(&holder),
        "{status}"
    );
    let (doctor, _) = said(&["doctor"]);
    assert!(
        doctor.contains("the .NET hub responds") && doctor.contains("--hub none"),
        "{doctor}"
    );
    let up = ["up", "--yes", "--redis=none", "--rabbitmq=embedded"];
    let (refused, exit) = said(&up);
    assert_eq!(exit, Some(1), "{refused}");
    assert!(
        refused.contains(&holder) && refused.contains("--hub none"),
        "{refused}"
    );
    let (done, exit) = said(&[&up[..], &["--hub=none"]].concat());
    assert_eq!(exit, Some(0), "{done}");
    let (again, exit) = said(&["up", "--yes"]);
    assert_eq!(exit, Some(0), "the choice is remembered: {again}");
    let (down, _) = said(&["down", "--everything", "--yes"]);
    assert!(!hub.has_ended(), "it is not ours: {down}");
}
