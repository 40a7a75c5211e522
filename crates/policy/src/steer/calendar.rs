//! When a plan holds: between two dates, and at some hours of the day. All in UTC.

/// When a plan holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calendar {
    /// First and last day, in days since 1970.
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    /// From and to in minutes of the day; where "to" comes first it is on the next day.
    pub(crate) hours: Vec<(u32, u32)>,
}

pub(crate) const DATE_EXPECTED: &str = "a date, as \"2026-12-31\"";
pub(crate) const HOURS_EXPECTED: &str = "hours in UTC, as \"22:00-06:00\"";

const DAY_S: u64 = 86_400;

/// As it stands in a file.
impl std::fmt::Display for Calendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut gap = "";
        for (word, day) in [("from", self.first), ("until", self.last)] {
            if let Some(day) = day {
                let (year, month, day) = civil(day);
                write!(f, "{gap}{word} {year}-{month:02}-{day:02}")?;
                gap = " ";
            }
        }
        for (from, to) in &self.hours {
            let [a, b, c, d] = [from / 60, from % 60, to / 60, to % 60];
            write!(f, "{gap}{a:02}:{b:02}-{c:02}:{d:02}")?;
            gap = " ";
        }
        f.write_str(" UTC")
    }
}

/// Year, month and day of a day since 1970: counted in years that begin in March, so that the day
/// that comes and goes is the last one.
#[must_use]
pub fn civil(day: u64) -> (u64, u64, u64) {
    let days = day + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// A moment in seconds since 1970 as people read it.
pub(crate) fn told(unix_s: u64) -> String {
    let (year, month, day) = civil(unix_s / DAY_S);
    let minute = unix_s % DAY_S / 60;
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

impl Calendar {
    pub(crate) fn holds(&self, unix_s: u64) -> bool {
        let day = unix_s / DAY_S;
        let minute = (unix_s % DAY_S / 60) as u32;
        let inside = |(from, to): &(u32, u32)| match from <= to {
            true => (*from..*to).contains(&minute),
            false => minute >= *from || minute < *to,
        };
        self.first.is_none_or(|first| day >= first)
            && self.last.is_none_or(|last| day <= last)
            && (self.hours.is_empty() || self.hours.iter().any(inside))
    }
}

/// Days since 1970 of a date of the Gregorian calendar.
pub(crate) fn date(text: &str) -> Option<u64> {
    let mut parts = text.split('-');
    let mut next = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u64>().ok())?
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if parts.next().is_some() || year < 1970 || day < 1 || day > length {
        return None;
    }
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let months: u64 = lengths.iter().take(month as usize - 1).sum();
    Some(years + months + day - 1)
}

/// `2027-07-01`, or `2027-07-01T12:30`, as seconds since 1970, in UTC.
#[must_use]
pub fn moment(text: &str) -> Option<u64> {
    let (day, time) = text.split_once('T').unwrap_or((text, "00:00"));
    Some(date(day)? * DAY_S + u64::from(minute(time)?) * 60)
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
}

/// `22:00-06:00` as minutes of the day.
pub(crate) fn hours(text: &str) -> Option<(u32, u32)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    (from != to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(moment("1970-01-02T01:30"), Some(86_400 + 5_400));
        assert_eq!(moment("2026-11-25"), Some(20_782 * DAY_S));
        assert_eq!(moment("2026-11-25 10:00"), None);
        assert_eq!(date("2000-03-01"), Some(11_017));
        assert_eq!(date("2026-11-25"), Some(20_782));
        assert_eq!(date("2024-02-29").map(|day| day + 1), date("2024-03-01"));
        for wrong in ["2026-02-29", "2026-13-01", "2026-1-1", "26-01-01", "2026-01-01-01", ""] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_night_spans_midnight() {
        let calendar = Calendar {
            first: date("2026-12-01"),
            last: date("2026-12-31"),
            hours: vec![hours("22:00-06:00").expect("hours")],
        };
        assert_eq!(calendar.to_string(), "from 2026-12-01 until 2026-12-31 22:00-06:00 UTC");
        for day in (0..80_000).step_by(13) {
            let (year, month, of_month) = civil(day);
            assert_eq!(date(&format!("{year}-{month:02}-{of_month:02}")), Some(day));
        }
        let at = |day: &str, hour: u64| {
            calendar.holds(date(day).expect("a date") * DAY_S + hour * 3_600)
        };
        assert!(at("2026-12-01", 23) && at("2026-12-31", 5));
        assert!(!at("2026-12-01", 12) && !at("2026-11-30", 23) && !at("2027-01-01", 5));
        assert!(hours("25:00-01:00").is_none() && hours("10:00").is_none());
    }
}
