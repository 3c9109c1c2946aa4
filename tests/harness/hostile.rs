//! Messages that a publisher can attack a hub with: by their headers and properties, or by their
//! bodies.

use super::amqp::{
    CONTENT_TYPE, CORRELATION_ID, HEADERS, header, headers as only_headers, long, short,
    type_header,
};

/// The board that the tests hear.
pub const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

/// A list in a list in a list: the value of a header of type `A`.
fn nested(depth: usize) -> Vec<u8> {
    // Outside in: each holds all that is inside, five bytes a level.
    let lengths = (0..depth).rev().map(|inside| (5 * inside) as u32);
    let levels = lengths.flat_map(|length| [&b"A"[..], &length.to_be_bytes()].concat());
    levels.skip(1).collect()
}

/// Properties of a good notification with something odd beside.
pub fn headers() -> Vec<(&'static str, Vec<u8>)> {
    let good = type_header("CardTitleChanged");
    let with = |more: Vec<u8>| only_headers(&[good.clone(), more]);
    let property = |flag: u16, before: &[u8], after: &[u8]| {
        let flags = (HEADERS | flag).to_be_bytes();
        [&flags[..], before, &long(&good), after].concat()
    };
    let text = |length: usize| with(header(b"trace", b'S', &long(&vec![b'x'; length])));
    let deep = |depth: usize| with(header(b"deep", b'A', &nested(depth)));
    let numbers = [
        header(b"a", b's', &[1, 2]),
        header(b"b", b'u', &[1, 2]),
        header(b"c", b'i', &[1, 2, 3, 4]),
        header(b"d", b'D', &[1, 2, 3, 4, 5]),
        header(b"e", b'f', &[1, 2, 3, 4]),
        header(b"f", b'B', &[1]),
        good.clone(),
    ];
    vec![
        ("a header of 16,400 bytes", text(16_400)),
        ("a header of 120,000 bytes", text(120_000)),
        ("3,000 lists inside one another", deep(3_000)),
        ("20,000 lists inside one another", deep(20_000)),
        (
            "a header's name that is not UTF-8",
            with(header(b"\xff\xfe", b'S', &long(b"x"))),
        ),
        ("every type of number", only_headers(&numbers)),
        (
            "a content type that is not UTF-8",
            property(CONTENT_TYPE, &short(b"\xff"), &[]),
        ),
        (
            "a correlation id of raw bytes",
            property(CORRELATION_ID, &[], &short(b"\x80\x81\xfe")),
        ),
    ]
}

/// A body that costs more than it weighs: its name, its notification and its text.
pub type HostileBody = (&'static str, &'static str, String);

pub fn spaces(bytes: usize) -> HostileBody {
    ("spaces", "CardTitleChanged", " ".repeat(bytes))
}

/// As many as Harmony never has, and a hub delivers all the same.
pub fn many_positions() -> HostileBody {
    let entry = |number| format!("\"{number:08x}-0000-0000-0000-000000000000\":1");
    let positions: Vec<_> = (0..40_000).map(entry).collect();
    let positions = positions.join(",");
    (
        "40,000 list positions",
        "BoardListsPositionChanged",
        format!("{{\"BoardId\":\"{BOARD}\",\"ListPositions\":{{{positions}}}}}"),
    )
}

pub fn bodies() -> Vec<HostileBody> {
    let list = |item: &str, bytes: usize| vec![item; bytes / (item.len() + 1)].join(",");
    let cards = |bytes| {
        let cards = list("{}", bytes);
        format!("{{\"BoardId\":\"{BOARD}\",\"BoardList\":{{\"Cards\":[{cards}]}}}}")
    };
    let escapes = "\u{7f}".repeat(3 << 20);
    let deep = {
        let open = "{\"Board\":{\"Lists\":[{\"Cards\":[{\"Sprint\":".repeat(10);
        let close = "}]}]}}".repeat(10);
        list(&format!("{{\"Sprint\":{open}null{close}}}"), 1 << 20)
    };
    vec![
        ("empty cards", "BoardListCreated", cards(1 << 20)),
        ("4 MB of empty cards", "BoardListCreated", cards(4 << 20)),
        many_positions(),
        (
            "text that grows by escapes",
            "CardTitleChanged",
            format!("{{\"BoardId\":\"{BOARD}\",\"CardId\":\"{BOARD}\",\"Title\":\"{escapes}\"}}"),
        ),
        (
            "cards, sprints and boards in one another",
            "BoardListCreated",
            format!("{{\"BoardId\":\"{BOARD}\",\"BoardList\":{{\"Cards\":[{deep}]}}}}"),
        ),
        (
            "empty names of files",
            "BranchCommitsPushed",
            format!(
                "{{\"SerialKey\":\"k\",\"Commits\":[{{\"Added\":[{}]}}]}}",
                list("\"\"", 1 << 20)
            ),
        ),
        (
            "empty positions",
            "BoardListArchived",
            format!(
                "{{\"BoardId\":\"{BOARD}\",\"Positions\":[{}]}}",
                list("{}", 1 << 20)
            ),
        ),
        ("no JSON", "CardTitleChanged", "no JSON".to_owned()),
    ]
}
