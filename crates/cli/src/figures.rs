//! Numbers as people read them: counts with separators, bytes, durations.

/// `1234567` as `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 row`, `1,234 rows`.
pub fn number(value: u64, one: &str, many: &str) -> String {
    let noun = if value == 1 { one } else { many };
    format!("{} {noun}", count(value))
}

/// `1610612736` as `1.5 GiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if value >> shift > 0 {
            return format!("{:.1} {unit}", value as f64 / (1u64 << shift) as f64);
        }
    }
    format!("{value} B")
}

/// `3723` as `1 h 2 min`: the two largest units.
pub fn seconds(value: u64) -> String {
    match value {
        0..60 => format!("{value} s"),
        60..3600 => format!("{} min {} s", value / 60, value % 60),
        3600..86_400 => format!("{} h {} min", value / 3600, value % 3600 / 60),
        _ => format!("{} d {} h", value / 86_400, value % 86_400 / 3600),
    }
}

/// Share in percent, never 100 before all is there.
pub fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 || part >= whole {
        return 100;
    }
    (u128::from(part) * 100 / u128::from(whole)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(number(1, "row", "rows"), "1 row");
        assert_eq!(number(1000, "row", "rows"), "1,000 rows");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1_610_612_736), "1.5 GiB");
        assert_eq!(seconds(59), "59 s");
        assert_eq!(seconds(61), "1 min 1 s");
        assert_eq!(seconds(3723), "1 h 2 min");
        assert_eq!(seconds(90_000), "1 d 1 h");
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(0, 0), 100);
    }
}
