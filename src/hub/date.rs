//! Dates as System.Text.Json reads and writes them: a profile of ISO 8601, to a tenth of a
//! microsecond.
//!
//! A date with an offset comes out in UTC (the same instant, as a .NET hub in UTC writes it); one
//! without an offset stays without.

/// Ticks of 100 ns in a second, .NET's resolution.
const TICKS: i64 = 10_000_000;

/// The date as .NET writes it back; `None` where .NET refuses it.
pub fn normalize(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (year, month, day) = (
        number(bytes, 0, 4)?,
        number(bytes, 5, 2)?,
        number(bytes, 8, 2)?,
    );
    if bytes[4] != b'-' || bytes[7] != b'-' || year == 0 || !(1..=12).contains(&month) {
        return None;
    }
    if day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let mut ticks = days_before(year, month, day) * 86_400 * TICKS;
    let mut rest = &bytes[10..];
    let mut offset = Offset::None;
    if !rest.is_empty() {
        let (hour, minute) = (number(rest, 1, 2)?, number(rest, 4, 2)?);
        if rest[0] != b'T' || rest[3] != b':' || hour > 23 || minute > 59 {
            return None;
        }
        ticks += (hour * 3600 + minute * 60) * TICKS;
        rest = &rest[6..];
        if rest.first() == Some(&b':') {
            let second = number(rest, 1, 2)?;
            if second > 59 {
                return None;
            }
            ticks += second * TICKS;
            rest = &rest[3..];
            if rest.first() == Some(&b'.') {
                let digits = rest[1..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit())
                    .count();
                if !(1..=16).contains(&digits) {
                    return None;
                }
                let fraction = (0..7).map(|place| {
                    if place < digits {
                        i64::from(rest[1 + place] - b'0')
                    } else {
                        0
                    }
                });
                ticks += fraction.fold(0, |sum, digit| sum * 10 + digit);
                rest = &rest[1 + digits..];
            }
        }
        offset = Offset::read(rest)?;
    }
    match offset {
        Offset::None => Some(write(ticks, "")),
        Offset::Utc => Some(write(ticks, "Z")),
        Offset::Minutes(minutes) => {
            let utc = ticks - minutes * 60 * TICKS;
            let end = days_before(10_000, 1, 1) * 86_400 * TICKS;
            (0..end).contains(&utc).then(|| write(utc, "+00:00"))
        }
    }
}

enum Offset {
    None,
    Utc,
    Minutes(i64),
}

impl Offset {
    /// Nothing, `Z`, `±hh` or `±hh:mm`, up to 14 hours.
    fn read(text: &[u8]) -> Option<Self> {
        let sign = match text.first() {
            None => return Some(Offset::None),
            Some(b'Z') if text.len() == 1 => return Some(Offset::Utc),
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return None,
        };
        let minutes = match text.len() {
            3 => 0,
            6 if text[3] == b':' => number(text, 4, 2)?,
            _ => return None,
        };
        let total = number(text, 1, 2)? * 60 + minutes;
        (minutes < 60 && total <= 14 * 60).then_some(Offset::Minutes(sign * total))
    }
}

fn number(text: &[u8], at: usize, digits: usize) -> Option<i64> {
    let text = text.get(at..at + digits)?;
    text.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 0001-01-01 to the given day.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let years = year - 1;
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years * 365 + years / 4 - years / 100 + years / 400 + months + day - 1
}

fn write(ticks: i64, suffix: &str) -> String {
    let (seconds, fraction) = (ticks / TICKS, ticks % TICKS);
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let mut year = days / 366 + 1;
    while days_before(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_before(year, month + 1, 1) <= days {
        month += 1;
    }
    let day = days - days_before(year, month, 1) + 1;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        text.push_str(format!(".{fraction:07}").trim_end_matches('0'));
    }
    text + suffix
}
