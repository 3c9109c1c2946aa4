//! What Linux and macOS do in their own way.

mod access;
pub mod advice;
mod input_mode;

pub use access::{
    copy_access, create_private_file, create_private_folder, is_foreign, other_names,
};
pub use input_mode::{InputMode, has_input, is_followed};

use super::{Readers, nowhere};
use rustix::process::{Pid, Resource, Rlimit, Signal};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::Socket;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use tokio::net::{TcpStream, UnixStream};
use tokio::signal::unix::{SignalKind, signal};

/// Bytes that the system may hold for a connection beside those under way; it takes up to 4 MB
/// otherwise.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 << 10;
/// More than this macOS refuses to a process, whatever its limit says.
#[cfg(target_os = "macos")]
const MOST_FILES: u64 = 10_240;

/// The signals by which this process is asked to end.
pub struct Interruption {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interruption {
    pub fn listen() -> io::Result<Self> {
        Ok(Interruption {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns when the process is asked to end.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A program that outlives the one that started it.
pub struct Detached(Child);

/// Starts a program that outlives this one and its terminal, and shares no open file with it.
pub fn spawn_detached(program: &Path, arguments: &[String]) -> io::Result<Detached> {
    // The program leaves the terminal itself, by `lead_group`.
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(nowhere());
    command.stdout(nowhere()).stderr(nowhere());
    Ok(Detached(command.spawn()?))
}

impl Detached {
    /// How it ended; `None` while it runs.
    pub fn status(&mut self) -> io::Result<Option<String>> {
        Ok(self.0.try_wait()?.map(|status| status.to_string()))
    }

    /// Its number among the system's processes.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn kill_with_children(&mut self) -> io::Result<()> {
        // Its group is not there yet when it was just started.
        let group = kill_with_children(self.0.id());
        self.0.kill()?;
        // Leaves no zombie behind.
        self.0.wait()?;
        group
    }
}

/// Makes this process the head of a group, which `kill_with_children` ends as one.
pub fn lead_group() -> io::Result<()> {
    // Fails where it leads a session already, which is as good.
    let _ = rustix::process::setsid();
    Ok(())
}

fn pid(number: u32) -> io::Result<Pid> {
    i32::try_from(number)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Asks a process to end in an orderly way.
pub fn terminate(number: u32) -> io::Result<()> {
    Ok(rustix::process::kill_process(pid(number)?, Signal::TERM)?)
}

pub fn kill(number: u32) -> io::Result<()> {
    Ok(rustix::process::kill_process(pid(number)?, Signal::KILL)?)
}

/// Kills a process that leads a group, and those that it started.
pub fn kill_with_children(number: u32) -> io::Result<()> {
    Ok(rustix::process::kill_process_group(
        pid(number)?,
        Signal::KILL,
    )?)
}

/// Lets `dotnet dev-certs` write its certificate and key as PEM beside each other, where the system
/// keeps them in a store of its own; false where it has none.
pub fn export_dotnet_certificate(pem: &Path) -> bool {
    cfg!(target_os = "macos") && super::dotnet_certificate_to(pem)
}

/// Each connection is a file: allows as many as may be, as .NET does.
pub fn raise_file_limit() -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let most = limit.maximum;
    #[cfg(target_os = "macos")]
    let most = Some(most.map_or(MOST_FILES, |most| most.min(MOST_FILES)));
    let raised = Rlimit {
        current: most,
        ..limit
    };
    Ok(rustix::process::setrlimit(Resource::Nofile, raised)?)
}

/// The paths of the shared libraries that this program has loaded.
pub fn loaded_libraries() -> io::Result<Vec<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps").map_err(|error| {
        let why = format!("only a program on Linux can become an image ({error})");
        io::Error::new(error.kind(), why)
    })?;
    let mut libraries: Vec<_> = maps.lines().filter_map(mapped_library).collect();
    libraries.sort();
    libraries.dedup();
    Ok(libraries)
}

/// The library in a line of `/proc/self/maps`.
fn mapped_library(line: &str) -> Option<PathBuf> {
    let path = line
        .split_whitespace()
        .nth(5)
        .filter(|path| path.starts_with('/'))?;
    let name = path.rsplit('/').next()?;
    (name.ends_with(".so") || name.contains(".so.")).then(|| path.into())
}

/// Where programs keep what they remember; `None` where this user has no such place.
pub fn state_folder() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let below = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/state"
    };
    given
        .filter(|path| path.is_absolute())
        .or_else(|| Some(super::home_folder()?.join(below)))
}

/// Creates a file, or empties the one that is there.
pub fn create_file(path: &Path, readers: Readers) -> io::Result<File> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o644,
    };
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
}

/// The path of a file itself, without links.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Puts a file in another's place at once.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Makes the names in a folder safe on disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether this user may create files in a folder.
pub fn is_writable(folder: &Path) -> bool {
    folder.is_dir() && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Bytes that this user may still write to a folder's disk.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Where a container engine is, when nobody says so: the likeliest socket that exists.
pub fn docker_host() -> String {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let below = |folder: Option<PathBuf>, names: &[&str]| -> Vec<PathBuf> {
        let paths = |folder: PathBuf| names.iter().map(|name| folder.join(name)).collect();
        folder.map(paths).unwrap_or_default()
    };
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    sockets.extend(below(runtime, &["docker.sock", "podman/podman.sock"]));
    sockets.push("/run/podman/podman.sock".into());
    if cfg!(target_os = "macos") {
        let own = [
            ".docker/run/docker.sock",
            ".orbstack/run/docker.sock",
            ".colima/default/docker.sock",
            ".rd/docker.sock",
        ];
        sockets.extend(below(super::home_folder(), &own));
    }
    let is_open = |path: &&PathBuf| {
        let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
        rustix::fs::access(*path, wanted).is_ok()
    };
    // The system's engine may be closed to a user who has one of their own.
    let usable = sockets.iter().find(is_open);
    let found = usable.or_else(|| sockets.iter().find(|path| path.exists()));
    format!("unix://{}", found.unwrap_or(&sockets[0]).display())
}

/// Knocks at an engine's local socket; `None` where the address is of another kind.
pub async fn connect(host: &str) -> Option<io::Result<()>> {
    let path = host.strip_prefix("unix://")?;
    Some(UnixStream::connect(path).await.map(drop))
}

/// Prepares a socket that will listen.
pub fn prepare_listener(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    // Connections inherit it: what a client does not read waits where it is counted.
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

/// Acknowledges at once what was read of a connection; only Linux can be asked to.
pub fn acknowledge(_stream: &TcpStream) {
    // Without it the acknowledgement merely comes later.
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(_stream).set_tcp_quickack(true);
}

/// Whether an address could not be bound because its port is in use.
pub fn is_port_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Whether a port that could be listened on is somebody's all the same: never here.
pub fn is_shared(_port: u16) -> bool {
    false
}

/// Connects to a server on this machine by the file of its socket.
pub async fn connect_local(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}
