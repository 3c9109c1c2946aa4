//! Dates against an independent calendar.

use harmony::hub::date::normalize;
use proptest::prelude::{Strategy, any, proptest};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

fn instants() -> impl Strategy<Value = (PrimitiveDateTime, u32)> {
    let days = Date::MIN.to_julian_day()..Date::MAX.to_julian_day();
    let first = Date::from_calendar_date(1, time::Month::January, 1)
        .expect("a date")
        .to_julian_day();
    (days, 0u32..86_400, 0u32..10_000_000).prop_map(move |(day, second, ticks)| {
        let day = Date::from_julian_day(day.max(first)).expect("a day");
        (
            PrimitiveDateTime::new(day, Time::MIDNIGHT) + Duration::seconds(second.into()),
            ticks,
        )
    })
}

fn written(at: PrimitiveDateTime, ticks: u32) -> String {
    let (year, month, day) = at.to_calendar_date_parts();
    let (hour, minute, second) = at.as_hms();
    let fraction = format!(".{ticks:07}");
    let fraction = if ticks == 0 {
        ""
    } else {
        fraction.trim_end_matches('0')
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}")
}

trait CalendarParts {
    fn to_calendar_date_parts(&self) -> (i32, u8, u8);
}

impl CalendarParts for PrimitiveDateTime {
    fn to_calendar_date_parts(&self) -> (i32, u8, u8) {
        (self.year(), self.month().into(), self.day())
    }
}

proptest! {
    #[test]
    fn a_date_without_offset_stays_as_it_is((at, ticks) in instants()) {
        let text = written(at, ticks);
        assert_eq!(normalize(&text), Some(text.clone()));
        let utc = format!("{text}Z");
        assert_eq!(normalize(&utc), Some(utc.clone()));
    }

    #[test]
    fn an_offset_moves_the_date_to_utc((at, ticks) in instants(), minutes in -840i32..=840) {
        let offset = UtcOffset::from_whole_seconds(minutes * 60).expect("an offset");
        let sign = if minutes < 0 { '-' } else { '+' };
        let text = format!("{}{sign}{:02}:{:02}", written(at, ticks), minutes.abs() / 60, minutes.abs() % 60);
        let expected = at.assume_offset(offset).checked_to_offset(UtcOffset::UTC).filter(|utc| (1..=9999).contains(&utc.year()));
        let expected = expected.map(|utc: OffsetDateTime| written(PrimitiveDateTime::new(utc.date(), utc.time()), ticks) + "+00:00");
        assert_eq!(normalize(&text), expected);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = normalize(&text);
    }
}
