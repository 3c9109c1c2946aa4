//! The only code that differs between operating systems.
//!
//! `unix` and `windows` offer the same functions; what reads alike on every system stands here.

#[cfg(target_env = "musl")]
mod allocator;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{
    Detached, InputMode, Interruption, acknowledge, advice, canonicalize, connect, connect_local,
    copy_access, create_file, create_private_file, create_private_folder, docker_host,
    export_dotnet_certificate, free_space, has_input, is_followed, is_foreign, is_port_taken,
    is_shared, is_writable, kill, kill_with_children, lead_group, loaded_libraries, other_names,
    prepare_listener, raise_file_limit, replace, spawn_detached, state_folder, sync_folder,
    terminate,
};

use listeners::{Protocol, SocketState};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use sysinfo::System;

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    Owner,
    Everyone,
}

/// The process that listens on a port, as `name (pid 123)`; `None` where the system does not tell.
pub fn port_holder(port: u16) -> Option<String> {
    let listeners = listeners::get_all().ok()?;
    let holder = listeners.into_iter().find(|listener| {
        listener.socket.port() == port
            && listener.protocol == Protocol::TCP
            && listener.state == SocketState::Listen
    })?;
    Some(format!(
        "{} (pid {})",
        holder.process.name, holder.process.pid
    ))
}

/// The operating system and the processor, for people.
pub fn description() -> String {
    let system = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
    format!("{system} {}", System::cpu_arch())
}

pub fn host_name() -> String {
    System::host_name().unwrap_or_default()
}

/// Bytes of memory that programs can still have; `None` where the system does not tell.
pub fn available_memory() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    Some(system.available_memory()).filter(|bytes| *bytes > 0)
}

/// The program that runs. Where the system does not tell, as Linux without `/proc`, it is the path
/// that it was started by.
pub fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe().or_else(|error| {
        let started_by = std::env::args_os().next().map(PathBuf::from);
        let is_own = |path: &PathBuf| path.is_absolute() && path.is_file();
        started_by.filter(is_own).ok_or(error)
    })
}

/// What a child process reads from and writes to, where that is nothing.
pub fn nowhere() -> Stdio {
    if cfg!(unix) && !Path::new("/dev/null").exists() {
        // In an empty container: a pipe whose other end is closed.
        Stdio::piped()
    } else {
        Stdio::null()
    }
}

/// The user's own folder.
pub fn home_folder() -> Option<PathBuf> {
    std::env::home_dir().filter(|folder| !folder.as_os_str().is_empty())
}

/// Has `dotnet dev-certs` write its certificate, and its key beside it; false where there is none.
#[cfg_attr(not(any(windows, target_os = "macos")), allow(dead_code))]
fn dotnet_certificate_to(pem: &Path) -> bool {
    let dev_certs = |arguments: &[&str]| {
        let mut command = Command::new("dotnet");
        command.args(["dev-certs", "https"]).args(arguments);
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    // Exporting would make a certificate where there is none.
    let Some(path) = pem.to_str().filter(|_| dev_certs(&["--check"])) else {
        return false;
    };
    dev_certs(&["--export-path", path, "--format", "Pem", "--no-password"])
}
