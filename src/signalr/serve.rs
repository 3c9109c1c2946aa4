//! HTTP/1.1 on listeners, with TLS or without: each request is answered by a site, until it is stopped.

use crate::signalr::answer::Answer;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const TLS_WITHIN: Duration = Duration::from_secs(10);
/// A request's head at most.
const MAXIMUM_HEAD: usize = 32 << 10;

/// A bound address, and its certificate where it speaks TLS.
pub struct Listener {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
}

/// What answers requests.
pub trait Site: Send + Sync + 'static {
    /// `secure` where the request came by TLS.
    fn answer(&self, request: Request<Incoming>, secure: bool) -> impl Future<Output = Answer> + Send;
}

/// Serves one listener until `stop`; its connections are tracked, so that they can be waited for.
pub async fn accept(listener: Listener, site: Arc<impl Site>, stop: CancellationToken, connections: TaskTracker) {
    loop {
        let stream = tokio::select! {
            accepted = listener.listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match stream {
            Ok((stream, _)) => {
                // Hub messages are small and wait for nobody.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve_connection(stream, listener.tls.clone(), site.clone(), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, as a rule: the listener stays, and tries again shortly.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, tls: Option<TlsAcceptor>, site: Arc<impl Site>, stop: CancellationToken) {
    let secure = tls.is_some();
    let answer = move |request| {
        let site = site.clone();
        async move { site.answer(request, secure).await }
    };
    match tls {
        None => serve_http(stream, stop, answer).await,
        Some(acceptor) => match tokio::time::timeout(TLS_WITHIN, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(stream, stop, answer).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

/// Speaks HTTP/1.1 on one connection until it ends, is upgraded, or `stop`.
pub async fn serve_http<S, A, F>(stream: S, stop: CancellationToken, answer: A)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(MAXIMUM_HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}
