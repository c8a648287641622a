//! Settings of tenant rules for tokens that write tenants in other forms than strings.

use crate::verify::policy::tenant_claims::TenantClaims;

impl TenantClaims {
    /// Reads whole numbers as ids, by their digits: `{"tenant_id":42}` is the id `42`. It holds for
    /// every claim of these rules that is a string otherwise. A number with a fraction or an
    /// exponent stays contradiction. Default: a number is contradiction.
    pub fn numeric_ids(mut self) -> Self {
        self.numeric_ids = true;
        self
    }
}
