//! The time formats of `--log.time-format`.

/// A format of the time in a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeFormat {
    base: Base,
    digits: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Timestamp,
    Uptime,
    Date,
    /// A date without the `Z`. The emulator knows no time zones: its local time is UTC.
    LocalDate,
}

impl TimeFormat {
    /// Reads the name of a format.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, digits) = match text.rsplit_once('-') {
            Some((name, "millis")) => (name, 3),
            Some((name, "micros")) => (name, 6),
            _ => (text, 0),
        };
        let base = match name {
            "timestamp" => Base::Timestamp,
            "uptime" => Base::Uptime,
            "utc-datestring" => Base::Date,
            "local-datestring" if digits == 0 => Base::LocalDate,
            _ => return None,
        };
        Some(Self { base, digits })
    }

    /// Writes a moment, given in microseconds since 1970 and since the start of the process.
    pub(crate) fn write(self, now: u64, uptime: u64) -> String {
        let (whole, part) = match self.base {
            Base::Timestamp => (format!("{}", now / 1_000_000), now % 1_000_000),
            Base::Uptime => (format!("{}", uptime / 1_000_000), uptime % 1_000_000),
            Base::Date | Base::LocalDate => (date(now / 1_000_000), now % 1_000_000),
        };
        let fraction = match self.digits {
            0 => String::new(),
            3 => format!(".{:03}", part / 1000),
            _ => format!(".{part:06}"),
        };
        let zone = if self.base == Base::Date { "Z" } else { "" };
        format!("{whole}{fraction}{zone}")
    }
}

/// `2025-01-01T10:00:00` of a number of seconds since 1970.
pub(crate) fn date(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    let rest = seconds % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// The date of a day since 1970, by the era arithmetic of Howard Hinnant's "chrono-compatible
/// low-level date algorithms".
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let now = 1_735_725_600_123_456;
        let write = |name: &str| TimeFormat::parse(name).unwrap().write(now, 2_500_000);
        assert_eq!(
            write("utc-datestring-micros"),
            "2025-01-01T10:00:00.123456Z"
        );
        assert_eq!(write("utc-datestring"), "2025-01-01T10:00:00Z");
        assert_eq!(write("timestamp-millis"), "1735725600.123");
        assert_eq!(write("uptime-micros"), "2.500000");
        assert_eq!(write("local-datestring"), "2025-01-01T10:00:00");
        assert_eq!(TimeFormat::parse("tea-time"), None);
        assert_eq!(civil(59), (1970, 3, 1));
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00");
    }
}
