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

/// The bindings that are demanded, of all who demand one: a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequiredBindings(u8);

impl RequiredBindings {
    pub(crate) const NONE: Self = Self(0);

    const ANY: u8 = 1;
    const DPOP: u8 = 2;
    const MUTUAL_TLS: u8 = 4;

    #[must_use]
    pub(crate) const fn with(self, binding: Binding) -> Self {
        Self(
            self.0
                | match binding {
                    Binding::Any => Self::ANY,
                    Binding::Dpop => Self::DPOP,
                    Binding::MutualTls => Self::MUTUAL_TLS,
                },
        )
    }

    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether no unbound token and no token of another binding is good.
    pub(crate) const fn demands_dpop(self) -> bool {
        self.has(Self::DPOP)
    }

    /// Whether no token without a client certificate is good.
    pub(crate) const fn demands_mutual_tls(self) -> bool {
        self.has(Self::MUTUAL_TLS)
    }

    /// Whether a token with these confirmations has the demanded bindings.
    pub(crate) const fn are_met_by(self, has_dpop: bool, has_mutual_tls: bool) -> bool {
        (!self.has(Self::ANY) || has_dpop || has_mutual_tls)
            && (!self.has(Self::DPOP) || has_dpop)
            && (!self.has(Self::MUTUAL_TLS) || has_mutual_tls)
    }

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// What is demanded, for operators.
impl fmt::Display for RequiredBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.has(Self::DPOP), self.has(Self::MUTUAL_TLS)) {
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
