//! A program on a real pseudo-terminal, and the screen that a person would see.

use super::{PATIENCE, wait_for, wine};
use expectrl::Session;
use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Command;
use std::time::{Duration, Instant};

pub const ESCAPE: &str = "\x1b";
pub const CONTROL_C: &str = "\x03";
pub const ENTER: &str = "\r";
pub const UP: &str = "\x1b[A";
pub const DOWN: &str = "\x1b[B";

/// A program that has written nothing for so long waits for a key.
const QUIET: Duration = Duration::from_millis(250);

/// A terminal's type and size.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub term: &'static str,
    pub columns: u16,
    pub rows: u16,
}

impl Shape {
    pub fn columns(columns: u16) -> Self {
        Shape {
            term: "xterm-256color",
            columns,
            rows: 24,
        }
    }
}

/// A program that a person uses.
pub struct Terminal {
    session: OsSession,
    screen: vt100::Parser,
    bytes: Vec<u8>,
    /// Wine draws the console, and loses a key that comes while it does.
    is_wine: bool,
}

/// How a program ended.
pub struct Ended {
    pub code: i32,
    /// Everything that it wrote, as sent.
    pub bytes: String,
    /// The last screen.
    pub screen: String,
    pub echo: bool,
}

impl Terminal {
    /// Starts a program; its environment is the command's own, nothing more.
    pub fn start(program: &Command, shape: Shape) -> Self {
        let Shape {
            term,
            columns,
            rows,
        } = shape;
        // The terminal is as people have it before the program looks at it: its size is set from
        // here once the shell runs, and the program starts after that.
        let start = "read start; stty echo; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", start]).arg(program.get_program());
        command.args(program.get_args()).env_clear();
        command.envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command.env("TERM", term);
        let is_wine = wine::runs(program);
        if is_wine {
            // Wine counts their codes as columns.
            command.env("NO_COLOR", "1");
        }
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        let mut session = Session::spawn(command).expect("a terminal");
        session
            .get_process_mut()
            .set_window_size(columns, rows)
            .expect("a size");
        session.write_all(b"\n").expect("a start");
        Terminal {
            session,
            screen: vt100::Parser::new(
                NonZero::new(rows).expect("rows"),
                NonZero::new(columns).expect("columns"),
                1000,
            ),
            bytes: Vec::new(),
            is_wine,
        }
    }

    /// Runs an ignored test of this binary, which uses the library on the terminal.
    pub fn start_test(name: &str, variables: &[(&str, &str)], shape: Shape) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args([name, "--exact", "--ignored", "--nocapture"]);
        command.envs(variables.iter().copied());
        command.env(ON_TERMINAL, "1");
        Self::start(&command, shape)
    }

    /// Waits until the screen shows a text.
    pub fn sees(&mut self, text: &str) {
        self.waits_for(text, |screen| screen.contains(text));
    }

    /// Waits until the screen shows words, wherever its rows end between them.
    pub fn sees_words(&mut self, text: &str) {
        self.sees_all_words(&[text]);
    }

    /// Waits until one screen shows all of them.
    pub fn sees_all_words(&mut self, texts: &[&str]) {
        let all: Vec<_> = texts.iter().map(|text| words(text)).collect();
        self.waits_for(&texts.join("' and '"), |screen| {
            let screen = words(screen);
            all.iter().all(|words| screen.contains(words))
        });
    }

    fn waits_for(&mut self, text: &str, is_there: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_there(&self.text()) {
            let (ended, late) = (self.read_some(), Instant::now() > deadline);
            assert!(
                !ended && !late,
                "'{text}' is not on the screen:\n{}\nafter\n{}",
                self.text(),
                String::from_utf8_lossy(&self.bytes)
            );
        }
    }

    pub fn press(&mut self, keys: &str) {
        if self.is_wine {
            self.wait_until_quiet();
        }
        self.session.write_all(keys.as_bytes()).expect("keys");
        self.session.flush().expect("keys");
    }

    fn wait_until_quiet(&mut self) {
        let (mut length, mut since) = (self.bytes.len(), Instant::now());
        wait_for("the program to wait for a key", || {
            if self.read_some() || since.elapsed() > QUIET {
                return Some(());
            }
            if self.bytes.len() != length {
                (length, since) = (self.bytes.len(), Instant::now());
            }
            None
        });
    }

    /// Waits for a text and presses keys then.
    pub fn answer(&mut self, question: &str, keys: &str) {
        self.sees(question);
        self.press(keys);
    }

    /// The screen's text, rows as they wrap.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// The screen with its colours.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Takes what the program has written meanwhile; whether it is gone.
    fn read_some(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.session.try_read(&mut buffer) {
            Ok(0) => return true,
            Ok(length) => {
                self.screen.process(&buffer[..length]);
                self.bytes.extend_from_slice(&buffer[..length]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::park_timeout(std::time::Duration::from_millis(5));
            }
            // A pseudo-terminal whose program is gone answers with an error in place of an end.
            Err(_) => return true,
        }
        false
    }

    /// Wine's own programs keep the terminal open when the one that it is for has ended.
    fn has_left_wine(&self) -> bool {
        let stat = format!("/proc/{}/stat", self.session.get_process().pid());
        let stat = || std::fs::read_to_string(&stat).unwrap_or_default();
        self.is_wine && stat().contains(") Z ")
    }

    pub fn end(mut self) -> Ended {
        wait_for("the program's end", || {
            (self.read_some() || self.has_left_wine()).then_some(())
        });
        if !self.is_wine {
            let _ = self.session.read_to_end(&mut Vec::new());
        }
        let echo = self.session.get_process().get_echo().unwrap_or(true);
        match self.session.get_process().wait().expect("an end") {
            WaitStatus::Exited(_, code) => Ended {
                code,
                bytes: String::from_utf8_lossy(&self.bytes).into_owned(),
                screen: self.text(),
                echo,
            },
            other => panic!("{other:?} after\n{}", self.text()),
        }
    }
}

/// Words with one blank between each two.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const ON_TERMINAL: &str = "HARMONY_TEST_ON_TERMINAL";

/// Whether an ignored test was started by [`Terminal::start_test`].
pub fn is_on_terminal() -> bool {
    std::env::var_os(ON_TERMINAL).is_some()
}
