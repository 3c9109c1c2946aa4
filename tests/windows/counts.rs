//! How many tests passed on each system, for the table that `tests/run --windows` ends with.

use crate::harness::parts::append;

/// How many tests of a run passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(usize);

impl Count {
    /// As the runner sums up: `test result: ok. 12 passed; …`
    pub fn of_run(said: &str) -> Self {
        let mut lines = said.lines().rev();
        let summary = lines.find(|line| line.starts_with("test result"));
        let passed = summary.and_then(|line| line.split_once(" passed"));
        let number = passed.and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
        Count(number.unwrap_or_else(|| panic!("no result in\n{said}")))
    }

    /// Of a transcript of settings.
    pub fn of_cases(transcript: &str) -> Self {
        Count(transcript.matches("case ").count())
    }
}

/// A row of the table, whose head `tests/run` writes.
pub fn note(name: &str, here: Count, windows: Count) {
    let name = name.rsplit("::").next().unwrap_or(name).replace('_', " ");
    write(&format!("{:5}  {:7}  {name}\n", here.0, windows.0));
}

/// A test that is left out under Wine, with the reason.
pub fn note_skipped(test: &str, reason: &str) {
    write(&format!("not under Wine: {test}: {reason}\n"));
}

fn write(line: &str) {
    eprint!("{line}");
    append("HARMONY_COUNTS", line);
}
