//! The checks that an explanation names, in the order in which a request passes them.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the checks: variants, stable names and what each looks at.
macro_rules! checks {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $stable:literal, $subject:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// A stable name, such as `audience`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $stable,)+ }
            }

            /// What the check looks at, in words.
            #[must_use]
            pub const fn subject(self) -> &'static str {
                match self { $(Self::$variant => $subject,)+ }
            }
        }
    };
}

checks! {
    /// A check of a request, as a step of an [`Explanation`](crate::explain::Explanation) names it.
    Check {
        /// The settings of the layer.
        LayerSettings = "layer_settings", "the settings of the layer";
        /// The header field in which a trusted proxy describes the client's certificate.
        ClientCertificate = "client_certificate", "the proxy's field with the client's certificate";
        /// One credential in one of the layer's sources.
        Credential = "credential", "the credential of the request";
        /// The scheme of the credential.
        Scheme = "scheme", "the scheme of the credential";
        /// The length of the token.
        Length = "length", "the length of the token";
        /// Whether the token is verified here or introspected.
        Form = "form", "the form of the token";
        /// The response of the introspection endpoint.
        Introspection = "introspection", "the verdict of the introspection endpoint";
        /// Three parts of base64url, with strict JSON objects as header and payload.
        Syntax = "syntax", "the parts of the token";
        /// `iss`, which chooses the rules and the keys.
        Issuer = "issuer", "the issuer (`iss`)";
        /// `exp`.
        Expiry = "expiry", "the end of the token (`exp`)";
        /// `alg`.
        Algorithm = "algorithm", "the algorithm of the signature (`alg`)";
        /// The issuer's keys, and the one that the token names.
        Key = "key", "the issuer's keys (`kid`)";
        /// The signature.
        Signature = "signature", "the signature";
        /// `typ` of the header.
        TokenType = "token_type", "the type in the header (`typ`)";
        /// Header parameters that must have a configured value.
        RequiredHeaders = "required_headers", "header parameters with a demanded value";
        /// Claims that must have a configured value.
        RequiredClaims = "required_claims", "claims with a demanded value";
        /// The marks of ID, refresh and logout tokens, and `token_use`.
        TokenUse = "token_use", "marks of another kind of token";
        /// Claims that the issuer's profile demands: `jti` and `iat`.
        Profile = "profile", "claims that the profile demands";
        /// The client that the token was issued to.
        Client = "client", "the client of the token";
        /// The audience.
        Audience = "audience", "the audience of the token";
        /// `cnf`: the keys that the token is bound to.
        Confirmation = "confirmation", "the keys that the token is bound to (`cnf`)";
        /// The actor.
        Actor = "actor", "the actor of the token";
        /// The subject.
        Subject = "subject", "the subject of the token";
        /// The scope.
        Scope = "scope", "the scope of the token";
        /// `jti`, `iat`, sessions and other claims that are read.
        Claims = "claims", "the other claims that are read";
        /// The claim `status`, which refers to a status list.
        StatusClaim = "status_claim", "the reference to a status list (`status`)";
        /// The server's wall clock.
        Clock = "clock", "the server's clock";
        /// `nbf`.
        NotBefore = "not_before", "the beginning of the token (`nbf`)";
        /// The list of revocations.
        Revocation = "revocation", "the list of revocations";
        /// The application's own checks.
        ApplicationChecks = "application_checks", "the application's own checks";
        /// The token's status in its status list.
        Status = "status", "the status in the status list";
        /// Which bindings the server and the issuer demand.
        RequiredBinding = "required_binding", "the bindings that server and issuer demand";
        /// The client certificate or the DPoP proof of a bound token.
        Sender = "sender", "the proof of possession of the sender";
        /// Whether the token is for the layer's resource.
        Resource = "resource", "the resource of the layer";
        /// Whether the token is for the layer's API context.
        Context = "context", "the API context of the layer";
        /// Which bindings the layer and its resource demand.
        LayerBinding = "layer_binding", "the bindings that the layer demands";
        /// The kind of caller, and which evidence of a tenant is missing. It decides nothing: guards do.
        Identity = "identity", "the kind of caller";
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// As its stable name.
impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
