//! Tenants: the rules that find them in tokens, identities, access proofs, ids, and the directories
//! that the application supplies.

#[doc(inline)]
pub use crate::model::ids::{
    AccountId, ClientId, InvalidId, PrincipalId, SubjectId, UserId, WorkspaceId,
};
#[doc(inline)]
pub use crate::model::reach::Reach;
#[doc(inline)]
pub use crate::runtime::directory::{
    LookupError, Membership, MembershipDirectory, UserDirectory, WorkspaceDirectory,
};
#[doc(inline)]
pub use crate::runtime::directory_fn::{
    MembershipDirectoryFn, UserDirectoryFn, WorkspaceDirectoryFn, membership_directory_fn,
    user_directory_fn, workspace_directory_fn,
};
#[doc(inline)]
pub use crate::verify::identity::access::{AccountAccess, WorkspaceAccess};
#[doc(inline)]
pub use crate::verify::identity::delegation::{Delegation, UncheckedDelegation};
#[doc(inline)]
pub use crate::verify::identity::kinds::{
    Client, Identity, IdentityKind, Principal, Subject, WorkspaceUser,
};
#[doc(inline)]
pub use crate::verify::policy::client_tenant::ClientTenant;
#[doc(inline)]
pub use crate::verify::policy::tenant_claims::TenantClaims;
