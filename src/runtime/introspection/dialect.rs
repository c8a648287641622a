//! The dialect of an introspection endpoint: the request's field, and how a bad token is reported.

use crate::model::repeated_settings::RepeatedSettings;
use crate::verify::claims::introspection_response::ResponseFormat;

/// The protocol of a token information service that does not follow RFC 7662: with [`Issuer::token_dialect`](crate::Issuer::token_dialect).
///
/// 1. The token is a field of a form that is sent by POST.
/// 2. `200` and one JSON object are about a good token; the members are read like claims, by the
///    issuer's settings. Where there is a member `active`, only the boolean `true` is good.
/// 3. A status that was named with [`bad_token_status`](Self::bad_token_status) is about a bad
///    token: 401. Every other one is an outage: 503.
///
/// ```
/// use portcullis::config::TokenInformation;
/// use portcullis::Issuer;
///
/// // A service that wants `token`, answers 404 for a bad one and counts in `ttl`.
/// let dialect = TokenInformation::field("token")
///     .bad_token_status(404)
///     .lifetime_claim("ttl");
/// let issuer = Issuer::token_information("https://gateway.example/tokens")
///     .token_dialect(dialect)
///     .subject_claim("user")
///     .client_id_claim("app");
/// # let _ = issuer;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct TokenInformation {
    pub(crate) field: String,
    pub(crate) in_query: bool,
    pub(crate) bad_token: Vec<u16>,
    pub(crate) lifetime: Option<String>,
    pub(crate) states_active: bool,
    /// The settings that hold one value.
    pub(crate) once: RepeatedSettings,
}

impl TokenInformation {
    /// A service that wants the token in this field of a form.
    pub fn field(name: impl Into<String>) -> Self {
        Self {
            field: name.into(),
            in_query: false,
            bad_token: Vec::new(),
            lifetime: None,
            states_active: false,
            once: RepeatedSettings::default(),
        }
    }

    /// Makes what was set until now a default, which may be set anew.
    pub(crate) fn preset(mut self) -> Self {
        self.once = RepeatedSettings::default();
        self
    }

    /// The status says that the token is bad: 400 to 499 except 401, 403 and 429, which are
    /// about this server. Call it once for each. Default: none.
    pub fn bad_token_status(mut self, status: u16) -> Self {
        self.bad_token.push(status);
        self
    }

    /// The member with the remaining life of the token, in seconds from the request. Default: none; `exp` is read in any case, and the earlier one counts.
    pub fn lifetime_claim(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.once.set("lifetime_claim", &name);
        self.lifetime = Some(name);
        self
    }

    /// Sends the token in the query of a GET, for services that accept nothing else: proxies and logs
    /// on the way may record it. The token may have
    /// 1,024 bytes. Default: in a form.
    pub fn in_query(mut self) -> Self {
        self.in_query = true;
        self
    }

    /// RFC 7662.
    pub(crate) fn introspection() -> Self {
        Self {
            states_active: true,
            ..Self::field("token")
        }
    }

    pub(crate) fn response_format(&self) -> ResponseFormat {
        ResponseFormat {
            states_active: self.states_active,
            lifetime: self.lifetime.as_deref().map(Into::into),
        }
    }
}
