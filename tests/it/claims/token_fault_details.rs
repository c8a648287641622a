//! The cause of a refusal in detail: which claim, what is wrong with it, which setting demands it.
//! It is for the operator and the program; these tests show it in a body that only they render.

use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use portcullis::error::Rejection;
use portcullis::layer::{RefusalBody, Renderer};
use portcullis::tenant::Client;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{
    AccessToken, Algorithm, Claims, Issuer, ResourceServer, ResourceServerBuilder, TenantClaims,
    WorkspaceAccess, WorkspaceUser,
};
use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::introspection::{issuer as introspected, with};
use crate::support::{API, Requests as _, TestApp, TestResponse, trusting};

/// Writes the detail into the body, which no application should do.
struct Telling;

impl Renderer for Telling {
    fn render(&self, rejection: &Rejection, _: StatusCode) -> RefusalBody {
        let detail = rejection.detail().map(ToString::to_string);
        RefusalBody::new(
            HeaderValue::from_static("text/plain"),
            Bytes::from(detail.unwrap_or_default()),
        )
    }
}

#[derive(serde::Deserialize)]
struct Own {
    #[allow(dead_code)]
    email_verified: Option<bool>,
}

fn routes(builder: ResourceServerBuilder, context: Option<&str>) -> TestApp {
    let server = builder.build().expect("sound");
    let layer = server.authenticate().renderer(Telling);
    let layer = match context {
        Some(context) => layer.context(context),
        None => layer,
    };
    TestApp::behind(layer)
        .route("/", get(|_: AccessToken| async { "ok" }))
        .route("/own", get(|_: Claims<Own>| async { "ok" }))
        .route("/user", get(|_: WorkspaceUser| async { "ok" }))
        .route("/client", get(|_: Client| async { "ok" }))
        .route(
            "/w/{workspace_id}",
            get(|_: WorkspaceAccess| async { "ok" }),
        )
}

fn behind(issuer: Issuer) -> TestApp {
    routes(ResourceServer::builder(API).issuer(issuer), None)
}

/// The verdict and the detail. Nothing of it is in a header.
fn told(answer: &TestResponse) -> (String, String) {
    for (name, value) in &answer.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        assert!(!value.contains("problem="), "{name}: {value}");
        assert!(!value.contains("setting="), "{name}: {value}");
    }
    (answer.verdict(), answer.body.clone())
}

async fn of(app: &TestApp, path: &str, token: TokenBuilder) -> (String, String) {
    told(&app.get(path, &token.sign()).await)
}

#[tokio::test]
async fn rejection_detail_names_the_claim_its_problem_and_the_setting() {
    const CLAIMS: &str = "401 invalid_token claims";
    let plain = MockIssuer::new();
    let strict = MockIssuer::rfc9068("https://issuer.test");
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let oidc = behind(plain.trusted());
    let rfc9068 = behind(strict.trusted());
    let cognito = behind(pool.trusted().client_id("other"));
    let nested = behind(
        plain
            .trusted()
            .subject_claim(["account", "id"])
            .require_claim("hd", "example.com")
            .require_header("signer", "us"),
    );
    let text = "a string that is not empty";
    for (app, token, verdict, detail) in [
        (&oidc, plain.token(), "200", "ok".to_owned()),
        (&rfc9068, strict.token(), "200", "ok".to_owned()),
        (
            &rfc9068,
            strict.token().without("sub"),
            CLAIMS,
            format!("claim=sub problem=missing setting=rfc9068 expected={text}"),
        ),
        (
            &rfc9068,
            strict.token().subject(""),
            CLAIMS,
            format!("claim=sub problem=empty setting=rfc9068 expected={text}"),
        ),
        (
            &rfc9068,
            strict.token().without("jti"),
            CLAIMS,
            format!("claim=jti problem=missing setting=rfc9068 expected={text}"),
        ),
        (
            &rfc9068,
            strict.token().claim("jti", ()),
            CLAIMS,
            format!("claim=jti problem=wrong_type setting=rfc9068 expected={text} found=null"),
        ),
        (
            &rfc9068,
            strict.token().claim("client_id", ""),
            CLAIMS,
            format!("claim=client_id problem=empty setting=rfc9068 expected={text}"),
        ),
        (
            &rfc9068,
            strict.token().claim("iat", "now"),
            CLAIMS,
            "claim=iat problem=wrong_type setting=rfc9068 expected=number found=string".to_owned(),
        ),
        (
            &oidc,
            plain.token().claim("nbf", ()),
            CLAIMS,
            "claim=nbf problem=wrong_type expected=number found=null".to_owned(),
        ),
        (
            &oidc,
            plain.token().claim("nbf", 1e300),
            CLAIMS,
            "claim=nbf problem=malformed expected=a number of seconds within 2^53".to_owned(),
        ),
        (
            &oidc,
            plain.token().claim("jti", 7),
            CLAIMS,
            "claim=jti problem=wrong_type expected=string found=number".to_owned(),
        ),
        (
            &oidc,
            plain.token().claim("sub", ()),
            CLAIMS,
            "claim=sub problem=wrong_type setting=subject_claim expected=string found=null"
                .to_owned(),
        ),
        (
            &oidc,
            plain.token().subject(&"s".repeat(1025)),
            CLAIMS,
            "claim=sub problem=too_long expected=at most 1024 bytes".to_owned(),
        ),
        (
            &oidc,
            plain.token().claim("sid", ""),
            CLAIMS,
            format!("claim=sid problem=empty expected={text}"),
        ),
        (
            &oidc,
            plain.token().claim("scope", json!({"a": 1})),
            CLAIMS,
            "claim=scope problem=wrong_type setting=scope_claim \
             expected=a string or an array of strings found=object"
                .to_owned(),
        ),
        (
            &oidc,
            plain.token().without("exp"),
            "401 invalid_token no_expiry",
            "claim=exp problem=missing".to_owned(),
        ),
        (
            &oidc,
            plain.token().without("iss"),
            CLAIMS,
            format!("claim=iss problem=missing expected={text}"),
        ),
        (
            &oidc,
            plain.token().without("aud"),
            "401 invalid_token audience",
            format!("claim=aud problem=missing setting=audience expected={API}"),
        ),
        (
            &oidc,
            plain.token().audience("https://secret.example"),
            "401 invalid_token audience",
            format!("claim=aud problem=differs setting=audience expected={API} found=string"),
        ),
        (
            &oidc,
            plain.token().claim("aud", json!([])),
            "401 invalid_token audience",
            format!("claim=aud problem=empty setting=audience expected={API} found=array"),
        ),
        (
            &oidc,
            plain.token().claim("aud", 7),
            "401 invalid_token audience",
            format!("claim=aud problem=wrong_type setting=audience expected={API} found=number"),
        ),
        (
            &oidc,
            plain.token().claim("cnf", ()),
            "401 invalid_token binding",
            "claim=cnf problem=wrong_type expected=object found=null".to_owned(),
        ),
        (
            &oidc,
            plain.token().claim("cnf", json!({"jkt": "x"})),
            "401 invalid_token binding",
            "claim=cnf.jkt problem=malformed expected=32 bytes in base64url without padding"
                .to_owned(),
        ),
        (
            &oidc,
            plain.token().claim("cnf", json!({"kid": "x"})),
            "401 invalid_token binding",
            "claim=cnf expected=jkt | x5t#S256 found=neither".to_owned(),
        ),
        (
            &oidc,
            plain.token().typ("secret+jwt"),
            "401 invalid_token token_type",
            "claim=typ problem=differs setting=accept_type expected=JWT | at+jwt found=string"
                .to_owned(),
        ),
        (
            &oidc,
            plain.token().header("kid", 7),
            "401 invalid_token header",
            "claim=kid problem=wrong_type expected=string".to_owned(),
        ),
        (
            &cognito,
            pool.token(),
            "401 invalid_token client_id",
            "claim=client_id problem=differs setting=client_id \
             expected=1example23456789 | 7portal23456789 | other"
                .to_owned(),
        ),
        (
            &cognito,
            pool.token().claim("token_use", "id"),
            "401 invalid_token token_use",
            "claim=token_use problem=differs setting=cognito expected=access found=string"
                .to_owned(),
        ),
        (
            &nested,
            plain.token(),
            "401 invalid_token required_value",
            "claim=signer problem=missing setting=require_header expected=us".to_owned(),
        ),
        (
            &nested,
            plain.token().header("signer", "us").claim("hd", "secret"),
            "401 invalid_token required_value",
            "claim=hd problem=differs setting=require_claim expected=example.com found=string"
                .to_owned(),
        ),
        (
            &nested,
            plain
                .token()
                .header("signer", "us")
                .claim("hd", "example.com")
                .claim("account", "secret"),
            CLAIMS,
            "claim=[\"account\", \"id\"] problem=wrong_type expected=objects on the way \
             found=string"
                .to_owned(),
        ),
    ] {
        let token = if verdict == "401 invalid_token client_id" {
            token.client("2another3456789")
        } else {
            token
        };
        let told = of(app, "/", token).await;
        assert_eq!(told, (verdict.to_owned(), detail));
        assert!(!told.1.contains("secret"));
    }
}

#[tokio::test]
async fn token_use_refusal_names_the_mark() {
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted());
    let good = || issuer.token();
    for (token, mark) in [
        (good().claim("at_hash", "x"), "at_hash"),
        (good().claim("c_hash", "x"), "c_hash"),
        (good().claim("events", json!({})), "events"),
        (good().without("jti").claim("nonce", "x"), "nonce"),
        (good().claim("token_use", "secret"), "token_use"),
        (good().claim("typ", "Refresh"), "typ"),
        (good().claim("token_class", "id_token"), "token_class"),
    ] {
        let (verdict, detail) = of(&app, "/", token).await;
        assert_eq!(verdict, "401 invalid_token token_use");
        let expected = format!("claim={mark} problem=wrong_kind ");
        assert!(detail.starts_with(&expected), "{detail}");
        assert!(!detail.contains("secret"), "{detail}");
    }
    assert_eq!(of(&app, "/", good()).await.0, "200");
}

#[tokio::test]
async fn algorithm_refusal_names_those_allowed_and_the_one_found() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::RS256, Algorithm::ES256]);
    let app = behind(issuer.trusted().algorithms([Algorithm::ES256]));
    let token = || issuer.token();
    assert_eq!(
        of(&app, "/", token().algorithm(Algorithm::RS256)).await,
        (
            "401 invalid_token algorithm".to_owned(),
            "claim=alg problem=differs setting=algorithms expected=ES256 found=RS256".to_owned()
        )
    );
    assert_eq!(
        of(&app, "/", token().algorithm(Algorithm::ES256)).await.0,
        "200"
    );
    let none = told(&app.get("/", &token().unsigned()).await);
    assert!(
        none.1.starts_with("claim=alg problem=malformed"),
        "{none:?}"
    );
}

#[tokio::test]
async fn unknown_issuer_is_shown_only_where_a_setting_asks_for_it() {
    let issuer = MockIssuer::new();
    let builder = || ResourceServer::builder(API).issuer(issuer.trusted());
    let silent = routes(builder(), None);
    let showing = routes(builder().show_unknown_issuers(), None);
    let unknown = "401 invalid_token unknown_issuer".to_owned();
    let token = || issuer.token().issuer("https://new.example\r\nx");
    assert_eq!(
        of(&silent, "/", token()).await,
        (unknown.clone(), String::new())
    );
    assert_eq!(
        of(&showing, "/", token()).await,
        (
            unknown,
            "claim=iss problem=differs setting=issuer found=https://new.example\\r\\nx".to_owned()
        )
    );
    assert_eq!(of(&showing, "/", issuer.token()).await.0, "200");
}

#[tokio::test]
async fn custom_claims_refusal_names_path_and_types_and_no_value() {
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted());
    let token = issuer.token().claim("email_verified", "secret");
    assert_eq!(
        of(&app, "/own", token).await,
        (
            "401 invalid_token custom_claims".to_owned(),
            "claim=email_verified problem=wrong_type expected=a boolean found=string".to_owned()
        )
    );
    let token = issuer.token().claim("email_verified", true);
    assert_eq!(of(&app, "/own", token).await.0, "200");
}

#[tokio::test]
async fn introspected_token_refusal_names_its_cause_again_when_it_is_remembered() {
    let endpoint = Endpoint::saying(with("aud", "https://secret.example".into())).await;
    let server = trusting([introspected(&endpoint)])
        .connect()
        .await
        .expect("a runtime");
    let app = TestApp::behind(server.authenticate().renderer(Telling))
        .route("/", get(|_: AccessToken| async { "ok" }));
    let expected =
        format!("claim=aud problem=differs setting=audience expected={API} found=string");
    for _ in 0..2 {
        let told = told(&app.get("/", "opaque1").await);
        let verdict = "401 invalid_token audience".to_owned();
        assert_eq!(told, (verdict, expected.clone()));
    }
    assert_eq!(endpoint.questions().len(), 1, "remembered");
}

#[tokio::test]
async fn no_tenant_refusal_names_the_evidence_that_lacks_or_contradicts() {
    const NO_TENANT: &str = "403 no_tenant";
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme"]);
    let builder =
        |rules| ResourceServer::builder(API).issuer(issuer.trusted().tenant_claims(rules));
    let app = routes(builder(rules.clone()), Some("app"));
    let portal = routes(builder(rules), Some("portal"));
    let user = || issuer.aworld_user();
    let client = || issuer.aworld_client();
    assert_eq!(of(&app, "/w/acme-prod", user()).await.0, "200");
    assert_eq!(of(&app, "/w/acme-prod", client()).await.0, "200");
    for (token, detail) in [
        (
            user().without("workspaceId"),
            "claim=workspaceId problem=missing setting=by_workspace",
        ),
        (
            user().claim("workspaceId", 7),
            "claim=workspaceId problem=wrong_type setting=by_workspace expected=string found=number",
        ),
        (
            user().claim("role", ()),
            "claim=role problem=wrong_type setting=role_claim expected=string found=null",
        ),
        (
            user().user(""),
            "claim=userId problem=empty setting=user_claim expected=string found=string",
        ),
        (
            user().without("accountId"),
            "claim=accountId problem=missing setting=account_claim",
        ),
        (
            user().without("userId"),
            "claim=userId problem=missing setting=user_claim",
        ),
        (
            user().without("context"),
            "claim=context problem=missing setting=contexts expected=app | dashboard",
        ),
        (
            user().workspace(&"w".repeat(257)),
            "claim=workspaceId problem=malformed setting=by_workspace \
             expected=1 to 256 bytes without control characters",
        ),
        (
            user().platform("m2m"),
            "claim=userId problem=contradicts setting=user_claim found=string",
        ),
        (
            client().principal("p-1"),
            "claim=principalId problem=contradicts setting=principal_claim found=string",
        ),
        (
            client().groups(["g"]),
            "claim=cognito:groups problem=contradicts setting=groups_claim found=array",
        ),
        (
            client().platform("web"),
            "claim=platform problem=differs setting=machine_claim expected=m2m found=string",
        ),
        (
            client().subject("somebody"),
            "claim=sub problem=differs setting=machine_claim expected=the client id as the subject",
        ),
        (
            client().claim("username", "bob"),
            "claim=username problem=contradicts",
        ),
        (
            client().without("workspaceId"),
            "claim=workspaceId problem=missing setting=by_workspace",
        ),
        (
            user().client(MockIssuer::PORTAL_CLIENT_ID),
            "claim=context problem=differs setting=portal_context expected=portal found=string",
        ),
    ] {
        let told = of(&app, "/w/acme-prod", token).await;
        assert_eq!(told, (NO_TENANT.to_owned(), detail.to_owned()));
    }
    for (token, detail) in [
        (
            issuer.aworld_principal().client(MockIssuer::CLIENT_ID),
            "claim=client_id problem=differs setting=portal_client",
        ),
        (
            issuer.aworld_principal().without("principalId"),
            "claim=principalId problem=missing setting=principal_claim",
        ),
        (
            issuer.aworld_principal().workspace("acme-prod"),
            "claim=workspaceId problem=contradicts setting=by_workspace found=string",
        ),
    ] {
        let told = of(&portal, "/w/acme-prod", token).await;
        assert_eq!(told, (NO_TENANT.to_owned(), detail.to_owned()));
    }
}

#[tokio::test]
async fn wrong_caller_refusal_names_the_kind_of_caller_or_the_lacking_evidence() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("workspace").without_accounts();
    let app = behind(issuer.trusted().tenant_claims(rules));
    let user = issuer.token().claim("workspace", "w-1");
    assert_eq!(of(&app, "/user", user.clone()).await.0, "200");
    assert_eq!(
        of(&app, "/client", user).await,
        (
            "403 wrong_caller".to_owned(),
            "problem=differs expected=client found=user".to_owned()
        )
    );
    let nobody = "claim=workspace problem=missing setting=by_workspace";
    assert_eq!(
        of(&app, "/client", issuer.token()).await,
        ("403 wrong_caller".to_owned(), nobody.to_owned())
    );
    let plain = behind(issuer.trusted());
    assert_eq!(
        of(&plain, "/w/acme-prod", issuer.client_token()).await,
        (
            "403 no_tenant".to_owned(),
            "problem=missing setting=tenant_claims".to_owned()
        )
    );
}

#[tokio::test]
async fn group_evidence_that_is_no_list_or_says_two_things_is_named() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_group("groups", "/w/{workspace}").without_accounts();
    let app = behind(issuer.trusted().tenant_claims(rules));
    let with = |groups: Value| issuer.token().claim("groups", groups);
    assert_eq!(of(&app, "/w/a", with(json!(["/w/a", "/x"]))).await.0, "200");
    for (groups, detail) in [
        (
            json!("/w/a"),
            "claim=groups problem=wrong_type setting=by_group expected=an array of strings \
             found=string",
        ),
        (
            json!(["/w/a", "/w/b"]),
            "claim=groups problem=contradicts setting=by_group",
        ),
        (
            json!(["/x"]),
            "claim=groups problem=missing setting=by_group",
        ),
    ] {
        let told = of(&app, "/w/a", with(groups)).await;
        assert_eq!(told, ("403 no_tenant".to_owned(), detail.to_owned()));
    }
}

#[tokio::test]
async fn token_with_very_many_names_is_refused_and_the_detail_says_how_many_there_may_be() {
    const IN_PAYLOAD: &str = "at most 640 names of members in the payload, or one for every 20 bytes; 128 of them with escapes";
    const IN_HEADER: &str = "at most 64 names of members in the header";
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted());
    let clients = |count: usize| -> Value {
        let client = |n: usize| (format!("client-{n:03}"), json!({ "roles": ["a"] }));
        (0..count)
            .map(client)
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    // JSON escapes the line break.
    let escaped = |count: usize| -> Value {
        let member = |n: usize| (format!("\n{n}"), json!(0));
        (0..count)
            .map(member)
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let with = |name, value| issuer.token().claim(name, value);
    let headed = |count: usize| issuer.token().header("own", escaped(count));
    for (good, bad, expected) in [
        (
            with("resource_access", clients(300)),
            with("resource_access", clients(320)),
            IN_PAYLOAD,
        ),
        (
            with("own", escaped(128)),
            with("own", escaped(129)),
            IN_PAYLOAD,
        ),
        (headed(50), headed(64), IN_HEADER),
    ] {
        assert_eq!(
            of(&app, "/", good).await,
            ("200".to_owned(), "ok".to_owned())
        );
        let refused = (
            "401 invalid_token malformed".to_owned(),
            format!("problem=too_long expected={expected}"),
        );
        assert_eq!(of(&app, "/", bad).await, refused);
    }
}
