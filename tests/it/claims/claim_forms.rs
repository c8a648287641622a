//! Tokens that say the same in other words and other forms, each beside the twin that is refused.

use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use portcullis::error::Rejection;
use portcullis::layer::{RefusalBody, Renderer};
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{
    AccessToken, Claims, Identity, InGroup, InRole, Issuer, ResourceServer, Scoped, TenantClaims,
    WorkspaceAccess,
};
use serde_json::{Value, json};

use crate::support::{API, Requests as _, TestApp, trusting};

portcullis::roles! { Admin = "admin"; Seven = "7"; }
portcullis::scopes! { Read = "read"; }

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

async fn who(token: AccessToken) -> String {
    let subject = token.subject().map(|subject| subject.as_str().to_owned());
    let client = token.client_id().map(|client| client.as_str().to_owned());
    format!("{subject:?} {client:?} {:?}", token.id())
}

fn behind(issuer: Issuer) -> TestApp {
    let server = trusting([issuer]);
    TestApp::behind(server.authenticate().renderer(Telling))
        .route("/", get(who))
        .route("/read", get(|_: Scoped<Read>| async {}))
        .route(
            "/any",
            get(|claims: Claims<Value>| async move { claims.to_string() }),
        )
        .route("/role", get(|_: InRole<Admin>| async {}))
        .route("/group", get(|_: InGroup<Admin>| async {}))
        .route("/seven", get(|_: InRole<Seven>| async {}))
        .route("/identity", get(|_: Identity| async {}))
        .route("/w/{workspace_id}", get(|_: WorkspaceAccess| async {}))
}

async fn of(app: &TestApp, path: &str, token: TokenBuilder) -> (String, String) {
    let answer = app.get(path, &token.sign()).await;
    (answer.verdict(), answer.body)
}

async fn verdict(app: &TestApp, token: TokenBuilder) -> String {
    of(app, "/", token).await.0
}

fn setting(issuer: Issuer) -> String {
    let built = ResourceServer::builder(API).issuer(issuer).build();
    built
        .err()
        .map_or(String::new(), |error| error.setting().to_owned())
}

const CLAIMS: &str = "401 invalid_token claims";
const USE: &str = "401 invalid_token token_use";
const OK: &str = "200";

#[tokio::test]
async fn empty_sub_is_no_subject_and_client_id_claim_names_the_service() {
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted().client_id_claim("common_name"));
    let token = || issuer.token().without("client_id").without("jti");
    let person = token().subject("7335d417").claim("type", "app");
    assert_eq!(
        of(&app, "/", person).await.1,
        "Some(\"7335d417\") None None"
    );
    let service = token().claim("common_name", "e3.access");
    for sub in ["", "  ", "\u{a0}", "\t\n", "\u{200b}", "\u{feff}\u{3000}"] {
        let told = of(&app, "/", service.clone().subject(sub)).await;
        let expected = "None Some(\"e3.access\") None";
        assert_eq!(told, (OK.to_owned(), expected.to_owned()), "{sub:?}");
    }
    for sub in [
        json!(5),
        json!(null),
        json!([]),
        json!(["u"]),
        json!({}),
        json!(false),
    ] {
        let token = service.clone().claim("sub", &sub);
        assert_eq!(verdict(&app, token).await, CLAIMS, "{sub}");
    }
}

#[tokio::test]
async fn blank_sub_client_id_and_jti_are_refused_by_rfc9068() {
    let issuer = MockIssuer::rfc9068("https://issuer.test");
    let app = behind(issuer.trusted());
    for sub in [
        "",
        "  ",
        "\u{a0}",
        "\u{2003}\u{200b}",
        "\u{feff}",
        "\u{0}",
        "\u{3164}",
    ] {
        for claim in ["sub", "client_id", "jti"] {
            let token = issuer.token().claim(claim, sub);
            assert_eq!(verdict(&app, token).await, CLAIMS, "{claim} {sub:?}");
        }
    }
    for sub in ["u", " u", "\u{a0}u", "é", "用户", "null"] {
        let token = issuer.token().subject(sub);
        assert_eq!(verdict(&app, token).await, OK, "{sub:?}");
    }
}

#[tokio::test]
async fn empty_or_null_optional_claim_is_absent_and_a_demanded_one_is_refused() {
    let plain = MockIssuer::new();
    let strict = MockIssuer::rfc9068("https://issuer.test");
    let oidc = behind(plain.trusted());
    let rfc9068 = behind(strict.trusted());
    for claim in ["client_id", "azp", "jti"] {
        for empty in [json!(""), json!(null)] {
            let token = plain.token().claim(claim, &empty);
            let (verdict, body) = of(&oidc, "/", token).await;
            assert_eq!(verdict, OK, "{claim} {empty}");
            assert!(!body.contains("\"\"") && !body.contains("null"), "{body}");
        }
    }
    for claim in ["client_id", "jti", "sub", "aud"] {
        for empty in [json!(""), json!(null)] {
            let token = strict.token().claim(claim, &empty);
            let verdict = verdict(&rfc9068, token).await;
            assert!(verdict.starts_with("401"), "{claim} {empty}: {verdict}");
        }
    }
    // `azp` stands in where `client_id` says nothing.
    let token = plain.token().claim("client_id", "").claim("azp", "spa");
    assert!(of(&oidc, "/", token).await.1.contains("Some(\"spa\")"));
    for empty in [json!(""), json!(null), json!([])] {
        let token = plain.token().claim("scope", &empty);
        assert_eq!(of(&oidc, "/", token.clone()).await.0, OK, "{empty}");
        let weak = of(&oidc, "/read", token).await.0;
        assert_eq!(weak, "403 insufficient_scope", "{empty}");
    }
    // What decides over time, revocation, binding or the kind of token is refused.
    for (claim, empty) in [
        ("nbf", json!(null)),
        ("nbf", json!("")),
        ("iat", json!(null)),
        ("exp", json!(null)),
        ("sid", json!(null)),
        ("sid", json!("")),
        ("origin_jti", json!("")),
        ("cnf", json!(null)),
        ("at_hash", json!(null)),
        ("events", json!(null)),
        ("token_use", json!(null)),
        ("typ", json!(null)),
        ("aud", json!(null)),
        ("aud", json!("")),
        ("aud", json!([])),
    ] {
        let token = plain.token().claim(claim, &empty);
        let verdict = verdict(&oidc, token).await;
        assert!(verdict.starts_with("401"), "{claim} {empty}: {verdict}");
    }
}

#[tokio::test]
async fn foreign_ids_have_a_generous_bound_of_their_own() {
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted());
    for claim in ["sub", "client_id", "jti", "sid", "origin_jti"] {
        for (length, expected) in [(300, OK), (1024, OK), (1025, CLAIMS)] {
            let token = issuer.token().claim(claim, "i".repeat(length));
            assert_eq!(verdict(&app, token).await, expected, "{claim} {length}");
        }
    }
    let long = issuer.token().claim("jti", "i".repeat(1025));
    assert_eq!(
        of(&app, "/", long).await.1,
        "claim=jti problem=too_long expected=at most 1024 bytes"
    );
    let named = behind(issuer.trusted().client_id_claim("common_name"));
    let long = issuer.token().claim("common_name", "i".repeat(1025));
    assert_eq!(
        of(&named, "/", long).await.1,
        "claim=common_name problem=too_long expected=at most 1024 bytes"
    );
    let odd = issuer.token().subject("user\u{0}\r\n\u{202e}x");
    let expected = "Some(\"user\\0\\r\\n\\u{202e}x\") ";
    assert!(of(&app, "/", odd).await.1.starts_with(expected));
}

#[tokio::test]
async fn token_use_of_an_access_token_is_known_in_the_words_of_several_servers() {
    let issuer = MockIssuer::new();
    let plain = behind(issuer.trusted());
    let own = behind(issuer.trusted().accept_token_use("api"));
    let with = |word: Value| issuer.token().claim("token_use", word);
    for word in ["access", "access_token"] {
        assert_eq!(verdict(&plain, with(word.into())).await, OK, "{word}");
    }
    for word in [
        json!("refresh_token"),
        json!("id_token"),
        json!("id"),
        json!("api"),
        json!(""),
        json!("access_token "),
        json!(["access_token"]),
    ] {
        assert_eq!(verdict(&plain, with(word.clone())).await, USE, "{word}");
    }
    assert_eq!(verdict(&own, with("api".into())).await, OK);
    assert_eq!(verdict(&own, with("access".into())).await, OK);
    assert_eq!(verdict(&own, with("API".into())).await, USE);
    assert_eq!(verdict(&own, with("id".into())).await, USE);
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let cognito = behind(pool.trusted());
    let token = pool.token().claim("token_use", "access_token");
    assert_eq!(verdict(&cognito, token).await, USE);
    assert_eq!(
        setting(pool.trusted().accept_token_use("x")),
        "accept_token_use"
    );
    for word in ["", "id", "Refresh_Token", "logout_token"] {
        assert_eq!(
            setting(issuer.trusted().accept_token_use(word)),
            "accept_token_use"
        );
    }
    assert_eq!(setting(issuer.trusted().accept_token_use("api")), "");
}

#[tokio::test]
async fn nonce_is_no_mark_beside_a_scope_under_any_of_its_names() {
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted());
    let other = behind(issuer.trusted().scope_claim("permissions"));
    let token = || {
        issuer
            .token()
            .without("jti")
            .without("scope")
            .claim("nonce", "n")
    };
    for (claim, value, plain, configured) in [
        ("scp", json!("read"), OK, OK),
        ("scp", json!(["read"]), OK, OK),
        ("scope", json!("read"), OK, OK),
        ("permissions", json!(["read"]), USE, OK),
        ("scp", json!(""), USE, USE),
        ("scp", json!(null), USE, USE),
        ("jti", json!("j"), OK, OK),
        ("jti", json!(""), USE, USE),
        ("jti", json!(null), USE, USE),
        ("ver", json!("1.0"), USE, USE),
    ] {
        let token = token().claim(claim, &value);
        assert_eq!(verdict(&app, token.clone()).await, plain, "{claim} {value}");
        assert_eq!(verdict(&other, token).await, configured, "{claim} {value}");
    }
}

#[tokio::test]
async fn id_token_marks_are_taken_where_a_dangerous_setting_says_so() {
    let issuer = MockIssuer::new();
    let plain = behind(issuer.trusted().audience("my-api"));
    let dex = behind(
        issuer
            .trusted()
            .audience("my-api")
            .danger()
            .accept_id_token_marks(),
    );
    let token = || {
        issuer
            .token()
            .audience("my-api")
            .without("client_id")
            .without("jti")
            .claim("at_hash", "fQq7YTl0Gm0jXcUzGHAxkg")
            .claim("nonce", "n")
            .claim("groups", ["admin"])
    };
    assert_eq!(verdict(&plain, token()).await, USE);
    assert_eq!(verdict(&dex, token()).await, OK);
    assert_eq!(verdict(&dex, token().claim("c_hash", "x")).await, OK);
    assert_eq!(of(&dex, "/group", token()).await.0, OK);
    for (claim, value) in [
        ("token_use", json!("id")),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("type", json!("id_token")),
        ("token_class", json!("refresh_token")),
        ("events", json!({})),
    ] {
        let token = token().claim(claim, &value);
        assert_eq!(verdict(&dex, token).await, USE, "{claim} {value}");
    }
    let other = token().audience("web-client");
    assert_eq!(verdict(&dex, other).await, "401 invalid_token audience");

    let any = issuer.trusted().danger().accept_any_audience();
    assert_eq!(
        setting(any.danger().accept_id_token_marks()),
        "accept_id_token_marks"
    );
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    assert_eq!(
        setting(pool.trusted().danger().accept_id_token_marks()),
        "accept_id_token_marks"
    );
}

#[tokio::test]
async fn require_claim_takes_a_boolean_that_no_text_and_no_number_equals() {
    let issuer = MockIssuer::new();
    let app = behind(
        issuer
            .trusted()
            .require_claim("email", "p@proj.iam.example")
            .require_claim("email_verified", true),
    );
    let unverified = behind(issuer.trusted().require_claim("email_verified", false));
    let text = behind(issuer.trusted().require_claim("email_verified", "true"));
    let token = issuer.token().claim("email", "p@proj.iam.example");
    let refused = "401 invalid_token required_value";
    for (value, is_true, is_false, is_text) in [
        (json!(true), OK, refused, refused),
        (json!(false), refused, OK, refused),
        (json!("true"), refused, refused, OK),
        (json!(1), refused, refused, refused),
        (json!(null), refused, refused, refused),
        (json!([true]), refused, refused, refused),
    ] {
        let token = token.clone().claim("email_verified", &value);
        assert_eq!(verdict(&app, token.clone()).await, is_true, "{value}");
        assert_eq!(
            verdict(&unverified, token.clone()).await,
            is_false,
            "{value}"
        );
        assert_eq!(verdict(&text, token).await, is_text, "{value}");
    }
    let (verdict, detail) = of(&app, "/", token).await;
    assert_eq!(verdict, refused);
    assert_eq!(
        detail,
        "claim=email_verified problem=missing setting=require_claim expected=true"
    );
}

#[tokio::test]
async fn roles_and_groups_are_read_in_the_forms_that_are_set() {
    const ROLES: &str = "urn:zitadel:iam:org:project:roles";
    let issuer = MockIssuer::new();
    let trusted = || issuer.trusted().roles_claim(ROLES).groups_claim(ROLES);
    let plain = behind(trusted());
    let members = behind(trusted().member_names_as_roles_and_groups());
    let named = behind(trusted().roles_and_groups_named_by("name"));
    let numbers = behind(trusted().numeric_roles_and_groups());
    let map = json!({"admin": {"223": "acme.example"}, "user": {"223": "acme.example"}});
    let list = json!([{"id": 1, "name": "admin"}]);
    for (value, of_members, of_named) in [
        (map, OK, "403"),
        (json!({"admin": null}), "403", "403"),
        (json!({"admin": false}), "403", "403"),
        (json!({"admin": true}), OK, "403"),
        (json!({"user": {"admin": "x"}}), "403", "403"),
        (list, "403", OK),
        (json!([{"id": "admin", "name": "user"}]), "403", "403"),
        (json!(["admin"]), OK, OK),
        (json!("admin"), "403", "403"),
    ] {
        let token = issuer.token().claim(ROLES, &value);
        for path in ["/role", "/group"] {
            let found = of(&members, path, token.clone()).await.0;
            assert!(found.starts_with(of_members), "{path} {value}: {found}");
            let found = of(&named, path, token.clone()).await.0;
            assert!(found.starts_with(of_named), "{path} {value}: {found}");
            if !value.is_array() || value[0].is_object() {
                let found = of(&plain, path, token.clone()).await.0;
                assert_eq!(found, "403 wrong_caller", "{path} {value}");
            }
        }
    }
    let seven = |value: Value| issuer.token().claim(ROLES, value);
    assert_eq!(of(&numbers, "/seven", seven(json!([7]))).await.0, OK);
    for value in [json!([7.5]), json!([77]), json!(7), json!([-7])] {
        let found = of(&numbers, "/seven", seven(value.clone())).await.0;
        assert_eq!(found, "403 wrong_caller", "{value}");
    }
    assert_eq!(
        of(&plain, "/seven", seven(json!([7]))).await.0,
        "403 wrong_caller"
    );
    assert_eq!(
        setting(issuer.trusted().roles_and_groups_named_by("")),
        "roles_and_groups_named_by"
    );
}

#[tokio::test]
async fn role_refusal_says_which_form_was_found() {
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted());
    for (path, claim) in [("/role", "roles"), ("/group", "groups")] {
        for (value, found) in [
            (json!({"admin": {}}), "found=object"),
            (json!([{"name": "admin"}]), "found=array with object"),
            (json!([7]), "found=array with number"),
            (json!("admin"), "found=string"),
        ] {
            let token = issuer.token().claim(claim, &value);
            let (verdict, detail) = of(&app, path, token).await;
            assert_eq!(verdict, "403 wrong_caller");
            assert!(detail.contains(&format!("claim={claim}")), "{detail}");
            assert!(detail.contains(found), "{value}: {detail}");
            assert!(!detail.contains("admin {"), "{detail}");
        }
    }
}

#[tokio::test]
async fn tenant_settings_reach_numbers_and_names_in_other_forms() {
    let issuer = MockIssuer::new();
    let by_claim = || TenantClaims::by_workspace("workspace").account_claim("tenant_id");
    let plain = behind(issuer.trusted().tenant_claims(by_claim()));
    let numeric = behind(issuer.trusted().tenant_claims(by_claim().numeric_ids()));
    let token = |account: Value| {
        let token = issuer.token().claim("workspace", 42);
        token.claim("tenant_id", account)
    };
    assert_eq!(of(&numeric, "/w/42", token(json!(7))).await.0, OK);
    assert_eq!(of(&numeric, "/w/42", token(json!("acme"))).await.0, OK);
    assert_eq!(
        of(&numeric, "/w/43", token(json!(7))).await.0,
        "403 wrong_tenant"
    );
    assert_eq!(
        of(&numeric, "/w/42", token(json!(7.5))).await.0,
        "403 no_tenant"
    );
    assert_eq!(
        of(&numeric, "/w/42", token(json!(true))).await.0,
        "403 no_tenant"
    );
    assert_eq!(
        of(&plain, "/w/42", token(json!(7))).await,
        (
            "403 no_tenant".to_owned(),
            "claim=workspace problem=wrong_type setting=by_workspace expected=string found=number"
                .to_owned()
        )
    );

    let by_group = || TenantClaims::by_group("groups", "/w/{workspace}").without_accounts();
    let trusted = || issuer.trusted().tenant_claims(by_group());
    let plain = behind(trusted());
    let members = behind(trusted().member_names_as_roles_and_groups());
    let named = behind(trusted().roles_and_groups_named_by("path"));
    let with = |groups: Value| issuer.token().claim("groups", groups);
    let map = with(json!({"/w/a": {"x": 1}, "/other": true, "/w/b": null}));
    let list = with(json!([{"path": "/w/a", "id": 1}]));
    assert_eq!(of(&members, "/w/a", map.clone()).await.0, OK);
    assert_eq!(
        of(&members, "/w/b", map.clone()).await.0,
        "403 wrong_tenant"
    );
    assert_eq!(of(&named, "/w/a", list.clone()).await.0, OK);
    assert_eq!(of(&plain, "/w/a", map).await.0, "403 no_tenant");
    assert_eq!(of(&plain, "/w/a", list).await.0, "403 no_tenant");
    let two = with(json!({"/w/a": true, "/w/b": true}));
    assert_eq!(of(&members, "/w/a", two).await.0, "403 no_tenant");
}

#[tokio::test]
async fn audience_may_be_named_by_another_claim() {
    let issuer = MockIssuer::new();
    let session = || issuer.token().without("aud").without("client_id");
    let azp = behind(
        issuer
            .trusted()
            .audience_claim("azp")
            .audience("https://app.example.com"),
    );
    let iss = behind(
        issuer
            .trusted()
            .audience_claim("iss")
            .audience(issuer.issuer()),
    );
    let ours = session().claim("azp", "https://app.example.com");
    assert_eq!(verdict(&azp, ours).await, OK);
    let other = session().claim("azp", "https://other.example.com");
    assert_eq!(verdict(&azp, other).await, "401 invalid_token audience");
    assert_eq!(verdict(&iss, session()).await, OK);
}

#[tokio::test]
async fn private_names_of_serde_json_are_ordinary_members_of_a_token() {
    const RAW: &str = "$serde_json::private::RawValue";
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted());
    let token = issuer.token().claim(RAW, "{\"admin\":true}").claim(
        "nested",
        json!({ RAW: "[1]", "$serde_json::private::Number": "7" }),
    );
    let (verdict, body) = of(&app, "/any", token).await;
    assert_eq!(verdict, OK, "{body}");
    // `serde_json` itself would look into it again.
    for member in [
        r#""$serde_json::private::RawValue":"{\"admin\":true}""#,
        r#""$serde_json::private::RawValue":"[1]""#,
        r#""$serde_json::private::Number":"7""#,
    ] {
        assert!(body.contains(member), "{body}");
    }
}
