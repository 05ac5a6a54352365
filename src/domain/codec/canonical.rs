//! Lines in the very form in which they are written here, read without a general parser: no white space, every field in its
//! place, no escapes. That is nearly every line of a log. Whatever else a line is, well-formed or not, is left to the
//! general parser; so nothing here says what is wrong, and what is read here that one reads the same.
//!
//! Fields are taken by their place in a type's list of them, which holds a field's `alias` as well: an event that needs one
//! needs another version instead.

use super::instant::Instant;
use super::{Data, Line};
use crate::domain::Recorded;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::fmt;

/// Digits of a number at most: the largest of so many fits 64 bits.
const DIGITS_MAX: usize = 18;

/// Reads a line; `None` where it is not of that form.
pub(super) fn read(line: &[u8]) -> Option<Line<'_>> {
    // A control character has no place in a text, and elsewhere it is white space or wrong.
    let least = line.iter().fold(u8::MAX, |least, byte| least.min(*byte));
    let mut rest = Rest(str::from_utf8(line).ok().filter(|_| least >= b' ')?);
    rest.envelope().ok().flatten().filter(|_| rest.0.is_empty())
}

/// What is left of a line.
struct Rest<'de>(&'de str);

impl<'de> Rest<'de> {
    fn envelope(&mut self) -> Result<Option<Line<'de>>, Other> {
        self.skip("{\"seq\":")?;
        let seq = self.digits()?;
        self.skip(",\"at\":")?;
        let Instant(at) = serde::Deserialize::deserialize(&mut *self)?;
        self.skip(",\"kind\":")?;
        let kind = self.text()?;
        self.skip(",\"v\":")?;
        let version = u32::try_from(self.digits()?).map_err(|_| Other)?;
        self.skip(",\"key\":")?;
        let key = Cow::Borrowed(self.text()?);
        self.skip(",\"by\":")?;
        let by = Cow::Borrowed(self.text()?);
        self.skip(",\"data\":")?;
        let event = Data { kind, version }.deserialize(&mut *self)?;
        self.skip("}")?;
        Ok(event.map(|event| Line { key, by, recorded: Recorded { seq, at, event } }))
    }

    fn skip(&mut self, token: &str) -> Result<(), Other> {
        self.0 = self.0.strip_prefix(token).ok_or(Other)?;
        Ok(())
    }

    fn text(&mut self) -> Result<&'de str, Other> {
        self.skip("\"")?;
        // Before a quotation mark a backslash ends it: an escape.
        let end = memchr::memchr2(b'"', b'\\', self.0.as_bytes()).ok_or(Other)?;
        let (text, rest) = self.0.split_at_checked(end).ok_or(Other)?;
        self.0 = rest;
        self.skip("\"")?;
        Ok(text)
    }

    fn digits(&mut self) -> Result<u64, Other> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(count).ok_or(Other)?;
        if !(1..=DIGITS_MAX).contains(&count) || (count > 1 && digits.starts_with('0')) {
            return Err(Other);
        }
        self.0 = rest;
        let add = |number: u64, digit: u8| number.checked_mul(10)?.checked_add(digit.checked_sub(b'0')?.into());
        digits.bytes().try_fold(0, add).ok_or(Other)
    }
}

impl<'de> Deserializer<'de> for &mut Rest<'de> {
    type Error = Other;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Other> {
        Err(Other)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        match self.skip("true") {
            Ok(()) => visitor.visit_bool(true),
            Err(Other) => self.skip("false").and_then(|()| visitor.visit_bool(false)),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        visitor.visit_u64(self.digits()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        if self.skip("-").is_err() {
            return self.deserialize_u64(visitor);
        }
        match i64::try_from(self.digits()?) {
            // JSON's -0 is not a whole number.
            Ok(0) | Err(_) => Err(Other),
            Ok(number) => visitor.visit_i64(number.checked_neg().ok_or(Other)?),
        }
    }

    // No event holds a float, see `money`.
    fn deserialize_f32<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Other> {
        Err(Other)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Other> {
        Err(Other)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        match self.skip("null") {
            Ok(()) => visitor.visit_none(),
            Err(Other) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &str, visitor: V) -> Result<V::Value, Other> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &str, _: &[&str], visitor: V) -> Result<V::Value, Other> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.text()?))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Other> {
        self.skip("[")?;
        let value = visitor.visit_seq(Items { rest: self, comma: "" })?;
        self.skip("]")?;
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Other> {
        self.skip("{")?;
        let value = visitor.visit_seq(Fields { rest: self, names: fields.iter(), comma: "" })?;
        self.skip("}")?;
        Ok(value)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 char bytes byte_buf unit unit_struct tuple tuple_struct map identifier ignored_any
    }
}

/// The items of a list.
struct Items<'a, 'de> {
    rest: &'a mut Rest<'de>,
    comma: &'static str,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Other;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Other> {
        if self.rest.0.starts_with(']') {
            return Ok(None);
        }
        self.rest.skip(self.comma)?;
        self.comma = ",";
        seed.deserialize(&mut *self.rest).map(Some)
    }
}

/// The fields of a struct, of which those that may be left out may be missing.
struct Fields<'a, 'de> {
    rest: &'a mut Rest<'de>,
    names: std::slice::Iter<'static, &'static str>,
    comma: &'static str,
}

impl<'de> Fields<'_, 'de> {
    /// What follows the name that comes next, where it stands there.
    fn after_name(&mut self) -> Option<&'de str> {
        let name = self.names.next()?;
        self.rest.0.strip_prefix(self.comma)?.strip_prefix('"')?.strip_prefix(name)?.strip_prefix("\":")
    }
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Other;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Other> {
        let Some(value) = self.after_name() else { return Ok(None) };
        (self.rest.0, self.comma) = (value, ",");
        seed.deserialize(&mut *self.rest).map(Some)
    }
}

/// The line is of another form.
#[derive(Debug)]
struct Other;

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not in the form in which lines are written")
    }
}

impl std::error::Error for Other {}

impl Error for Other {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}
