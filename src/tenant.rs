//! Tenants: ids, rules, access proofs, and the directories that the application supplies.

#[doc(inline)]
pub use crate::model::ids::{
    AccountId, ClientId, InvalidId, PrincipalId, SubjectId, UserId, WorkspaceId,
};
#[doc(inline)]
pub use crate::runtime::directory::{
    LookupError, Membership, MembershipDirectory, UserDirectory, WorkspaceDirectory,
};
#[doc(inline)]
pub use crate::runtime::directory_fn::{
    MembershipDirectoryFn, UserDirectoryFn, WorkspaceDirectoryFn, membership_directory_fn,
    user_directory_fn, workspace_directory_fn,
};
