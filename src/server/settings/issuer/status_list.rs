//! The setting of an issuer that has the status of its tokens checked.

use crate::server::settings::issuer::value::Issuer;
use crate::server::settings::status_list_check::StatusListCheck;

/// The status of tokens.
impl Issuer {
    /// Checks the status of this issuer's tokens in Token Status Lists, as these settings say. A token
    /// whose status is not accepted is refused, 401, with the fault
    /// [`Status`](crate::error::TokenFault::Status); where its list is not available the answer is 503
    /// with [`StatusListUnavailable`](crate::error::Outage::StatusListUnavailable). A `status` that is
    /// malformed is refused, 401. Default: `status` is ignored.
    ///
    /// An issuer whose tokens are introspected cannot have it: its answers state the token's state.
    #[doc(alias("token_status_list", "statuslist+jwt", "revocation_list"))]
    pub fn status_list(mut self, check: StatusListCheck) -> Self {
        self.once.set_opaque("status_list");
        self.once.take_over(&check.once);
        self.status_list = Some(check);
        self
    }
}
