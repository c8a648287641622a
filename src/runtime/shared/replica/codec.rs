//! Messages as text, which is then encrypted: `revoked`, an id, and the entry in a line of its own;
//! or `withdrawn` and ids.
//!
//! Reading is strict: a text that is not understood to its last byte is no message.

use crate::model::time::UnixTime;
use crate::runtime::revocation::text_format;
use crate::runtime::shared::replica::message::{MessageId, SyncMessage};

/// The text of a message.
pub(in crate::runtime::shared) fn write(message: &SyncMessage) -> String {
    match message {
        SyncMessage::Revoked(id, entry) => {
            format!("revoked {id:032x}\n{}", text_format::write_entry(entry))
        }
        SyncMessage::Withdrawn(ids, _) => {
            let ids: Vec<String> = ids.iter().map(|id| format!("{id:032x}")).collect();
            format!("withdrawn {}", ids.join(" "))
        }
    }
}

/// The message of a text that was sealed until `end`; `None` where it is none.
pub(in crate::runtime::shared) fn read(text: &[u8], end: UnixTime) -> Option<SyncMessage> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(rest) = text.strip_prefix("revoked ") {
        let (id, line) = rest.split_once('\n')?;
        let entry = text_format::read_entry(line).filter(|entry| entry.ends_at() == end)?;
        return Some(SyncMessage::Revoked(id_of(id)?, entry));
    }
    let ids = text.strip_prefix("withdrawn ")?.split(' ');
    let ids: Option<Vec<MessageId>> = ids.map(id_of).collect();
    Some(SyncMessage::Withdrawn(ids?, end))
}

fn id_of(text: &str) -> Option<MessageId> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_valid = text.len() == 32 && text.bytes().all(is_hex);
    is_valid.then(|| MessageId::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::revocation::Revocation;
    use crate::runtime::revocation::entry::RevocationEntry;

    const END: UnixTime = UnixTime::from_secs(1_800_000_000);

    #[test]
    fn what_is_written_is_read_back() {
        let revocation = Revocation::subject("https://a.example", "a\nb \"c\"", END);
        for message in [
            SyncMessage::Revoked(7, RevocationEntry::new(revocation, END)),
            SyncMessage::Withdrawn(vec![1, MessageId::MAX, 0], END),
        ] {
            let text = write(&message);
            assert_eq!(read(text.as_bytes(), END), Some(message), "{text}");
            for bytes in 0..text.len() {
                // A list of ids that lacks some is another one, and no seal opens for it.
                let shorter = read(&text.as_bytes()[..bytes], END);
                assert!(
                    !matches!(shorter, Some(SyncMessage::Revoked(..))),
                    "{bytes} bytes"
                );
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_no_message() {
        let id = "0".repeat(32);
        let line = r#"{"issuer":"i","token":"t","end":1800000000}"#;
        assert!(read(format!("revoked {id}\n{line}").as_bytes(), END).is_some());
        let other = UnixTime::from_secs(1_800_000_001);
        assert!(read(format!("revoked {id}\n{line}").as_bytes(), other).is_none());
        for text in [
            String::new(),
            "withdrawn".to_owned(),
            "withdrawn ".to_owned(),
            format!("withdrawn {id} "),
            format!("withdrawn {id}\n"),
            format!("withdrawn +{}", &id[1..]),
            format!("withdrawn {}", "A".repeat(32)),
            format!("revoked {id}"),
            format!("revoked {id} {line}"),
            format!("revoked {id}\n{line}\n{line}"),
            format!("revoked {}\n{line}", &id[1..]),
            format!("suspended {id}\n{line}"),
        ] {
            assert!(read(text.as_bytes(), END).is_none(), "{text}");
        }
        assert!(read(b"withdrawn \xff", END).is_none());
    }
}
