//! Look-ups that the application supplies: the owner of a workspace, its users and its members.
//!
//! 1. A look-up that fails or times out is an outage, never a refusal: 503, not 403.
//! 2. Every look-up has a timeout, after which its future is dropped. Their number is bounded by the
//!    requests with a valid token.
//! 3. Nothing is cached here: only the application knows how long an answer stays true.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::error::rejection::Outage;
use crate::model::ids::{AccountId, UserId, WorkspaceId};
use crate::model::shared_str::SharedStr;
use crate::runtime::clock::Clock;
use crate::runtime::util::excerpt::excerpt;
use crate::runtime::util::log_rate_limit::LogRateLimit;
use crate::runtime::util::select::{Either, race};
use crate::verify::identity::access::WorkspaceAccess;

/// Why a look-up failed. Its first 160 characters are logged as a warning, escaped, so it should
/// quote neither ids nor secrets; the client sees 503 alone.
pub type LookupError = Box<dyn std::error::Error + Send + Sync>;

/// Says which account owns a workspace; supplied by the application, with
/// [`ResourceServerBuilder::workspace_directory`](crate::ResourceServerBuilder::workspace_directory).
///
/// It is asked when a principal enters a workspace, and when the issuer of a user or a client is
/// limited by [`only_accounts`](crate::TenantClaims::only_accounts). [`workspace_directory_fn`](crate::tenant::workspace_directory_fn)
/// makes one of a closure.
///
/// ```
/// use portcullis::tenant::{AccountId, LookupError, WorkspaceDirectory, WorkspaceId};
///
/// struct Workspaces; // a pool of database connections, say
///
/// impl WorkspaceDirectory for Workspaces {
///     async fn owner(&self, workspace: &WorkspaceId) -> Result<Option<AccountId>, LookupError> {
///         match workspace.as_str() {
///             "acme-prod" => Ok(Some(AccountId::new("acme")?)),
///             _ => Ok(None),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workspace directory",
    note = "implement `WorkspaceDirectory`, or wrap a closure: `workspace_directory_fn(|workspace: WorkspaceId| async move {{ Ok(owner) }})`"
)]
pub trait WorkspaceDirectory: Send + Sync + 'static {
    /// The account that owns the workspace; `None` where there is no such workspace, which is
    /// answered 403.
    ///
    /// # Errors
    ///
    /// Whatever kept it from knowing, which is answered 503.
    fn owner(
        &self,
        workspace: &WorkspaceId,
    ) -> impl Future<Output = Result<Option<AccountId>, LookupError>> + Send;
}

impl<D: WorkspaceDirectory> WorkspaceDirectory for Arc<D> {
    fn owner(
        &self,
        workspace: &WorkspaceId,
    ) -> impl Future<Output = Result<Option<AccountId>, LookupError>> + Send {
        D::owner(self, workspace)
    }
}

/// Says which users a workspace has; supplied by the application, with
/// [`ResourceServerBuilder::user_directory`](crate::ResourceServerBuilder::user_directory).
///
/// It is asked when a client acts for a user: see [`Delegation`](crate::tenant::Delegation). [`user_directory_fn`](crate::tenant::user_directory_fn)
/// makes one of a closure.
///
/// ```
/// use portcullis::tenant::{LookupError, UserDirectory, UserId};
/// use portcullis::WorkspaceAccess;
///
/// struct Users;
///
/// impl UserDirectory for Users {
///     async fn has_user(&self, access: &WorkspaceAccess, user: &UserId) -> Result<bool, LookupError> {
///         Ok((access.workspace().as_str(), user.as_str()) == ("acme-prod", "user-1"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a user directory",
    note = "implement `UserDirectory`, or wrap a closure: `user_directory_fn(|workspace: WorkspaceId, user: UserId| async move {{ Ok(known) }})`"
)]
pub trait UserDirectory: Send + Sync + 'static {
    /// Whether there is such a user in the workspace that was entered. The user's id is of the
    /// client's issuer; `false` is answered 403.
    ///
    /// # Errors
    ///
    /// Whatever kept it from knowing, which is answered 503.
    fn has_user(
        &self,
        access: &WorkspaceAccess,
        user: &UserId,
    ) -> impl Future<Output = Result<bool, LookupError>> + Send;
}

impl<D: UserDirectory> UserDirectory for Arc<D> {
    fn has_user(
        &self,
        access: &WorkspaceAccess,
        user: &UserId,
    ) -> impl Future<Output = Result<bool, LookupError>> + Send {
        D::has_user(self, access, user)
    }
}

/// Says of which workspaces a user is a member, beside the one that the token names; supplied by
/// the application, with
/// [`ResourceServerBuilder::membership_directory`](crate::ResourceServerBuilder::membership_directory).
///
/// [`WorkspaceAccess`] asks it last, on every request, about users of issuers whose tenant rules
/// say [`memberships_from_directory`](crate::TenantClaims::memberships_from_directory).
/// [`membership_directory_fn`](crate::tenant::membership_directory_fn) makes one of a closure.
///
/// ```
/// use portcullis::tenant::{LookupError, Membership, MembershipDirectory, UserId, WorkspaceId};
///
/// struct Members; // a pool of database connections, say
///
/// impl MembershipDirectory for Members {
///     async fn membership(
///         &self,
///         user: &UserId,
///         workspace: &WorkspaceId,
///     ) -> Result<Option<Membership>, LookupError> {
///         let known = (user.issuer(), user.as_str()) == ("https://id.example.com", "alice");
///         Ok((known && workspace.as_str() == "acme-prod").then(|| Membership::new().role("editor")))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a membership directory",
    note = "implement `MembershipDirectory`, or wrap a closure: `membership_directory_fn(|user: UserId, workspace: WorkspaceId| async move {{ Ok(membership) }})`"
)]
pub trait MembershipDirectory: Send + Sync + 'static {
    /// The user's membership in the workspace; `None` where there is no such workspace or the user
    /// is no member, which is answered 403. [`UserId::issuer`] is the issuer that vouches for the
    /// id: the same text from another issuer is another user.
    ///
    /// # Errors
    ///
    /// Whatever kept it from knowing, which is answered 503.
    fn membership(
        &self,
        user: &UserId,
        workspace: &WorkspaceId,
    ) -> impl Future<Output = Result<Option<Membership>, LookupError>> + Send;
}

impl<D: MembershipDirectory> MembershipDirectory for Arc<D> {
    fn membership(
        &self,
        user: &UserId,
        workspace: &WorkspaceId,
    ) -> impl Future<Output = Result<Option<Membership>, LookupError>> + Send {
        D::membership(self, user, workspace)
    }
}

/// A user's membership in a workspace, as a [`MembershipDirectory`] states it.
///
/// ```
/// use portcullis::tenant::{AccountId, Membership};
///
/// let editor = Membership::new().account(AccountId::new("acme")?).role("editor");
/// # let _ = editor;
/// # Ok::<(), portcullis::tenant::InvalidId>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Membership {
    account: Option<AccountId>,
    role: Option<SharedStr>,
}

impl Membership {
    /// A membership without a role, in the account that the token states.
    pub fn new() -> Self {
        Self::default()
    }

    /// The account that owns the workspace. Without it, it is the account that the token states;
    /// where the tenant rules have accounts and the token states none either, the user is refused. A
    /// membership with an account contradicts rules
    /// [without accounts](crate::TenantClaims::without_accounts), and the user is refused.
    pub fn account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// The user's role in the workspace, for [`WorkspaceUser::role`](crate::WorkspaceUser::role)
    /// and [`InRole`](crate::InRole). Default: none.
    pub fn role(mut self, role: impl AsRef<str>) -> Self {
        self.role = Some(SharedStr::new(role.as_ref()));
        self
    }

    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn into_parts(self) -> (Option<AccountId>, Option<SharedStr>) {
        (self.account, self.role)
    }
}

type Lookup<'l, T> = Pin<Box<dyn Future<Output = Result<T, LookupError>> + Send + 'l>>;

/// [`WorkspaceDirectory`] with its type erased.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(crate) trait DynWorkspaceDirectory: Send + Sync {
    fn look_up<'l>(&'l self, workspace: &'l WorkspaceId) -> Lookup<'l, Option<AccountId>>;
}

impl<D: WorkspaceDirectory> DynWorkspaceDirectory for D {
    fn look_up<'l>(&'l self, workspace: &'l WorkspaceId) -> Lookup<'l, Option<AccountId>> {
        Box::pin(self.owner(workspace))
    }
}

/// [`UserDirectory`] with its type erased.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(crate) trait DynUserDirectory: Send + Sync {
    fn look_up<'l>(&'l self, access: &'l WorkspaceAccess, user: &'l UserId) -> Lookup<'l, bool>;
}

impl<D: UserDirectory> DynUserDirectory for D {
    fn look_up<'l>(&'l self, access: &'l WorkspaceAccess, user: &'l UserId) -> Lookup<'l, bool> {
        Box::pin(self.has_user(access, user))
    }
}

/// A [`MembershipDirectory`] whose type is erased.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(crate) trait DynMembershipDirectory: Send + Sync {
    fn look_up<'l>(
        &'l self,
        user: &'l UserId,
        workspace: &'l WorkspaceId,
    ) -> Lookup<'l, Option<Membership>>;
}

impl<D: MembershipDirectory> DynMembershipDirectory for D {
    fn look_up<'l>(
        &'l self,
        user: &'l UserId,
        workspace: &'l WorkspaceId,
    ) -> Lookup<'l, Option<Membership>> {
        Box::pin(self.membership(user, workspace))
    }
}

/// Waits for a look-up with a timeout. One that is ready at once needs no timer.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(crate) async fn within<T>(
    limit: Duration,
    clock: &dyn Clock,
    failed: &LogRateLimit,
    mut lookup: Lookup<'_, T>,
) -> Result<T, Outage> {
    let end = clock.monotonic().saturating_add(limit);
    let at_once = poll_fn(|context| Poll::Ready(lookup.as_mut().poll(context))).await;
    let found = match at_once {
        Poll::Ready(found) => found,
        Poll::Pending => match race(lookup, clock.sleep_until(end)).await {
            Either::First(found) => found,
            Either::Second(()) => return Err(Outage::DirectoryTimedOut),
        },
    };
    found.map_err(|error| {
        if failed.try_acquire(clock.monotonic()) {
            announce_failure(&*error);
        }
        Outage::DirectoryFailed
    })
}

/// Longest text of an error that goes into an event, in characters.
const MAX_ERROR_CHARS: usize = 160;

fn announce_failure(error: &(dyn std::error::Error + Send + Sync)) {
    if !logging::is_enabled() {
        return;
    }
    // The error may quote foreign text.
    let error = &excerpt(&error.to_string(), MAX_ERROR_CHARS);
    logging::emit(Event::DirectoryFailed { error });
}
