//! What `--help` says beside the flags: groups, the global options that mean something, examples.

/// A command and the global options that mean something to it.
pub struct HelpTopic {
    pub path: &'static str,
    options: &'static [&'static [&'static str]],
}

impl HelpTopic {
    pub fn takes(&self, option: &str) -> bool {
        self.options.iter().any(|options| options.contains(&option))
    }

    /// Its examples: for each a comment and a line. A test runs them all.
    pub fn examples(&self) -> Vec<(&'static str, &'static str)> {
        let head = format!("== {}\n", self.path);
        let Some((_, text)) = EXAMPLES.split_once(&head) else {
            return Vec::new();
        };
        let text = text.split("\n\n").next().unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines
            .chunks_exact(2)
            .map(|pair| (pair[0].trim_start_matches("# "), pair[1]))
            .collect()
    }
}

const EXAMPLES: &str = include_str!("examples.txt");

const fn topic(path: &'static str, options: &'static [&'static [&'static str]]) -> HelpTopic {
    HelpTopic { path, options }
}

pub const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed · 2 usage · 3 settings invalid · \
4 changes pending (--detailed-exitcode) · 5 a service did not become ready · \
6 Docker not reachable · 130 interrupted";

/// The commands in groups, in the order of the help.
pub const GROUPS: [(&str, &[&str]); 5] = [
    ("Set up", &["setup", "up", "down", "rehost", "certs"]),
    (
        "Look",
        &[
            "status", "logs", "listen", "ls", "wait", "doctor", "verify", "rejected",
        ],
    ),
    ("Settings", &["settings"]),
    ("Serve", &["hub", "publish"]),
    ("More", &["completions", "man", "help"]),
];

const OUTPUT: &[&str] = &["json", "quiet", "verbose", "color"];
const INSTANCE: &[&str] = &["instance"];
const PROJECT: &[&str] = &["checkout", "environment", "instance"];
const CHANGES: &[&str] = &["dry_run", "detailed_exitcode"];
const QUESTIONS: &[&str] = &["yes"];
const ANSWERS: &[&str] = &["answers", "record_answers"];
const PATIENCE: &[&str] = &["timeout"];

pub const TOPICS: &[HelpTopic] = &[
    topic(
        "setup",
        &[PROJECT, OUTPUT, CHANGES, QUESTIONS, ANSWERS, PATIENCE],
    ),
    topic(
        "up",
        &[PROJECT, OUTPUT, CHANGES, QUESTIONS, ANSWERS, PATIENCE],
    ),
    topic("down", &[INSTANCE, OUTPUT, CHANGES, QUESTIONS, PATIENCE]),
    topic("rehost", &[PROJECT, OUTPUT, CHANGES]),
    topic("certs", &[OUTPUT]),
    topic("certs status", &[OUTPUT]),
    topic("certs trust", &[OUTPUT, &["dry_run"]]),
    topic("certs clean", &[OUTPUT, &["dry_run"]]),
    topic("status", &[PROJECT, OUTPUT]),
    topic("logs", &[INSTANCE, OUTPUT]),
    topic("listen", &[INSTANCE, OUTPUT]),
    topic("ls", &[OUTPUT]),
    topic("wait", &[PROJECT, OUTPUT, PATIENCE]),
    topic("doctor", &[PROJECT, OUTPUT, QUESTIONS]),
    topic("verify", &[PROJECT, OUTPUT, PATIENCE]),
    topic("rejected", &[PROJECT, OUTPUT]),
    topic("rejected list", &[PROJECT, OUTPUT]),
    topic("rejected show", &[PROJECT, OUTPUT]),
    topic("rejected retry", &[PROJECT, OUTPUT, CHANGES]),
    topic("rejected drop", &[PROJECT, OUTPUT, CHANGES, QUESTIONS]),
    topic("settings", &[PROJECT, OUTPUT]),
    topic("settings get", &[PROJECT, OUTPUT]),
    topic("settings set", &[PROJECT, OUTPUT, CHANGES]),
    topic("settings edit", &[PROJECT, OUTPUT, CHANGES]),
    topic("settings unset", &[PROJECT, OUTPUT, CHANGES]),
    topic("settings list", &[PROJECT, OUTPUT]),
    topic("settings why", &[PROJECT, OUTPUT]),
    topic("settings validate", &[PROJECT, OUTPUT]),
    topic("settings undo", &[PROJECT, OUTPUT, CHANGES]),
    topic("settings schema", &[&["color"]]),
    topic("hub", &[]),
    topic("publish", &[PROJECT, OUTPUT]),
    topic("completions", &[]),
    topic("man", &[]),
];
