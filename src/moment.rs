//! Times as RFC 3339 has them, in UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub fn now() -> String {
    text(OffsetDateTime::now_utc())
}

/// Of seconds since 1970; `None` where there is no such year.
pub fn of_seconds(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok().map(text)
}

/// For serde: seconds since 1970 as text.
pub fn serialize<S: serde::Serializer>(
    seconds: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
    serde::Serialize::serialize(&seconds.and_then(of_seconds), serializer)
}

fn text(time: OffsetDateTime) -> String {
    let whole = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    // Only years above 9999 cannot be written so.
    whole.format(&Rfc3339).unwrap_or_default()
}
