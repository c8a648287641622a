//! From an event to the revocations that it means: the default table, and the bounds of a transmitter.
//!
//! 1. A subject of an issuer that the transmitter does not speak for is foreign, and not acted on.
//! 2. An opaque id of a session names no issuer, and is one of each issuer that the transmitter speaks
//!    for.
//! 3. A session with a user is that session, and those tokens of the user that name no session: these may
//!    be its tokens.
//! 4. A device, a tenant or another member beside a user narrows nothing: the user's tokens do not state
//!    it, so all of them end.

use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::server::decide::ssf_transmitter::Transmitter;
use crate::server::settings::ssf::EventEffect;
use crate::verify::ssf::event::SecurityEvent;
use crate::verify::ssf::event_type::EventType;
use crate::verify::ssf::subject::SubjectIdentifier;

/// What an event means.
#[derive(Debug)]
pub(super) enum Mapped {
    /// At least one.
    Revocations(Vec<Revocation>),
    /// Nothing by design.
    Ignored,
    /// The subject has a form that is not known here.
    Unmapped,
    /// The subject is of an issuer that the transmitter does not speak for.
    Foreign,
}

/// What an event means by the default table.
pub(super) fn by_default(
    transmitter: &Transmitter,
    event: &SecurityEvent,
    effect: EventEffect,
) -> Mapped {
    let Some(subject) = event.subject() else {
        return Mapped::Unmapped;
    };
    let mut table = Table {
        transmitter,
        before: event.occurred_at(),
        found: Vec::new(),
        is_foreign: false,
    };
    match effect {
        EventEffect::Ignore => return Mapped::Ignored,
        EventEffect::RevokeSubject => {
            table.add_user(subject);
            if table.found.is_empty() {
                table.add_closest(subject, event);
            }
        }
        EventEffect::RevokeSession | EventEffect::RevokeSessionIfDecreased => {
            table.add_closest(subject, event);
        }
    }
    match (table.found.is_empty(), table.is_foreign) {
        (false, _) => Mapped::Revocations(table.found),
        (true, true) => Mapped::Foreign,
        (true, false) => Mapped::Unmapped,
    }
}

/// The application's revocations, as far as the transmitter may make them.
pub(super) fn within_bounds(transmitter: &Transmitter, all: Vec<Revocation>) -> Mapped {
    if all.is_empty() {
        return Mapped::Unmapped;
    }
    let is_own = |one: &Revocation| transmitter.spoken_for(one.issuer()).is_some();
    let own: Vec<Revocation> = all.into_iter().filter(is_own).collect();
    if own.is_empty() {
        return Mapped::Foreign;
    }
    Mapped::Revocations(own)
}

struct Table<'t> {
    transmitter: &'t Transmitter,
    before: UnixTime,
    found: Vec<Revocation>,
    is_foreign: bool,
}

impl Table<'_> {
    /// The user, whatever else the subject names.
    fn add_user(&mut self, subject: &SubjectIdentifier) {
        match subject {
            SubjectIdentifier::IssSub { issuer, subject } => {
                if let Some(realm) = self.realm(issuer) {
                    let user = Revocation::subject(&realm, subject, self.before);
                    self.found.push(user);
                }
            }
            SubjectIdentifier::Aliases(all) => {
                for one in all {
                    self.add_user(one);
                }
            }
            SubjectIdentifier::Complex(_) => {
                if let Some(user) = subject.member("user") {
                    self.add_user(user);
                }
            }
            _ => {}
        }
    }

    /// The token, or the session, or the user.
    fn add_closest(&mut self, subject: &SubjectIdentifier, event: &SecurityEvent) {
        match subject {
            SubjectIdentifier::JwtId { issuer, token_id } => self.add_token(issuer, token_id),
            // CAEP 1.0 s3.1.2: the simple opaque subject of this type is the session.
            SubjectIdentifier::Opaque { .. }
                if *event.event_type() == EventType::SESSION_REVOKED =>
            {
                self.add_session(subject);
            }
            SubjectIdentifier::Complex(_) => self.add_complex(subject),
            SubjectIdentifier::Aliases(all) => {
                for one in all {
                    self.add_closest(one, event);
                }
            }

            _ => self.add_user(subject),
        }
    }

    fn add_complex(&mut self, subject: &SubjectIdentifier) {
        if let Some(session) = subject.member("session") {
            self.add_session(session);
        }
        if self.found.is_empty() {
            return self.add_user(subject);
        }
        if let Some(SubjectIdentifier::IssSub { issuer, subject }) = subject.member("user") {
            if let Some(realm) = self.realm(issuer) {
                let rest = Revocation::subject_without_session(&realm, subject, self.before);
                self.found.push(rest);
            }
        }
    }

    fn add_session(&mut self, session: &SubjectIdentifier) {
        match session {
            SubjectIdentifier::Opaque { id } => {
                let realms = self.transmitter.spoken_for.iter();
                let sessions = realms.map(|policy| Revocation::session(&policy.realm, id));
                self.found.extend(sessions);
            }
            SubjectIdentifier::IssSub { issuer, subject } => {
                if let Some(realm) = self.realm(issuer) {
                    self.found.push(Revocation::session(&realm, subject));
                }
            }
            SubjectIdentifier::JwtId { issuer, token_id } => self.add_token(issuer, token_id),
            SubjectIdentifier::Aliases(all) => {
                for one in all {
                    self.add_session(one);
                }
            }
            _ => {}
        }
    }

    fn add_token(&mut self, issuer: &str, id: &str) {
        if let Some(realm) = self.realm(issuer) {
            self.found.push(Revocation::token(&realm, id));
        }
    }

    /// The configured name of an issuer that the transmitter speaks for.
    fn realm(&mut self, issuer: &str) -> Option<std::sync::Arc<str>> {
        let policy = self.transmitter.spoken_for(issuer);
        self.is_foreign |= policy.is_none();
        policy.map(|policy| std::sync::Arc::clone(&policy.realm))
    }
}
