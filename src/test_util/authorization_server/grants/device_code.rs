//! The device grant (RFC 8628): the token endpoint's part of it.
//!
//! 1. A device asks with its device code until the user has decided on the page `/device`.
//! 2. One that asks before its interval is over is told to slow down, and its interval grows by 5 seconds (section
//!    3.5).
//! 3. A device code is good for one answer of tokens.

use std::time::Duration;

use super::issued::{begin_grant, check_client};
use super::token_request::TokenRequest;
use crate::test_util::authorization_server::issue::{
    TokenResponse, resources_within, tokens_of_grant,
};
use crate::test_util::authorization_server::request::{AuthenticatedClient, OAuthError};
use crate::test_util::authorization_server::state::{DeviceDecision, Server};
use crate::test_util::keys::sha256;

/// RFC 8628 s3.5.
const SLOWER_BY: Duration = Duration::from_secs(5);

pub(super) fn exchange(
    server: &Server,
    client: &AuthenticatedClient,
    request: &TokenRequest<'_>,
) -> Result<TokenResponse, OAuthError> {
    let digest = sha256(request.form.required("device_code")?.as_bytes());
    let now = server.now();
    let mut state = server.state();
    let unknown = || OAuthError::invalid_grant("the device code is unknown or was used before");
    let device = state.devices.get_mut(&digest, now).ok_or_else(unknown)?;
    check_client("device code", &device.client, client)?;
    if now >= device.expires_at {
        return Err(OAuthError::new(
            "expired_token",
            "the device code has expired",
        ));
    }
    let early = device
        .asked_at
        .is_some_and(|last| now < last.saturating_add(device.interval));
    device.asked_at = Some(now);
    if early {
        device.interval = device.interval.saturating_add(SLOWER_BY);
        return Err(OAuthError::new("slow_down", "the device asks too often"));
    }
    let grant = match &mut device.decision {
        DeviceDecision::Pending => {
            return Err(OAuthError::new(
                "authorization_pending",
                "the user has not decided yet",
            ));
        }
        DeviceDecision::Denied => {
            return Err(OAuthError::new(
                "access_denied",
                "the user has denied the access",
            ));
        }
        // RFC 8628 s3.4, RFC 6749 s4.1.2: for one use.
        DeviceDecision::Granted(grant) => grant,
    };
    let granted = grant.as_ref().ok_or_else(unknown)?;
    let resources = resources_within(granted, request.form.all("resource"))?;
    let grant = grant.take().ok_or_else(unknown)?;
    let id = begin_grant(server, &mut state, client, request, *grant, now);
    let grant = state.grants.get(&id, now).ok_or_else(unknown)?;
    let within = (&*grant.scope, &*resources);
    let confirmation = request.confirmation.as_ref();
    Ok(tokens_of_grant(
        server,
        id,
        grant,
        within,
        None,
        confirmation,
    ))
}
