//! What clients may call on Harmony's hub (spec: harmony-contract.md 7).

use crate::signalr::protocol::json::bind_strings;
use crate::signalr::{Call, Caller, Hub, HubError, Refusal, Task};

/// Groups that one connection may be in; a browser listens to a board and a handful of cards.
const MAXIMUM_GROUPS: usize = 1000;

/// `SignalRHub`: clients say which boards and cards they want to hear of.
pub struct HarmonyHub;

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
    fn invoke(&self, caller: Caller, call: Call<'_>) -> Result<Task<Result<Vec<u8>, HubError>>, Refusal> {
        let known = METHODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(call.target));
        let (_, method) = *known.ok_or(Refusal::NoSuchMethod)?;
        let [name] = bind_strings::<1>(call.arguments).ok_or(Refusal::Arguments)?;
        Ok(Box::pin(async move {
            let name = name.ok_or_else(|| HubError("the name of a board or card is null".into()))?;
            match method {
                Method::ListenForBoard => join(&caller, &name).await?,
                Method::ListenForCard => join(&caller, &name.to_lowercase()).await?,
                Method::StopListeningForBoard => caller.leave(&name),
                Method::StopListeningForCard => caller.leave(&name.to_lowercase()),
            }
            Ok(b"null".to_vec())
        }))
    }
}

async fn join(caller: &Caller, group: &str) -> Result<(), HubError> {
    if caller.group_count() >= MAXIMUM_GROUPS {
        return Err(HubError(format!("the connection is in {MAXIMUM_GROUPS} groups already")));
    }
    caller.join(group).await
}
