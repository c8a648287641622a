//! Stream ids and entries, as the store's replies contain them.

use std::fmt;

use redis::Value;

/// The one field of an entry.
pub(super) const FIELD: &[u8] = b"e";

/// The id of a stream entry: milliseconds of the store's clock, and a sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId {
    millis: u64,
    number: u64,
}

impl StreamId {
    /// Before every entry.
    pub(crate) const START: Self = Self {
        millis: 0,
        number: 0,
    };

    #[cfg(test)]
    pub(crate) const fn at(millis: u64) -> Self {
        Self { millis, number: 0 }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('-')?;
        Some(Self {
            millis: millis.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// The milliseconds of the store's clock.
    pub(crate) const fn millis(self) -> u64 {
        self.millis
    }

    /// Whether it is the largest id that there is: a stream that has given it out takes no entry.
    pub(crate) const fn is_last(self) -> bool {
        self.millis == u64::MAX && self.number == u64::MAX
    }

    /// The id that follows directly.
    pub(crate) const fn next(self) -> Self {
        Self {
            millis: self.millis,
            number: self.number.saturating_add(1),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

/// An entry of a stream; `None` in place of bytes where it does not have exactly our one field.
pub(crate) type Entry = (StreamId, Option<Vec<u8>>);

/// The last id that a stream has given out, in the reply to `XINFO STREAM`.
pub(super) fn last_generated(parts: &[Value]) -> Option<StreamId> {
    parts.chunks_exact(2).find_map(|pair| match pair {
        [name, value] if text_of(name)? == "last-generated-id" => StreamId::parse(&text_of(value)?),
        _ => None,
    })
}

/// The entries in the reply to `XREAD` for one stream; `None` where it has another form.
pub(super) fn entries(answer: Value) -> Option<Vec<Entry>> {
    let Value::Array(streams) = answer else {
        return (answer == Value::Nil).then(Vec::new);
    };
    let Some(Value::Array(mut pair)) = streams.into_iter().next() else {
        return None;
    };
    let Some(Value::Array(entries)) = pair.pop() else {
        return None;
    };
    entries.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let Value::Array(pair) = value else {
        return None;
    };
    let mut pair = pair.into_iter();
    let at = StreamId::parse(&text_of(&pair.next()?)?)?;
    // An entry with another field, or with several, is not ours; its id counts all the same.
    let bytes = match pair.next() {
        Some(Value::Array(fields)) => match <[Value; 2]>::try_from(fields) {
            Ok([Value::BulkString(name), Value::BulkString(bytes)]) if name == FIELD => Some(bytes),
            _ => None,
        },
        _ => None,
    };
    Some((at, bytes))
}

pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_as_numbers() {
        let places = ["0-0", "9-1", "10-0", "10-9", "10-10"].map(StreamId::parse);
        assert!(places.is_sorted() && places.iter().all(Option::is_some));
        assert_eq!(StreamId::parse("9-1"), Some(StreamId::at(9).next()));
        for text in [
            "",
            "9",
            "-",
            "9-",
            "9-x",
            "-1-1",
            "9-1-1",
            "18446744073709551616-0",
        ] {
            assert_eq!(StreamId::parse(text), None, "{text}");
        }
        assert_eq!(StreamId::at(9).to_string(), "9-0");
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        let bytes = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let read = |entry: Value| {
            entries(Value::Array(vec![Value::Array(vec![
                bytes("stream"),
                Value::Array(vec![entry]),
            ])]))
        };
        let fields = |names: &[&str]| Value::Array(names.iter().copied().map(bytes).collect());
        let entry = |names: &[&str]| Value::Array(vec![bytes("5-0"), fields(names)]);
        let at = StreamId::at(5);
        assert_eq!(
            read(entry(&["e", "sealed"])),
            Some(vec![(at, Some(b"sealed".to_vec()))])
        );
        assert_eq!(read(entry(&["x", "sealed"])), Some(vec![(at, None)]));
        assert_eq!(read(entry(&["e", "a", "e", "b"])), Some(vec![(at, None)]));
        assert_eq!(entries(Value::Nil), Some(Vec::new()));
        assert_eq!(
            read(Value::Array(vec![bytes("nonsense"), fields(&[])])),
            None
        );
        assert_eq!(read(Value::Okay), None);
        assert_eq!(entries(Value::Okay), None);
        assert_eq!(entries(Value::Array(Vec::new())), None);
    }
}
