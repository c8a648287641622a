//! Settings of an issuer about tokens that are bound to their sender.

use crate::model::requirement::binding::Binding;
use crate::server::settings::issuer::value::Issuer;

impl Issuer {
    /// Demands that every token of this issuer is bound to its sender; others are refused with 401
    /// `invalid_token`. Several demands add up, with those of the server and of the layer. Default: bound
    /// tokens and bearer tokens are accepted, and a bound one only with its proof or certificate.
    #[doc(alias("sender_constrained", "require_dpop", "require_mtls"))]
    pub fn require_binding(mut self, binding: Binding) -> Self {
        self.required_bindings = self.required_bindings.with(binding);
        self
    }
}
