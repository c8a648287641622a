//! Good tokens of two sizes, and servers for them.

use std::sync::Arc;

use http::HeaderValue;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{ResourceServer, ResourceServerBuilder};

use super::Scale;
use super::shapes::Shape;

/// How long a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Kb1,
    Kb4,
}

impl Size {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kb1 => "1 KB",
            Self::Kb4 => "4 KB",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Kb1 => 1400,
            Self::Kb4 => 4100,
        }
    }
}

/// Makes an issuer's tokens of one size.
pub(crate) struct Mint {
    shape: Shape,
    issuer: MockIssuer,
    /// Entries of the token's lists.
    fill: usize,
}

impl Mint {
    /// Tokens of an `OpenID` Provider without a name.
    pub(crate) fn new(issuer: &MockIssuer, size: Size) -> Self {
        Self::of(Shape::Oidc, issuer, size)
    }

    /// Tokens of a shape, by an issuer of its kind.
    pub(crate) fn of(shape: Shape, issuer: &MockIssuer, size: Size) -> Self {
        Self::of_length(shape, issuer, size.bytes())
    }

    /// The same, of at least so many bytes, and less than one entry more.
    pub(crate) fn of_length(shape: Shape, issuer: &MockIssuer, bytes: usize) -> Self {
        let length = |fill| shape.token(issuer, 0, fill).sign().len();
        let (empty, full) = (length(0), length(100));
        let each = (full - empty) / 100 + 1;
        let mut entries = bytes.saturating_sub(empty) / each;
        while length(entries) < bytes {
            entries += 1;
        }
        assert!(length(entries) < bytes + 80, "{}", length(entries));
        Self {
            shape,
            issuer: issuer.clone(),
            fill: entries,
        }
    }

    /// One token, as its server writes it.
    pub(crate) fn token(&self, name: usize) -> TokenBuilder {
        self.shape.token(&self.issuer, name, self.fill)
    }

    pub(crate) fn sign(&self, count: usize) -> Vec<String> {
        (0..count).map(|name| self.token(name).sign()).collect()
    }

    pub(crate) const fn issuer(&self) -> &MockIssuer {
        &self.issuer
    }

    /// A server that trusts the issuer, and reads what the shape has.
    pub(crate) fn server(&self) -> ResourceServerBuilder {
        let issuer = self.shape.trusted(&self.issuer);
        ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer)
    }
}

/// The values of `Authorization` fields.
pub(crate) fn values(tokens: &[String]) -> Arc<[HeaderValue]> {
    let value = |token: &String| {
        let field = format!("Bearer {token}");
        let value = HeaderValue::try_from(field).expect("a compact token is visible ascii");
        // The first clone of a value makes it shareable, which is no request's cost here.
        let _shared = value.clone();
        value
    };
    tokens.iter().map(value).collect()
}

pub(crate) fn server(issuer: &MockIssuer) -> ResourceServerBuilder {
    ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer.trusted())
}

/// A cache in which no token is missing by chance.
pub(crate) fn roomy(builder: ResourceServerBuilder, scale: Scale) -> ResourceServerBuilder {
    builder
        .token_cache_entries((2 * scale.seen).max(2048))
        .token_cache_bytes(1 << 29)
}
