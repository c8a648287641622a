//! Settings of a server about tokens that are bound to their sender.

use crate::model::requirement::binding::RequiredBindings;
use crate::server::settings::bound_tokens::dpop::Dpop;

/// The settings of a server about bound tokens.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct BindingSettings {
    pub(in crate::server) dpop: Dpop,
    pub(in crate::server) required: RequiredBindings,
    pub(in crate::server) public_origin: Option<String>,
    /// What paths begin with here, and what they begin with for clients.
    pub(in crate::server) public_path: (String, String),
}
