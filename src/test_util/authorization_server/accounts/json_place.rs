//! Places in a JSON text: paths such as `clients[2].redirect_uris`, lines and columns.

/// The path of what stands at or before this line and column, both from 1, in a text that is JSON up to there.
pub(super) fn path(text: &str, line: usize, column: usize) -> String {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let before: usize = lines.map(str::len).sum();
    let end = before.saturating_add(column).min(text.len());
    scan(text, end, |_, _| false).path()
}

/// Line and column of the first place with this path, both from 1, in a text that is JSON.
pub(super) fn find(text: &str, path: &str) -> Option<(usize, usize)> {
    let mut found = None;
    scan(text, text.len(), |at, levels| {
        found = (levels.path() == path).then_some(at);
        found.is_some()
    });
    let before = text.get(..=found?)?;
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    Some((line, before.len() - start))
}

/// The levels at this place, or where `stop` says so first.
fn scan<'a>(text: &'a str, end: usize, mut stop: impl FnMut(usize, &Scan<'a>) -> bool) -> Scan<'a> {
    let mut scan = Scan::default();
    let bytes = text.as_bytes().get(..end).unwrap_or_default();
    let mut bytes = bytes.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        // What closes at the place itself is still what the place is about.
        let last = at + 1 >= end;
        match byte {
            b'"' => {
                let start = at + 1;
                let mut close = start;
                while let Some((at, byte)) = bytes.next() {
                    close = at;
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
                scan.text(text.get(start..close).unwrap_or_default());
            }
            b'{' => scan.levels.push(Level::Object(None, true)),
            b'[' => scan.levels.push(Level::Array(0)),
            b'}' | b']' if !last => drop(scan.levels.pop()),
            b',' if !last => scan.comma(),
            b':' => scan.colon(),
            _ => continue,
        }
        if stop(at, &scan) {
            break;
        }
    }
    scan
}

#[derive(Default)]
struct Scan<'a> {
    levels: Vec<Level<'a>>,
}

enum Level<'a> {
    /// The name of the member, and whether a name comes next.
    Object(Option<&'a str>, bool),
    Array(usize),
}

impl<'a> Scan<'a> {
    fn text(&mut self, text: &'a str) {
        if let Some(Level::Object(name, true)) = self.levels.last_mut() {
            *name = Some(text);
        }
    }

    fn colon(&mut self) {
        if let Some(Level::Object(_, expects_name)) = self.levels.last_mut() {
            *expects_name = false;
        }
    }

    fn comma(&mut self) {
        match self.levels.last_mut() {
            Some(Level::Object(name, expects_name)) => (*name, *expects_name) = (None, true),
            Some(Level::Array(index)) => *index += 1,
            None => {}
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for level in &self.levels {
            match level {
                Level::Object(Some(name), _) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Level::Object(None, _) => {}
                Level::Array(index) => path.extend(["[", &index.to_string(), "]"]),
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_a_place_counts_items_and_names_members() {
        let text = "{\"a\": [1, {\"b,\": \"x\\\"]\", \"c\": 7}],\n \"d\": {\"e\": 1}}";
        let place = |needle: &str| {
            let at = text.find(needle).unwrap() + needle.len();
            let line = text[..at].matches('\n').count() + 1;
            let column = at - text[..at].rfind('\n').map_or(0, |at| at + 1);
            path(text, line, column)
        };
        assert_eq!(place("[1"), "a[0]");
        assert_eq!(place("\"x"), "a[1].b,");
        assert_eq!(place("7"), "a[1].c");
        assert_eq!(place("\"e\": 1"), "d.e");
        assert_eq!(path("", 1, 0), "");
        assert_eq!(path("{", 9, 9), "");
        assert_eq!(find(text, "a[1].c"), Some((1, 26)));
        assert_eq!(find(text, "d.e"), Some((2, 8)));
        assert_eq!(find(text, "d.f"), None);
    }
}
