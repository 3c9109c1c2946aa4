//! What Windows does in its own way.

mod access;
pub mod advice;
mod input_mode;
mod process;

pub use access::{
    copy_access, create_file, create_private_file, create_private_folder, is_foreign, other_names,
};
pub use input_mode::{InputMode, has_input, is_followed};
pub use process::{
    Detached, Interruption, kill, kill_with_children, lead_group, spawn_detached, terminate,
};

use socket2::{Domain, Socket, Type};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};

/// Engines' usual pipes, the likeliest first.
const DOCKER_PIPES: [&str; 3] = [
    "//./pipe/docker_engine",
    "//./pipe/dockerDesktopLinuxEngine",
    "//./pipe/podman-machine-default",
];
/// All instances of a pipe are in use: somebody serves it.
const PIPE_BUSY: i32 = 231;
/// Others have the file open, or a part of it locked.
const SHARING_VIOLATION: i32 = 32;
const LOCK_VIOLATION: i32 = 33;
/// How often a file that others hold is tried again: for three seconds together.
const TRIES: u32 = 60;
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Windows has no such limit.
pub fn raise_file_limit() -> io::Result<()> {
    Ok(())
}

/// The paths of the shared libraries that this program has loaded.
pub fn loaded_libraries() -> io::Result<Vec<PathBuf>> {
    Err(io::Error::other(
        "only a program on Linux can become an image",
    ))
}

/// Where programs keep what they remember; `None` where this user has no such place.
pub fn state_folder() -> Option<PathBuf> {
    let given = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    given
        .filter(|path| path.is_absolute())
        .or_else(|| Some(super::home_folder()?.join("AppData").join("Local")))
}

/// The path of a file itself, without links, spelt as people spell it: without `\\?\`.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    dunce::canonicalize(path)
}

/// Puts a file in another's place at once. Editors and virus scanners hold files for moments, in
/// which they cannot be replaced.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let is_held = |error: &io::Error| {
        error.kind() == io::ErrorKind::PermissionDenied
            || matches!(
                error.raw_os_error(),
                Some(SHARING_VIOLATION | LOCK_VIOLATION)
            )
    };
    for _ in 1..TRIES {
        match fs::rename(from, to) {
            Err(error) if is_held(&error) && !is_read_only(to) => std::thread::sleep(TRY_AGAIN),
            result => return result,
        }
    }
    fs::rename(from, to)
}

fn is_read_only(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly())
}

/// Windows writes the names in a folder itself.
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether this user may create files in a folder.
pub fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(format!(".harmony-{}.tmp", std::process::id()));
    let is_made = File::create_new(&probe).is_ok();
    is_made && fs::remove_file(&probe).is_ok()
}

/// Bytes that this user may still write to a folder's disk.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let mut free = 0;
    let folder = folder.to_str();
    process::io_result(winsafe::GetDiskFreeSpaceEx(
        folder,
        Some(&mut free),
        None,
        None,
    ))?;
    Ok(free)
}

/// Where a container engine is, when nobody says so: the likeliest pipe that exists.
pub fn docker_host() -> String {
    let found = DOCKER_PIPES.iter().find(|pipe| open_pipe(pipe).is_ok());
    format!("npipe://{}", found.unwrap_or(&DOCKER_PIPES[0]))
}

/// Knocks at an engine's local pipe; `None` where the address is of another kind.
pub async fn connect(host: &str) -> Option<io::Result<()>> {
    Some(open_pipe(host.strip_prefix("npipe://")?))
}

fn open_pipe(path: &str) -> io::Result<()> {
    let path = OsString::from(path.replace('/', "\\"));
    match File::options().read(true).write(true).open(path) {
        Err(error) if error.raw_os_error() != Some(PIPE_BUSY) => Err(error),
        _ => Ok(()),
    }
}

/// Windows gives a port to nobody else on the same address, without being told.
pub fn prepare_listener(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

/// Windows acknowledges what was read soon enough by itself, and cannot be asked to.
pub fn acknowledge(_stream: &TcpStream) {}

/// Whether an address could not be bound because its port is in use. Ports that Windows reserves
/// for virtual machines answer "permission denied".
pub fn is_port_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

/// Whether a port that could be listened on is somebody's all the same: Windows lets one program
/// listen on an address while another listens on all of them.
pub fn is_shared(port: u16) -> bool {
    // Bound and not listened on, so that the firewall asks nobody.
    let is_held = |domain, address: IpAddr| {
        let bound = Socket::new(domain, Type::STREAM, None)
            .and_then(|socket| socket.bind(&SocketAddr::new(address, port).into()));
        bound.is_err_and(|error| is_port_taken(&error))
    };
    is_held(Domain::IPV4, Ipv4Addr::UNSPECIFIED.into())
        || is_held(Domain::IPV6, Ipv6Addr::UNSPECIFIED.into())
}

/// Lets `dotnet dev-certs` write the certificate that Windows keeps in the user's store as PEM.
pub fn export_dotnet_certificate(pem: &Path) -> bool {
    super::dotnet_certificate_to(pem)
}

/// Connects to a server on this machine by its pipe.
pub async fn connect_local(path: &Path) -> io::Result<NamedPipeClient> {
    ClientOptions::new().open(path)
}
