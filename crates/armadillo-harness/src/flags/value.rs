//! The types that flags can have.

use std::path::PathBuf;
use std::time::Duration;

use armadillo_orchestrator::duration::parse_millis;

/// A type that is written as one text, such as a number or an enum of the suite's own.
pub trait FlagText: Sized {
    /// What `--help` calls the value; empty for a switch.
    const PLACEHOLDER: &'static str = "VALUE";
    /// What a flag is that has no default and is not set.
    const WITHOUT: Without = Without::Default;

    /// Reads it.
    ///
    /// # Errors
    /// When the text is none; why.
    fn read(text: &str) -> Result<Self, String>;
}

/// A type that a flag can have: a [`FlagText`], an `Option` or a `Vec` of one.
#[diagnostic::on_unimplemented(
    message = "a flag cannot have the type `{Self}`",
    note = "implement `armadillo::FlagText` for it, or use a number, `bool`, `String`, `PathBuf` or `Duration`, or an `Option` or `Vec` of one"
)]
pub trait FlagValue: Sized {
    /// What `--help` calls the value; empty for a switch.
    const PLACEHOLDER: &'static str;
    /// Whether it may be given several times.
    const REPEATS: bool = false;
    /// What a flag is that has no default and is not set.
    const WITHOUT: Without = Without::Nothing;

    /// Reads the values that were given, in their order.
    ///
    /// # Errors
    /// When one cannot be read; why.
    fn read(values: &[String]) -> Result<Self, String>;
}

/// What a flag is that has no default and is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// There is no such flag: it needs a default.
    Default,
    /// It has no value.
    Nothing,
    /// It has this value.
    Value(&'static str),
}

impl<T: FlagText> FlagValue for T {
    const PLACEHOLDER: &'static str = <T as FlagText>::PLACEHOLDER;
    const WITHOUT: Without = <T as FlagText>::WITHOUT;

    fn read(values: &[String]) -> Result<Self, String> {
        T::read(values.last().map_or("", |text| text.trim()))
    }
}

impl<T: FlagText> FlagValue for Option<T> {
    const PLACEHOLDER: &'static str = <T as FlagText>::PLACEHOLDER;

    fn read(values: &[String]) -> Result<Self, String> {
        values.last().map(|text| T::read(text.trim())).transpose()
    }
}

impl<T: FlagText> FlagValue for Vec<T> {
    const PLACEHOLDER: &'static str = <T as FlagText>::PLACEHOLDER;
    const REPEATS: bool = true;

    fn read(values: &[String]) -> Result<Self, String> {
        values.iter().map(|text| T::read(text.trim())).collect()
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl FlagText for $type {
            const PLACEHOLDER: &'static str = "N";

            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| {
                    let (least, most) = (<$type>::MIN, <$type>::MAX);
                    format!("`{text}` is not a whole number from {least} to {most}")
                })
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl FlagText for f64 {
    const PLACEHOLDER: &'static str = "NUMBER";

    fn read(text: &str) -> Result<Self, String> {
        let read = text.parse().ok().filter(|number: &Self| number.is_finite());
        read.ok_or_else(|| format!("`{text}` is not a number"))
    }
}

impl FlagText for bool {
    const PLACEHOLDER: &'static str = "";
    const WITHOUT: Without = Without::Value("false");

    fn read(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("`{text}` is not `true` or `false`")),
        }
    }
}

impl FlagText for String {
    const PLACEHOLDER: &'static str = "TEXT";

    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl FlagText for PathBuf {
    const PLACEHOLDER: &'static str = "PATH";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the path is empty".to_owned()),
            text => Ok(text.into()),
        }
    }
}

impl FlagText for Duration {
    const PLACEHOLDER: &'static str = "TIME";

    fn read(text: &str) -> Result<Self, String> {
        let read = parse_millis(text).map(Self::from_millis);
        read.ok_or_else(|| format!("`{text}` is not a duration such as `500ms`, `30s` or `1h30m`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FlagValue>(values: &[&str]) -> Result<T, String> {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        T::read(&values)
    }

    #[test]
    fn values_are_read_by_type() {
        assert_eq!(read(&["1", "2"]), Ok(2_u8));
        assert_eq!(read(&["1", "2"]), Ok(vec![1_u8, 2]));
        assert_eq!(read::<Option<u8>>(&[]), Ok(None));
        assert_eq!(read(&["a"]), Ok(Some("a".to_owned())));
        assert_eq!(read(&["off"]), Ok(false));
        assert_eq!(read(&["1h"]), Ok(Duration::from_hours(1)));
        let why = read::<u8>(&["256"]).unwrap_err();
        assert_eq!(why, "`256` is not a whole number from 0 to 255");
        assert!(read::<f64>(&["NaN"]).is_err() && read::<PathBuf>(&[""]).is_err());
        assert!(read::<bool>(&["maybe"]).is_err() && read::<Duration>(&["30"]).is_err());
    }
}
