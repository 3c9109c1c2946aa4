//! HTTP/1.1 on listeners, with TLS or without it: a site responds to each request, until it is
//! stopped.

use crate::signalr::gate::{Admitted, Gate};
use crate::signalr::paced::Paced;
use crate::signalr::request::{self, MAXIMUM_HEAD};
use crate::signalr::response::{self, HttpResponse};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long accepting pauses after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How long a TLS handshake may take.
const TLS_WITHIN: Duration = Duration::from_secs(10);
/// How HTTP/2 begins where both know of it beforehand, and the refusal that it understands: GOAWAY,
/// since HTTP/1.1 is required.
const HTTP2: [u8; 16] = *b"PRI * HTTP/2.0\r\n";
const GO_AWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13];

/// A bound address, and its certificate where it speaks TLS.
pub struct ServerListener {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
}

/// What responds to requests.
pub trait Site: Send + Sync + 'static {
    /// `secure` is true if the request came over TLS.
    fn respond(
        &self,
        request: Request<Incoming>,
        secure: bool,
    ) -> impl Future<Output = HttpResponse> + Send;
}

/// Serves one listener until `stop`; its connections are tracked, so that they can be waited for.
pub async fn accept(
    listener: ServerListener,
    site: Arc<impl Site>,
    gate: Arc<Gate>,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept_one(&listener.listener) => accepted,
            () = stop.cancelled() => return,
        };
        let Some(admitted) = gate.enter(peer.ip()) else {
            continue;
        };
        // Hub messages are small and wait for nobody.
        let _ = stream.set_nodelay(true);
        connections.spawn(serve_connection(
            stream,
            peer.ip(),
            listener.tls.clone(),
            site.clone(),
            admitted,
            stop.clone(),
        ));
    }
}

/// Accepts one connection. After a failure, as a rule for want of file descriptors, it waits before
/// it tries again, and longer each time.
async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = FIRST_PAUSE;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if pause == FIRST_PAUSE => {
                tracing::warn!(%error, "a connection could not be accepted");
            }
            Err(error) => tracing::debug!(%error, "a connection could not be accepted"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    site: Arc<impl Site>,
    admitted: Arc<Admitted>,
    stop: CancellationToken,
) {
    let (secure, metrics) = (tls.is_some(), admitted.metrics().clone());
    let budget = admitted.gate().budget.clone();
    let respond = move |mut request: Request<Incoming>| {
        // A WebSocket has still to shake hands.
        if !request.headers().contains_key(header::UPGRADE) {
            admitted.opened();
        }
        let gate = admitted.gate();
        let forwarded = gate.proxies.resolve(peer, request.headers());
        let client = if forwarded.address == peer {
            Some(admitted.clone())
        } else {
            gate.enter_forwarded(forwarded.address, &admitted)
        };
        let secure = forwarded.secure.unwrap_or(secure);
        let (site, counted) = (site.clone(), admitted.metrics().clone());
        async move {
            let Some(client) = client else {
                let why = "Too many connections from your address.";
                return response::text(StatusCode::TOO_MANY_REQUESTS, why);
            };
            request.extensions_mut().insert(client);
            if let Err(status) = request::check(&mut request) {
                counted.bad_requests.fetch_add(1, Ordering::Relaxed);
                return response::refused(status);
            }
            site.respond(request, secure).await
        }
    };
    let served = match tls {
        None => match refuse_http2(&stream, &stop).await {
            Ok(()) => serve_http(Paced::new(stream, budget), stop, respond)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
        Some(acceptor) => match tokio::time::timeout(TLS_WITHIN, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(Paced::new(stream, budget), stop, respond)
                .await
                .map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(format!("a TLS handshake failed: {error}")),
            Err(_) => Err("a TLS handshake took too long".into()),
        },
    };
    if let Err(error) = served {
        metrics.bad_requests.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(error, "an HTTP connection ended badly");
    }
}

/// Looks at what comes first; an error where that is HTTP/2, which is told no, or where nothing
/// comes.
async fn refuse_http2(stream: &TcpStream, stop: &CancellationToken) -> io::Result<()> {
    let mut begin = [0; HTTP2.len()];
    let peeked = tokio::select! {
        peeked = tokio::time::timeout(HEAD_WITHIN, stream.peek(&mut begin)) => peeked??,
        () = stop.cancelled() => return Ok(()),
    };
    if begin[..peeked] != HTTP2 {
        return Ok(());
    }
    // A socket that is closed with something unread would take the answer back.
    while matches!(stream.try_read(&mut [0; 1024]), Ok(1..)) {}
    // Small enough for an empty socket to take at once.
    stream.try_write(&GO_AWAY)?;
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "HTTP/2 is not spoken here",
    ))
}

/// Speaks HTTP/1.1 on one connection until it ends, is upgraded, or `stop`.
pub async fn serve_http<S, R, F>(
    stream: S,
    stop: CancellationToken,
    respond: R,
) -> hyper::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    R: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = HttpResponse> + Send + 'static,
{
    let service = service_fn(move |request| {
        let response = respond(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAXIMUM_HEAD);
    let connection = http
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
