//! What clients may call on Harmony's hub (contract.md, "Methods").

use crate::json_web_token::{self, Token};
use crate::secret::Secret;
use crate::signalr::hub::{Admission, Call, Caller, Hub, Refusal, StartedMethod};
use crate::signalr::hub_error::HubError;
use crate::signalr::value::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// `SignalRHub`: clients say which boards and cards they want to hear of.
#[derive(Default)]
pub struct HarmonyHub {
    /// The text that signs users' tokens; without it everybody is welcome, as in Harmony today.
    pub token_secret: Option<Secret>,
}

#[derive(Clone, Copy)]
enum Method {
    ListenForBoard,
    StopListeningForBoard,
    ListenForCard,
    StopListeningForCard,
}

const METHODS: [(&str, Method); 4] = [
    ("ListenForBoardEvents", Method::ListenForBoard),
    ("StopListeningForBoardEvents", Method::StopListeningForBoard),
    ("ListenForCardEvents", Method::ListenForCard),
    ("StopListeningForCardEvents", Method::StopListeningForCard),
];

impl Hub for HarmonyHub {
    fn admit(&self, token: Option<&str>) -> Admission {
        let Some(secret) = &self.token_secret else {
            return Admission::Welcome;
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        match json_web_token::verify(
            token.unwrap_or_default(),
            secret.reveal(),
            now,
            json_web_token::LEEWAY_SECONDS,
        ) {
            Ok(Token { ends, .. }) => {
                // A century is for ever.
                let left = u64::try_from(ends - now)
                    .unwrap_or_default()
                    .min(100 * 365 * 86_400);
                Admission::Until(Instant::now() + Duration::from_secs(left))
            }
            Err(error) => {
                tracing::debug!(%error, "a token is not taken");
                Admission::Refused
            }
        }
    }

    fn invoke(&self, caller: Caller, call: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        let known = METHODS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(call.target));
        let (name, method) = *known.ok_or(Refusal::NoSuchMethod)?;
        call.target = name;
        let [name] = call.arguments.texts::<1>()?;
        Ok(StartedMethod::Result(Box::pin(async move {
            let name = name.ok_or_else(|| method.null_error())?;
            match method {
                Method::ListenForBoard => caller.join(&name).await?,
                Method::ListenForCard => caller.join(&name.to_lowercase()).await?,
                Method::StopListeningForBoard => caller.leave(&name),
                Method::StopListeningForCard => caller.leave(&name.to_lowercase()),
            }
            Ok(Value::Null)
        })))
    }
}

impl Method {
    /// What .NET says of a null: boards go to `Groups` as they are, cards to `ToLower` first.
    fn null_error(self) -> HubError {
        match self {
            Method::ListenForBoard | Method::StopListeningForBoard => HubError::of(
                "ArgumentNullException",
                "Value cannot be null. (Parameter 'groupName')",
            ),
            Method::ListenForCard | Method::StopListeningForCard => HubError::of(
                "NullReferenceException",
                "Object reference not set to an instance of an object.",
            ),
        }
    }
}
