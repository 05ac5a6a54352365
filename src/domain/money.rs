//! Money: whole minor units and a currency, checked arithmetic, never a float.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::str::FromStr;
use thiserror::Error;

macro_rules! currencies {
    ($($code:ident $exponent:literal $symbol:literal),* $(,)?) => {
        /// The currencies a rally may raise money in, by ISO 4217 code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs, clippy::upper_case_acronyms)]
        pub enum Currency { $($code),* }

        impl Currency {
            /// Every currency, in the order a form offers them.
            pub const ALL: &[Currency] = &[$(Currency::$code),*];

            /// The three-letter ISO 4217 code, upper case.
            pub fn code(self) -> &'static str {
                match self { $(Currency::$code => stringify!($code)),* }
            }

            /// How many decimal digits the minor unit has (ISO 4217: 2 for USD, 0 for JPY).
            pub fn exponent(self) -> u32 {
                match self { $(Currency::$code => $exponent),* }
            }

            /// What stands before an amount on a page.
            pub fn symbol(self) -> &'static str {
                match self { $(Currency::$code => $symbol),* }
            }
        }
    };
}

currencies! {
    USD 2 "$", EUR 2 "€", GBP 2 "£", CAD 2 "CA$", AUD 2 "A$", NZD 2 "NZ$", MXN 2 "MX$",
    CHF 2 "CHF\u{a0}", SEK 2 "SEK\u{a0}", NOK 2 "NOK\u{a0}", DKK 2 "DKK\u{a0}", PLN 2 "PLN\u{a0}", JPY 0 "¥",
}

impl Currency {
    /// Minor units in one major unit: 100 for USD, 1 for JPY.
    pub fn minor_per_major(self) -> i64 {
        10_i64.pow(self.exponent())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|currency| currency.code().eq_ignore_ascii_case(text))
            .ok_or(MoneyError::UnknownCurrency)
    }
}

/// Why an amount can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// The text is not a plain decimal amount.
    #[error("write the amount in digits, like 50 or 12.50")]
    NotAnAmount,
    /// More decimal digits than the currency has.
    #[error("that is more decimal places than the currency has")]
    TooPrecise,
    /// The sum does not fit 64 bits of minor units.
    #[error("the amount is too large to count")]
    Overflow,
    /// Two currencies in one sum.
    #[error("amounts in different currencies can't be added")]
    CurrencyMismatch,
    /// Not one of [`Currency::ALL`].
    #[error("this currency is not supported")]
    UnknownCurrency,
}

/// A sum: whole minor units (cents) of one currency; may be negative (refunds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Whole minor units: cents for USD, yen for JPY.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The sum.
    ///
    /// # Errors
    /// `CurrencyMismatch`, or `Overflow`.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The difference.
    ///
    /// # Errors
    /// `CurrencyMismatch`, or `Overflow`.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        let minor = other.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        self.checked_add(Self { minor, ..other })
    }

    /// Reads what a person typed: digits, an optional decimal point, commas or spaces between thousands.
    ///
    /// # Errors
    /// `NotAnAmount`, `TooPrecise` (1.005 USD), `Overflow`.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let typed = text.trim().trim_start_matches(currency.symbol().trim()).trim();
        let (whole, fraction) = typed.split_once('.').unwrap_or((typed, ""));
        let whole = parse_whole(whole)?;
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MoneyError::NotAnAmount);
        }
        let digits = u32::try_from(fraction.len()).map_err(|_| MoneyError::TooPrecise)?;
        if digits > currency.exponent() {
            return Err(MoneyError::TooPrecise);
        }
        let fraction: i64 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| MoneyError::Overflow)? };
        let fraction = fraction * 10_i64.pow(currency.exponent() - digits);
        whole
            .checked_mul(currency.minor_per_major())
            .and_then(|minor| minor.checked_add(fraction))
            .map(|minor| Self { minor, currency })
            .ok_or(MoneyError::Overflow)
    }

    /// Decimal text for files, without symbol or separators: `1482310.00`, `-25.00`, `500` (JPY).
    pub fn to_decimal(self) -> String {
        let mut text = String::new();
        self.write_decimal(&mut text);
        text
    }

    /// As [`Self::to_decimal`], at the end of a text.
    pub fn write_decimal(self, text: &mut String) {
        let (sign, whole, fraction) = self.parts();
        let width = usize::try_from(self.currency.exponent()).unwrap_or(0);
        // Into a text nothing can fail to be written.
        let _ =
            if width == 0 { write!(text, "{sign}{whole}") } else { write!(text, "{sign}{whole}.{fraction:0width$}") };
    }

    /// For a page, with every decimal: `$1,482,310.00`, `−$25.00`.
    pub fn to_exact(self) -> String {
        let (_, whole, fraction) = self.parts();
        let width = usize::try_from(self.currency.exponent()).unwrap_or(0);
        let decimals = if width == 0 { String::new() } else { format!(".{fraction:0width$}") };
        format!("{}{}{}{decimals}", self.minus(), self.currency.symbol(), group_thousands(whole))
    }

    /// For a page, decimals only where there are any: `$50`, `$12.50`.
    pub fn to_short(self) -> String {
        if self.minor % self.currency.minor_per_major() == 0 { self.to_whole() } else { self.to_exact() }
    }

    /// For a big figure, rounded down to whole units: `$1,482,310`.
    pub fn to_whole(self) -> String {
        let (_, whole, _) = self.parts();
        format!("{}{}{}", self.minus(), self.currency.symbol(), group_thousands(whole))
    }

    fn minus(self) -> &'static str {
        if self.minor < 0 { "−" } else { "" }
    }

    fn parts(self) -> (&'static str, u64, u64) {
        let per_major = self.currency.minor_per_major().unsigned_abs();
        let minor = self.minor.unsigned_abs();
        (if self.minor < 0 { "-" } else { "" }, minor / per_major, minor % per_major)
    }
}

/// Whole units: plain digits, or digits in well-formed groups of three, so that "1,5" is refused and never read as 15.
fn parse_whole(text: &str) -> Result<i64, MoneyError> {
    let mut groups = text.split([',', ' ', '\u{a0}', '\u{202f}']);
    let first = groups.next().unwrap_or_default();
    let mut digits = String::from(first);
    let mut grouped = false;
    for group in groups {
        if group.len() != 3 {
            return Err(MoneyError::NotAnAmount);
        }
        grouped = true;
        digits.push_str(group);
    }
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (grouped && !(1..=3).contains(&first.len())) {
        return Err(MoneyError::NotAnAmount);
    }
    digits.parse().map_err(|_| MoneyError::Overflow)
}

/// `1482310` as `1,482,310`.
pub fn group_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        let usd = |text: &str| Money::parse(text, Currency::USD).map(|money| money.minor);
        for (typed, expected) in [
            ("50", Ok(5000)),
            (" $12.50 ", Ok(1250)),
            ("12.5", Ok(1250)),
            ("1,482,310.07", Ok(148_231_007)),
            ("1 000", Ok(100_000)),
            ("0", Ok(0)),
            ("", Err(MoneyError::NotAnAmount)),
            ("-5", Err(MoneyError::NotAnAmount)),
            ("1,5", Err(MoneyError::NotAnAmount)),
            ("1e3", Err(MoneyError::NotAnAmount)),
            ("٥٠", Err(MoneyError::NotAnAmount)),
            ("1.005", Err(MoneyError::TooPrecise)),
            ("99999999999999999999", Err(MoneyError::Overflow)),
            ("92233720368547758.08", Err(MoneyError::Overflow)),
        ] {
            assert_eq!(usd(typed), expected, "{typed:?}");
        }
        assert_eq!(Money::parse("500", Currency::JPY), Ok(Money::new(500, Currency::JPY)));
        assert_eq!(Money::parse("5.0", Currency::JPY), Err(MoneyError::TooPrecise));
    }

    #[test]
    fn writes_for_files_and_for_pages() {
        let usd = |minor| Money::new(minor, Currency::USD);
        assert_eq!(usd(148_231_000).to_decimal(), "1482310.00");
        assert_eq!(usd(-5).to_decimal(), "-0.05");
        assert_eq!(usd(148_231_000).to_exact(), "$1,482,310.00");
        assert_eq!(usd(-2500).to_exact(), "−$25.00");
        assert_eq!(usd(5000).to_short(), "$50");
        assert_eq!(usd(5050).to_short(), "$50.50");
        assert_eq!(Money::new(1_234_567, Currency::JPY).to_exact(), "¥1,234,567");
        assert_eq!(usd(i64::MIN).to_decimal(), "-92233720368547758.08");
    }

    #[test]
    fn sums_refuse_overflow_and_mixed_currencies() {
        let one = Money::new(1, Currency::USD);
        assert_eq!(Money::new(i64::MAX, Currency::USD).checked_add(one), Err(MoneyError::Overflow));
        assert_eq!(one.checked_add(Money::new(1, Currency::EUR)), Err(MoneyError::CurrencyMismatch));
        assert_eq!(one.checked_sub(Money::new(3, Currency::USD)), Ok(Money::new(-2, Currency::USD)));
    }
}
