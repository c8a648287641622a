//! Adapters that make a directory of a closure.

use std::future::Future;

use crate::model::ids::{AccountId, UserId, WorkspaceId};
use crate::runtime::directory::{
    LookupError, Membership, MembershipDirectory, UserDirectory, WorkspaceDirectory,
};
use crate::verify::identity::access::WorkspaceAccess;

macro_rules! adapter {
    ($(#[$meta:meta])* $function:ident, $name:ident, ($($input:ty),+) -> $output:ty) => {
        $(#[$meta])*
        pub fn $function<F, A>(closure: F) -> $name<F>
        where
            F: Fn($($input),+) -> A + Send + Sync + 'static,
            A: Future<Output = Result<$output, LookupError>> + Send,
        {
            $name(closure)
        }

        #[doc = concat!("A directory that asks a closure; made by [`", stringify!($function), "`].")]
        #[derive(Clone, Copy)]
        pub struct $name<F>(F);

        impl<F> std::fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

adapter! {
    /// Makes a [`WorkspaceDirectory`] of a closure from a workspace to its owner.
    ///
    /// ```
    /// use portcullis::tenant::{AccountId, WorkspaceId, workspace_directory_fn};
    ///
    /// let owners = workspace_directory_fn(|workspace: WorkspaceId| async move {
    ///     Ok((workspace.as_str() == "acme-prod").then(|| AccountId::new("acme")).transpose()?)
    /// });
    /// # let _ = owners;
    /// ```
    workspace_directory_fn, WorkspaceDirectoryFn, (WorkspaceId) -> Option<AccountId>
}

adapter! {
    /// Makes a [`UserDirectory`] of a closure from a workspace and a user to whether the user
    /// is one of the workspace.
    ///
    /// ```
    /// use portcullis::tenant::{UserId, WorkspaceId, user_directory_fn};
    ///
    /// let users = user_directory_fn(|workspace: WorkspaceId, user: UserId| async move {
    ///     Ok((workspace.as_str(), user.as_str()) == ("acme-prod", "user-1"))
    /// });
    /// # let _ = users;
    /// ```
    user_directory_fn, UserDirectoryFn, (WorkspaceId, UserId) -> bool
}

adapter! {
    /// Makes a [`MembershipDirectory`] of a closure from a user and a workspace to the
    /// membership.
    ///
    /// ```
    /// use portcullis::tenant::{Membership, UserId, WorkspaceId, membership_directory_fn};
    ///
    /// let members = membership_directory_fn(|user: UserId, workspace: WorkspaceId| async move {
    ///     let known = (user.as_str(), workspace.as_str()) == ("alice", "acme-prod");
    ///     Ok(known.then(Membership::new))
    /// });
    /// # let _ = members;
    /// ```
    membership_directory_fn, MembershipDirectoryFn,
    (UserId, WorkspaceId) -> Option<Membership>
}

impl<F, A> WorkspaceDirectory for WorkspaceDirectoryFn<F>
where
    F: Fn(WorkspaceId) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<AccountId>, LookupError>> + Send,
{
    async fn owner(&self, workspace: &WorkspaceId) -> Result<Option<AccountId>, LookupError> {
        (self.0)(workspace.clone()).await
    }
}

impl<F, A> UserDirectory for UserDirectoryFn<F>
where
    F: Fn(WorkspaceId, UserId) -> A + Send + Sync + 'static,
    A: Future<Output = Result<bool, LookupError>> + Send,
{
    async fn has_user(&self, access: &WorkspaceAccess, user: &UserId) -> Result<bool, LookupError> {
        (self.0)(access.workspace().clone(), user.clone()).await
    }
}

impl<F, A> MembershipDirectory for MembershipDirectoryFn<F>
where
    F: Fn(UserId, WorkspaceId) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<Membership>, LookupError>> + Send,
{
    async fn membership(
        &self,
        user: &UserId,
        workspace: &WorkspaceId,
    ) -> Result<Option<Membership>, LookupError> {
        (self.0)(user.clone(), workspace.clone()).await
    }
}
