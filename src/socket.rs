//! Sockets to servers: plain, with TLS, of this machine, or through an HTTP proxy.

use crate::connection_string::Endpoint;
use crate::platform;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// A proxy's response ends here, whatever it still says.
const RESPONSE_BYTES: usize = 8 << 10;

/// A stream of bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// What may be read before it is acknowledged.
const ACKNOWLEDGED_EVERY: usize = 16 << 10;

/// A connection whose server never waits for an acknowledgement.
///
/// The system lets one wait for up to 40 ms, in the hope of something to send along. Over loopback,
/// where a segment has 64 KB, one or two fill the window, and the server sends nothing meanwhile.
struct PromptStream {
    stream: TcpStream,
    unacknowledged: usize,
}

impl AsyncRead for PromptStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.unacknowledged += buffer.filled().len() - before;
        if self.unacknowledged >= ACKNOWLEDGED_EVERY {
            platform::acknowledge(&self.stream);
            self.unacknowledged = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PromptStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Connects to a server, by a proxy where one is named; a Unix socket needs none.
pub async fn connect(
    endpoint: &Endpoint,
    proxy: Option<&Endpoint>,
) -> io::Result<Box<dyn ByteStream>> {
    if let Some(path) = endpoint.socket_path() {
        return Ok(Box::new(platform::connect_local(path).await?));
    }
    let next = proxy.unwrap_or(endpoint);
    let mut stream = connect_tcp(&next.host, next.port).await?;
    stream.set_nodelay(true)?;
    if proxy.is_some() {
        ask_proxy(&mut stream, endpoint).await?;
    }
    Ok(Box::new(PromptStream {
        stream,
        unacknowledged: 0,
    }))
}

/// Connects to a port of a host. `localhost` is this machine, also where neither file nor server of
/// names says so.
pub async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    if !host.eq_ignore_ascii_case("localhost") {
        return TcpStream::connect((host, port)).await;
    }
    let own: [SocketAddr; 2] = [
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ];
    TcpStream::connect(own.as_slice()).await
}

/// Asks an HTTP proxy for a way to a server, which it also looks up.
async fn ask_proxy(stream: &mut TcpStream, endpoint: &Endpoint) -> io::Result<()> {
    let request = format!("CONNECT {endpoint} HTTP/1.1\r\nHost: {endpoint}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // Byte by byte, since what follows is the server's.
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        if response.len() == RESPONSE_BYTES {
            return Err(io::Error::other("the proxy does not speak HTTP"));
        }
        response.push(stream.read_u8().await?);
    }
    let response = String::from_utf8_lossy(&response);
    let status = response.split_whitespace().nth(1).unwrap_or_default();
    if !(response.starts_with("HTTP/1.") && status.starts_with('2')) {
        let line = response.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!("the proxy refuses: {line}")));
    }
    Ok(())
}
