//! The resource of an issuer's tokens that name none.

use crate::server::settings::issuer::value::Issuer;

/// The resource of its tokens.
impl Issuer {
    /// The resource of this issuer's tokens that are accepted though they name no audience of the
    /// server: a client of [`cognito`](Self::cognito) that stands in for the audience,
    /// `audience_where_stated`, and
    /// [`accept_any_audience`](crate::config::DangerousIssuer::accept_any_audience). The issuer's own
    /// [`audience`](Self::audience)s are this resource's. At other resources such tokens are refused.
    /// It is the identifier of a resource of the server. Default: the server's first resource.
    #[doc(alias("resource_indicators"))]
    pub fn default_resource(mut self, identifier: impl Into<String>) -> Self {
        let identifier = identifier.into();
        self.once.set("default_resource", &identifier);
        self.default_resource = Some(identifier);
        self
    }
}
