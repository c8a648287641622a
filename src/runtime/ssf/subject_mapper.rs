//! The application's map from subjects of events to revocations.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::model::revocation::Revocation;
use crate::runtime::directory::LookupError;
use crate::verify::ssf::event::SecurityEvent;

/// Says what an event revokes where the default table does not know it, such as the subject that an
/// e-mail address has at your issuer; supplied by the application, with
/// [`SsfTransmitter::map_subjects`](crate::ssf::SsfTransmitter::map_subjects).
/// [`subject_mapper_fn`](crate::ssf::subject_mapper_fn) makes one of a closure.
///
/// ```
/// use portcullis::revocation::Revocation;
/// use portcullis::ssf::{SecurityEvent, SubjectIdentifier, SubjectMapper};
/// use portcullis::tenant::LookupError;
///
/// struct Directory; // a pool of database connections, say
///
/// impl SubjectMapper for Directory {
///     async fn revocations(&self, event: &SecurityEvent) -> Result<Option<Vec<Revocation>>, LookupError> {
///         let Some(SubjectIdentifier::Email { email, .. }) = event.subject() else {
///             return Ok(None); // the default table
///         };
///         let known = (email == "alice@example.com").then_some("user-1");
///         let subject = |user| Revocation::subject("https://idp.example.com", user, event.occurred_at());
///         Ok(Some(known.map(subject).into_iter().collect()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` maps no subjects",
    note = "implement `SubjectMapper`, or wrap a closure: `subject_mapper_fn(|event: SecurityEvent| async move {{ Ok(None) }})`"
)]
pub trait SubjectMapper: Send + Sync + 'static {
    /// What the event revokes. `None` leaves the event to the default table; an empty list says that
    /// the subject is not known here, which is counted as unmapped. Each revocation must be of an
    /// issuer that the transmitter [speaks for](crate::ssf::SsfTransmitter::speaks_for). It is called
    /// for events whose [effect](crate::ssf::EventEffect) is a revocation, and may be called again for
    /// the same event.
    ///
    /// # Errors
    ///
    /// Any failure of the look-up. Then nothing is revoked for the event, and the transmitter sends it
    /// again.
    fn revocations(
        &self,
        event: &SecurityEvent,
    ) -> impl Future<Output = Result<Option<Vec<Revocation>>, LookupError>> + Send;
}

impl<M: SubjectMapper> SubjectMapper for Arc<M> {
    fn revocations(
        &self,
        event: &SecurityEvent,
    ) -> impl Future<Output = Result<Option<Vec<Revocation>>, LookupError>> + Send {
        M::revocations(self, event)
    }
}

/// Makes a [`SubjectMapper`] of a closure or an `async fn`.
///
/// ```
/// use portcullis::revocation::Revocation;
/// use portcullis::ssf::{SecurityEvent, SubjectIdentifier, subject_mapper_fn};
///
/// let mapper = subject_mapper_fn(|event: SecurityEvent| async move {
///     Ok(match event.subject() {
///         Some(SubjectIdentifier::Opaque { id, .. }) => {
///             Some(vec![Revocation::session("https://idp.example.com", id)])
///         }
///         _ => None,
///     })
/// });
/// # let _ = mapper;
/// ```
pub fn subject_mapper_fn<F, A>(closure: F) -> SubjectMapperFn<F>
where
    F: Fn(SecurityEvent) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<Vec<Revocation>>, LookupError>> + Send,
{
    SubjectMapperFn(closure)
}

/// A mapper that calls a closure; made by [`subject_mapper_fn`].
#[derive(Clone, Copy)]
pub struct SubjectMapperFn<F>(F);

impl<F> fmt::Debug for SubjectMapperFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectMapperFn").finish_non_exhaustive()
    }
}

impl<F, A> SubjectMapper for SubjectMapperFn<F>
where
    F: Fn(SecurityEvent) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<Vec<Revocation>>, LookupError>> + Send,
{
    async fn revocations(
        &self,
        event: &SecurityEvent,
    ) -> Result<Option<Vec<Revocation>>, LookupError> {
        (self.0)(event.clone()).await
    }
}

pub(crate) type MappedRevocations<'m> =
    Pin<Box<dyn Future<Output = Result<Option<Vec<Revocation>>, LookupError>> + Send + 'm>>;

/// [`SubjectMapper`] with its type erased.
pub(crate) trait DynSubjectMapper: Send + Sync {
    fn map<'m>(&'m self, event: &'m SecurityEvent) -> MappedRevocations<'m>;
}

impl<M: SubjectMapper> DynSubjectMapper for M {
    fn map<'m>(&'m self, event: &'m SecurityEvent) -> MappedRevocations<'m> {
        Box::pin(self.revocations(event))
    }
}
