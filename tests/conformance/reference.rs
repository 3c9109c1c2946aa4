//! The methods of the reference hub (`refhub`), so that its recordings can be replayed.

use crate::test_hub::answer;
use harmony::signalr::clients::Audience;
use harmony::signalr::hub::{Call, Caller, Hub, Refusal, StartedMethod};
use harmony::signalr::hub_error::HubError;
use harmony::signalr::results::ResultType;
use harmony::signalr::value::Value;

pub struct ReferenceHub;

fn texts<const N: usize>(call: &Call<'_>) -> Result<[Option<String>; N], Refusal> {
    call.arguments.texts::<N>().map_err(Refusal::from)
}

/// An argument that must be there; null is bound, and then fails.
fn required(parameter: &str, text: Option<String>) -> Result<String, HubError> {
    text.ok_or_else(|| {
        let text = format!("Value cannot be null. (Parameter '{parameter}')");
        HubError::of("ArgumentNullException", text)
    })
}

/// The name of a method of clients: neither null nor empty.
fn named(target: Option<String>) -> Result<String, HubError> {
    match required("target", target)? {
        target if target.is_empty() => Err(HubError::of(
            "ArgumentException",
            "The value cannot be an empty string. (Parameter 'target')",
        )),
        target => Ok(target),
    }
}

fn sent(
    caller: Caller,
    audience: Result<Audience, HubError>,
    target: Option<String>,
    text: Option<String>,
) -> StartedMethod {
    answer(async move {
        let audience = audience?;
        let argument = text.map_or(Value::Null, Value::Text);
        caller
            .clients
            .send(audience, &named(target)?, &[argument])
            .await?;
        Ok(Value::Null)
    })
}

const METHODS: [&str; 13] = [
    "ListenForBoardEvents",
    "StopListeningForBoardEvents",
    "ListenForCardEvents",
    "StopListeningForCardEvents",
    "WhoAmI",
    "SendAll",
    "SendOthers",
    "SendGroup",
    "SendGroupExceptMe",
    "SendConnection",
    "AddOther",
    "RemoveOther",
    "AskOther",
];

impl Hub for ReferenceHub {
    fn invoke(&self, caller: Caller, call: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        let own = || caller.id().to_owned();
        call.target = METHODS
            .into_iter()
            .find(|name| name.eq_ignore_ascii_case(call.target))
            .ok_or(Refusal::NoSuchMethod)?;
        match call.target {
            method @ ("ListenForBoardEvents"
            | "StopListeningForBoardEvents"
            | "ListenForCardEvents"
            | "StopListeningForCardEvents") => {
                let [group] = texts(call)?;
                let (join, card) = (method.starts_with("Listen"), method.contains("Card"));
                Ok(answer(async move {
                    let group = match group {
                        None if card => {
                            return Err(HubError::of(
                                "NullReferenceException",
                                "Object reference not set to an instance of an object.",
                            ));
                        }
                        group => required("groupName", group)?,
                    };
                    let group = if card { group.to_lowercase() } else { group };
                    if join {
                        caller.join(&group).await?;
                    } else {
                        caller.leave(&group);
                    }
                    Ok(Value::Null)
                }))
            }
            "WhoAmI" => {
                call.arguments.arguments::<0>()?;
                let id = own();
                Ok(answer(async move { Ok(Value::Text(id)) }))
            }
            "SendAll" => {
                let [target, text] = texts(call)?;
                Ok(sent(caller, Ok(Audience::All), target, text))
            }
            "SendOthers" => {
                let ([target, text], others) = (texts(call)?, Audience::AllExcept(vec![own()]));
                Ok(sent(caller, Ok(others), target, text))
            }
            "SendGroup" => {
                let [group, target, text] = texts(call)?;
                Ok(sent(
                    caller,
                    required("groupName", group).map(Audience::Group),
                    target,
                    text,
                ))
            }
            "SendGroupExceptMe" => {
                let [group, target, text] = texts(call)?;
                let group = required("groupName", group);
                let except = group.map(|group| Audience::GroupExcept(group, vec![own()]));
                Ok(sent(caller, except, target, text))
            }
            "SendConnection" => {
                let [id, target, text] = texts(call)?;
                Ok(sent(
                    caller,
                    required("connectionId", id).map(Audience::Connection),
                    target,
                    text,
                ))
            }
            method @ ("AddOther" | "RemoveOther") => {
                let [id, group] = texts(call)?;
                let add = method == "AddOther";
                Ok(answer(async move {
                    let id = required("connectionId", id)?;
                    let group = required("groupName", group)?;
                    if add {
                        caller.clients.add_to_group(&id, &group).await?
                    } else {
                        caller.clients.remove_from_group(&id, &group).await?
                    }
                    Ok(Value::Null)
                }))
            }
            "AskOther" => {
                let [id, question] = texts(call)?;
                Ok(answer(async move {
                    let id = required("connectionId", id)?;
                    let question = [question.map_or(Value::Null, Value::Text)];
                    let clients = &caller.clients;
                    clients
                        .invoke_for(ResultType::String, &id, "Ask", &question)
                        .await
                }))
            }
            _ => Err(Refusal::NoSuchMethod),
        }
    }
}
