//! Settings of an issuer's userinfo endpoint.

use crate::server::settings::introspection_settings::UserInfoLocation;
use crate::server::settings::issuer::value::Issuer;

/// Claims of users from the userinfo endpoint.
impl Issuer {
    /// Asks this endpoint of the issuer about a user, with the user's token, when a handler wants
    /// [`UserInfo`](crate::extract::UserInfo): the `userinfo_endpoint` of OpenID Connect Core section 5.3.
    ///
    /// 1. An answer is remembered for 60 s, and for one token. Concurrent requests about
    ///    one token share one look-up; 64 run at a time, and a request waits for 2 s.
    /// 2. An answer is JSON, or a JWT (`application/jwt`) that one of the issuer's keys verifies
    ///    and that is for the token's client.
    ///
    /// Default: off, since a token is then sent to one more place.
    pub fn userinfo(mut self, endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into();
        self.once.set("userinfo", &Some(&endpoint));
        self.userinfo_location = Some(UserInfoLocation::At(endpoint));
        self
    }

    /// The same, at the endpoint that the issuer's metadata names, which are found like those of
    /// its keys, at the first look-up. [`discovery_url`](Self::discovery_url)
    /// names another place.
    pub fn discover_userinfo(mut self) -> Self {
        self.once.set("userinfo", &None::<&String>);
        self.userinfo_location = Some(UserInfoLocation::Discovered);
        self
    }
}
