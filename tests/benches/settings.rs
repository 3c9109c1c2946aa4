//! What an edit costs: `settings set` as a whole process on a file of 50 KB, and on one of 10 MB.
//!
//! `cargo bench --bench settings`; beside each the same with `cp` and `sync`, the least that a safe
//! write can cost.

#![allow(clippy::print_stdout)] // a benchmark is there to print

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HARMONY: &str = env!("CARGO_BIN_EXE_harmony");

fn settings(bytes: usize) -> String {
    let mut text =
        String::from("{\n  // a large file\n  \"AllowedHosts\": \"*\",\n  \"Filler\": {\n");
    let mut member = 0;
    while text.len() < bytes {
        text += &format!(
            "    \"Key{member}\": {{ \"Name\": \"a value of no meaning\", \"Number\": {member}, \"List\": [1, 2.50, true, null] }},\n"
        );
        member += 1;
    }
    text + "    \"Last\": 1\n  }\n}\n"
}

fn timed(rounds: u32, mut once: impl FnMut(u32)) -> Duration {
    let mut times: Vec<_> = (0..rounds)
        .map(|round| {
            let began = Instant::now();
            once(round);
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn run(command: &mut Command) {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

fn set(folder: &Path, round: u32) {
    let value = format!("host{round}.example");
    run(Command::new(HARMONY)
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("XDG_STATE_HOME")
        .args(["settings", "set", "AllowedHosts", &value]));
}

fn main() {
    println!(
        "{:<28}{:>12}{:>16}{:>8}",
        "settings set", "median ms", "cp and sync ms", "ratio"
    );
    for (name, bytes, rounds) in [
        ("50 KB, a new value", 50_000, 41),
        ("10 MB, a new value", 10_000_000, 9),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = folder.path().join("Harmony.SignalR");
        std::fs::create_dir(&hub).expect("a folder");
        std::fs::write(hub.join("appsettings.json"), settings(bytes)).expect("a file");
        set(folder.path(), 999);
        let ours = timed(rounds, |round| set(folder.path(), round));
        let copy = timed(rounds, |_| {
            run(Command::new("cp")
                .current_dir(&hub)
                .args(["appsettings.json", "copy"]));
            run(Command::new("sync").current_dir(&hub).arg("copy"));
        });
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{name:<28}{:>12.1}{:>16.1}{:>8.1}",
            milliseconds(ours),
            milliseconds(copy),
            ours.as_secs_f64() / copy.as_secs_f64()
        );
    }
}
