//! What routes demand beside a good token: the check and the layer.

pub(in crate::middleware) mod actor_check;
pub(in crate::middleware) mod check;
pub(crate) mod layer;
