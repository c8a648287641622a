//! The text format of snapshots: JSON lines, after a header line with their number.
//!
//! 1. Writing and reading back gives the same entries.
//! 2. Reading is strict: an invalid line or a missing line is an error, since a revocation that is
//!    left out would be lifted.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::revocation::{Revocation, RevocationKind};
use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;

/// The version of the format.
const FORM: u32 = 1;

/// The text is not a snapshot: the first invalid or missing line, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotASnapshot(pub(crate) usize);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    revocations: u32,
    entries: usize,
}

/// An entry. Exactly one of the ids, or none for a whole issuer.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(borrow)]
    issuer: Cow<'l, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    token: Option<Cow<'l, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    session: Option<Cow<'l, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'l, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    subject_without_session: Option<Cow<'l, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    client: Option<Cow<'l, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    actor: Option<Cow<'l, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<i64>,
    end: i64,
}

/// Writes a snapshot.
pub(crate) fn write(entries: &[RevocationEntry]) -> String {
    let head = Head {
        revocations: FORM,
        entries: entries.len(),
    };
    // Serializing plain members into memory cannot fail.
    let mut text = serde_json::to_string(&head).unwrap_or_default();
    for entry in entries {
        text.push('\n');
        text.push_str(&write_entry(entry));
    }
    text.push('\n');
    text
}

/// Reads a snapshot.
pub(crate) fn read(text: &str) -> Result<Vec<RevocationEntry>, NotASnapshot> {
    let mut lines = text.lines();
    let head: Option<Head> = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok());
    let Some(head) = head.filter(|head| head.revocations == FORM) else {
        return Err(NotASnapshot(1));
    };
    let mut entries = Vec::new();
    for (place, line) in lines.enumerate() {
        entries.push(read_entry(line).ok_or(NotASnapshot(place + 2))?);
    }
    if entries.len() == head.entries {
        Ok(entries)
    } else {
        Err(NotASnapshot(entries.len() + 2))
    }
}

/// Writes one entry as a line.
pub(crate) fn write_entry(entry: &RevocationEntry) -> String {
    let revocation = entry.revocation();
    let mut line = Line {
        issuer: revocation.issuer().into(),
        before: revocation.before().map(UnixTime::as_secs),
        end: entry.ends_at().as_secs(),
        ..Line::default()
    };
    let id = revocation.id().map(Cow::from);
    match revocation.kind() {
        RevocationKind::Token => line.token = id,
        RevocationKind::Session => line.session = id,
        RevocationKind::Subject => line.subject = id,
        RevocationKind::SubjectWithoutSession => line.subject_without_session = id,
        RevocationKind::Client => line.client = id,
        RevocationKind::Actor => line.actor = id,
        RevocationKind::Issuer => {}
    }
    serde_json::to_string(&line).unwrap_or_default()
}

/// Reads an entry from its line; `None` where the line is invalid.
pub(crate) fn read_entry(line: &str) -> Option<RevocationEntry> {
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    let before = line.before.map(UnixTime::from_secs);
    let mut ids = [
        (RevocationKind::Token, &line.token),
        (RevocationKind::Session, &line.session),
        (RevocationKind::Subject, &line.subject),
        (
            RevocationKind::SubjectWithoutSession,
            &line.subject_without_session,
        ),
        (RevocationKind::Client, &line.client),
        (RevocationKind::Actor, &line.actor),
    ]
    .into_iter()
    .filter_map(|(kind, id)| id.as_deref().map(|id| (kind, id)));
    let (kind, id) = ids.next().unwrap_or((RevocationKind::Issuer, ""));
    // Only tokens and sessions are revoked for good.
    let is_for_good = matches!(kind, RevocationKind::Token | RevocationKind::Session);
    if ids.next().is_some() || is_for_good == before.is_some() {
        return None;
    }
    let revocation = Revocation::new(&line.issuer, kind, id, before);
    Some(RevocationEntry::new(
        revocation,
        UnixTime::from_secs(line.end),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = RevocationEntry> {
        (0..7_usize, ".{0,12}", any::<i64>(), any::<i64>()).prop_map(|(kind, id, before, end)| {
            let before = UnixTime::from_secs(before);
            let revocation = match kind {
                0 => Revocation::token("https://a.example", &id),
                1 => Revocation::session("https://a.example", &id),
                2 => Revocation::subject("https://a.example", &id, before),
                3 => Revocation::subject_without_session("https://a.example", &id, before),
                4 => Revocation::client("https://a.example", &id, before),
                5 => Revocation::actor("https://a.example", &id, before),
                _ => Revocation::whole_issuer("https://a.example/\"\n", before),
            };
            RevocationEntry::new(revocation, UnixTime::from_secs(end))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(entries in proptest::collection::vec(entry(), 0..8)) {
            let text = write(&entries);
            prop_assert_eq!(read(&text), Ok(entries.clone()));
            prop_assert_eq!(text.lines().count(), entries.len() + 1);
            // Every text that is cut off is an error, unless only the last line break is.
            for end in (0..text.len() - 1).filter(|end| text.is_char_boundary(*end)) {
                prop_assert!(read(&text[..end]).is_err());
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = read(&text);
            let _ = read_entry(&text);
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        let good = r#"{"issuer":"i","subject":"s","before":5,"end":9}"#;
        assert!(read_entry(good).is_some(), "the accepted twin");
        for bad in [
            r#"{"issuer":"i","subject":"s","end":9}"#,
            r#"{"issuer":"i","end":9}"#,
            r#"{"issuer":"i","token":"t","before":5,"end":9}"#,
            r#"{"issuer":"i","token":"t","subject":"s","before":5,"end":9}"#,
            r#"{"issuer":"i","subject":"s","before":5}"#,
            r#"{"issuer":"i","subject":"s","before":"5","end":9}"#,
            r#"{"issuer":"i","subject":"s","before":5,"end":9.5}"#,
            r#"{"issuer":"i","subject":"s","before":5,"end":9,"more":1}"#,
            r#"{"issuer":"i","subject":"s","subject":"s","before":5,"end":9}"#,
            r#"{"issuer":"i","subject":7,"before":5,"end":9}"#,
            r#"{"subject":"s","before":5,"end":9}"#,
            "",
            "[]",
        ] {
            assert_eq!(read_entry(bad), None, "{bad}");
            let text = format!("{{\"revocations\":1,\"entries\":2}}\n{good}\n{bad}\n");
            assert_eq!(read(&text), Err(NotASnapshot(3)), "{bad}");
        }
        let two = format!("{{\"revocations\":2,\"entries\":1}}\n{good}\n");
        assert_eq!(read(&two), Err(NotASnapshot(1)), "another form");
    }
}
