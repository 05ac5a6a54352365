//! PURE: AMF0 (Adobe, AMF0 specification), as far as RTMP's commands use it.

use super::WireError;

/// Objects in objects in objects: commands have two levels.
const DEPTH_MAX: u32 = 6;

/// Values in one command; a `connect` has about fifteen.
const VALUES_MAX: u32 = 256;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::media) enum Value {
    Number(f64),
    Boolean(bool),
    Text(String),
    Object(Vec<(String, Value)>),
    /// Null, undefined, and what commands have no use for.
    Null,
}

impl Value {
    pub(in crate::media) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(in crate::media) fn member(&self, name: &str) -> Option<&Value> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

const BAD: WireError = WireError::Command { what: "an AMF value that can't be read" };

struct Input<'a> {
    bytes: &'a [u8],
    left: u32,
}

/// Reads all values of a command.
pub(in crate::media) fn read(bytes: &[u8]) -> Result<Vec<Value>, WireError> {
    let mut input = Input { bytes, left: VALUES_MAX };
    let mut values = Vec::new();
    while !input.bytes.is_empty() {
        values.push(input.value(DEPTH_MAX)?);
    }
    Ok(values)
}

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(BAD)?;
        self.bytes = rest;
        Ok(*head)
    }

    fn text(&mut self, length: usize) -> Result<String, WireError> {
        let (head, rest) = self.bytes.split_at_checked(length).ok_or(BAD)?;
        self.bytes = rest;
        Ok(String::from_utf8_lossy(head).into_owned())
    }

    fn short_text(&mut self) -> Result<String, WireError> {
        let length = u16::from_be_bytes(self.take()?);
        self.text(usize::from(length))
    }

    fn value(&mut self, depth: u32) -> Result<Value, WireError> {
        self.left = self.left.checked_sub(1).ok_or(BAD)?;
        let depth = depth.checked_sub(1).ok_or(BAD)?;
        let [kind] = self.take()?;
        match kind {
            0 => Ok(Value::Number(f64::from_be_bytes(self.take()?))),
            1 => Ok(Value::Boolean(self.take::<1>()? != [0])),
            2 => Ok(Value::Text(self.short_text()?)),
            3 => self.members(depth),
            5 | 6 | 13 => Ok(Value::Null),
            7 => self.take::<2>().map(|_| Value::Null),
            8 => {
                // The count of an associative array is only a hint.
                self.take::<4>()?;
                self.members(depth)
            }
            10 => {
                for _ in 0..u32::from_be_bytes(self.take()?) {
                    self.value(depth)?;
                }
                Ok(Value::Null)
            }
            11 => self.take::<10>().map(|_| Value::Null),
            12 | 15 => {
                let length = usize::try_from(u32::from_be_bytes(self.take()?)).map_err(|_| BAD)?;
                Ok(Value::Text(self.text(length)?))
            }
            16 => {
                self.short_text()?;
                self.members(depth)
            }
            _ => Err(BAD),
        }
    }

    fn members(&mut self, depth: u32) -> Result<Value, WireError> {
        let mut members = Vec::new();
        loop {
            let key = self.short_text()?;
            if key.is_empty() && self.bytes.first() == Some(&9) {
                self.take::<1>()?;
                return Ok(Value::Object(members));
            }
            let value = self.value(depth)?;
            members.push((key, value));
        }
    }
}

/// Writes values one after another.
pub(in crate::media) fn write(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        put(&mut out, value);
    }
    out
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(0);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(yes) => out.extend_from_slice(&[1, u8::from(*yes)]),
        Value::Text(text) => {
            out.push(2);
            put_text(out, text);
        }
        Value::Object(members) => {
            out.push(3);
            for (key, value) in members {
                put_text(out, key);
                put(out, value);
            }
            out.extend_from_slice(&[0, 0, 9]);
        }
        Value::Null => out.push(5),
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Our own texts are sentences; a longer one is cut rather than written with a wrong length.
    let bytes = text.as_bytes().get(..text.len().min(usize::from(u16::MAX))).unwrap_or_default();
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let values = vec![
            Value::Text("connect".to_owned()),
            Value::Number(1.0),
            Value::Object(vec![("app".to_owned(), Value::Text("live".to_owned())), ("x".to_owned(), Value::Null)]),
            Value::Boolean(true),
        ];
        assert_eq!(read(&write(&values)).unwrap(), values);
        assert_eq!(values[2].member("app").and_then(Value::text), Some("live"));
    }

    #[test]
    fn nesting_and_counts_end() {
        assert!(read(&[10, 0, 0, 0, 1].repeat(1_000)).is_err());
        assert!(read(&[&[10, 255, 255, 255, 255][..], &[5; 4_000]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
