//! Instants as System.Text.Json writes them.

/// The bytes of a MessagePack timestamp as ISO 8601 in UTC; `None` if they are no timestamp.
pub(super) fn instant(bytes: &[u8]) -> Option<String> {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (seconds, nanoseconds) = match bytes.len() {
        4 => (i64::try_from(number(bytes)).ok()?, 0),
        8 => (
            i64::try_from(number(bytes) & 0x3_ffff_ffff).ok()?,
            number(bytes) >> 34,
        ),
        12 => (number(&bytes[4..]) as i64, number(&bytes[..4])),
        _ => return None,
    };
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days)?;
    let mut text = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    if nanoseconds > 0 {
        // .NET keeps seven digits.
        text.push_str(
            format!(".{:07}", nanoseconds / 100)
                .trim_end_matches('0')
                .trim_end_matches('.'),
        );
    }
    text.push('Z');
    Some(text)
}

/// The date of a day counted from 1970, in years that .NET has (Howard Hinnant's algorithm).
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    let shifted = days.checked_add(719_468)?;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (1..=9999).contains(&year).then_some((
        year,
        month,
        day_of_year - (153 * shifted_month + 2) / 5 + 1,
    ))
}
