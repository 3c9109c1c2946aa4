//! Ports of this machine: whether one is free, who holds it, and which one is free instead.

pub use crate::platform::port_holder as holder;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

const SETTLE: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Whether a server could listen on a port of an address.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind(SocketAddr::new(address, port)).is_ok()
}

/// Tries to listen on a port of an address.
pub fn try_listen(address: IpAddr, port: u16) -> Result<(), ErrorKind> {
    let listened = TcpListener::bind(SocketAddr::new(address, port));
    listened.map(drop).map_err(|error| error.kind())
}

/// A port that nobody listens on, below those that the system lends to outgoing connections: one of these might take
/// it before it is used, or while its server is away.
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
        Err(error) => !crate::platform::is_port_taken(&error),
    };
    on(Ipv4Addr::LOCALHOST.into()) && on(Ipv6Addr::LOCALHOST.into())
}
