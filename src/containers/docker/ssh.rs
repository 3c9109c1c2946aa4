//! An engine behind `ssh`: each connection is `ssh … docker system dial-stdio`, as Docker's own
//! command line makes it, so that keys, agents and `~/.ssh/config` count as they do there.

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use url::Url;

/// Of what `ssh` says before it gives up.
const LONGEST_REASON: usize = 4096;

/// Docker's API through `ssh`; connects with the first request.
pub(super) fn client(host: &str, seconds: u64) -> Result<Docker, Error> {
    let connector = SshConnector {
        arguments: arguments(&Url::parse(host)?).into(),
    };
    let client: Client<_, _> = Client::builder(TokioExecutor::new()).build(connector);
    let transport = move |request: BollardRequest| {
        let client = client.clone();
        Box::pin(async move { Ok(client.request(request).await?) })
    };
    // The address is only for the request's URI: the connection is the program's.
    let address = Some("http://docker.example.com");
    Docker::connect_with_custom_transport(transport, address, seconds, API_DEFAULT_VERSION)
}

/// What `ssh` is given for `ssh://user@host:port/socket`.
fn arguments(url: &Url) -> Vec<String> {
    // Nobody can answer a question: the terminal is ours, and scripts have none.
    let mut arguments = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-T"]
        .map(str::to_owned)
        .to_vec();
    if !url.username().is_empty() {
        arguments.extend(["-l".to_owned(), url.username().to_owned()]);
    }
    if let Some(port) = url.port() {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    arguments.extend(["--", host, "docker"].map(str::to_owned));
    if !url.path().trim_matches('/').is_empty() {
        arguments.extend(["--host".to_owned(), format!("unix://{}", url.path())]);
    }
    arguments.extend(["system", "dial-stdio"].map(str::to_owned));
    arguments
}

#[derive(Clone)]
struct SshConnector {
    arguments: Arc<[String]>,
}

impl tower_service::Service<hyper::Uri> for SshConnector {
    type Response = TokioIo<SshStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: hyper::Uri) -> Self::Future {
        let arguments = Arc::clone(&self.arguments);
        Box::pin(async move { Ok(TokioIo::new(SshStream::start(&arguments)?)) })
    }
}

/// A running `ssh` as a connection.
struct SshStream {
    output: ChildStdout,
    input: ChildStdin,
    errors: ChildStderr,
    /// What it said so far without ever answering.
    reason: Vec<u8>,
    answered: bool,
    /// Ended with the connection.
    _program: Child,
}

impl SshStream {
    fn start(arguments: &[String]) -> io::Result<Self> {
        let program = Command::new("ssh")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut program = program
            .map_err(|error| io::Error::new(error.kind(), format!("cannot run ssh: {error}")))?;
        let missing = || io::Error::other("ssh has no pipes");
        Ok(SshStream {
            output: program.stdout.take().ok_or_else(missing)?,
            input: program.stdin.take().ok_or_else(missing)?,
            errors: program.stderr.take().ok_or_else(missing)?,
            reason: Vec::new(),
            answered: false,
            _program: program,
        })
    }

    /// Why it ended without an answer, once it has said all.
    fn poll_reason(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut space = [0; 512];
        while self.reason.len() < LONGEST_REASON {
            let mut read = ReadBuf::new(&mut space);
            let result = ready!(Pin::new(&mut self.errors).poll_read(cx, &mut read));
            if result.is_err() || read.filled().is_empty() {
                break;
            }
            self.reason.extend_from_slice(read.filled());
        }
        let reason = String::from_utf8_lossy(&self.reason);
        let reason = reason.trim();
        Poll::Ready(io::Error::other(if reason.is_empty() {
            "ssh ended without a word".to_owned()
        } else {
            format!("ssh: {}", reason.replace(['\r', '\n'], " "))
        }))
    }
}

impl AsyncRead for SshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(cx, buffer))?;
        self.answered |= buffer.filled().len() > before;
        if self.answered {
            return Poll::Ready(Ok(()));
        }
        self.poll_reason(cx).map(Err)
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(Pin::new(&mut self.input).poll_write(cx, bytes)) {
            // It has ended; reading tells why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !self.answered => {
                self.poll_reason(cx).map(Err)
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}

impl Connection for SshStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
