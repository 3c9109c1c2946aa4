//! What every request must be, as Kestrel has it, and how its query and headers are read.

use base64::Engine;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, StatusCode, Uri, Version};

/// A request's line and its head at most, in bytes.
const MAXIMUM_LINE: usize = 8 << 10;
pub const MAXIMUM_HEAD: usize = 32 << 10;
/// What a line has beside the method and the target: two spaces, `HTTP/1.1`, its end.
const REST_OF_LINE: usize = 12;

/// A request's path with percent signs and dots resolved. It is kept beside the target and never
/// written back into it: a resolved question mark would begin a query.
#[derive(Clone)]
struct ResolvedPath(String);

/// The path to match, in lower case and without a slash at its end.
pub fn matched_path<B>(request: &Request<B>) -> String {
    let resolved = request.extensions().get::<ResolvedPath>();
    let path = resolved.map_or(request.uri().path(), |path| &path.0);
    let path = path.to_ascii_lowercase();
    path.strip_suffix('/').unwrap_or(&path).to_owned()
}

/// Checks a request, and resolves its path. An error is the status that it is refused with.
pub fn check<B>(request: &mut Request<B>) -> Result<(), StatusCode> {
    // Kestrel knows methods in any case.
    if let Ok(method) =
        Method::from_bytes(request.method().as_str().to_ascii_uppercase().as_bytes())
        && [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS].contains(&method)
    {
        *request.method_mut() = method;
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or("", PathAndQuery::as_str);
    if request.method().as_str().len() + target.len() + REST_OF_LINE > MAXIMUM_LINE {
        return Err(StatusCode::URI_TOO_LONG);
    }
    let size: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size > MAXIMUM_HEAD {
        // The parser's own limit is that of a buffer which may have grown.
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if request.method() == Method::CONNECT
        || !target.is_ascii()
        || !names_a_host(request.headers(), request.uri(), request.version())
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    let has_length = request.headers().contains_key(header::CONTENT_LENGTH);
    if request.version() < Version::HTTP_11 && request.method() == Method::POST && !has_length {
        return Err(StatusCode::BAD_REQUEST);
    }
    let path = request.uri().path();
    if path.contains('%') || path.contains("/.") {
        let path = resolved(path).ok_or(StatusCode::BAD_REQUEST)?;
        request.extensions_mut().insert(ResolvedPath(path));
    }
    Ok(())
}

/// One `Host` that could be one, and the target's where that names one too; none before 1.1.
fn names_a_host(headers: &HeaderMap, target: &Uri, version: Version) -> bool {
    let mut hosts = headers
        .get_all(header::HOST)
        .iter()
        .map(HeaderValue::as_bytes);
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return version < Version::HTTP_11 && !headers.contains_key(header::HOST);
    };
    let named = target
        .authority()
        .is_none_or(|authority| is_named(target.scheme_str(), authority, host));
    named && is_host(host)
}

/// Whether `Host` is the authority of an absolute target, in lower case; the scheme's own port may
/// be there or not.
fn is_named(scheme: Option<&str>, authority: &Authority, host: &[u8]) -> bool {
    let own_port = match scheme {
        Some("https") => 443,
        _ => 80,
    };
    let name = authority.host().to_ascii_lowercase();
    let port = authority.port_u16().unwrap_or(own_port);
    let with_port = format!("{name}:{port}");
    *host == *with_port.as_bytes() || (port == own_port && *host == *name.as_bytes())
}

/// A name or an address, IPv6 in brackets, and perhaps a port.
fn is_host(host: &[u8]) -> bool {
    let end = if host.first() == Some(&b'[') {
        host.iter()
            .position(|byte| *byte == b']')
            .map_or(0, |end| end + 1)
    } else {
        host.iter()
            .position(|byte| *byte == b':')
            .unwrap_or(host.len())
    };
    let (name, port) = host.split_at(end);
    let valid = match name {
        [b'[', address @ .., b']'] => address
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte)),
        name => name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!$&'()-._~".contains(byte)),
    };
    let numbered =
        matches!(port, [] | [b':', _, ..]) && port.iter().skip(1).all(u8::is_ascii_digit);
    valid && numbered && name.is_empty() == host.is_empty()
}

/// A path without percent signs and dots; `None` where it hides a zero byte. What is no text stays
/// as it came.
fn resolved(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hidden = others
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match hidden {
            Some(0) => return None,
            // A slash that is hidden is not one that parts.
            Some(byte) if byte != b'/' => {
                bytes.push(byte);
                rest = &others[2..];
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Some(path.to_owned());
    };
    let mut segments = Vec::new();
    let last = text.rsplit('/').next();
    for segment in text.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    if matches!(last, Some("." | "..")) {
        segments.push("");
    }
    Some(format!("/{}", segments.join("/")))
}

/// The client's token: `Authorization: Bearer`, else `access_token`, since a browser's WebSocket
/// has no headers.
pub fn bearer_token<B>(request: &Request<B>) -> Option<String> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = header
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    bearer
        .map(|(_, token)| token.trim().to_owned())
        .or_else(|| query(request, "access_token").filter(|token| !token.is_empty()))
}

/// Whether the client wants server-sent events.
pub fn accepts_events<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| {
            accept.to_str().is_ok_and(|accept| {
                accept
                    .split(',')
                    .any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
            })
        })
}

/// A value of the query, several of one name with commas between them; names are matched without
/// regard to case.
pub fn query<B>(request: &Request<B>, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    let values = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    values
        .map(|(_, value)| value.into_owned())
        .reduce(|all, value| format!("{all},{value}"))
}

/// The client's only key, if the request asks for a WebSocket of version 13 and has no body.
pub fn websocket_key(headers: &HeaderMap) -> Option<Vec<u8>> {
    let has = |name: HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    let asked = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    // The key must be sixteen bytes; their values do not matter.
    let good = |key: &&HeaderValue| {
        base64::engine::general_purpose::STANDARD
            .decode(key.as_bytes())
            .is_ok_and(|key| key.len() == 16)
    };
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|_| keys.next().is_none());
    key.filter(|_| asked && !has_body)
        .filter(good)
        .map(|key| key.as_bytes().to_vec())
}
