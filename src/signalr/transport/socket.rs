//! The stream below a WebSocket: a plain TCP socket, shared with the outbox, or TLS.

use crate::socket::ByteStream;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A stream that a connection runs over.
pub enum ClientSocket {
    /// Shared with the outbox, which writes to it directly.
    Plain(Arc<TcpStream>),
    Tls(Box<dyn ByteStream>),
}

impl ClientSocket {
    /// Reads once into `buffer`; 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            ClientSocket::Plain(stream) => loop {
                ready!(stream.poll_read_ready(context))?;
                match stream.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            },
            ClientSocket::Tls(stream) => {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            ClientSocket::Plain(stream) => loop {
                ready!(stream.poll_write_ready(context))?;
                match stream.try_write_vectored(slices) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            },
            ClientSocket::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            ClientSocket::Plain(_) => Poll::Ready(Ok(())),
            ClientSocket::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }
}
