//! Which binding a token must have: to a DPoP key or to a client certificate.

use std::fmt;

/// The binding that a token must have, so that a stolen token is useless without its key.
///
/// Demanded by [`ResourceServerBuilder::require_binding`](crate::ResourceServerBuilder::require_binding)
/// for a server, [`Issuer::require_binding`](crate::Issuer::require_binding) for an issuer and
/// [`AuthenticateLayer::require_binding`](crate::AuthenticateLayer::require_binding) for routes. The
/// demands add up: with `Dpop` on the server and `MutualTls` on a layer a token must have both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias("sender_constrained", "proof_of_possession", "pop", "cnf"))]
#[non_exhaustive]
pub enum Binding {
    /// Either of the others.
    Any,
    /// To the key of a DPoP proof: `cnf.jkt` (RFC 9449 section 6).
    Dpop,
    /// To a client certificate: `cnf.x5t#S256` (RFC 8705 section 3).
    MutualTls,
}

/// The bindings that are demanded, of all who demand one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequiredBindings {
    any: bool,
    dpop: bool,
    mutual_tls: bool,
}

impl RequiredBindings {
    pub(crate) const NONE: Self = Self {
        any: false,
        dpop: false,
        mutual_tls: false,
    };

    #[must_use]
    pub(crate) const fn with(mut self, binding: Binding) -> Self {
        match binding {
            Binding::Any => self.any = true,
            Binding::Dpop => self.dpop = true,
            Binding::MutualTls => self.mutual_tls = true,
        }
        self
    }

    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            any: self.any || other.any,
            dpop: self.dpop || other.dpop,
            mutual_tls: self.mutual_tls || other.mutual_tls,
        }
    }

    pub(crate) const fn is_none(self) -> bool {
        !self.any && !self.dpop && !self.mutual_tls
    }

    /// Whether no unbound token and no token of another binding is good.
    pub(crate) const fn demands_dpop(self) -> bool {
        self.dpop
    }

    /// Whether a token with these confirmations has the demanded bindings.
    pub(crate) const fn are_met_by(self, has_dpop: bool, has_mutual_tls: bool) -> bool {
        (!self.any || has_dpop || has_mutual_tls)
            && (!self.dpop || has_dpop)
            && (!self.mutual_tls || has_mutual_tls)
    }
}

/// What is demanded, for operators.
impl fmt::Display for RequiredBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.dpop, self.mutual_tls) {
            (true, true) => "a token bound to a DPoP key and to a client certificate",
            (true, false) => "a token bound to a DPoP key (`cnf.jkt`)",
            (false, true) => "a token bound to a client certificate (`cnf.x5t#S256`)",
            (false, false) => "a token bound to a DPoP key or to a client certificate",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_add_up() {
        use Binding::{Any, Dpop, MutualTls};
        for (demands, met) in [
            (&[][..], [true, true, true, true]),
            (&[Any], [false, true, true, true]),
            (&[Dpop], [false, true, false, true]),
            (&[MutualTls], [false, false, true, true]),
            (&[Any, Dpop], [false, true, false, true]),
            (&[Dpop, MutualTls], [false, false, false, true]),
        ] {
            let all = demands.iter().fold(RequiredBindings::NONE, |all, one| {
                all.and(RequiredBindings::NONE.with(*one))
            });
            let tokens = [(false, false), (true, false), (false, true), (true, true)];
            let found = tokens.map(|(dpop, tls)| all.are_met_by(dpop, tls));
            assert_eq!(found, met, "{demands:?}");
            assert_eq!(all.is_none(), demands.is_empty());
        }
    }
}
