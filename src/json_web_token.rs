//! JSON Web Tokens signed with HMAC-SHA256, as Harmony.Api signs them (hub/contract.md, "Other
//! applications").

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::Value;

/// How long after its end a token is taken nevertheless, as in .NET: clocks differ.
pub const LEEWAY_SECONDS: i64 = 300;

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("it is no signed token")]
    Malformed,
    #[error("it is not signed with HS256")]
    Algorithm,
    #[error("its signature is another's")]
    Signature,
    #[error("it asks for an extension that is not known here")]
    Critical,
    #[error("it does not say when it ends")]
    Endless,
    #[error("it is no longer valid")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
}

/// What a token says, and the second since 1970 at which it ends, leeway included.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub claims: Value,
    pub ends: i64,
}

/// Signs claims.
pub fn sign(claims: &Value, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        signed.as_bytes(),
    );
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Checks a token's signature and time; neither issuer nor audience, as in Harmony.
pub fn verify(token: &str, secret: &str, now: i64, leeway: i64) -> Result<Token, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let decode = |part: &str| {
        URL_SAFE_NO_PAD
            .decode(part.trim_end_matches('='))
            .map_err(|_| TokenError::Malformed)
    };
    let parse = |part: &str| {
        serde_json::from_slice::<Value>(&decode(part)?).map_err(|_| TokenError::Malformed)
    };
    let header = parse(header)?;
    // The algorithm is ours to choose, not the token's.
    if header["alg"] != "HS256" {
        return Err(TokenError::Algorithm);
    }
    if header.get("crit").is_some() {
        return Err(TokenError::Critical);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &decode(signature)?)
        .map_err(|_| TokenError::Signature)?;
    let claims = parse(claims)?;
    // A number, as the standard has it; one in quotes is none.
    let time = |name: &str| {
        let number = &claims[name];
        let whole = number
            .as_i64()
            .or_else(|| number.as_f64().map(|time| time as i64));
        match number {
            Value::Null => Ok(None),
            _ => whole.map(Some).ok_or(TokenError::Malformed),
        }
    };
    let end = time("exp")?.ok_or(TokenError::Endless)?;
    let ends = end.saturating_add(leeway);
    if now >= ends {
        return Err(TokenError::Expired);
    }
    if time("nbf")?.is_some_and(|begin| now < begin.saturating_sub(leeway)) {
        return Err(TokenError::NotYet);
    }
    Ok(Token { claims, ends })
}
