//! A list of names as one text, so that a list takes no memory beside its names.
//!
//! 1. Each name stands behind its length in bytes, so that a name may have any characters.
//! 2. A length is written in characters of six bits, the lowest bits first; every character but the last
//!    has the bit 64. All of them are ASCII, so that the whole is a text.

use crate::verify::json::byte_search::first_quote;

/// Six bits of a length.
const SIX_BITS: usize = 0x3F;

/// The mark of a character behind which more of the length stands.
const MORE: u8 = 0x40;

/// Appends a name that is not empty.
pub(in crate::verify) fn push_stated(list: &mut String, name: &str) {
    if !name.is_empty() {
        push_name(list, name);
    }
}

/// Appends the names of an array that has strings without escapes and nothing else, as most have: each is
/// found by one search for its end. `None` where it has something else, and then nothing is appended. The
/// array is well formed.
pub(in crate::verify) fn push_plain_strings(list: &mut String, array: &str) -> Option<()> {
    let start = list.len();
    let appended = append_plain_strings(list, array);
    if appended.is_none() {
        list.truncate(start);
    }
    appended
}

fn append_plain_strings(list: &mut String, array: &str) -> Option<()> {
    if memchr::memchr(b'\\', array.as_bytes()).is_some() {
        return None;
    }
    list.reserve(array.len());
    let mut at = 1;
    loop {
        match array.as_bytes().get(at)? {
            b'"' => {
                let start = at + 1;
                let end = start + first_quote(array.as_bytes().get(start..)?)?;
                push_stated(list, array.get(start..end)?);
                at = end + 1;
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b']' => return Some(()),
            _ => return None,
        }
    }
}

/// Appends a name to a list.
#[inline]
fn push_name(list: &mut String, name: &str) {
    let mut left = name.len();
    loop {
        #[allow(clippy::cast_possible_truncation)] // six bits
        let bits = (left & SIX_BITS) as u8;
        left >>= 6;
        if left == 0 {
            list.push(char::from(bits));
            break;
        }
        list.push(char::from(bits | MORE));
    }
    list.push_str(name);
}

/// The names of a list, in its order.
#[derive(Clone)]
pub(crate) struct Names<'a> {
    rest: &'a str,
}

impl<'a> Names<'a> {
    /// The names of a list that [`push_name`] has made.
    pub(in crate::verify) const fn of(list: &'a str) -> Self {
        Self { rest: list }
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let mut length = 0_usize;
        let mut shift = 0_u32;
        let mut read = 0_usize;
        for byte in self.rest.bytes() {
            read += 1;
            length |= (usize::from(byte) & SIX_BITS).checked_shl(shift)?;
            shift += 6;
            if byte & MORE == 0 {
                break;
            }
        }
        if read == 0 {
            return None;
        }
        // INVARIANT: the list was made by `push_name`, so the name is there.
        let end = read.checked_add(length)?;
        let name = self.rest.get(read..end)?;
        self.rest = self.rest.get(end..)?;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_list_gives_back_names_of_every_length_and_character() {
        let long = |length: usize| "x".repeat(length);
        let names = [
            String::new(),
            "a".to_owned(),
            "\u{0} @\u{1f600}\u{e9}".to_owned(),
            long(63),
            long(64),
            long(4095),
            long(4096),
            long(300_000),
            "last".to_owned(),
        ];
        let mut list = String::new();
        for name in &names {
            push_name(&mut list, name);
        }
        let read: Vec<&str> = Names::of(&list).collect();
        assert_eq!(read, names);
        assert_eq!(Names::of("").next(), None);
    }

    #[test]
    fn name_list_of_plain_strings_has_each_and_of_anything_else_nothing() {
        for (array, names) in [
            ("[]", Some(vec![])),
            (r#"["a","bc"]"#, Some(vec!["a", "bc"])),
            ("[ \t\"a\" ,\n\"\", \"],[\"\r]", Some(vec!["a", "],["])),
            ("[\"\u{1f600}\u{e9}\"]", Some(vec!["\u{1f600}\u{e9}"])),
            (r#"["a","b\"c"]"#, None),
            (r#"["a",5]"#, None),
            (r#"["a",["b"]]"#, None),
            (r#"["a",{"b":"c"}]"#, None),
            (r#"["a",null]"#, None),
        ] {
            let mut list = String::from("before");
            let appended = push_plain_strings(&mut list, array);
            let appended = appended.map(|()| Names::of(&list["before".len()..]).collect());
            assert_eq!(appended, names, "{array}");
            assert!(appended.is_some() || list == "before", "{array}");
        }
    }

    #[test]
    fn name_list_that_is_cut_off_ends() {
        let mut list = String::new();
        push_name(&mut list, "abc");
        push_name(&mut list, &"\u{e9}".repeat(50));
        for end in 0..list.len() {
            let cut = list.get(..end).unwrap_or_default();
            assert!(Names::of(cut).count() <= 1, "{end}");
        }
    }
}
