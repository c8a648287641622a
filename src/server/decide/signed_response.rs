//! Signed answers of an issuer, opened with its keys.

use std::time::Duration;

use crate::model::error::rejection::TokenFault;
use crate::runtime::cache::validity::CacheValidity;
use crate::runtime::lookup::engine::{EndpointError, RequestTime};
use crate::server::decide::issuer_authority::{Interrupt, IssuerAuthority};
use crate::verify::claims::introspection_response::AnswerTime;
use crate::verify::jose::jws::{Compact, Scratch, Unverified};
use crate::verify::jose::signature::Signed;

/// How often one signed answer may wait for a key.
const MOST_QUESTIONS: usize = 2;

/// The times that an answer to this question is compared with.
pub(in crate::server) fn answer_time(
    authority: &IssuerAuthority,
    asked: RequestTime,
    apart: Duration,
) -> AnswerTime {
    AnswerTime {
        asked: asked.wall,
        used: asked.wall.saturating_add(asked.earlier),
        apart,
        leeway: authority.rules.leeway,
    }
}

/// What `read` makes of a signed answer that names the issuer and that one of its keys verifies,
/// and what that stands on: whatever is remembered of the answer ends with the key. A key that is
/// unknown is asked for. What is wrong with the answer is a reason for the operator.
pub(in crate::server) async fn opened<T>(
    authority: &IssuerAuthority,
    bytes: &[u8],
    read: impl Fn(&Signed<'_>) -> Result<T, String> + Sync,
) -> Result<(T, CacheValidity), EndpointError> {
    let broken =
        |fault: TokenFault| EndpointError::failed(format!("of the signed answer, {fault}"));
    let rules = &authority.rules;
    let Scratch {
        mut parts,
        mut members,
    } = Scratch::default();
    let compact = Compact::decode_parts(bytes.trim_ascii(), &mut parts).map_err(broken)?;
    let mut answered = None;
    for _ in 0..=MOST_QUESTIONS {
        let unverified =
            Unverified::read(&compact, &mut members).map_err(|error| broken(error.into()))?;
        if unverified.claimed_issuer() != Some(&*rules.realm) {
            return Err(broken(TokenFault::UnknownIssuer));
        }
        let question = match authority.keys.check(unverified, rules, answered.take()) {
            Ok((signed, basis)) => {
                let read = read(&signed).map_err(EndpointError::failed)?;
                return Ok((read, basis));
            }
            Err(Interrupt::Refused(rejection)) => {
                return Err(EndpointError::failed(format!(
                    "of the signed answer, {rejection}"
                )));
            }
            Err(Interrupt::Wait(question)) => question,
        };
        answered = Some(question.wait().await);
    }
    Err(EndpointError::failed(
        "the key of the signed answer is unknown",
    ))
}
