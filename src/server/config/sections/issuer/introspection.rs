//! Members of introspected issuers.

use crate::runtime::introspection::client_auth::ClientAuthentication;
use crate::runtime::introspection::dialect::TokenInformation;
use crate::server::config::error::NodeError;
use crate::server::config::place::Secret;
use crate::server::config::section::section;
use crate::server::config::setting::{Chosen, Setting};
use crate::server::presets::issuers::axway_dialect;

section! {
    /// How this server authenticates at the introspection endpoint.
    ClientAuthenticationTable makes ClientAuthentication;

    /// HTTP Basic (`client_secret_basic`).
    make basic: ClientSecretTable = |one: (String, String)| ClientAuthentication::basic(one.0, one.1);
    /// Id and secret as fields of the form (`client_secret_post`).
    make post: ClientSecretTable = |one: (String, String)| ClientAuthentication::post(one.0, one.1);
    /// A bearer token.
    make bearer: Secret;
    /// A JWT that is signed for each request.
    make private_key_jwt: ClientKeyTable = |one: (String, String)| ClientAuthentication::private_key_jwt(one.0, one.1);
    /// The `kid` of the key, for `private_key_jwt`.
    one with_key_id: String;
    /// The `aud` of the JWT, for `private_key_jwt`. Default: the issuer's identifier.
    one for_audience: String;
}

/// The id and the secret of this server as a client.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `client_id` and `secret`"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct ClientSecretTable {
    client_id: String,
    secret: Secret,
}

impl Setting for ClientSecretTable {
    type Value = (String, String);

    fn value(self) -> Result<Self::Value, NodeError> {
        let secret = self.secret.value();
        Ok((
            self.client_id,
            secret.map_err(|error| error.within("secret"))?,
        ))
    }
}

/// The id and the private key of this server as a client.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `client_id` and `pem`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct ClientKeyTable {
    client_id: String,
    /// One `PRIVATE KEY` block (PKCS#8).
    pem: Secret,
}

impl Setting for ClientKeyTable {
    type Value = (String, String);

    fn value(self) -> Result<Self::Value, NodeError> {
        let pem = self.pem.value();
        Ok((self.client_id, pem.map_err(|error| error.within("pem"))?))
    }
}

section! {
    /// The dialect of a token information service.
    TokenDialectTable makes TokenInformation;

    /// The field of the form that holds the token.
    make field: String;
    /// The dialect of Axway API Gateway.
    make axway_dialect: Chosen = |_| axway_dialect();
    /// Statuses that say that the token is bad: 400 to 499 except 401, 403 and 429.
    each bad_token_status: u16;
    /// The member with the remaining life of the token in seconds.
    one lifetime_claim: String;
    /// Sends the token in the query of a GET.
    flag in_query;
}
