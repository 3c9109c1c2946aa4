//! The Windows program under Wine, in place of the one of this system.
//!
//! `tests/run --windows` makes a folder with `harmony.exe`, `tests.exe` and `prefix`, Wine's own
//! files. Each test gets a prefix of its own that refers to those, so that it starts in seconds;
//! its user's folder is the home that the test would have here.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Set for a run of tests that are to have the Windows program.
const USED: &str = "HARMONY_TEST_UNDER_WINE";
const LOADERS: [&str; 2] = ["/usr/lib/wine/wine64", "/usr/lib/wine/wine"];
const SERVERS: [&str; 2] = ["/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver"];
/// Below a home, as Wine has it by itself.
const PREFIX: &str = ".wine";
/// What a prefix need not have for itself.
const SHARED: [&str; 4] = [
    "windows",
    "ProgramData",
    "Program Files",
    "Program Files (x86)",
];
const OWN: [&str; 4] = ["system.reg", "user.reg", "userdef.reg", ".update-timestamp"];

/// Whether the program under test is the one of Windows.
pub fn is_used() -> bool {
    std::env::var_os(USED).is_some()
}

/// Runs tests of this binary again, with the Windows program.
pub fn these_tests() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(USED, "1");
    command
}

fn made() -> PathBuf {
    let folder = std::env::var_os("HARMONY_TEST_WINDOWS");
    folder.expect("the Windows programs").into()
}

pub fn harmony() -> PathBuf {
    made().join("harmony.exe")
}

pub fn tests() -> PathBuf {
    made().join("tests.exe")
}

fn first_there(paths: [&str; 2]) -> &str {
    let there = |path: &&str| Path::new(path).exists();
    paths.into_iter().find(there).expect("Wine")
}

/// A Windows program in a home, with nothing of this machine's user around it.
pub fn command(home: &Path, program: &Path) -> Command {
    let prefix = home.join(PREFIX);
    if !prefix.exists() {
        make(home, &prefix);
    }
    let mut command = Command::new(first_there(LOADERS));
    command
        .env_clear()
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        .env("LC_ALL", "C.UTF-8")
        .arg(program);
    command
}

fn make(home: &Path, prefix: &Path) {
    let (from, drive) = (made().join("prefix"), prefix.join("drive_c"));
    let (users, states) = (drive.join("users"), home.join(".local/state"));
    let devices = prefix.join("dosdevices");
    let own = [home.join("AppData"), home.join("Temp")];
    for folder in [&users, &devices, &states].into_iter().chain(&own) {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    let link = |from: &Path, to: PathBuf| symlink(from, to).expect("a link");
    for name in SHARED {
        link(&from.join("drive_c").join(name), drive.join(name));
    }
    link(home, users.join(user(&from)));
    // `%LOCALAPPDATA%`: programs keep their files where tests look for them here.
    link(&states, home.join("AppData/Local"));
    link(&drive, devices.join("c:"));
    link(Path::new("/"), devices.join("z:"));
    for name in OWN {
        std::fs::copy(from.join(name), prefix.join(name)).expect("a file");
    }
}

/// Whether a command is a Windows program.
pub fn runs(command: &Command) -> bool {
    LOADERS
        .iter()
        .any(|loader| command.get_program() == *loader)
}

/// Runs a command to its end. Wine's own services, which it starts, would keep a pipe open for as
/// long as a hub runs, so what it says goes to files.
pub fn output(command: &mut Command) -> Output {
    let file = || tempfile::tempfile().expect("a file");
    let (mut stdout, mut stderr) = (file(), file());
    let same = |file: &File| file.try_clone().expect("the same file");
    command.stdout(same(&stdout)).stderr(same(&stderr));
    let status = command.status().expect("a program");
    let read = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().expect("the beginning");
        file.read_to_end(&mut bytes).expect("what was said");
        bytes
    };
    Output {
        status,
        stdout: read(&mut stdout),
        stderr: read(&mut stderr),
    }
}

/// Kills a Windows program of a home by its number, as another Windows program; whether it was
/// there. Wine's `taskkill`, and signals of this system, let it end as if it had succeeded.
pub fn kill(home: &Path, number: u64) -> bool {
    let mut kill = command(home, &tests());
    kill.args(["--ignored", "pipe::kills_a_process"]);
    kill.env("HARMONY_TEST_KILLED", number.to_string());
    output(&mut kill).status.success()
}

/// Whether a process, by a line that begins with its number here, ever ran. Windows creates a
/// process suspended; it stays so where its creator is killed before it resumes it.
pub fn has_begun(process: &str) -> bool {
    let number = process.split(' ').next().expect("a number");
    let libraries = std::fs::read_to_string(format!("/proc/{number}/maps"));
    libraries.is_ok_and(|libraries| libraries.contains("kernel32.dll"))
}

/// The name that Wine gives to this user.
fn user(prefix: &Path) -> OsString {
    let users = std::fs::read_dir(prefix.join("drive_c/users")).expect("users");
    let mut names = users.map(|entry| entry.expect("an entry").file_name());
    names.find(|name| name != "Public").expect("a user")
}

/// The path here of a file that a Windows program names.
pub fn unix_path(home: &Path, path: &str) -> PathBuf {
    let drive = path[..2].to_lowercase();
    let devices = home.join(PREFIX).join("dosdevices");
    devices
        .join(drive)
        .join(path[2..].replace('\\', "/").trim_start_matches('/'))
}

/// Ends Wine's server of a home, and every program that it still has.
pub fn end(home: &Path) {
    let prefix = home.join(PREFIX);
    if prefix.exists() {
        let mut server = Command::new(first_there(SERVERS));
        // Where none runs, it says so.
        let _ = server.arg("-k").env("WINEPREFIX", prefix).output();
    }
}
