//! Clients that come back on another socket: what they are sent again, and who may not.
//!
//! Left out: acknowledging where nothing is owed, for which .NET forgets the message that it sends
//! next; and a client that comes back while its first socket is still open. .NET takes the new one,
//! and closes it at the first word; ours goes on over it, as a client must whose network was away.

use super::both_slowly;
use crate::harness::Random;
use crate::harness::parts::{Part, has};
use crate::harness::raw::{Frame, WebSocket, http};
use serde_json::Value;
use std::time::Duration;

/// What a hub has to say it has said by then.
const SOON: Duration = Duration::from_millis(250);

const ENDED: &str = "ended";

/// Everything that comes soon; acknowledgements come when they come, and pings too.
fn hear(socket: &mut WebSocket, said: &mut Vec<Value>) {
    socket
        .stream
        .set_read_timeout(Some(SOON))
        .expect("a time-out");
    while socket.stream.peek(&mut [0]).is_ok() {
        match socket.next() {
            Frame::Text(text) => {
                let messages = text.split('\u{1e}').filter(|text| {
                    !text.is_empty() && !text.contains("\"type\":6") && !text.contains("\"type\":8")
                });
                said.extend(messages.map(Value::from));
            }
            Frame::Close(code) => said.push(code.into()),
            Frame::End => return said.push(ENDED.into()),
            frame => said.push(format!("{frame:?}").into()),
        }
    }
}

fn converse(address: &str, words: &[Vec<u8>]) -> Vec<Value> {
    let request = b"POST /signalRHub/negotiate?negotiateVersion=1&useStatefulReconnect=true HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let negotiated: Value = serde_json::from_str(&http(address, request).body).expect("JSON");
    let path = format!(
        "/signalRHub?id={}",
        negotiated["connectionToken"].as_str().expect("a token")
    );
    let (mut socket, answer) = WebSocket::upgrade(address, &path);
    let mut said = vec![Value::from(answer.status)];
    for word in words {
        match &word[..] {
            b"return" => {
                // It may have ended already.
                let _ = socket.stream.shutdown(std::net::Shutdown::Both);
                std::thread::park_timeout(SOON / 5);
                let answer;
                (socket, answer) = WebSocket::upgrade(address, &path);
                said.push(format!("{} {}", answer.status, answer.body).into());
                if answer.status != 101 {
                    return said;
                }
            }
            _ if said.last().is_some_and(|said| said == ENDED) => continue,
            b"close" => socket.frame(0x88, &[3, 232]),
            text => socket.frame(0x81, text),
        }
        hear(&mut socket, &mut said);
    }
    said
}

fn words(random: &mut Random) -> Vec<Vec<u8>> {
    let version = random.pick(&["2", "2", "2", "2", "1"]);
    let mut words =
        vec![format!("{{\"protocol\":\"json\",\"version\":{version}}}\u{1e}").into_bytes()];
    // What is answered for certain: a call behind a sequence may be taken for one that came before.
    let (mut call, mut answered, mut acknowledged, mut told) = (0, 0, 0, false);
    for _ in 0..=random.below(7) {
        let word = match random.below(12) {
            0..3 => "return".to_owned(),
            3 if answered > acknowledged => {
                acknowledged += 1 + random.below(answered - acknowledged);
                format!("{{\"type\":8,\"sequenceId\":{acknowledged}}}\u{1e}")
            }
            3..6 => {
                told = true;
                format!(
                    "{{\"type\":9,\"sequenceId\":{}}}\u{1e}",
                    random.pick(&["-1", "0", "1", "1", "2", "2", "3", "4"])
                )
            }
            6 if random.one_in(3) => (*random.pick(&[
                "close",
                "{\"type\":7}\u{1e}",
                "x\u{1e}",
                "{\"type\":9}\u{1e}",
            ]))
            .to_owned(),
            6 => "{\"type\":6}\u{1e}".to_owned(),
            7 => "{\"type\":1,\"target\":\"ListenForBoardEvents\",\"arguments\":[\"b\"]}\u{1e}"
                .to_owned(),
            _ => {
                call += 1;
                answered += u64::from(!told);
                let target = random.pick(&["Nope", "ListenForBoardEvents"]);
                format!(
                    "{{\"type\":1,\"invocationId\":\"{call}\",\"target\":\"{target}\",\"arguments\":[\"b\"]}}\u{1e}"
                )
            }
        };
        words.push(word.into_bytes());
    }
    words
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn clients_that_come_back_are_answered_alike() {
    if !has("clients_that_come_back_are_answered_alike", &[Part::Peer]) {
        return;
    }
    both_slowly(words, converse);
}
