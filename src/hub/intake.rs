//! Reads notifications so that none of them stops the hub or holds up the others.

use crate::hub::notification::{self, NotificationLimits, Outcome, Rejection, TypeHeader};
use std::panic::catch_unwind;

/// Bodies over this size are read beside the tasks that deliver to clients.
const LARGE: usize = 64 << 10;

/// Whether a body is read beside the tasks that deliver to clients, which takes its time.
pub fn takes_long(body: &[u8]) -> bool {
    body.len() > LARGE
}

/// Reads one message; its body comes back as it was.
pub async fn read(
    header: TypeHeader<'_>,
    body: &mut Vec<u8>,
    limits: &NotificationLimits,
) -> Result<Outcome, Rejection> {
    if !takes_long(body) {
        return read_here(header, body, limits);
    }
    // Without a type the body does not matter.
    let TypeHeader::Text(name) = header else {
        return read_here(header, body, limits);
    };
    let name = name.to_vec();
    let (bytes, limits) = (std::mem::take(body), *limits);
    let reading = tokio::task::spawn_blocking(move || {
        let header = TypeHeader::Text(&name);
        (read_here(header, &bytes, &limits), bytes)
    });
    match reading.await {
        Ok((outcome, bytes)) => {
            *body = bytes;
            outcome
        }
        Err(_) => Err(Rejection::Fault),
    }
}

/// A message that finds a fault in the reader is set aside like any other: RabbitMQ would deliver
/// it again and again.
fn read_here(
    header: TypeHeader<'_>,
    body: &[u8],
    limits: &NotificationLimits,
) -> Result<Outcome, Rejection> {
    catch_unwind(|| notification::read(header, body, limits)).unwrap_or(Err(Rejection::Fault))
}
