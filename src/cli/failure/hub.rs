//! The hub's errors: its process, its addresses, its certificate.

use crate::cli::failure::{Exit, Failure};
use crate::hub_process::HubProcessError;
use crate::listen::ListenError;
use crate::tls::TlsError;

impl From<HubProcessError> for Failure {
    fn from(error: HubProcessError) -> Self {
        let message = error.to_string();
        match error {
            HubProcessError::Died { status, log } => Failure::new(
                Exit::NotReady,
                "hubDied",
                format!("the hub ended at once ({status})"),
            )
            .why(format!("its last lines:\n{log}")),
            HubProcessError::NotReady { within, error, log } => Failure::new(
                Exit::NotReady,
                "hubNotReady",
                format!("no client could connect to the hub within {within:?}"),
            )
            .why(format!("{error}; its last lines:\n{log}"))
            .fix("allow more time with --timeout"),
            _ => Failure::new(Exit::Failed, "hubProcess", message),
        }
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Bind { url, port, error }
                if error.kind() == std::io::ErrorKind::AddrInUse =>
            {
                let holder = crate::containers::ports::holder(port);
                let why = holder.map_or_else(
                    || error.to_string(),
                    |holder| format!("port {port} is used by {holder}"),
                );
                Failure::new(
                    Exit::Failed,
                    "portInUse",
                    format!("the hub cannot listen on {url}"),
                )
                .why(why)
                .fix("stop that program, or choose another address with --urls or --hub-url")
            }
            ListenError::Bind { url, error, .. } => Failure::new(
                Exit::Failed,
                "bind",
                format!("the hub cannot listen on {url}"),
            )
            .why(error.to_string())
            .fix("choose another address with --urls or --hub-url"),
            ListenError::Url(..) => {
                Failure::new(Exit::SettingsInvalid, "settingsInvalid", error.to_string())
            }
        }
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Failure::new(
            Exit::SettingsInvalid,
            "certificate",
            "cannot use the hub's certificate",
        )
        .why(error.to_string())
        .fix("correct Kestrel:Certificates:Default, or remove it to use a development certificate")
    }
}
