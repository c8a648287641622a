//! The check of a token's actor: one function for guards, layers and MCP.
//!
//! 1. The outermost actor decides, and no earlier one (RFC 8693 section 4.1).
//! 2. A refusal is 403 without a challenge: which agent acts is not a matter of scope. Its detail has
//!    what is demanded and never the actor of the token.

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::response::refusal::Refusal;
use crate::model::error::rejection::Rejection;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::ids::SubjectId;
use crate::model::requirement::required_actor::{RequiredActor, RequiredParty};
use crate::server::decide::verified_request::VerifiedRequest;
use crate::verify::claims::actor::Actor;
use crate::verify::identity::kinds::Identity;

/// The name of the check in events and metrics.
const CAUSE: &str = "actor";

/// Checks the actor of a request's token.
pub(in crate::middleware) fn check_actor(
    context: &AuthContext,
    required: &RequiredActor,
) -> Result<(), Refusal> {
    let verified = context.any_context()?;
    match unmet(required, verified) {
        None => Ok(()),
        Some(problem) => Err(refuse(context, required, verified, problem)),
    }
}

/// What is wrong, where the demand is not met.
pub(in crate::middleware) fn unmet(
    required: &RequiredActor,
    verified: &VerifiedRequest,
) -> Option<Problem> {
    let actor = verified.token.actor();
    let is_met = match (required.party, actor) {
        (RequiredParty::NoActor, actor) => actor.is_none(),
        (_, None) => return Some(Problem::Missing),
        (RequiredParty::AnyActor, Some(_)) => true,
        (RequiredParty::Named { any_of, issuer }, Some(actor)) => {
            any_of.contains(&actor.id()) && is_of(actor, issuer)
        }
    };
    let is_met = is_met && (!required.needs_user || is_for_user(verified));
    (!is_met).then_some(Problem::Differs)
}

fn is_of(actor: &Actor, issuer: Option<&str>) -> bool {
    match issuer {
        None => actor.is_of_the_tokens_issuer(),
        Some(issuer) => actor.issuer() == issuer,
    }
}

/// Whether the token is about a user: an actor that is the subject itself acts for no one.
pub(in crate::middleware) fn is_for_user(verified: &VerifiedRequest) -> bool {
    let token = &verified.token;
    let is_person = match verified.identity() {
        Identity::User(_) | Identity::Principal(_) => true,
        Identity::Client(_) => false,
        Identity::Subject(subject) => subject.id().is_some() && !token.is_machine(),
    };
    let acts_for_itself = token.actor().is_some_and(|actor| {
        let subject = actor.subject().filter(|_| actor.is_of_the_tokens_issuer());
        let own = [
            token.subject().map(SubjectId::as_str),
            token.plain_subject(),
        ];
        subject.is_some() && own.contains(&subject)
    });
    is_person && !acts_for_itself
}

#[cold]
fn refuse(
    context: &AuthContext,
    required: &RequiredActor,
    verified: &VerifiedRequest,
    problem: Problem,
) -> Refusal {
    let detail = RejectionDetail::new()
        .with_claim(verified.rules.actor_claim.to_string())
        .with_setting("actor_claim")
        .with_problem(problem)
        .with_expected(required.to_string());
    context.refuse(Rejection::wrong_caller(CAUSE).with_detail(detail))
}
