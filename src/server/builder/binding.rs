//! Settings of a server about tokens that are bound to their sender.

use crate::model::requirement::binding::Binding;
use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::settings::bound_tokens::dpop::Dpop;

impl ResourceServerBuilder {
    /// How DPoP proofs are accepted (RFC 9449). Default: a token that is bound to a DPoP key is
    /// accepted with a good proof, where the [public origin](Self::public_origin) is known, and challenges
    /// do not name the scheme.
    #[doc(alias("rfc9449", "proof_of_possession"))]
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.once.set_opaque("dpop");
        self.binding.dpop = dpop;
        self
    }

    /// Demands that every token is bound to its sender; others are refused with 401 `invalid_token`.
    /// Several demands add up, with those of the issuer and of the layer. Default: bound tokens and
    /// bearer tokens are accepted, and a bound one only with its proof or certificate.
    #[doc(alias("sender_constrained", "require_dpop", "require_mtls"))]
    pub fn require_binding(mut self, binding: Binding) -> Self {
        self.binding.required = self.binding.required.with(binding);
        self
    }

    /// Scheme, host and port under which clients reach this server, such as `https://api.example.com`: the
    /// `htu` of a proof is compared with it and with the path (RFC 9449 section 4.3). It never comes from
    /// the `Host` field, which the sender of a request chooses. It counts for all resources. Default: those of
    /// the layer's resource, where that is an `http` or `https` URL, or else those of the first; where the
    /// first is no such URL, tokens that are bound to a DPoP key are refused.
    #[doc(alias("base_url", "external_url", "htu"))]
    pub fn public_origin(mut self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        self.once.set("public_origin", &origin);
        self.binding.public_origin = Some(origin);
        self
    }

    /// How paths differ between this server and its clients, where a proxy changes them: a request whose
    /// path begins with `internal` here has a path that begins with `public` for clients.
    /// `public_path("", "/api")` is for a proxy that removes `/api`, `public_path("/svc", "")` for one that
    /// adds `/svc`. Each is empty, or begins with a slash and does not end with one. Nested routers of
    /// axum need no setting. Default: paths are the same.
    #[doc(alias("path_prefix", "base_path", "htu"))]
    pub fn public_path(mut self, internal: impl Into<String>, public: impl Into<String>) -> Self {
        let prefixes = (internal.into(), public.into());
        self.once.set("public_path", &prefixes);
        self.binding.public_path = prefixes;
        self
    }
}
