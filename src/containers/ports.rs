//! Ports of this machine: whether one is free, who holds it, and which one is free instead.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

const SETTLE: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Whether a server could listen on a port of an address.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind(SocketAddr::new(address, port)).is_ok()
}

/// A port that nobody listens on, below those that the system lends to outgoing connections: one of these might take
/// it before it is used, or while its server is away.
pub fn free_port() -> std::io::Result<u16> {
    let is_free = |port: &u16| is_free(Ipv4Addr::LOCALHOST.into(), *port);
    let drawn =
        std::iter::repeat_with(|| 20_000 + u16::from_le_bytes(crate::secret::random()) % 10_000);
    match drawn.take(64).find(is_free) {
        Some(port) => Ok(port),
        None => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port()),
    }
}

/// The process that listens on a port, as `name (pid 123)`; `None` where the system does not tell us.
pub fn holder(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| listening_inode(line, port))
                .collect::<Vec<_>>()
        })
        .collect();
    let processes = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    processes
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .find_map(|pid| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
            let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
            let holds = |link: &std::path::Path| {
                inodes
                    .iter()
                    .any(|inode| link.as_os_str() == format!("socket:[{inode}]").as_str())
            };
            links.into_iter().any(|link| holds(&link)).then(|| {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                format!("{} (pid {pid})", name.trim())
            })
        })
}

/// The inode of a listening socket in a line of `/proc/net/tcp`.
fn listening_inode(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (_, hex) = local.rsplit_once(':')?;
    (*state == LISTEN && u16::from_str_radix(hex, 16).ok()? == port).then(|| (*inode).to_owned())
}

/// Waits, for a time, for a port that nobody can be named for any more, or only the engine's own proxy: they are
/// about to let go of it.
pub async fn settle(port: u16) {
    for _ in 0..SETTLE {
        let leaving = || holder(port).is_none_or(|holder| holder.starts_with("docker-proxy"));
        if is_free_on_localhost(port) || !leaving() {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether both loopback addresses can be listened on, which is what `localhost` means.
pub fn is_free_on_localhost(port: u16) -> bool {
    let on = |address: IpAddr| match TcpListener::bind(SocketAddr::new(address, port)) {
        Ok(_) => true,
        // A machine without IPv6 takes nothing away.
        Err(error) => error.kind() != std::io::ErrorKind::AddrInUse,
    };
    on(Ipv4Addr::LOCALHOST.into()) && on(Ipv6Addr::LOCALHOST.into())
}
