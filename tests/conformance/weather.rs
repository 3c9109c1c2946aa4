//! The hub that pysignalr's live tests want.

use crate::test_hub::answer;
use futures_util::{StreamExt, stream};
use harmony::signalr::clients::Audience;
use harmony::signalr::hub::{Call, Caller, Hub, Refusal, StartedMethod};
use harmony::signalr::hub_error::HubError;
use harmony::signalr::protocol::BindingError;
use harmony::signalr::value::Value;
use std::time::Duration;

pub struct WeatherHub;

fn texts<const N: usize>(call: &Call<'_>) -> Result<[String; N], Refusal> {
    Ok(call.arguments.texts::<N>()?.map(Option::unwrap_or_default))
}

fn sent(
    caller: Caller,
    audience: Audience,
    target: &'static str,
    arguments: Vec<Value>,
) -> StartedMethod {
    answer(async move {
        caller.clients.send(audience, target, &arguments).await?;
        Ok(Value::Null)
    })
}

impl Hub for WeatherHub {
    fn invoke(&self, caller: Caller, call: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        match call.target.to_ascii_lowercase().as_str() {
            "sendmessage" => {
                let arguments = texts::<2>(call)?.map(Value::Text).to_vec();
                Ok(sent(caller, Audience::All, "ReceiveMessage", arguments))
            }
            "sendweatherforecast" => {
                let arguments = texts::<1>(call)?.map(Value::Text).to_vec();
                Ok(sent(
                    caller,
                    Audience::All,
                    "ReceiveWeatherForecast",
                    arguments,
                ))
            }
            "sendmessagetogroup" => {
                let [group, user, message] = texts::<3>(call)?;
                Ok(sent(
                    caller,
                    Audience::Group(group),
                    "ReceiveMessage",
                    vec![Value::Text(user), Value::Text(message)],
                ))
            }
            "addtogroup" => {
                let [group] = texts::<1>(call)?;
                Ok(answer(async move {
                    caller.join(&group).await?;
                    let text = format!("{} has joined the group {group}.", caller.id());
                    caller
                        .clients
                        .send(
                            Audience::Group(group),
                            "ReceiveMessage",
                            &["System".into(), Value::Text(text)],
                        )
                        .await?;
                    Ok(Value::Null)
                }))
            }
            "removefromgroup" => {
                let [group] = texts::<1>(call)?;
                Ok(answer(async move {
                    caller.leave(&group);
                    let text = format!("{} has left the group {group}.", caller.id());
                    caller
                        .clients
                        .send(
                            Audience::Group(group),
                            "ReceiveMessage",
                            &["System".into(), Value::Text(text)],
                        )
                        .await?;
                    Ok(Value::Null)
                }))
            }
            "triggerresultrequired" => {
                let arguments = texts::<2>(call)?.map(Value::Text).to_vec();
                Ok(answer(async move {
                    let reply = caller
                        .clients
                        .invoke(
                            caller.id(),
                            "ResultRequired",
                            &["Reply this message".into()],
                        )
                        .await?;
                    if reply.as_text() == Some("Reply message") {
                        caller
                            .clients
                            .send(
                                Audience::Connection(caller.id().to_owned()),
                                "SuccessReceivedMessage",
                                &arguments,
                            )
                            .await?;
                    }
                    Ok(Value::Null)
                }))
            }
            "countdown" => {
                let [count] = call.arguments.arguments::<1>()?;
                let count = count
                    .as_integer()
                    .ok_or(Refusal::Arguments(BindingError::Types))?;
                let items = stream::iter((1..=count).rev()).then(|number| async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    Ok(Value::Integer(number))
                });
                Ok(StartedMethod::Stream(items.boxed()))
            }
            "uploadstream" => {
                let [mut upload] = call.uploads::<1>()?;
                Ok(answer(async move {
                    let mut sum = 0;
                    while let Some(item) = upload.next().await {
                        sum += item?
                            .as_integer()
                            .ok_or_else(|| HubError::new("an item that is no number"))?;
                    }
                    caller
                        .clients
                        .send(
                            Audience::Connection(caller.id().to_owned()),
                            "UploadComplete",
                            &[Value::Integer(sum)],
                        )
                        .await?;
                    Ok(Value::Null)
                }))
            }
            "echo" => {
                let [text] = texts::<1>(call)?;
                Ok(answer(async move { Ok(Value::Text(text)) }))
            }
            "fail" => {
                let [reason] = texts::<1>(call)?;
                Ok(answer(async move { Err(HubError::shown(reason)) }))
            }
            _ => Err(Refusal::NoSuchMethod),
        }
    }
}
