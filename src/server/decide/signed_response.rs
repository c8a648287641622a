//! Signed responses of an issuer, verified with its keys.

use std::sync::Arc;
use std::time::Duration;

use crate::model::error::rejection::{Rejection, TokenFault};
use crate::runtime::cache::validity::CacheValidity;
use crate::runtime::lookup::engine::{EndpointError, RequestTime};
use crate::server::decide::decision::Decision;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::verify::claims::introspection_response::AnswerTime;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::jose::signature::Signed;

/// The times that a response to this request is compared with.
pub(in crate::server) fn answer_time(
    authority: &IssuerAuthority,
    request_time: RequestTime,
    apart: Duration,
) -> AnswerTime {
    AnswerTime {
        requested_at: request_time.wall,
        used: request_time.wall.saturating_add(request_time.earlier),
        apart,
        leeway: authority.rules.leeway,
    }
}

/// What `read` makes of a signed response that names the issuer and that one of its keys verifies,
/// and what the signature check depends on: a cached response ends with the key. An unknown key is
/// looked up. What is wrong with the response is a reason for the operator.
pub(in crate::server) async fn opened<T: Send + 'static>(
    authority: &Arc<IssuerAuthority>,
    bytes: &[u8],
    read: impl FnOnce(&IssuerAuthority, &Signed<'_>) -> Result<T, String> + Send + 'static,
) -> Result<(T, CacheValidity), EndpointError> {
    let read = |authority: &IssuerAuthority, signed: &Signed<'_>, validity| {
        Ok((read(authority, signed), validity))
    };
    let decision = verified(authority, bytes, read)?;
    let (read, validity) = decision.finish().await.map_err(broken)?;
    Ok((read.map_err(EndpointError::failed)?, validity))
}

fn verified<T: Send + 'static>(
    authority: &Arc<IssuerAuthority>,
    bytes: &[u8],
    then: impl FnOnce(&IssuerAuthority, &Signed<'_>, CacheValidity) -> Result<T, Rejection>
    + Send
    + 'static,
) -> Result<Decision<T>, EndpointError> {
    let Scratch { parts, members } = &mut Scratch::default();
    let compact = Compact::decode_parts(bytes.trim_ascii(), parts).map_err(broken)?;
    let unverified = Unverified::read(&compact, members).map_err(broken)?;
    if unverified.claimed_issuer() != Some(&*authority.rules.realm) {
        return Err(broken(TokenFault::UnknownIssuer));
    }
    authority.verify(unverified, then).map_err(broken)
}

fn broken(reason: impl Into<Rejection>) -> EndpointError {
    let rejection = reason.into();
    EndpointError::failed(format!("of the signed answer, {rejection}"))
}
