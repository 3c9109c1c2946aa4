//! A second application on the engine, for other people's suites: the hubs that the official
//! TypeScript client's functional tests and pysignalr's want, and the methods of the reference hub.
//!
//! `cargo run --release --example conformance -- --urls
//! "http://127.0.0.1:5000;https://127.0.0.1:5001"`. With `RedisConnectionString` set, `/signalRHub`
//! shares its backplane with hubs of either kind.

#![allow(clippy::print_stdout)] // the suites wait for the lines that Kestrel prints

mod reference;
mod site;
mod test_hub;
mod weather;

use harmony::listen::ListenUrl;
use harmony::platform;
use harmony::signalr::budget::MemoryBudget;
use harmony::signalr::forwarded::Proxies;
use harmony::signalr::gate::{Gate, GateLimits};
use harmony::signalr::options::Options;
use harmony::signalr::serve::{self, ServerListener};
use harmony::tls;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tls::install_provider();
    let mut arguments = std::env::args().skip(1);
    let mut urls = "http://127.0.0.1:5000".to_owned();
    while let Some(argument) = arguments.next() {
        match (argument.strip_prefix("--urls="), argument.as_str()) {
            (Some(given), _) => urls = given.to_owned(),
            (None, "--urls") => urls = arguments.next().ok_or("--urls needs a value")?,
            _ => return Err(format!("'{argument}' is not known; --urls URLS is").into()),
        }
    }
    let site = Arc::new(site::Conformance::new(
        std::env::var("RedisConnectionString").ok().as_deref(),
    )?);
    let gate = Gate::new(
        Proxies::default(),
        GateLimits::default(),
        Arc::default(),
        Arc::new(MemoryBudget::new(Options::default().held_bytes)),
    );
    let (serving, connections) = (CancellationToken::new(), TaskTracker::new());
    let mut acceptor = None;
    for url in ListenUrl::parse_list(&urls)? {
        if url.tls && acceptor.is_none() {
            let home = platform::home_folder();
            let kept = std::env::temp_dir().join("harmony-conformance");
            acceptor = Some(tls::acceptor(
                &tls::development_certificate(home.as_deref(), &kept)?.source,
            )?);
        }
        let bound = url.bind()?;
        println!("Now listening on: {}", url.announced(&bound));
        for listener in bound {
            let listener = ServerListener {
                listener,
                tls: acceptor.clone().filter(|_| url.tls),
            };
            connections.spawn(serve::accept(
                listener,
                site.clone(),
                gate.clone(),
                serving.clone(),
                connections.clone(),
            ));
        }
    }
    println!("Application started. Press Ctrl+C to shut down.");
    platform::Interruption::listen()?.asked().await;
    serving.cancel();
    site.stop(Instant::now() + Duration::from_secs(5)).await;
    Ok(())
}
