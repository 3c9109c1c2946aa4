//! Programs that run while a test does.

#[cfg(unix)]
use super::wine;
use super::{Folder, system, wait_for};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

/// The executable under test.
pub const HARMONY: &str = env!("CARGO_BIN_EXE_harmony");

/// A running program; killed when dropped, whatever became of the test.
pub struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let outputs: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("a pipe")),
            Box::new(child.stderr.take().expect("a pipe")),
        ];
        for output in outputs {
            let lines = lines.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    lines.lock().expect("lines").push(line);
                }
            });
        }
        Program { child, lines }
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("lines").clone()
    }

    /// Waits for a line that holds a text; returns what follows it there.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        wait_for(text, || {
            let found = self
                .lines()
                .iter()
                .find_map(|line| line.split_once(text).map(|(_, rest)| rest.to_owned()));
            if found.is_none() && self.child.try_wait().expect("a status").is_some() {
                // The last lines may still be on their way.
                std::thread::park_timeout(std::time::Duration::from_millis(100));
                let lines = self.lines();
                if !lines.iter().any(|line| line.contains(text)) {
                    panic!("the program ended:\n{}", lines.join("\n"));
                }
            }
            found
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("a signal");
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_some()
    }

    /// Asks it to end and waits for that; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        system::ask_to_end(&mut self.child);
        self.wait()
    }

    /// Waits for its end; its exit code, where it was not killed.
    pub fn wait(&mut self) -> Option<i32> {
        wait_for("the program's end", || {
            self.child.try_wait().expect("a status")
        })
        .code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A hub of ours in the foreground.
pub struct Hub {
    pub program: Program,
    pub url: String,
    pub admin: String,
    /// What opens the admin listener.
    pub token: String,
    _folder: Folder,
}

impl Hub {
    /// Alone in one process, notifications by its inbox.
    pub fn embedded(arguments: &[&str]) -> Self {
        Self::start(&[&["--rabbitmq=embedded", "--redis=none"], arguments].concat())
    }

    pub fn start(arguments: &[&str]) -> Self {
        Self::start_at("http://127.0.0.1:0", arguments)
    }

    pub fn start_at(url: &str, arguments: &[&str]) -> Self {
        Self::start_with(url, arguments, &[])
    }

    pub fn start_with(url: &str, arguments: &[&str], variables: &[(&str, String)]) -> Self {
        let folder = Folder::new();
        let mut command = harmony(folder.path());
        command.envs(variables.iter().map(|(name, value)| (*name, value)));
        command
            .args([
                "hub",
                &format!("--urls={url}"),
                "--Admin:Url=http://127.0.0.1:0",
            ])
            .args(arguments);
        let mut program = Program::start(&mut command);
        let url = program.wait_for_line("Now listening on: ");
        let admin = program.wait_for_line("Admin listening on: ");
        let (admin, token) = admin.split_once(", token in ").expect("a token's file");
        let token = named(folder.path(), token);
        let token = std::fs::read_to_string(token).expect("a token");
        let admin = admin.to_owned();
        program.wait_for_line("Application started.");
        Hub {
            program,
            url,
            admin,
            token,
            _folder: folder,
        }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        address(&self.url)
    }

    pub fn metric(&self, name: &str) -> f64 {
        let answer = super::raw::http(
            address(&self.admin),
            format!(
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                self.token
            )
            .as_bytes(),
        );
        let line = answer.body.lines().find_map(|line| {
            line.strip_prefix(name)?
                .trim()
                .split(' ')
                .next()?
                .parse()
                .ok()
        });
        line.unwrap_or_else(|| panic!("no metric {name} in\n{}", answer.body))
    }

    /// Posts a notification to the inbox.
    pub fn notify(&self, notification: &str, body: &str) -> super::raw::Answer {
        let request = format!(
            "POST /notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nnotification_type: {notification}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        );
        super::raw::http(address(&self.admin), request.as_bytes())
    }

    /// Waits until it takes notifications and they reach every hub.
    pub fn wait_until_ready(&self) {
        wait_for("the hub to be ready", || {
            let answer = super::raw::http(
                self.address(),
                b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            );
            (answer.status == 200).then_some(())
        });
    }
}

/// The second application on the engine: its address.
pub struct Conformance {
    _program: Program,
    pub url: String,
    _folder: Folder,
}

impl Conformance {
    /// With a Redis, its reference hub shares the backplane.
    pub fn start(redis: &str) -> Self {
        Self::with(redis, &[])
    }

    /// With environment variables.
    pub fn with(redis: &str, variables: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let executable = Path::new(HARMONY)
            .with_file_name("examples")
            .join("conformance");
        let mut command = Command::new(executable);
        command
            .current_dir(folder.path())
            .env("RedisConnectionString", redis)
            .envs(variables.iter().copied())
            .args(["--urls", "http://127.0.0.1:0"]);
        let mut program = Program::start(&mut command);
        let url = program.wait_for_line("Now listening on: ");
        let conformance = Conformance {
            _program: program,
            url,
            _folder: folder,
        };
        wait_for("the backplane", || {
            let answer = super::raw::http(
                conformance.address(),
                b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            );
            (answer.status == 200).then_some(())
        });
        conformance
    }

    pub fn address(&self) -> &str {
        address(&self.url)
    }
}

pub fn address(url: &str) -> &str {
    url.split("://")
        .nth(1)
        .expect("an address")
        .trim_end_matches('/')
}

/// `harmony` in a folder, with nothing of this machine's user around it.
pub fn harmony(folder: &Path) -> Command {
    let home = folder.join("home");
    std::fs::create_dir_all(&home).expect("a home");
    let mut command = of_this_system(&home);
    command
        .current_dir(folder)
        .envs(system::home(&home))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// The program under test, its environment empty: of this system, or the one of Windows under Wine.
fn of_this_system(home: &Path) -> Command {
    #[cfg(unix)]
    if wine::is_used() {
        return wine::command(home, &wine::harmony());
    }
    let _ = home;
    let mut command = Command::new(HARMONY);
    command.env_clear();
    command
}

/// Where a file is that the program under test names.
fn named(folder: &Path, path: &str) -> PathBuf {
    #[cfg(unix)]
    if wine::is_used() {
        return wine::unix_path(&folder.join("home"), path);
    }
    let _ = folder;
    path.into()
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null());
    #[cfg(unix)]
    if wine::runs(command) {
        return wine::output(command);
    }
    command.output().expect("a program")
}

/// Kills a process that the program under test named by its number; whether it was there.
#[cfg(unix)]
pub fn kill(folder: &Path, number: u64) -> bool {
    if wine::is_used() {
        return wine::kill(&folder.join("home"), number);
    }
    let pid = rustix::process::Pid::from_raw(number as i32).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok()
}

/// An output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The .NET peer's folder, where it can be had: `HARMONY_PEER`, unpacked.
pub fn peer() -> Option<PathBuf> {
    std::env::var_os("HARMONY_PEER")
        .map(PathBuf::from)
        .filter(|path| path.join("dotnet/dotnet").exists())
}

/// A program of the .NET peer: `refhub`, `refclient` or `refconfig`.
pub fn dotnet(peer: &Path, program: &str) -> Command {
    let mut command = Command::new(peer.join("dotnet/dotnet"));
    command
        .arg(peer.join(program).join(format!("{program}.dll")))
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
    command
}
