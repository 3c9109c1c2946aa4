//! The hubs of the TypeScript client's functional tests, and its raw echo.

use crate::site::token_secret;
use futures_util::{StreamExt, stream};
use harmony::json_web_token;
use harmony::signalr::clients::Audience;
use harmony::signalr::hub::{Admission, Call, Caller, Hub, RawHandler, Refusal, StartedMethod};
use harmony::signalr::hub_error::HubError;
use harmony::signalr::streams::Items;
use harmony::signalr::value::{TIMESTAMP, Value};
use std::time::{SystemTime, UNIX_EPOCH};

pub struct TestHub;

/// The same echo for clients that bring a token.
pub struct AuthorizedHub;

/// No protocol at all: what comes goes back.
pub struct EchoConnection;

impl Hub for EchoConnection {
    fn invoke(&self, _: Caller, _: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        Err(Refusal::NoSuchMethod)
    }

    fn raw(&self) -> Option<RawHandler> {
        Some(<[u8]>::to_vec)
    }
}

impl Hub for AuthorizedHub {
    fn invoke(&self, _: Caller, call: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        if !call.target.eq_ignore_ascii_case("Echo") {
            return Err(Refusal::NoSuchMethod);
        }
        let [text] = call.arguments.arguments::<1>()?;
        Ok(answer(async move { Ok(text) }))
    }

    fn admit(&self, token: Option<&str>) -> Admission {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        match json_web_token::verify(
            token.unwrap_or_default(),
            token_secret(),
            now,
            json_web_token::LEEWAY_SECONDS,
        ) {
            Ok(_) => Admission::Welcome,
            Err(_) => Admission::Refused,
        }
    }
}

pub fn answer(
    task: impl Future<Output = Result<Value, HubError>> + Send + 'static,
) -> StartedMethod {
    StartedMethod::Result(Box::pin(task))
}

fn text(arguments: &Call<'_>) -> Result<String, Refusal> {
    let [text] = arguments.arguments.texts::<1>()?;
    Ok(text.unwrap_or_default())
}

fn nothing(call: &Call<'_>) -> Result<(), Refusal> {
    call.arguments
        .arguments::<0>()
        .map(drop)
        .map_err(Refusal::from)
}

impl Hub for TestHub {
    fn keeps_requests(&self) -> bool {
        true
    }

    fn invoke(&self, caller: Caller, call: &mut Call<'_>) -> Result<StartedMethod, Refusal> {
        match call.target.to_ascii_lowercase().as_str() {
            "echo" | "echocomplexobject" => {
                let [value] = call.arguments.arguments::<1>()?;
                Ok(answer(async move { Ok(value) }))
            }
            "getcallerconnectionid" => nothing(call).map(|()| said(caller.id().into())),
            "getactivetransportname" => {
                nothing(call).map(|()| said(caller.transport.name().into()))
            }
            "getcontenttypeheader" => nothing(call).map(|()| said(header(&caller, "content-type"))),
            "getheader" => Ok(said(header(&caller, &text(call)?))),
            "getcookie" => Ok(said(cookie(&caller, &text(call)?))),
            "getnumredirects" => {
                let query = caller
                    .request
                    .as_ref()
                    .map(|request| request.query.clone())
                    .unwrap_or_default();
                let number = url::form_urlencoded::parse(query.as_bytes())
                    .find(|(name, _)| name == "numRedirects")
                    .and_then(|(_, value)| value.parse().ok());
                Ok(said(number.map_or(Value::Null, Value::Integer)))
            }
            // Asks the caller, whose answer may need further calls.
            "ask" => {
                let argument = call.arguments.arguments::<1>()?;
                Ok(answer(async move {
                    let id = caller.id().to_owned();
                    caller.clients.invoke(&id, "Question", &argument).await
                }))
            }
            // Runs until the connection ends, and longer.
            "block" => nothing(call).map(|()| answer(std::future::pending())),
            "abort" => nothing(call).map(|()| {
                caller.abort();
                said(Value::Null)
            }),
            "throwexception" => {
                let message = text(call)?;
                Ok(answer(async move {
                    Err(HubError::of("InvalidOperationException", message))
                }))
            }
            "invokewithstring" => told(caller, "Message", call),
            "sendcustomobject" => told(caller, "CustomObject", call),
            "sendcomplexobject" => nothing(call).map(|()| said(complex())),
            "stream" => nothing(call)
                .map(|()| StartedMethod::Stream(items(["a", "b", "c"].map(Value::from)))),
            "emptystream" => nothing(call).map(|()| StartedMethod::Stream(items([]))),
            "infinitestream" => nothing(call).map(|()| StartedMethod::Stream(endless(caller))),
            "streamthrowexception" => Err(Refusal::Failed(HubError::of(
                "InvalidOperationException",
                text(call)?,
            ))),
            // Tells another client how the caller's stream ends.
            "reportupload" => {
                let other = text(call)?;
                let [mut upload] = call.uploads::<1>()?;
                Ok(answer(async move {
                    let mut end = "complete".to_owned();
                    while let Some(item) = upload.next().await {
                        if let Err(error) = item {
                            end = error.to_string();
                        }
                    }
                    let clients = &caller.clients;
                    let told = [Value::Text(end)];
                    clients
                        .send(Audience::Connection(other), "UploadEnded", &told)
                        .await?;
                    Ok(Value::Null)
                }))
            }
            "streamingconcat" => {
                let [mut upload] = call.uploads::<1>()?;
                Ok(answer(async move {
                    let mut whole = String::new();
                    while let Some(item) = upload.next().await {
                        whole.push_str(item?.as_text().unwrap_or_default());
                    }
                    Ok(Value::Text(whole))
                }))
            }
            _ => Err(Refusal::NoSuchMethod),
        }
    }
}

fn said(value: Value) -> StartedMethod {
    answer(async move { Ok(value) })
}

/// Sends the one argument to the caller, under another name.
fn told(caller: Caller, target: &'static str, call: &Call<'_>) -> Result<StartedMethod, Refusal> {
    let argument = call.arguments.arguments::<1>()?;
    Ok(answer(async move {
        caller
            .clients
            .send(
                Audience::Connection(caller.id().to_owned()),
                target,
                &argument,
            )
            .await?;
        Ok(Value::Null)
    }))
}

fn items<const N: usize>(values: [Value; N]) -> Items {
    stream::iter(values.map(Ok)).boxed()
}

/// Sends nothing until it is cancelled, and then says so.
fn endless(caller: Caller) -> Items {
    struct Farewell(Caller);
    impl Drop for Farewell {
        fn drop(&mut self) {
            let caller = self.0.clone();
            tokio::spawn(async move {
                caller
                    .clients
                    .send(
                        Audience::Connection(caller.id().to_owned()),
                        "StreamCanceled",
                        &[],
                    )
                    .await
            });
        }
    }
    let farewell = Farewell(caller);
    stream::poll_fn(move |_| {
        let _ = &farewell;
        std::task::Poll::Pending
    })
    .boxed()
}

fn header(caller: &Caller, name: &str) -> Value {
    let value = caller
        .request
        .as_ref()
        .and_then(|request| request.headers.get(name)?.to_str().ok().map(str::to_owned));
    value.map_or(Value::Null, Value::Text)
}

fn cookie(caller: &Caller, name: &str) -> Value {
    let Value::Text(cookies) = header(caller, "cookie") else {
        return Value::Null;
    };
    let found = cookies
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(known, _)| *known == name);
    found.map_or(Value::Null, |(_, value)| Value::Text(value.to_owned()))
}

fn complex() -> Value {
    Value::Object(vec![
        ("String", "hello world".into()),
        (
            "IntArray",
            Value::Array([1, 2, 3].map(Value::Integer).to_vec()),
        ),
        ("ByteArray", Value::Binary(vec![1, 2, 3])),
        // 2000-01-01T00:00:00Z
        (
            "DateTime",
            Value::Extension(TIMESTAMP, 946_684_800_u32.to_be_bytes().to_vec()),
        ),
        ("Guid", "00010203-0405-0607-0706-050403020100".into()),
    ])
}
