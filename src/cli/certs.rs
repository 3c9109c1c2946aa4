//! `harmony certs`: the development certificate: where it is, and who on this machine trusts it.

mod browsers;

use super::context::{Context, certificates};
use super::failure::{Exit, Failure};
use crate::hex;
use crate::platform::advice;
use crate::tls::development_certificate;
use crate::tls::look::{self, CertificateLook};
use browsers::BrowserStore;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct CertsArguments {
    #[command(subcommand)]
    command: CertsCommand,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum CertsCommand {
    /// Show where the certificate is, until when it is valid, and who trusts it
    Status,
    /// Let the browsers of this user trust it; make it first if there is none
    Trust,
    /// Delete our certificate, also from the browsers of this user
    Clean,
}

/// One place that decides what is trusted.
#[derive(Debug, Serialize)]
struct TrustStore {
    store: String,
    trusted: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateReport {
    path: Option<PathBuf>,
    /// `harmony` or `dotnet`.
    made_by: Option<&'static str>,
    not_after: Option<String>,
    stores: Vec<TrustStore>,
}

impl fmt::Display for CertificateReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(path) = &self.path else {
            return formatter.write_str(
                "No development certificate. 'harmony up' makes one for an https hub URL, \
                 'harmony certs trust' makes and trusts one.",
            );
        };
        write!(formatter, "{}", path.display())?;
        if let Some(not_after) = &self.not_after {
            write!(formatter, "\nvalid until {not_after}")?;
        }
        for TrustStore { store, trusted } in &self.stores {
            let word = if *trusted { "trusted" } else { "NOT trusted" };
            write!(formatter, "\n{word} by {store}")?;
        }
        Ok(())
    }
}

pub fn run(context: &Context, arguments: &CertsArguments) -> Result<(), Failure> {
    match arguments.command {
        CertsCommand::Status => {
            context.terminal.result(&report(context, found(context)?)?);
        }
        CertsCommand::Trust => trust(context)?,
        CertsCommand::Clean => clean(context)?,
    }
    Ok(())
}

/// The certificate that a hub would use; `None` where there is none yet.
fn found(context: &Context) -> Result<Option<CertificateLook>, Failure> {
    let kept = certificates()?;
    Ok(look::development_certificate(
        context.home.as_deref(),
        &kept,
    )?)
}

fn report(context: &Context, found: Option<CertificateLook>) -> Result<CertificateReport, Failure> {
    let Some(found) = found else {
        return Ok(CertificateReport {
            path: None,
            made_by: None,
            not_after: None,
            stores: Vec::new(),
        });
    };
    let mut stores = vec![TrustStore {
        store: advice::TRUST_STORE.to_owned(),
        trusted: look::is_trusted_here(&found),
    }];
    stores.extend(
        browsers::stores(context.home.as_deref())
            .iter()
            .map(|store| TrustStore {
                store: store.to_string(),
                trusted: store.trusts(&found.der),
            }),
    );
    Ok(CertificateReport {
        made_by: Some(if found.by_dotnet { "dotnet" } else { "harmony" }),
        not_after: crate::moment::of_seconds(found.not_after),
        path: Some(found.path),
        stores,
    })
}

/// Who does not trust the development certificate; `None` where there is no certificate yet.
pub fn distrusting(context: &Context) -> Result<Option<Vec<String>>, Failure> {
    let Some(found) = found(context)? else {
        return Ok(None);
    };
    let stores = report(context, Some(found))?.stores.into_iter();
    let distrusting = stores.filter(|store| !store.trusted);
    Ok(Some(distrusting.map(|store| store.store).collect()))
}

/// Lets the browsers of this user trust the certificate.
pub fn trust(context: &Context) -> Result<(), Failure> {
    if context.dry_run {
        context.terminal.result(&report(context, found(context)?)?);
        return Ok(());
    }
    let kept = certificates()?;
    development_certificate(context.home.as_deref(), &kept)?;
    let Some(certificate) = found(context)? else {
        return Err(Failure::new(
            Exit::Failed,
            "certificate",
            "no certificate was made",
        ));
    };
    if certificate.by_dotnet {
        context
            .terminal
            .note("ASP.NET Core made this certificate; it has its own command: dotnet dev-certs https --trust");
    }
    let pem = kept.join("localhost.pem");
    for store in browsers::usable(context.home.as_deref()) {
        store.add(&pem).map_err(|error| unchanged(&store, &error))?;
    }
    let report = report(context, Some(certificate))?;
    if report
        .stores
        .first()
        .is_some_and(|machine| !machine.trusted)
    {
        let command = advice::trust(&pem);
        context
            .terminal
            .note(&format!("For {} run: {command}", advice::TRUST_READERS));
    }
    context.terminal.result(&report);
    Ok(())
}

fn clean(context: &Context) -> Result<(), Failure> {
    if !context.dry_run {
        forget(context)?;
    }
    context.terminal.result(&report(context, found(context)?)?);
    Ok(())
}

/// Deletes our certificate, also from the browsers of this user.
pub fn forget(context: &Context) -> Result<(), Failure> {
    let is_ours_and_trusted = |one: &CertificateLook| !one.by_dotnet && look::is_trusted_here(one);
    let trusted = found(context)?.filter(is_ours_and_trusted);
    for store in browsers::stores(context.home.as_deref()) {
        store.remove();
    }
    let kept = certificates()?;
    for name in ["localhost.pem", "localhost.key"] {
        let path = kept.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("cannot delete {}", path.display());
                return Err(
                    Failure::new(Exit::Failed, "certificate", message).why(error.to_string())
                );
            }
            _ => {}
        }
    }
    if let Some(certificate) = trusted {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate.der);
        let command = advice::distrust(&hex::encode(digest.as_ref()));
        context.terminal.note(&format!(
            "This machine still trusts it; to end that run: {command}"
        ));
    }
    Ok(())
}

fn unchanged(store: &BrowserStore, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "certificateStore",
        format!("cannot change {store}"),
    )
    .why(error.to_string())
    .fix("close the browser and try again; certutil comes with libnss3-tools")
}
