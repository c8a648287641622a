//! Verified values for unit tests of handlers, and their refused twins.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts, Path, State};
use http::StatusCode;
use http::request::Parts;
use portcullis::binding::Binding;
use portcullis::error::{Objection, TokenFault, WiringFault};
use portcullis::extract::{
    InRole, OnBehalfOf, Refuser, SenderConstrained, ThroughActor, UserThroughActor, WithoutActor,
};
use portcullis::layer::ProblemJson;
use portcullis::tenant::{
    AccountAccess, Client, Delegation, LookupError, Principal, Subject, UncheckedDelegation,
    WorkspaceId, workspace_directory_fn,
};
use portcullis::test_util::{
    DpopKey, Extraction, ExtractionRefusal, ManualClock, MockIssuer, TestCertificate,
};
use portcullis::{
    AccessToken, Claims, Identity, InGroup, RejectionKind, ResourceServer, Scope, Scoped,
    TenantClaims, WorkspaceAccess, WorkspaceUser,
};

use crate::support::server;

portcullis::scopes! {
    Read = "app/read";
    Delete = "app/delete";
}
portcullis::roles! { Editor = "editor"; }
portcullis::actors! { Scheduler = "agent-scheduler"; }

#[derive(serde::Deserialize)]
struct Custom {
    tier: String,
}

/// The kind of a refusal.
fn kind<T>(outcome: Result<T, ExtractionRefusal>) -> RejectionKind {
    let refusal = outcome.err().expect("a refusal");
    refusal.kind().expect("a refusal of this library")
}

#[test]
fn every_extractor_gives_its_value_from_a_token_that_fits() {
    let issuer = MockIssuer::new();
    let user = issuer.aworld_user();
    let token: AccessToken = user.extract();
    assert_eq!(
        token.subject().map(ToString::to_string).as_deref(),
        Some("user-1")
    );
    let scope: Scope = user.extract();
    assert!(scope.contains("app/write"));
    let identity: Identity = user.extract();
    assert!(matches!(identity, Identity::User(_)));
    let caller: WorkspaceUser = user.extract();
    assert_eq!(caller.user().as_str(), "user-1");
    let access: Scoped<Read, WorkspaceAccess> = user.extract();
    assert_eq!(access.workspace().as_str(), "acme-prod");
    let (access, refuser): (WorkspaceAccess, Refuser) = user.extract();
    assert_eq!(
        access.account().map(ToString::to_string).as_deref(),
        Some("acme")
    );
    assert_eq!(
        refuser.refuse(Objection::Caller).kind(),
        RejectionKind::WrongCaller
    );
    let some: Option<WorkspaceAccess> = user.extract();
    assert!(some.is_some());
    let _: InRole<Editor, WorkspaceAccess> = issuer.aworld_user().roles(["editor"]).extract();
    let _: InGroup<Editor> = issuer.token().groups(["editor"]).extract();
    let _: WithoutActor = user.extract();

    let Claims(custom): Claims<Custom> = issuer.token().claim("tier", "gold").extract();
    assert_eq!(custom.tier, "gold");

    let principal: Principal = issuer.aworld_principal().extract();
    assert_eq!(principal.id().as_str(), "principal-1");
    let account: AccountAccess = issuer.aworld_principal().extract();
    assert_eq!(account.account().as_str(), "acme");
    let client: Client = issuer.aworld_client().extract();
    assert_eq!(client.id().as_str(), MockIssuer::CLIENT_ID);
    let acting = issuer
        .aworld_client()
        .extraction()
        .header("x-user-id", "user-1");
    let delegation: Delegation = acting.extract();
    assert_eq!(delegation.user().as_str(), "user-1");
    let _: UncheckedDelegation = acting.extract();
    let _: OnBehalfOf = acting.extract();
    let _: Subject = issuer.token().extract();

    let agent = issuer.aworld_user().actor("agent-scheduler");
    let _: ThroughActor<Scheduler, WorkspaceAccess> = agent.extract();
    let _: UserThroughActor = agent.extract();
}

#[test]
fn values_come_from_every_kind_of_issuer_and_by_its_clock() {
    let clock = ManualClock::new();
    for issuer in [
        MockIssuer::new(),
        MockIssuer::rfc9068("https://as.example"),
        MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf"),
    ] {
        let issuer = issuer.with_clock(clock.clone());
        let user = issuer.aworld_user();
        let _: WorkspaceAccess = user.extract();
        let _: AccountAccess = issuer.aworld_principal().extract();
        let _: Client = issuer.aworld_client().extract();
        clock.advance(Duration::from_secs(2 * 3600));
        let expired = RejectionKind::InvalidToken(TokenFault::Expired);
        assert_eq!(kind(user.try_extract::<WorkspaceAccess>()), expired);
    }
}

#[test]
fn what_does_not_fit_is_refused_as_for_a_client() {
    let issuer = MockIssuer::new();
    let user = issuer.aworld_user();
    assert_eq!(
        kind(user.try_extract::<Principal>()),
        RejectionKind::WrongCaller
    );
    assert_eq!(
        kind(user.try_extract::<AccountAccess>()),
        RejectionKind::WrongCaller
    );
    let lacking = user.try_extract::<Scoped<Delete, WorkspaceAccess>>();
    let refusal = lacking.expect_err("a refusal");
    assert_eq!(refusal.kind(), Some(RejectionKind::InsufficientScope));
    assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    let challenge = refusal.headers()["www-authenticate"]
        .to_str()
        .expect("text");
    assert!(challenge.contains("app/delete"), "{challenge}");
    assert!(refusal.body().is_empty());
    let text = refusal.to_string();
    assert!(
        text.starts_with("refused with 403 `insufficient_scope`, Bearer"),
        "{text}"
    );

    let elsewhere = user
        .extraction()
        .path_parameter("workspace_id", "globex-prod");
    assert_eq!(
        kind(elsewhere.try_extract::<WorkspaceAccess>()),
        RejectionKind::WrongTenant
    );
    let elsewhere = user.extraction().path_parameter("account_id", "globex");
    assert_eq!(
        kind(elsewhere.try_extract::<WorkspaceAccess>()),
        RejectionKind::WrongTenant
    );
    let elsewhere = issuer
        .aworld_principal()
        .extraction()
        .route("/{account_id}", "/globex");
    assert_eq!(
        kind(elsewhere.try_extract::<AccountAccess>()),
        RejectionKind::WrongTenant
    );
    let other = user.extraction().context("dashboard");
    assert_eq!(
        kind(other.try_extract::<AccessToken>()),
        RejectionKind::WrongCaller
    );
    assert_eq!(
        kind(issuer.token().try_extract::<WorkspaceUser>()),
        RejectionKind::NoTenant
    );
    let unknown = issuer
        .aworld_client()
        .extraction()
        .header("x-user-id", "user-2");
    assert_eq!(
        kind(unknown.try_extract::<Delegation>()),
        RejectionKind::WrongTenant
    );
    let audience = RejectionKind::InvalidToken(TokenFault::Audience);
    let foreign = issuer.token().audience("https://other.example.com");
    assert_eq!(kind(foreign.try_extract::<AccessToken>()), audience);
    let forged = issuer
        .token()
        .extraction()
        .bearer(issuer.token().unsigned());
    let algorithm = RejectionKind::InvalidToken(TokenFault::Algorithm);
    assert_eq!(kind(forged.try_extract::<AccessToken>()), algorithm);
}

#[test]
fn a_chosen_path_is_kept_as_it_is() {
    let issuer = MockIssuer::new();
    let there = |id: &str| issuer.aworld_user().workspace(id).extraction();
    let access: WorkspaceAccess = there("a/b %ü").try_extract().unwrap_or_else(|refusal| {
        panic!("{refusal}");
    });
    assert_eq!(access.workspace().as_str(), "a/b %ü");
    let chosen = there("acme-prod").path_parameter("workspace_id", "acme-prod");
    let fault = RejectionKind::Misconfigured(WiringFault::WorkspaceParameter);
    assert_eq!(kind(chosen.try_extract::<AccountAccess>()), fault);
    let written = there("acme-prod").route("/w/{workspace_id}/{page}", "/w/acme-prod/7?q=1");
    let (_, Path((_, page))): (WorkspaceAccess, Path<(String, u32)>) = written.extract();
    assert_eq!(page, 7);
}

#[test]
fn a_guest_comes_in_by_the_directory() {
    let issuer = MockIssuer::new();
    let guest = |context: &str| issuer.aworld_principal().extraction().context(context);
    let access: WorkspaceAccess = guest("app").admit_principals().extract();
    assert_eq!(access.workspace().as_str(), "acme-prod");
    assert_eq!(
        kind(guest("app").try_extract::<WorkspaceAccess>()),
        RejectionKind::WrongCaller
    );
    let unowned = guest("app")
        .admit_principals()
        .path_parameter("workspace_id", "else");
    assert_eq!(
        kind(unowned.try_extract::<WorkspaceAccess>()),
        RejectionKind::WrongTenant
    );
}

#[test]
fn bound_tokens_come_with_their_proof() {
    let issuer = MockIssuer::new();
    let (key, certificate) = (DpopKey::generate(), TestCertificate::self_signed("client"));
    let bound = issuer.aworld_user().bound_to_key(&key);
    let access: SenderConstrained<WorkspaceAccess> = bound.extraction().proven_by(&key).extract();
    assert_eq!(access.workspace().as_str(), "acme-prod");
    let binding = RejectionKind::InvalidToken(TokenFault::Binding);
    assert_eq!(kind(bound.try_extract::<AccessToken>()), binding);
    let stolen = bound.extraction().proven_by(&DpopKey::generate());
    assert_eq!(kind(stolen.try_extract::<AccessToken>()), binding);

    let bound = issuer
        .token()
        .bound_to_certificate(certificate.certificate());
    let with = bound
        .extraction()
        .extension(certificate.certificate().clone());
    let _: SenderConstrained = with.extract();
    assert_eq!(kind(bound.try_extract::<AccessToken>()), binding);
}

#[test]
fn the_applications_own_server_and_layer_decide() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("project").without_accounts();
    let own = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted().tenant_claims(rules))
        .workspace_parameter("project")
        .build()
        .expect("a server");
    let token = issuer.token().claim("project", "apollo");
    let here = token
        .extraction()
        .server(&own)
        .path_parameter("project", "apollo");
    let _: WorkspaceAccess = here.extract();
    let there = token
        .extraction()
        .server(&own)
        .path_parameter("project", "gemini");
    assert_eq!(
        kind(there.try_extract::<WorkspaceAccess>()),
        RejectionKind::WrongTenant
    );

    let layer = own
        .authenticate()
        .require_binding(Binding::Any)
        .renderer(ProblemJson);
    let bound = token.extraction().layer(layer);
    let refusal = bound
        .try_extract::<AccessToken>()
        .expect_err("a bearer token");
    assert_eq!(
        refusal.kind(),
        Some(RejectionKind::InvalidToken(TokenFault::Binding))
    );
    assert!(refusal.body().starts_with(b"{"), "{refusal:?}");

    let none: Option<AccessToken> = Extraction::new(&own).optional().extract();
    assert!(none.is_none());
    let nothing = Extraction::new(&own).try_extract::<AccessToken>();
    assert_eq!(kind(nothing), RejectionKind::MissingToken);
}

/// An extractor of the application.
struct Greeting(String);

#[derive(Clone)]
struct Words(&'static str);

impl<S: Send + Sync> FromRequestParts<S> for Greeting
where
    Words: FromRef<S>,
{
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StatusCode> {
        let token = AccessToken::from_request_parts(parts, state).await;
        let token = token.map_err(|_| StatusCode::UNAUTHORIZED)?;
        let subject = token.subject().ok_or(StatusCode::IM_A_TEAPOT)?;
        Ok(Self(format!("{} {subject}", Words::from_ref(state).0)))
    }
}

#[test]
fn extractors_of_the_application_have_its_state() {
    let issuer = MockIssuer::new();
    let extraction = issuer.token().extraction().state(Words("hello"));
    let (Greeting(text), State(words)): (Greeting, State<Words>) = extraction.extract();
    assert_eq!((&*text, words.0), ("hello user-1", "hello"));
    let nobody = Extraction::new(&server(&issuer))
        .optional()
        .state(Words("hello"));
    let refusal = nobody.try_extract::<Greeting>().err().expect("a refusal");
    assert_eq!(
        (refusal.kind(), refusal.status()),
        (None, StatusCode::UNAUTHORIZED)
    );
}

/// A guest, by a directory that waits for this.
fn guest<F: Future<Output = ()> + Send + 'static>(
    wait: impl Fn() -> F + Send + Sync + 'static,
) -> Extraction {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach_every_account();
    let directory = workspace_directory_fn(move |_: WorkspaceId| {
        let wait = wait();
        async move {
            wait.await;
            Ok::<_, LookupError>(Some("acme".parse()?))
        }
    });
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted().tenant_claims(rules))
        .workspace_directory(directory)
        .build()
        .expect("a server");
    let extraction = issuer.aworld_principal().extraction().server(&server);
    let extraction = extraction.path_parameter("workspace_id", "acme-prod");
    extraction.context("app").admit_principals()
}

#[tokio::test]
async fn a_directory_that_waits_is_awaited() {
    let guest = guest(|| async { tokio::spawn(async {}).await.expect("a task") });
    let access: WorkspaceAccess = guest.extract_async().await;
    assert_eq!(
        access.account().map(ToString::to_string).as_deref(),
        Some("acme")
    );
}

#[tokio::test]
#[should_panic(expected = "use `extract_async`")]
async fn a_directory_that_waits_is_no_value_at_once() {
    let _: WorkspaceAccess = guest(std::future::pending).extract();
}

#[test]
#[should_panic(expected = "cannot be extracted: refused with 403 `wrong_caller`")]
fn a_refused_value_panics_with_its_reason() {
    let _: Principal = MockIssuer::new().aworld_user().extract();
}
