//! Counts, limits, rates, shares and sizes.

use core::fmt;
use serde_json::{Value as Json, json};

use crate::spec::decode::{Defs, Scalar, Wrong, any_of, number, percent, scalars};
use crate::spec::tree::shortened;

/// A number of things, or no limit to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// At most this many.
    Count(u32),
    /// Any number.
    Unlimited,
}

/// Per second.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Rate(pub f64);

/// From 0 to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Share(pub f64);

/// Whole per cent, from 0 to 100.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percent(pub u32);

/// In bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub u64);

scalars!(u16, u32, u64, f64, Limit, Percent, Rate, Share, Size);

impl Limit {
    /// The count, if there is one.
    pub const fn count(self) -> Option<u32> {
        match self {
            Self::Count(count) => Some(count),
            Self::Unlimited => None,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// A whole number up to `most`.
fn whole(text: &str, most: u64) -> Result<u64, Wrong> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(Wrong::new(
            format!("`{}` is not a whole number", shortened(text)),
            "write it in digits, without a unit",
        ));
    }
    match text.parse() {
        Ok(count) if count <= most => Ok(count),
        _ => Err(Wrong::new(format!("`{}` is too large", shortened(text)), format!("at most {most}"))),
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Scalar for $type {
            const NOUN: &'static str = "a whole number";

            fn parse(text: &str) -> Result<Self, Wrong> {
                whole(text, u64::from(Self::MAX)).map(|count| count as Self)
            }

            fn schema(_: &mut Defs) -> Json {
                json!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
            }
        }
    )*};
}
whole_numbers!(u16, u32, u64);

impl Scalar for f64 {
    const NOUN: &'static str = "a number";

    fn parse(text: &str) -> Result<Self, Wrong> {
        number(text).ok_or_else(|| {
            Wrong::new(format!("`{}` is not a number", shortened(text)), "write it in digits, such as 1.5")
        })
    }

    fn schema(_: &mut Defs) -> Json {
        json!({ "type": "number", "minimum": 0 })
    }
}

impl Scalar for Limit {
    const NOUN: &'static str = "a count or `unlimited`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        match text {
            "unlimited" => Ok(Self::Unlimited),
            _ => u32::parse(text)
                .map(Self::Count)
                .map_err(|wrong| Wrong::new(wrong.what, "a count such as 50, or `unlimited`")),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        any_of([<u32 as Scalar>::schema(defs), json!({ "const": "unlimited" })])
    }
}

impl Scalar for Rate {
    const NOUN: &'static str = "a rate such as `100/s`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let hint = "a rate is a number per second or minute: 100/s, 6000/m";
        let (count, unit) = text.split_once('/').unwrap_or((text, ""));
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" => return Err(Wrong::new(format!("`{}` is not a rate", shortened(text)), hint)),
            unit => return Err(Wrong::new(format!("`/{}` is not a unit of rates", shortened(unit)), hint)),
        };
        match number(count) {
            Some(count) if count / seconds <= 1e9 => Ok(Self(count / seconds)),
            Some(_) => Err(Wrong::new(format!("`{}` is too fast", shortened(text)), "at most 1000000000/s")),
            None => Err(Wrong::new(format!("`{}` is not a rate", shortened(text)), hint)),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("Rate", |_| json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?/[smh]$" }))
    }
}

impl Scalar for Share {
    const NOUN: &'static str = "a share such as `30%`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let hint = "a share is written 30% or 0.3";
        let share = text.strip_suffix('%').map_or_else(|| number(text), percent);
        match share {
            Some(share) if share <= 1.0 => Ok(Self(share)),
            Some(share) if !text.ends_with('%') && share <= 100.0 => {
                Err(Wrong::new(format!("`{text}` is more than all"), format!("did you mean `{text}%`? {hint}")))
            }
            Some(_) => Err(Wrong::new(format!("`{}` is more than all", shortened(text)), "at most 100%")),
            None => Err(Wrong::new(format!("`{}` is not a share", shortened(text)), hint)),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("Share", |_| {
            any_of([
                json!({ "type": "string", "pattern": "^(100(\\.0+)?|[0-9]{1,2}(\\.[0-9]+)?)%$" }),
                json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            ])
        })
    }
}

impl Scalar for Percent {
    const NOUN: &'static str = "whole per cent such as `30%`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let percent = Share::parse(text)?.0 * 100.0;
        let whole = percent.round();
        // What a fraction such as 0.07 is short of a whole number is no part of it.
        if (percent - whole).abs() > 1e-9 {
            let hint =
                format!("the original knows whole per cent only: {:.0}% or {:.0}%", percent.floor(), percent.ceil());
            return Err(Wrong::new(format!("`{}` is not whole per cent", shortened(text)), hint));
        }
        Ok(Self(whole as u32))
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("Percent", |_| {
            any_of([
                json!({ "type": "string", "pattern": "^(100|[0-9]{1,2})(\\.0+)?%$" }),
                json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            ])
        })
    }
}

impl Scalar for Size {
    const NOUN: &'static str = "a size such as `64KiB`";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let hint = "a size is a whole number and a unit: 512B, 64KiB, 512MiB, 2GiB";
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(unit_at);
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return Err(Wrong::new(format!("`{}` is not a size", shortened(text)), hint)),
        };
        let count = whole(count, u64::MAX >> 1).map_err(|wrong| Wrong::new(wrong.what, hint))?;
        match count.checked_mul(1 << shift) {
            Some(bytes) if bytes <= 1 << 50 => Ok(Self(bytes)),
            _ => Err(Wrong::new(format!("`{}` is too large", shortened(text)), "at most 1048576GiB")),
        }
    }

    fn schema(defs: &mut Defs) -> Json {
        defs.part("Size", |_| json!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Scalar>(text: &str) -> Result<T, String> {
        T::parse(text).map_err(|wrong| wrong.what)
    }

    #[test]
    fn whole_per_cent_has_no_fraction_of_one() {
        let table = [
            ("30%", Ok(Percent(30))),
            ("0.07", Ok(Percent(7))),
            ("0.29", Ok(Percent(29))),
            ("100%", Ok(Percent(100))),
            ("0", Ok(Percent(0))),
            ("12.5%", Err("`12.5%` is not whole per cent")),
            ("0.333", Err("`0.333` is not whole per cent")),
            ("101%", Err("`101%` is more than all")),
        ];
        for (text, percent) in table {
            assert_eq!(read::<Percent>(text), percent.map_err(str::to_owned), "{text}");
        }
        assert_eq!(Percent::parse("12.5%").unwrap_err().hint, "the original knows whole per cent only: 12% or 13%");
    }

    #[test]
    fn a_share_is_per_cent_or_a_fraction_and_never_more_than_all() {
        let table = [
            ("30%", Ok(0.3)),
            ("0.3", Ok(0.3)),
            ("0.01%", Ok(0.0001)),
            ("100%", Ok(1.0)),
            ("1", Ok(1.0)),
            ("0", Ok(0.0)),
            ("101%", Err("`101%` is more than all")),
            ("30", Err("`30` is more than all")),
            ("1e-3", Err("`1e-3` is not a share")),
            (".inf", Err("`.inf` is not a share")),
            ("-5%", Err("`-5%` is not a share")),
            ("%", Err("`%` is not a share")),
        ];
        for (text, share) in table {
            assert_eq!(read(text), share.map(Share).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_rate_has_a_unit() {
        let table = [
            ("100/s", Ok(100.0)),
            ("6000/m", Ok(100.0)),
            ("36/h", Ok(0.01)),
            ("0.5/s", Ok(0.5)),
            ("0/s", Ok(0.0)),
            ("100", Err("`100` is not a rate")),
            ("100/d", Err("`/d` is not a unit of rates")),
            ("1e999/s", Err("`1e999/s` is not a rate")),
            ("10000000000/s", Err("`10000000000/s` is too fast")),
        ];
        for (text, rate) in table {
            assert_eq!(read(text), rate.map(Rate).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_size_counts_in_powers_of_1024() {
        let table = [
            ("64KiB", Ok(65_536)),
            ("512MiB", Ok(536_870_912)),
            ("2GiB", Ok(2_147_483_648)),
            ("1B", Ok(1)),
            ("64KB", Err("`64KB` is not a size")),
            ("64", Err("`64` is not a size")),
            ("99999999999GiB", Err("`99999999999GiB` is too large")),
        ];
        for (text, size) in table {
            assert_eq!(read(text), size.map(Size).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_limit_is_a_count_or_unlimited() {
        assert_eq!(read("50"), Ok(Limit::Count(50)));
        assert_eq!(read("unlimited"), Ok(Limit::Unlimited));
        assert_eq!(read::<Limit>("-1"), Err("`-1` is not a whole number".into()));
        assert_eq!(read::<Limit>("4294967296"), Err("`4294967296` is too large".into()));
    }

    #[test]
    fn only_plain_numbers_are_numbers() {
        for text in ["1e999", "1e3", "NaN", ".nan", ".inf", "-1", "+1", "0x10", "1_000", "", "1.", ".5"] {
            assert!(f64::parse(text).is_err(), "{text}");
        }
        assert_eq!(f64::parse("1.5"), Ok(1.5));
    }
}
