//! The faults inside a refusal's kind: variants, stable names and the operator's sentences.

use std::fmt;

/// Declares a fault: its variants, their stable names and the operator's sentence.
macro_rules! faults {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $stable:literal, $words:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// A stable name, fit for a metric's label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $stable,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $words,)+ })
            }
        }
    };
}

faults! {
    /// A fault of a request's credentials, before a token is read.
    ///
    /// The usual cause of each, and the setting to look at:
    /// [troubleshooting](crate::manual::troubleshooting#invalid_request).
    RequestFault {
        /// More than one `Authorization` field, or a token in more than one of the layer's
        /// sources (RFC 6750 section 2, RFC 9110 section 5.3).
        SeveralCredentials = "several_credentials", "more than one credential was sent";
        /// The field, cookie or header is empty, or names the scheme and nothing else.
        NoCredentials = "no_credentials", "what should hold the credential is empty";
        /// Bytes that no `b64token` contains (RFC 6750 section 2.1).
        NotAToken = "not_a_token", "the credential is not `Bearer` and one b64token, or in a cookie or header the b64token alone";
        /// A client requests a delegation and names no user.
        NoUser = "no_user", "the request names no user to act for";
        /// The field that names the user came more than once.
        SeveralUsers = "several_users", "the request names a user to act for more than once";
        /// Not 1 to 128 visible ASCII characters without a comma.
        NotAUser = "not_a_user", "the field that names the user to act for is malformed";
        /// The header field in which a trusted proxy sends the certificate of the client does not
        /// describe exactly one; see
        /// [`client_certificate_header`](crate::layer::DangerousLayer::client_certificate_header).
        ClientCertificate = "client_certificate", "the field with the client's certificate is malformed, too long or repeated";
        /// The body of a request to an MCP server is no strict JSON-RPC message, or does not say what
        /// it asks for.
        McpMessage = "mcp_message", "the body is no JSON-RPC message that says what it asks for";
        /// `MCP-Protocol-Version`, `Mcp-Method` or `Mcp-Name` is missing, malformed or repeated, or
        /// differs from the body.
        McpHeaders = "mcp_headers", "the MCP header fields are incomplete or differ from the body";
        /// The body of a request to an MCP server is longer than
        /// `McpLayer::max_body_bytes`.
        McpBodyTooLarge = "mcp_body_too_large", "the body is longer than the limit of the MCP layer";
    }
}

faults! {
    /// A fault of a token. The client sees the same response for all of them.
    ///
    /// The usual cause of each, and the setting to look at:
    /// [troubleshooting](crate::manual::troubleshooting#invalid_token).
    TokenFault {
        /// Longer than the limit on tokens; 16 KiB unless set otherwise.
        TooLarge = "too_large", "the token is longer than the limit";
        /// Not three base64url parts that hold strict JSON objects.
        Malformed = "malformed", "the token is not a well-formed compact JWS";
        /// Five parts: a JWE, such as an encrypted refresh token.
        Encrypted = "encrypted", "the token is encrypted; a refresh token is not for an API";
        /// A JSON object names one member twice.
        DuplicateMember = "duplicate_member", "a JSON object in the token names a member twice";
        /// A header parameter that has the wrong type or that this library does not honour.
        Header = "header", "a header parameter is not acceptable";
        /// `crit` demands an extension; none is implemented (RFC 7515 section 4.1.11).
        Critical = "critical", "the header demands an extension";
        /// The algorithm is missing, unknown, or not allowed for this issuer or key.
        Algorithm = "algorithm", "the algorithm is not allowed here";
        /// The `typ` is not one of those accepted from this issuer.
        TokenType = "token_type", "the token is not of an accepted type";
        /// No configured issuer has exactly this `iss`.
        UnknownIssuer = "unknown_issuer", "the issuer is not configured";
        /// The issuer publishes no key with this id.
        UnknownKey = "unknown_key", "the issuer publishes no such key";
        /// The key names, by a member `issuer`, another issuer than the token's.
        ForeignKey = "foreign_key", "the key is good for another issuer's tokens alone";
        /// More keys fit than may be tried.
        AmbiguousKey = "ambiguous_key", "too many keys fit the token";
        /// No key that fits verifies the signature.
        Signature = "signature", "the signature does not verify";
        /// A claim is missing or of the wrong type.
        Claims = "claims", "a required claim is missing or of the wrong type";
        /// There is no `exp`.
        NoExpiry = "no_expiry", "the token does not say when it ends";
        /// `exp` has passed.
        Expired = "expired", "the token has expired";
        /// `nbf` lies ahead.
        NotYetValid = "not_yet_valid", "the token is not valid yet";
        /// The token has another audience.
        Audience = "audience", "the token is not for this audience";
        /// The token was issued to a client that is not allowed.
        ClientId = "client_id", "the token was issued to another client";
        /// Not an access token: an ID, refresh or logout token, or another `token_use`.
        TokenUse = "token_use", "the token is not an access token";
        /// A required claim or header value differs.
        RequiredValue = "required_value", "a claim or header value that the issuer's rules require differs";
        /// The token is bound to a key or a certificate (`cnf`) and the request does not prove its
        /// possession, or the token is not bound as [`require_binding`](crate::Issuer::require_binding)
        /// demands (RFC 9449 sections 7.1 and 7.2, RFC 8705 section 3).
        Binding = "binding", "the token is bound to a key or certificate that the request does not prove, or it is not bound as demanded";
        /// The token was sent under the scheme `DPoP` and is not bound to a key, or DPoP is off (RFC
        /// 9449 section 7.1).
        Scheme = "scheme", "the token was sent under the scheme `DPoP` and is not bound to a key, or DPoP is off";
        /// Introspection reports the token as not active.
        Inactive = "inactive", "the issuer says that the token is not active";
        /// The payload does not fit the application's own claims type.
        CustomClaims = "custom_claims", "the claims do not fit the application's type";
        /// The token, its session, subject, client or issuer was revoked; see
        /// [`Revocation`](crate::revocation::Revocation).
        Revoked = "revoked", "the token was revoked";
        /// The token's status in its Token Status List is not accepted, or the list has no such index;
        /// see [`Issuer::status_list`](crate::Issuer::status_list).
        Status = "status", "the token's status in its status list is not accepted";
        /// A check of the application refused the token.
        Objection = "objection", "the application's own check objects to the token";
    }
}

faults! {
    /// A fault of a DPoP proof (RFC 9449 section 4.3). The client sees `invalid_dpop_proof` for all of
    /// them, except for the two about nonces, which are `use_dpop_nonce`.
    ///
    /// The usual cause of each, and the setting to look at:
    /// [troubleshooting](crate::manual::troubleshooting#invalid_dpop_proof).
    DpopFault {
        /// There is no `DPoP` field (number 1).
        Missing = "proof_missing", "the token came under the scheme `DPoP` without a proof";
        /// More than one `DPoP` field (number 1).
        Several = "several_proofs", "more than one proof was sent";
        /// Longer than [`Dpop::max_proof_bytes`](crate::binding::Dpop::max_proof_bytes).
        TooLarge = "proof_too_large", "the proof is longer than the limit";
        /// Not one well-formed JWT (number 2).
        Malformed = "proof_malformed", "the proof is not a well-formed compact JWS";
        /// `typ` is not `dpop+jwt` (number 4).
        Type = "proof_type", "the proof is not of the type `dpop+jwt`";
        /// `alg` is missing, not asymmetric, or not one of
        /// [`Dpop::algorithms`](crate::binding::Dpop::algorithms) (number 5).
        Algorithm = "proof_algorithm", "the algorithm of the proof is not allowed here";
        /// `jwk` is missing, weak, malformed, of another type than the algorithm, or has a private part
        /// (numbers 6 and 7).
        Key = "proof_key", "the key in the proof is not a public key that fits its algorithm";
        /// The signature does not verify with `jwk` (number 6).
        Signature = "proof_signature", "the signature of the proof does not verify";
        /// A required claim is missing or of the wrong type, or `jti` is longer than 512 bytes (number
        /// 3, section 11.1).
        Claims = "proof_claims", "a claim of the proof is missing or of the wrong type";
        /// `htm` is another method (number 8).
        Method = "proof_method", "the proof is for another method";
        /// `htu` is another URI (number 9).
        Uri = "proof_uri", "the proof is for another uri";
        /// `iat` is outside the window of [`Dpop::max_age`](crate::binding::Dpop::max_age) and
        /// [`Dpop::max_future`](crate::binding::Dpop::max_future) (number 11).
        IssuedAt = "proof_issued_at", "the proof is too old, or is from the future";
        /// `ath` is not the hash of the access token (number 12).
        AccessToken = "proof_access_token", "the proof is for another access token";
        /// The proof was used before (section 11.1).
        Replayed = "proof_replayed", "the proof was used before";
        /// The proof has no `nonce`, and the server demands one (number 10, section 9).
        NonceMissing = "nonce_missing", "the proof lacks the nonce that the server demands";
        /// The `nonce` is not one of the server's, or has expired (number 10, section 9).
        Nonce = "nonce", "the nonce of the proof is not one of the server's, or has expired";
    }
}

faults! {
    /// Why a token could not be checked. Never the caller's fault.
    ///
    /// The usual cause of each, and the setting to look at:
    /// [troubleshooting](crate::manual::troubleshooting#unavailable).
    Outage {
        /// The issuer's keys or the revocations are loaded in the background, and
        /// [`connect`](crate::ResourceServer::connect) was never called.
        NotConnected = "not_connected", "`connect()` was never called, so nothing is loaded";
        /// The issuer's keys were never loaded, or were dropped.
        KeysNotLoaded = "keys_not_loaded", "the issuer's keys are not loaded";
        /// The last good key set is older than the maximum staleness.
        KeysTooStale = "keys_too_stale", "the issuer's keys are too old to be trusted";
        /// The key is unknown, and the key set must not be fetched again yet.
        KeyUnconfirmed = "key_unconfirmed", "the key is unknown and the issuer could not be asked";
        /// The key is unknown, and the issuer's key set has entries that were not read; see
        /// [`Issuer::most_keys`](crate::Issuer::most_keys).
        KeysNotRead = "keys_not_read", "the issuer's key set has more entries than are read";
        /// The wall clock shows a time before this library was made, so that it is not set; see
        /// [`ResourceServerBuilder::earliest_time`](crate::ResourceServerBuilder::earliest_time).
        ClockUnset = "clock_unset", "the clock is not set: it shows a time in the past";
        /// The list of revocations is not loaded yet; see
        /// [`ResourceServerBuilder::load_revocations`](crate::ResourceServerBuilder::load_revocations).
        RevocationsNotLoaded = "revocations_not_loaded", "what has been revoked is not loaded yet";
        /// The application's directory of workspaces or users failed.
        DirectoryFailed = "directory_failed", "the application's directory failed";
        /// The application's directory did not answer in time.
        DirectoryTimedOut = "directory_timed_out", "the application's directory did not answer in time";
        /// Too many requests are waiting for the issuer.
        TooManyWaiting = "too_many_waiting", "too many requests wait for the issuer";
        /// Introspection failed, or its response is not valid.
        IntrospectionFailed = "introspection_failed", "the issuer could not be asked about the token";
        /// The issuer did not respond in time.
        IntrospectionTimedOut = "introspection_timed_out", "the issuer did not answer in time about the token";
        /// The issuer refuses this server's own credentials.
        IntrospectionRefusedUs = "introspection_refused_us", "the issuer refuses our credentials";
        /// The issuer's rate limit: it demands a later request.
        IntrospectionBusy = "introspection_busy", "the issuer is asked too often";
        /// The store of used DPoP proofs has no free place for this caller; see
        /// [`Dpop::replay_capacity`](crate::binding::Dpop::replay_capacity).
        ReplayStoreFull = "replay_store_full", "the store of used proofs is full";
        /// The shared store of used DPoP proofs did not answer; see
        /// [`Dpop::when_store_is_down`](crate::binding::Dpop::when_store_is_down).
        ReplayStoreDown = "replay_store_down", "the shared store of used proofs does not answer";
        /// The queue of decision records is full, and the setting says that nothing is done without a
        /// record; see [`QueueFull::Refuse`](crate::observe::DecisionRecords::when_queue_is_full).
        RecordQueueFull = "record_queue_full", "the queue of decision records is full";
        /// The status list of the token could not be fetched, or is not valid; see
        /// [`Issuer::status_list`](crate::Issuer::status_list).
        StatusListUnavailable = "status_list_unavailable", "the status list of the token is not available";
        /// The userinfo request failed, or its response is not valid.
        UserInfoFailed = "user_info_failed", "the issuer told nothing of the user that counts";
        /// The issuer did not respond in time.
        UserInfoTimedOut = "user_info_timed_out", "the issuer did not answer in time about the user";
        /// The issuer's rate limit: it demands a later request.
        UserInfoBusy = "user_info_busy", "the issuer is asked too often about users";
    }
}

faults! {
    /// A fault of the application's wiring. The response is 500; fix the code.
    ///
    /// The usual cause of each, and the setting to look at:
    /// [troubleshooting](crate::manual::troubleshooting#misconfigured).
    WiringFault {
        /// A setting of the layer was given twice with different values, or has a value that it
        /// cannot have; the [detail](crate::error::Rejection::detail) names it.
        LayerSetting = "layer_setting", "a setting of the layer was given twice with different values, or has a value that it cannot have";
        /// The tenant rules know API contexts and the layer names none.
        NoContext = "no_context", "the layer names no api context; add `.context(\"...\")` to it";
        /// The layer names a context that no issuer's tenant rules know.
        UnknownContext = "unknown_context", "the layer names an api context that no tenant rules know";
        /// The route has no `{workspace_id}` parameter.
        NoWorkspaceParameter = "no_workspace_parameter", "the route has no `{workspace_id}` parameter";
        /// The route has no `{account_id}` parameter.
        NoAccountParameter = "no_account_parameter", "the route has no `{account_id}` parameter";
        /// A handler takes an account on a route that addresses a workspace.
        WorkspaceParameter = "workspace_parameter", "a handler asks for `AccountAccess` on a route with `{workspace_id}`; `WorkspaceAccess` compares both";
        /// The layer admits principals, and the server has no workspace directory.
        NoWorkspaceDirectory = "no_workspace_directory", "the layer admits principals and the server has no workspace directory; give `workspace_directory(..)` to the builder";
        /// A handler takes a delegation, and the server has no user directory.
        NoUserDirectory = "no_user_directory", "a handler asks for a delegation and the server has no user directory; give `user_directory(..)` to the builder, or ask for an unchecked one";
        /// A handler takes a delegation, which no issuer's tenant rules switch on.
        NoDelegation = "no_delegation", "a handler asks for a delegation, which no tenant rules switch on; add `delegation()` to them";
        /// A handler takes userinfo, and no issuer has a userinfo endpoint.
        NoUserInfo = "no_user_info", "a handler asks for `UserInfo` and no issuer tells it; add `userinfo(..)` or `discover_userinfo()` to an issuer";
        /// A handler takes userinfo, and the token is no longer on the request.
        TokenRemoved = "token_removed", "a handler asks for `UserInfo` and something behind the layer has taken the token from the request";
        /// `{workspace_id}` or `{account_id}` occurs twice with different values.
        RepeatedParameter = "repeated_parameter", "a tenant parameter occurs twice in the route with different values";
    }
}
