//! A client's first message: which protocol it speaks, and whether it may come back (protocol.md,
//! "Handshake").

use super::{Connection, Ending, Phase};
use crate::signalr::clients::Asking;
use crate::signalr::frame;
use crate::signalr::hub::Hub;
use crate::signalr::protocol::{HIGHEST_VERSION, Handshake, Protocol, ProtocolError, json};
use crate::signalr::resume::Resume;
use crate::signalr::transport_type::TransportType;
use tokio::time::Instant;

impl<H: Hub> Connection<H> {
    pub(super) fn cancel_handshake(&self) -> Ending {
        self.refuse("Handshake was canceled.");
        Ending::Refused
    }

    /// Handshakes are answered in JSON, whatever they ask for.
    fn refuse(&self, error: &str) {
        self.push_control(frame::text_frame(&json::handshake_refused(error)).into());
    }

    /// Takes the client's handshake, answers it, and begins to announce the client.
    pub(super) fn shake_hands(&mut self, message: &[u8]) -> Result<(), Ending> {
        let options = &self.server.options;
        let binary = self.transport != TransportType::ServerSentEvents;
        let handshake = match Handshake::read(message, &options.protocols, binary) {
            Ok(handshake) => handshake,
            Err((error, detail)) => {
                tracing::debug!(connection = &*self.client.id, error, "handshake refused");
                let detail = detail.filter(|_| options.detailed_errors);
                let detail = detail.map(|detail| detail_of(&detail, message));
                self.refuse(&(error + &detail.unwrap_or_default()));
                return Err(Ending::Refused);
            }
        };
        let frame = match handshake.protocol {
            Protocol::Json => frame::text_frame(json::HANDSHAKE_ACCEPTED),
            Protocol::MessagePack => frame::binary_frame(json::HANDSHAKE_ACCEPTED),
        };
        self.client.set_protocol(handshake.protocol);
        self.push_control(frame.into());
        let now = Instant::now();
        match (&self.way_back, options.resume, handshake.version) {
            (Some(_), Some(limit), HIGHEST_VERSION) => {
                self.client.outbox.keep_for_replay(limit);
                self.resume = Some(Box::new(Resume::new(now)));
            }
            (Some(way_back), _, _) => way_back.close(),
            (None, _, _) => {}
        }
        self.client.set_ready(true);
        self.visitor
            .admitted
            .iter()
            .for_each(|admitted| admitted.opened());
        self.next_ping = now + self.server.options.keep_alive;
        let (caller, client, server) = (
            self.caller(Asking::Nobody),
            self.client.clone(),
            self.server.clone(),
        );
        self.phase = Phase::Connecting(Box::pin(async move {
            if let Err(error) = server.clients.connected(&client).await {
                tracing::warn!(connection = &*client.id, %error, "a connection could not be announced to the backplane");
                return Err(Ending::Unreachable);
            }
            match server.hub.connected(&caller) {
                Some(connected) => connected.await.map_err(|error| {
                    tracing::warn!(connection = &*client.id, %error, "the hub refuses a connection");
                    Ending::Unreachable
                }),
                None => Ok(()),
            }
        }));
        Ok(())
    }
}

/// What servers with detailed errors add to a refusal.
fn detail_of(error: &ProtocolError, message: &[u8]) -> String {
    match error {
        // Of a handshake .NET tells what its reader says.
        ProtocolError::Json(error) => {
            format!(" JsonReaderException: {}", error.in_dotnet(message))
        }
        ProtocolError::Missing(_) => {
            let content = String::from_utf8_lossy(message);
            format!(" {}: {error} Message content: {content}", error.exception())
        }
        _ => format!(" {}: {error}", error.exception()),
    }
}
