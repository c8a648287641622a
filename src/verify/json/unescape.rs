//! Strings with escapes, as the text that they mean.

/// Resolves the escapes of a string that the scanner found sound.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = raw.chars();
    while let Some(next) = chars.next() {
        let plain = if next == '\\' {
            match chars.next() {
                Some('u') => {
                    let unit = chars
                        .by_ref()
                        .take(4)
                        .filter_map(|digit| digit.to_digit(16))
                        .fold(0_u32, |unit, digit| unit * 16 + digit);
                    units.push(u16::try_from(unit).unwrap_or(u16::MAX));
                    continue;
                }
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(itself) => itself,
                None => break,
            }
        } else {
            next
        };
        flush(&mut units, &mut text);
        text.push(plain);
    }
    flush(&mut units, &mut text);
    text
}

fn flush(units: &mut Vec<u16>, text: &mut String) {
    text.extend(
        char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
    );
}
