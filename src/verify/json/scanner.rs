//! A strict JSON scanner: one pass, no copies.
//!
//! 1. The members of the outermost object are appended to a buffer of the caller. Those of a nested
//!    object are removed from it after the search for duplicate names.
//! 2. Strings are searched for their end eight bytes at a time, and longer ones by `memchr`. A text
//!    without escapes and control characters, as nearly every token has, is known as such before, so that
//!    only quotes are searched in it.

use crate::verify::json::byte_search::{SHORT, first_quote, first_special, is_plain, is_special};
use crate::verify::json::json_fault::JsonFault;
use crate::verify::json::members::{Member, Members, Scanned, Span, ValueKind, are_distinct};
use crate::verify::json::name_bounds::NameBounds;
#[cfg(feature = "mcp")]
use crate::verify::json::unescape::unescape;

/// The deepest nesting that is accepted. Real tokens stay below 8; the limit bounds the call stack.
pub(super) const MAX_DEPTH: usize = 64;

/// Scans one object; its members replace those in `members`.
pub(super) fn scan(text: &str, members: &mut Members, bounds: NameBounds) -> Result<(), JsonFault> {
    members.list.clear();
    let mut scanner = Scanner::new(text, 0, &mut members.list);
    scanner.is_plain = is_plain(text);
    scanner.names_left = bounds;
    scanner.blanks();
    scanner.object(0)?;
    scanner.blanks();
    if scanner.at != text.len() {
        return Err(JsonFault::Malformed);
    }
    if members.build_index(text) {
        Ok(())
    } else {
        Err(JsonFault::Duplicate)
    }
}

/// Scans one object, and one object in it, in one pass: both get the index of their names.
#[cfg(feature = "mcp")]
pub(super) fn scan_with_inner(
    text: &str,
    members: &mut Members,
    inner: &str,
    inner_members: &mut Members,
) -> Result<(), JsonFault> {
    members.list.clear();
    inner_members.list.clear();
    let mut scanner = Scanner::new(text, 0, &mut members.list);
    scanner.is_plain = is_plain(text);
    scanner.blanks();
    scanner.object_with_inner(inner, &mut inner_members.list)?;
    scanner.blanks();
    if scanner.at != text.len() {
        return Err(JsonFault::Malformed);
    }
    if members.build_index(text) && inner_members.build_index(text) {
        Ok(())
    } else {
        Err(JsonFault::Duplicate)
    }
}

/// A position in a text.
pub(super) struct Scanner<'a, 'm> {
    text: &'a str,
    pub(in crate::verify) at: usize,
    /// Members of the objects that are open, outermost first.
    members: &'m mut Vec<Member>,
    /// Whether it is certain that the text has no escapes and no control characters.
    is_plain: bool,
    names_left: NameBounds,
}

impl<'a, 'm> Scanner<'a, 'm> {
    /// A scanner at the start of a text, or at a position of a text that was scanned before.
    pub(in crate::verify) fn new(text: &'a str, at: usize, members: &'m mut Vec<Member>) -> Self {
        Self {
            text,
            at,
            members,
            is_plain: false,
            names_left: NameBounds::NONE,
        }
    }

    pub(in crate::verify) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn span(&self, from: usize) -> Result<Span, JsonFault> {
        Span::new(from, self.at).ok_or(JsonFault::Malformed)
    }

    #[inline]
    pub(in crate::verify) fn blanks(&mut self) {
        // One comparison where there are none, as in nearly every token.
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.some_blanks();
        }
    }

    #[cold]
    fn some_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(JsonFault::Malformed)
        }
    }

    fn word(&mut self, word: &str, kind: ValueKind) -> Result<ValueKind, JsonFault> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(kind)
        } else {
            Err(JsonFault::Malformed)
        }
    }

    pub(in crate::verify) fn value(&mut self, depth: usize) -> Result<Scanned, JsonFault> {
        let from = self.at;
        let kind = match self.peek() {
            Some(b'"') => {
                let (span, escaped) = self.string()?;
                let kind = ValueKind::String { escaped };
                return Ok(Scanned { kind, span });
            }
            Some(b'{') => {
                self.nested_object(depth)?;
                ValueKind::Object
            }
            Some(b'[') => {
                self.array(depth)?;
                ValueKind::Array
            }
            Some(b't') => self.word("true", ValueKind::Bool(true))?,
            Some(b'f') => self.word("false", ValueKind::Bool(false))?,
            Some(b'n') => self.word("null", ValueKind::Null)?,
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                ValueKind::Number
            }
            _ => return Err(JsonFault::Malformed),
        };
        let span = self.span(from)?;
        Ok(Scanned { kind, span })
    }

    /// Scans an object and appends its members.
    fn object(&mut self, depth: usize) -> Result<(), JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::Malformed);
        }
        self.members_with(|scanner, _, _| scanner.value(depth + 1))
    }

    /// Scans an object and appends its members. `value` scans the value of each, by its name and whether
    /// that has escapes.
    #[inline]
    fn members_with(
        &mut self,
        mut value: impl FnMut(&mut Self, Span, bool) -> Result<Scanned, JsonFault>,
    ) -> Result<(), JsonFault> {
        self.expect(b'{')?;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let (name, escaped) = self.string()?;
            self.names_left.count()?;
            if escaped {
                self.names_left.count_escaped()?;
            }
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            let value = value(self, name, escaped)?;
            let member = Member::new(self.text, name, escaped, value);
            self.members.push(member);
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(JsonFault::Malformed),
            }
        }
    }

    /// Scans an object and appends its members. Those of its member `inner`, where that is an
    /// object, replace the ones in `kept`: one pass for both.
    #[cfg(feature = "mcp")]
    pub(super) fn object_with_inner(
        &mut self,
        inner: &str,
        kept: &mut Vec<Member>,
    ) -> Result<(), JsonFault> {
        self.members_with(|scanner, name, escaped| {
            let from = scanner.at;
            let is_inner = if escaped {
                unescape(name.of(scanner.text)) == inner
            } else {
                name.of(scanner.text) == inner
            };
            if !is_inner || scanner.peek() != Some(b'{') {
                return scanner.value(1);
            }
            let start = scanner.members.len();
            scanner.object(1)?;
            kept.clear();
            kept.extend(scanner.members.drain(start..));
            let span = scanner.span(from)?;
            Ok(Scanned {
                kind: ValueKind::Object,
                span,
            })
        })
    }

    /// Scans a nested object: its members are needed only for the search for duplicate names.
    fn nested_object(&mut self, depth: usize) -> Result<(), JsonFault> {
        let start = self.members.len();
        self.object(depth)?;
        let own = self.members.get(start..).unwrap_or_default();
        let are_distinct = own.len() < 2 || are_distinct(self.text, own);
        self.members.truncate(start);
        if are_distinct {
            Ok(())
        } else {
            Err(JsonFault::Duplicate)
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::Malformed);
        }
        self.expect(b'[')?;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if !self.simple_elements()? {
                if matches!(self.peek(), Some(b'{' | b'[')) {
                    self.names_left.count()?;
                }
                self.value(depth + 1)?;
            }
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                }
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(JsonFault::Malformed),
            }
        }
    }

    /// Skips elements of a list as long as they are texts or whole numbers and no blank is between them, up to
    /// the end of the last one. Whether there was one: long tokens have long lists of such elements.
    fn simple_elements(&mut self) -> Result<bool, JsonFault> {
        let rest = self.rest();
        let (mut at, mut behind) = (0, 0);
        // By a local position: that of the scanner is in memory, and each element would wait for it.
        loop {
            behind = match rest.get(at) {
                Some(b'"') if self.is_plain => {
                    let text = rest.get(at + 1..).unwrap_or_default();
                    at + 2 + first_quote(text).ok_or(JsonFault::Malformed)?
                }
                Some(first @ b'0'..=b'9') => {
                    let mut end = at + 1;
                    while let Some(b'0'..=b'9') = rest.get(end) {
                        end += 1;
                    }
                    let leads_with_zero = *first == b'0' && end > at + 1;
                    let is_whole = !matches!(rest.get(end), Some(b'.' | b'e' | b'E'));
                    if leads_with_zero || !is_whole {
                        break;
                    }
                    end
                }
                _ => break,
            };
            if rest.get(behind) != Some(&b',') {
                break;
            }
            at = behind + 1;
        }
        self.at += behind;
        Ok(behind > 0)
    }

    /// The span between the quotes, and whether it has escapes.
    #[allow(clippy::inline_always)] // most of the work; a third faster when inlined
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<(Span, bool), JsonFault> {
        self.expect(b'"')?;
        let from = self.at;
        if self.is_plain {
            self.at += first_quote(self.rest()).ok_or(JsonFault::Malformed)?;
            let span = self.span(from)?;
            self.at += 1;
            return Ok((span, false));
        }
        let mut escaped = false;
        loop {
            self.at += self.plain().ok_or(JsonFault::Malformed)?;
            match self.peek() {
                Some(b'"') => {
                    let span = self.span(from)?;
                    self.at += 1;
                    return Ok((span, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(JsonFault::Malformed), // RFC 8259 s7: control characters are escaped
            }
        }
    }

    /// The number of bytes before the next special byte.
    #[inline(never)]
    fn plain(&self) -> Option<usize> {
        // Names and most values are short and end within this loop.
        let mut left = self.rest();
        for skipped in (0..SHORT).step_by(8) {
            let Some((first, more)) = left.split_first_chunk::<8>() else {
                let place = left.iter().position(|byte| is_special(*byte));
                return place.map(|place| skipped + place);
            };
            if let Some(place) = first_special(*first) {
                return Some(skipped + place);
            }
            left = more;
        }
        let end = memchr::memchr2(b'"', b'\\', left)?;
        let (string, _) = left.split_at_checked(end)?;
        // Without an early exit, so that the compiler vectorizes the loop. Its position is searched
        // only where there is one, which is the end of the scan.
        let controls = string
            .iter()
            .fold(0, |found, byte| found | u8::from(*byte < 0x20));
        if controls != 0 {
            let place = string.iter().position(|byte| is_special(*byte));
            return place.map(|place| SHORT + place);
        }
        Some(SHORT + end)
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        let kind = self.peek().ok_or(JsonFault::Malformed)?;
        self.at += 1;
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.hex4()? {
                0xD800..=0xDBFF => {
                    // RFC 8259 s8.2: receivers disagree about a lone surrogate.
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    match self.hex4()? {
                        0xDC00..=0xDFFF => Ok(()),
                        _ => Err(JsonFault::Malformed),
                    }
                }
                0xDC00..=0xDFFF => Err(JsonFault::Malformed),
                _ => Ok(()),
            },
            _ => Err(JsonFault::Malformed),
        }
    }

    fn hex4(&mut self) -> Result<u32, JsonFault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(16))
                .ok_or(JsonFault::Malformed)?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let count = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        if count == 0 {
            Err(JsonFault::Malformed)
        } else {
            Ok(())
        }
    }
}
