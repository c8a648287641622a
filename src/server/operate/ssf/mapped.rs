//! From an event to the revocations that it means: the default table, and the bounds of a transmitter.
//!
//! 1. A subject of an issuer that the transmitter does not speak for is foreign, and not acted on.
//! 2. An opaque id of a session names no issuer. It is a session of the issuer of the user beside it, or
//!    else one of each issuer that the transmitter speaks for.
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

/// What an event means. One of the members is set; where a part of the subject ends nothing, two.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) revocations: Vec<Revocation>,
    /// The subject, or the user in it, has a form that is not known here.
    pub(super) is_unmapped: bool,
    /// The subject, or a part of it, is of an issuer that the transmitter does not speak for.
    pub(super) is_foreign: bool,
}

/// What an event means by the default table.
pub(super) fn by_default(
    transmitter: &Transmitter,
    event: &SecurityEvent,
    effect: EventEffect,
) -> Mapped {
    let Some(subject) = event.subject() else {
        return Mapped {
            revocations: Vec::new(),
            is_unmapped: true,
            is_foreign: false,
        };
    };
    let mut is_unmapped = false;
    let mut table = Table {
        transmitter,
        before: event.occurred_at(),
        found: Vec::new(),
        is_foreign: false,
    };
    match effect {
        EventEffect::Ignore => {}
        EventEffect::RevokeSubject => {
            table.add_user(subject);
            if table.found.is_empty() {
                is_unmapped = subject.member("user").is_some() && !table.is_foreign;
                table.add_closest(subject, event);
            }
        }
        EventEffect::RevokeSession | EventEffect::RevokeSessionIfDecreased => {
            table.add_closest(subject, event);
        }
    }
    Mapped {
        is_unmapped: is_unmapped || (table.found.is_empty() && !table.is_foreign),
        is_foreign: table.is_foreign,
        revocations: table.found,
    }
}

/// The application's revocations, as far as the transmitter may make them.
pub(super) fn within_bounds(transmitter: &Transmitter, all: Vec<Revocation>) -> Mapped {
    let is_own = |one: &Revocation| transmitter.spoken_for(one.issuer()).is_some();
    let is_unmapped = all.is_empty();
    let (own, foreign): (Vec<_>, Vec<_>) = all.into_iter().partition(is_own);
    Mapped {
        revocations: own,
        is_unmapped,
        is_foreign: !foreign.is_empty(),
    }
}

/// The issuer of a user; of aliases, that of the first with one.
fn issuer_of(user: &SubjectIdentifier) -> Option<&str> {
    match user {
        SubjectIdentifier::IssSub { issuer, .. } => Some(issuer),
        SubjectIdentifier::Aliases(all) => all.iter().find_map(issuer_of),
        _ => None,
    }
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
                self.add_session(subject, None);
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
        let user = subject.member("user");
        if let Some(session) = subject.member("session") {
            self.add_session(session, user.and_then(issuer_of));
        }
        if self.found.is_empty() {
            return self.add_user(subject);
        }
        if let Some(user) = user {
            self.add_tokens_without_session(user);
        }
    }

    fn add_tokens_without_session(&mut self, user: &SubjectIdentifier) {
        match user {
            SubjectIdentifier::IssSub { issuer, subject } => {
                if let Some(realm) = self.realm(issuer) {
                    let rest = Revocation::subject_without_session(&realm, subject, self.before);
                    self.found.push(rest);
                }
            }
            SubjectIdentifier::Aliases(all) => {
                for one in all {
                    self.add_tokens_without_session(one);
                }
            }
            _ => {}
        }
    }

    /// `user_issuer` is that of the user beside the session, where one is named.
    fn add_session(&mut self, session: &SubjectIdentifier, user_issuer: Option<&str>) {
        match (session, user_issuer) {
            (SubjectIdentifier::Opaque { id }, Some(issuer)) => {
                if let Some(realm) = self.realm(issuer) {
                    self.found.push(Revocation::session(&realm, id));
                }
            }
            (SubjectIdentifier::Opaque { id }, None) => {
                let realms = self.transmitter.spoken_for.iter();
                let sessions = realms.map(|policy| Revocation::session(&policy.realm, id));
                self.found.extend(sessions);
            }
            (SubjectIdentifier::IssSub { issuer, subject }, _) => {
                if let Some(realm) = self.realm(issuer) {
                    self.found.push(Revocation::session(&realm, subject));
                }
            }
            (SubjectIdentifier::JwtId { issuer, token_id }, _) => self.add_token(issuer, token_id),
            (SubjectIdentifier::Aliases(all), _) => {
                for one in all {
                    self.add_session(one, user_issuer);
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
