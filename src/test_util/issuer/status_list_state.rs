//! The status lists of a mock issuer, as bytes.

use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// A way in which a status list is not what it must be; see
/// [`MockStatusList::fail_with`](crate::test_util::MockStatusList::fail_with).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusListFault {
    /// 80 MiB of zeros, compressed into 80 KiB: more than any setting allows.
    Bomb,
    /// Its `iss` is `https://other.example`.
    WrongIssuer,
    /// Its `sub` is the address of another list.
    WrongSubject,
    /// Its `typ` is `JWT`.
    WrongType,
    /// It has no statuses.
    Short,
    /// It expired an hour ago.
    Expired,
    /// It has no `iat`.
    NoIssueTime,
    /// Its `bits` are 3.
    WrongBits,
    /// Its compressed bytes are cut off.
    Truncated,
    /// It is signed by a key that the issuer does not publish, under the id of one that it does.
    WrongKey,
    /// It is an access token of the issuer.
    AccessToken,
}

/// A list of statuses.
#[derive(Clone)]
pub(in crate::test_util) struct ListState {
    pub(in crate::test_util) bits: u8,
    pub(in crate::test_util) statuses: Vec<u8>,
    pub(in crate::test_util) ttl: Option<Duration>,
    /// From its issue.
    pub(in crate::test_util) life: Option<Duration>,
    pub(in crate::test_util) fault: Option<StatusListFault>,
}

impl Default for ListState {
    fn default() -> Self {
        Self {
            bits: 2,
            statuses: vec![0; 1024],
            ttl: Some(Duration::from_secs(300)),
            life: Some(Duration::from_secs(24 * 3600)),
            fault: None,
        }
    }
}

impl ListState {
    /// The compressed array (draft-ietf-oauth-status-list-21 section 4.1).
    pub(in crate::test_util) fn compressed(&self) -> Vec<u8> {
        match self.fault {
            Some(StatusListFault::Bomb) => return bomb().clone(),
            Some(StatusListFault::Short) => return compress(&[]),
            _ => {}
        }
        let in_a_byte = usize::from(8 / self.bits);
        let bytes: Vec<u8> = self
            .statuses
            .chunks(in_a_byte)
            .map(|chunk| {
                let statuses = (0..).zip(chunk);
                statuses.fold(0, |byte, (place, status)| {
                    byte | status << (place * self.bits)
                })
            })
            .collect();
        let mut stream = compress(&bytes);
        if self.fault == Some(StatusListFault::Truncated) {
            stream.truncate(stream.len() / 2);
        }
        stream
    }
}

/// It is made once, since that takes a while.
pub(in crate::test_util) fn bomb() -> &'static Vec<u8> {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| compress(&vec![0; 80 << 20]))
}

#[allow(clippy::expect_used)] // Memory does not fail.
fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
