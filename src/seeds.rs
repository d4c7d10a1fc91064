//! Seeds as typed: how many, a range, or a list. Knows nothing of what runs with them.

/// More than this at once is a slip of the finger.
const MOST: u64 = 10_000_000;

/// `20` is 1 to 20; `5..8` is 5, 6, 7 and 8; `1,5,9` is just these. The error says how it is written.
pub(crate) fn parse(text: &str) -> Result<Vec<u64>, String> {
    const USAGE: &str = "write how many (20), a range (1..20) or a list (1,5,9)";
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is no number; {USAGE}"));
    if let Some((first, last)) = text.split_once("..") {
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(format!("the range `{text}` ends before it begins"));
        }
        return of(first, last);
    }
    if text.contains(',') {
        let mut seeds = text.split(',').map(number).collect::<Result<Vec<u64>, String>>()?;
        seeds.sort_unstable();
        seeds.dedup();
        return Ok(seeds);
    }
    match number(text)? {
        0 => Err(format!("no seeds at all; {USAGE}")),
        count => of(1, count),
    }
}

fn of(first: u64, last: u64) -> Result<Vec<u64>, String> {
    if last - first >= MOST {
        return Err(format!("more than {MOST} seeds"));
    }
    Ok((first..=last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_count_a_range_or_a_list() {
        let table: [(&str, &[u64]); 5] =
            [("3", &[1, 2, 3]), ("5..7", &[5, 6, 7]), ("0..1", &[0, 1]), ("9,1,5,1", &[1, 5, 9]), ("4..4", &[4])];
        for (text, seeds) in table {
            assert_eq!(parse(text).as_deref(), Ok(seeds), "{text}");
        }
        for text in ["", "0", "7..5", "1..", "a", "1,b", "-1", "1..99999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
