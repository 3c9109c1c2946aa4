//! Manual pages and completions, driven in real shells.

use crate::harness::parts::{Part, has};
use crate::harness::program::{HARMONY, harmony, run, text};
use crate::harness::{Folder, PATIENCE};
use expectrl::Expect;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// A program in the test's folder, with `harmony` on its path.
fn with_harmony(folder: &Folder, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(folder.path());
    for (name, value) in harmony(folder.path()).get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let own = Path::new(HARMONY).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
    command
        .env("PATH", path.expect("a path"))
        .env("TERM", "dumb");
    command
}

/// What bash offers for a line, by its own completion.
fn bash(folder: &Folder, line: &str) -> Vec<String> {
    // As readline does it: words end at the characters of COMP_WORDBREAKS too.
    let script = r#"
        source <(harmony completions bash)
        COMP_LINE=$1 COMP_POINT=${#1}
        IFS=$'\n' read -d '' -ra COMP_WORDS < <(
            sed -E 's/([:=])/\n\1\n/g; s/ +/\n/g' <<< "$1" | grep -v '^$'
            [[ "$1" == *' ' ]] && echo)
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        function=$(complete -p harmony | sed 's/.*-F \([^ ]*\).*/\1/')
        "$function" harmony "${COMP_WORDS[COMP_CWORD]}" ''
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    lines(with_harmony(folder, "bash").args(["-c", script, "bash", line]))
}

/// What fish offers for a line.
fn fish(folder: &Folder, line: &str) -> Vec<String> {
    let script = "harmony completions fish | source; complete --do-complete \"$argv[1]\"";
    let found = lines(with_harmony(folder, "fish").args(["--no-config", "-c", script, line]));
    let value = |line: String| line.split('\t').next().unwrap_or_default().to_owned();
    found.into_iter().map(value).collect()
}

/// Types a line and Tab into zsh on a pseudo-terminal, and waits for what it must offer: in a list
/// of several, or as the rest of the word.
fn zsh_offers(folder: &Folder, line: &str, expected: &str) {
    let mut command = with_harmony(folder, "zsh");
    command.args(["-f", "-i"]);
    let mut zsh = expectrl::Session::spawn(command).expect("zsh");
    zsh.set_expect_timeout(Some(PATIENCE));
    let setup = "PS1=; autoload -Uz compinit && compinit -u -D; \
                 source <(harmony completions zsh); echo REA''DY";
    zsh.send_line(setup).expect("a line");
    zsh.expect("READY").expect("zsh with completions");
    zsh.send(format!("{line}\t\t")).expect("a line");
    let typed = line.rsplit(' ').next().unwrap_or_default();
    let rest = expected.strip_prefix(typed).unwrap_or(expected);
    let either = expectrl::Regex(format!("{expected}|{rest}"));
    if let Err(error) = zsh.expect(either) {
        panic!("zsh: '{line}' does not offer {expected}: {error}");
    }
}

fn lines(command: &mut Command) -> Vec<String> {
    let output = run(command);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What every shell must offer for a line.
const OFFERED: [(&str, &[&str]); 9] = [
    ("harmony sta", &["start", "status"]),
    ("harmony status --form", &["--format"]),
    ("harmony status --format docker", &["docker-env"]),
    ("harmony settings get RedisC", &["RedisConnectionString"]),
    (
        "harmony settings get --app Harmony.Client signalr",
        &["signalrHostUrl"],
    ),
    (
        "harmony settings list --app Harmony.Si",
        &["Harmony.SignalR"],
    ),
    ("harmony publish CardTitle", &["CardTitleChanged"]),
    ("harmony status --instance se", &["second"]),
    ("harmony hub --ur", &["--urls"]),
];

fn offers(shell: &str, complete: fn(&Folder, &str) -> Vec<String>) {
    let folder = Folder::new();
    folder.write("home/.local/state/harmony/second/state.json", "{}");
    for (line, expected) in OFFERED {
        let offered = complete(&folder, line);
        for one in expected {
            assert!(
                offered.iter().any(|found| found == one),
                "{shell}: '{line}' offers {offered:?}, not {one}"
            );
        }
    }
}

#[test]
fn bash_completes() {
    offers("bash", bash);
    let folder = Folder::new();
    // Readline replaces only what follows the last colon.
    assert_eq!(
        bash(&folder, "harmony settings why BrokerConfiguration:Ho"),
        ["Host"]
    );
    assert_eq!(
        bash(&folder, "harmony settings list --app=Harmony.Si"),
        ["Harmony.SignalR"]
    );
}

#[test]
#[ignore = "needs fish: run tests/run"]
fn fish_completes() {
    if !has("fish_completes", &[Part::Fish]) {
        return;
    }
    offers("fish", fish);
    let folder = Folder::new();
    let key = fish(&folder, "harmony settings why BrokerConfiguration:Ho");
    assert_eq!(key, ["BrokerConfiguration:Host"]);
}

#[test]
#[ignore = "needs zsh: run tests/run"]
fn zsh_completes() {
    if !has("zsh_completes", &[Part::Zsh]) {
        return;
    }
    let folder = Folder::new();
    folder.write("home/.local/state/harmony/second/state.json", "{}");
    for (line, expected) in OFFERED {
        for one in expected {
            zsh_offers(&folder, line, one);
        }
    }
    let key = "harmony settings why BrokerConfiguration:Ho";
    zsh_offers(&folder, key, "BrokerConfiguration:Host");
}

#[test]
fn every_command_has_a_manual_page_without_dead_references() {
    let folder = Folder::new();
    let output = run(harmony(folder.path()).args(["man", "--output", "pages"]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let pages: BTreeSet<String> = std::fs::read_dir(folder.path().join("pages"))
        .expect("pages")
        .map(|page| {
            page.expect("a page")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    for page in [
        "harmony.1",
        "harmony-up.1",
        "harmony-settings-set.1",
        "harmony-hub.1",
    ] {
        assert!(pages.contains(page), "{pages:?}");
    }
    for page in &pages {
        let roff = folder.read(&format!("pages/{page}"));
        assert!(!roff.contains('\u{1b}'), "{page}");
        let plain = roff
            .replace("\\fB", "")
            .replace("\\fR", "")
            .replace("\\-", "-");
        for (at, _) in plain.match_indices("(1)") {
            let start = plain[..at]
                .rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
                .map_or(0, |before| before + 1);
            let reference = format!("{}.1", &plain[start..at]);
            assert!(pages.contains(&reference), "{page} refers to {reference}");
        }
        if page != "harmony.1" {
            let name = page.trim_start_matches("harmony-").trim_end_matches(".1");
            let one = run(harmony(folder.path()).arg("man").args(name.split('-')));
            assert_eq!(text(&one.stdout).trim(), roff.trim(), "{page}");
        }
    }
    if has("manual_pages_are_formatted_without_warnings", &[Part::Man]) {
        for page in &pages {
            let output = run(Command::new("man")
                .args(["--warnings=all", "-l"])
                .arg(folder.path().join("pages").join(page))
                .env("MANWIDTH", "80")
                .env("PAGER", "cat"));
            let said = text(&output.stdout);
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "{page}: {}",
                text(&output.stderr)
            );
            assert!(
                said.contains("SYNOPSIS") && said.contains("EXIT STATUS"),
                "{page}"
            );
        }
        let said = run(Command::new("man")
            .arg("-l")
            .arg(folder.path().join("pages/harmony-up.1"))
            .env("PAGER", "cat"));
        let said = text(&said.stdout);
        assert!(
            said.contains("EXAMPLES") && said.contains("harmony up --yes"),
            "{said}"
        );
    }
}
