//! The names of one issuer: further values that its tokens have as `iss`.

use crate::server::settings::issuer::value::Issuer;

/// Its names.
impl Issuer {
    /// Accepts this `iss` too, as another name of the same issuer; call it once for each. Compared
    /// byte for byte, like the first one; it need not be an address.
    ///
    /// All names are one issuer: the same rules and the same keys, which are looked for under the
    /// first name or where the settings say. A caller is the same caller under each name, and a
    /// revocation under one name reaches the tokens of all. For servers that move to another
    /// host, or write a name of their own for each host or version; two servers that do not share
    /// their users are two issuers. [`oidc_tenants`](Self::oidc_tenants) has no alias, and signed
    /// answers are signed under the first name. Default: the one name that the issuer was made
    /// with, and for [`cognito`](Self::cognito) the two forms of its pool.
    ///
    /// ```
    /// use portcullis::{Issuer, ResourceServer};
    ///
    /// let moved = Issuer::oidc("https://id.example.com").also_named("https://old.example.com/auth");
    /// let server = ResourceServer::builder("https://api.example.com").issuer(moved);
    /// # #[cfg(feature = "jwks")]
    /// assert!(server.build().is_ok());
    ///
    /// let twice = Issuer::oidc("https://id.example.com").also_named("https://id.example.com");
    /// let server = ResourceServer::builder("https://api.example.com").issuer(twice);
    /// assert_eq!(server.build().unwrap_err().setting(), "also_named");
    /// ```
    pub fn also_named(mut self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        if !self.aliases.contains(&issuer) {
            self.aliases.push(issuer);
        }
        self
    }

    /// Accepts tokens that a replica of the Cognito pool issues in this region, such as
    /// `us-west-2`; call it once for each. Their `iss` is
    /// `https://cognito-idp.<region>.amazonaws.com/<pool id>`, with the pool id of the primary
    /// region; the replica's keys are fetched below it when its first token comes.
    ///
    /// Pool and replicas are one issuer: a user is one user, and a revocation under the pool's
    /// name reaches the tokens of every region. Default: none, and tokens of another region are an
    /// unknown issuer's.
    pub fn replica_region(mut self, region: impl Into<String>) -> Self {
        let region = region.into();
        if !self.replica_regions.contains(&region) {
            self.replica_regions.push(region);
        }
        self
    }
}
