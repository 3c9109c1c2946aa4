//! The methods of the reference hub (`refhub`), so that its recordings can be replayed.

use crate::test_hub::answer;
use harmony::signalr::clients::Audience;
use harmony::signalr::hub::{Call, Caller, Hub, Refusal, Started};
use harmony::signalr::hub_error::HubError;
use harmony::signalr::value::Value;

pub struct ReferenceHub;

fn texts<const N: usize>(call: &Call<'_>) -> Result<[Option<String>; N], Refusal> {
    call.arguments.texts::<N>().ok_or(Refusal::Arguments)
}

/// A name that must be there; null is bound, and then fails.
fn name(text: Option<String>) -> Result<String, HubError> {
    text.ok_or_else(|| HubError::of("ArgumentNullException", "a name is null"))
}

fn sent(
    caller: Caller,
    audience: Audience,
    target: Option<String>,
    text: Option<String>,
) -> Started {
    answer(async move {
        let argument = text.map_or(Value::Null, Value::Text);
        caller
            .clients
            .send(audience, &name(target)?, &[argument])
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
    fn invoke(&self, caller: Caller, call: &mut Call<'_>) -> Result<Started, Refusal> {
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
                    let group = name(group)?;
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
                call.arguments.arguments::<0>().ok_or(Refusal::Arguments)?;
                let id = own();
                Ok(answer(async move { Ok(Value::Text(id)) }))
            }
            "SendAll" => {
                let [target, text] = texts(call)?;
                Ok(sent(caller, Audience::All, target, text))
            }
            "SendOthers" => {
                let ([target, text], others) = (texts(call)?, Audience::AllExcept(vec![own()]));
                Ok(sent(caller, others, target, text))
            }
            "SendGroup" => {
                let [group, target, text] = texts(call)?;
                Ok(sent(
                    caller,
                    Audience::Group(group.unwrap_or_default()),
                    target,
                    text,
                ))
            }
            "SendGroupExceptMe" => {
                let [group, target, text] = texts(call)?;
                let except = Audience::GroupExcept(group.unwrap_or_default(), vec![own()]);
                Ok(sent(caller, except, target, text))
            }
            "SendConnection" => {
                let [id, target, text] = texts(call)?;
                Ok(sent(
                    caller,
                    Audience::Connection(id.unwrap_or_default()),
                    target,
                    text,
                ))
            }
            method @ ("AddOther" | "RemoveOther") => {
                let [id, group] = texts(call)?;
                let add = method == "AddOther";
                Ok(answer(async move {
                    let (id, group) = (name(id)?, name(group)?);
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
                    caller
                        .clients
                        .invoke(
                            &name(id)?,
                            "Ask",
                            &[question.map_or(Value::Null, Value::Text)],
                        )
                        .await
                }))
            }
            _ => Err(Refusal::NoSuchMethod),
        }
    }
}
