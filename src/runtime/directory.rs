//! Look-ups that the application supplies: the account that owns a workspace, and the users of a
//! workspace.
//!
//! 1. A look-up that fails or times out is an outage, never a refusal: 503, not 403.
//! 2. Every look-up has a timeout, after which its future is dropped. Their number is bounded by the
//!    requests with a valid token.
//! 3. Nothing is cached here: only the application knows how long an answer stays true.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::logging;
use crate::model::error::rejection::Outage;
use crate::model::event::Event;
use crate::model::ids::{AccountId, UserId, WorkspaceId};
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
/// limited by [`only_accounts`](crate::TenantClaims::only_accounts). A closure from
/// [`WorkspaceId`] to a future is one too.
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
    note = "implement `WorkspaceDirectory`, or give a closure `|workspace: WorkspaceId| async move {{ Ok(owner) }}`"
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

impl<F, A> WorkspaceDirectory for F
where
    F: Fn(WorkspaceId) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<AccountId>, LookupError>> + Send,
{
    async fn owner(&self, workspace: &WorkspaceId) -> Result<Option<AccountId>, LookupError> {
        self(workspace.clone()).await
    }
}

/// Says who is a user of a workspace; supplied by the application, with
/// [`ResourceServerBuilder::user_directory`](crate::ResourceServerBuilder::user_directory).
///
/// It is asked when a client acts for a user: see [`Delegation`](crate::tenant::Delegation). A closure
/// from [`WorkspaceId`] and [`UserId`] to a future is one too.
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
    note = "implement `UserDirectory`, or give a closure `|workspace: WorkspaceId, user: UserId| async move {{ Ok(known) }}`"
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

impl<F, A> UserDirectory for F
where
    F: Fn(WorkspaceId, UserId) -> A + Send + Sync + 'static,
    A: Future<Output = Result<bool, LookupError>> + Send,
{
    async fn has_user(&self, access: &WorkspaceAccess, user: &UserId) -> Result<bool, LookupError> {
        self(access.workspace().clone(), user.clone()).await
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
        if failed.grants(clock.monotonic()) {
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
