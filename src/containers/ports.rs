//! Ports of this machine: whether one is free, who holds it, and which one is free instead.

use crate::platform;
pub use crate::platform::port_holder as holder;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// What holds a container's ports: the engine on Linux, Docker Desktop, Rancher Desktop, OrbStack,
/// Colima.
const PROXIES: [&str; 7] = [
    "docker-proxy",
    "com.docker",
    "wslrelay",
    "rancher-desktop",
    "host-switch",
    "OrbStack",
    "limactl",
];
const SETTLE: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Whether a server could listen on a port of an address.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    listen(address, port).is_ok()
}

fn listen(address: IpAddr, port: u16) -> io::Result<()> {
    if platform::is_shared(port) {
        return Err(ErrorKind::AddrInUse.into());
    }
    TcpListener::bind(SocketAddr::new(address, port)).map(drop)
}

/// Tries to listen on a port of an address.
pub fn try_listen(address: IpAddr, port: u16) -> Result<(), ErrorKind> {
    listen(address, port).map_err(|error| error.kind())
}

/// A port that nobody listens on, below those that the system lends to outgoing connections: one of
/// these might take it before it is used, or while its server is away.
pub fn free_port() -> std::io::Result<u16> {
    let is_free = |port: &u16| is_free(Ipv4Addr::LOCALHOST.into(), *port);
    let drawn = std::iter::repeat_with(|| 20_000 + (crate::secret::arbitrary() % 10_000) as u16);
    match drawn.take(64).find(is_free) {
        Some(port) => Ok(port),
        None => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port()),
    }
}

/// Waits, for a time, for a port that nobody can be named for any more, or only the engine's own
/// proxy: they are about to let go of it.
pub async fn settle(port: u16) {
    for _ in 0..SETTLE {
        let is_proxy = |holder: String| PROXIES.iter().any(|proxy| holder.starts_with(proxy));
        let leaving = || holder(port).is_none_or(is_proxy);
        if is_free_on_localhost(port) || !leaving() {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether both loopback addresses can be listened on, which is what `localhost` means.
pub fn is_free_on_localhost(port: u16) -> bool {
    let on = |address: IpAddr| match listen(address, port) {
        Ok(()) => true,
        // A machine without IPv6 takes nothing away.
        Err(error) => !platform::is_port_taken(&error),
    };
    on(Ipv4Addr::LOCALHOST.into()) && on(Ipv6Addr::LOCALHOST.into())
}
