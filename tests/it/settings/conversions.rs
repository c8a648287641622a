//! Conversions of the public value types: text, serde and `std` times; and what `Debug` shows.

use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::routing::get;
use portcullis::config::ClaimPath;
use portcullis::extract::ScopeToken;
use portcullis::tenant::{AccountId, IdentityKind, WorkspaceId};
use portcullis::test_util::MockIssuer;
use portcullis::time::UnixTime;
use portcullis::{AccessToken, Algorithm, Identity, Issuer, Scope, TenantClaims, WorkspaceAccess};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::support::{Requests as _, TestApp, trusting};

/// Every way from text to this type and back agrees.
fn round_trips<T, E>(text: &str)
where
    T: FromStr<Err = E>
        + for<'t> TryFrom<&'t str, Error = E>
        + TryFrom<String, Error = E>
        + Display
        + Serialize
        + DeserializeOwned
        + PartialEq
        + Debug,
    E: Debug,
{
    let value: T = text.parse().expect("accepted");
    assert_eq!(T::try_from(text).expect("accepted"), value);
    assert_eq!(T::try_from(text.to_owned()).expect("accepted"), value);
    assert_eq!(value.to_string(), text);
    let json = serde_json::to_string(&value).expect("text");
    assert_eq!(json, serde_json::to_string(text).expect("text"));
    assert_eq!(serde_json::from_str::<T>(&json).expect("accepted"), value);
    let value = serde_json::to_value(&value).expect("text");
    assert!(
        serde_json::from_value::<T>(value).is_ok(),
        "from owned text"
    );
}

fn is_refused<T, E>(text: &str)
where
    T: FromStr<Err = E>
        + for<'t> TryFrom<&'t str, Error = E>
        + TryFrom<String, Error = E>
        + DeserializeOwned,
    E: Display,
{
    let Err(error) = text.parse::<T>() else {
        panic!("{text:?} is accepted");
    };
    assert!(T::try_from(text).is_err() && T::try_from(text.to_owned()).is_err());
    let json = serde_json::to_string(text).expect("text");
    let Err(by_serde) = serde_json::from_str::<T>(&json) else {
        panic!("{json} is accepted");
    };
    assert!(by_serde.to_string().contains(&error.to_string()));
    assert!(
        text.len() < 8 || !error.to_string().contains(text),
        "{error}"
    );
}

#[test]
fn account_and_workspace_ids_are_made_of_text_by_one_rule() {
    for text in ["acme", "a b", "\u{e4}", &"a".repeat(256)] {
        round_trips::<AccountId, _>(text);
        round_trips::<WorkspaceId, _>(text);
    }
    for text in ["", "a\nb", "a\u{7f}", "\u{85}\u{e4}", &"a".repeat(257)] {
        is_refused::<AccountId, _>(text);
        is_refused::<WorkspaceId, _>(text);
    }
    let id = AccountId::new("acme").expect("an id");
    assert_eq!(AsRef::<str>::as_ref(&id), "acme");
    assert_eq!(id.detach(), id);
    let by_account: HashMap<AccountId, u8> =
        serde_json::from_str(r#"{"acme": 1}"#).expect("a key of a map");
    assert_eq!(by_account.get(&id), Some(&1));
}

#[test]
fn algorithms_are_made_of_their_exact_names() {
    for algorithm in Algorithm::all() {
        round_trips::<Algorithm, _>(algorithm.as_str());
        assert_eq!(algorithm.as_ref(), algorithm.as_str());
    }
    for text in ["", "none", "HS256", "rs256", "RS256 ", "EDDSA"] {
        is_refused::<Algorithm, _>(text);
    }
}

#[test]
fn scopes_are_made_of_strict_text_and_iterate() {
    for text in ["a", "orders:read orders:write", "a,b"] {
        round_trips::<Scope, _>(text);
    }
    for text in [" ", " a", "a  b", "a\tb", "a\"b"] {
        is_refused::<Scope, _>(text);
    }
    assert!("".parse::<Scope>().is_err());
    let empty = serde_json::to_string(&Scope::default()).expect("text");
    assert!(
        serde_json::from_str::<Scope>(&empty)
            .expect("the same")
            .is_empty()
    );
    let scope: Scope = "b a".parse().expect("a scope");
    let mut tokens = Vec::new();
    for token in &scope {
        tokens.push(token.as_str());
    }
    assert_eq!(tokens, ["b", "a"]);
    assert_eq!(scope.detach(), scope);
    assert_eq!(
        format!("{:?} {:?}", scope, scope.iter()),
        "Scope(2 tokens) ScopeTokens { .. }"
    );
}

#[test]
fn scope_tokens_borrow_their_text() {
    #[derive(Serialize, Deserialize)]
    struct Setting<'a> {
        #[serde(borrow)]
        scope: ScopeToken<'a>,
    }
    let json = r#"{"scope":"orders:read"}"#;
    let setting: Setting<'_> = serde_json::from_str(json).expect("a token");
    assert_eq!(setting.scope.as_ref(), "orders:read");
    assert_eq!(ScopeToken::try_from("orders:read"), Ok(setting.scope));
    assert_eq!(serde_json::to_string(&setting).expect("text"), json);
    assert!(serde_json::from_str::<Setting<'_>>(r#"{"scope":"a b"}"#).is_err());
    assert!(ScopeToken::try_from("a b").is_err());
}

#[test]
fn claim_paths_are_one_name_or_a_list() {
    for (path, json) in [
        (
            ClaimPath::from("https://example.com/roles"),
            r#""https://example.com/roles""#,
        ),
        (
            ClaimPath::from(["realm_access", "roles"]),
            r#"["realm_access","roles"]"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&path).expect("json"), json);
        assert_eq!(
            serde_json::from_str::<ClaimPath>(json).expect("a path"),
            path
        );
    }
    assert_eq!(
        serde_json::from_str::<ClaimPath>(r#"["sub"]"#).expect("a path"),
        "sub".into()
    );
    assert_eq!("sub".parse(), Ok(ClaimPath::from("sub")));
    for bad in [r#""""#, "[]", r#"["a",""]"#, "1", "null", r#"{"a":"b"}"#] {
        assert!(serde_json::from_str::<ClaimPath>(bad).is_err(), "{bad}");
    }
}

#[test]
fn times_convert_and_round_down() {
    let half = Duration::from_millis(500);
    for (system, secs) in [
        (UNIX_EPOCH, 0),
        (UNIX_EPOCH + half, 0),
        (UNIX_EPOCH + Duration::from_secs(7) + half, 7),
        (UNIX_EPOCH - half, -1),
        (UNIX_EPOCH - Duration::from_secs(7), -7),
        (UNIX_EPOCH - Duration::from_secs(7) - half, -8),
    ] {
        assert_eq!(UnixTime::from(system), UnixTime::from_secs(secs), "{secs}");
    }
    for secs in [0, 1_800_000_000, -1] {
        let time = UnixTime::from_secs(secs);
        assert_eq!(time.to_system_time().map(UnixTime::from), Some(time));
        assert_eq!(secs.to_string().parse(), Ok(time));
        assert_eq!(
            serde_json::to_string(&time).expect("json"),
            secs.to_string()
        );
        assert_eq!(
            serde_json::from_str::<UnixTime>(&secs.to_string()).expect("json"),
            time
        );
    }
    assert!("1.5".parse::<UnixTime>().is_err());
    assert!(serde_json::from_str::<UnixTime>("1.5").is_err());
    assert!(serde_json::from_str::<UnixTime>("\"1\"").is_err());
    let far = SystemTime::now() + Duration::from_secs(10);
    assert_eq!(
        UnixTime::from(far).to_system_time().map(|time| time <= far),
        Some(true)
    );
}

/// What a handler sees of each kind of caller.
async fn seen(token: AccessToken, identity: Identity) -> String {
    let subject = identity
        .subject()
        .map(|id| serde_json::to_string(id).expect("text"));
    let client = identity.client_id().map(ToString::to_string);
    assert_eq!(identity.issuer(), token.issuer());
    assert_eq!(
        identity
            .subject()
            .map(portcullis::tenant::SubjectId::detach)
            .as_ref(),
        identity.subject()
    );
    let shown = format!("{token:?} {identity:?}");
    for secret in [
        "orders:read",
        "user-1",
        "acme",
        "some-client",
        "jti-1",
        "alice",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(
        shown.contains(token.issuer()) && shown.contains("Scope(1 tokens)"),
        "{shown}"
    );
    assert!(token.has_scope("orders:read") && !token.has_scope("orders"));
    format!("{} {subject:?} {client:?}", identity.kind())
}

#[tokio::test]
async fn identities_answer_without_a_match() {
    let issuer = MockIssuer::new();
    let tenants = TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID);
    let app = |trusted: Issuer| {
        let server = trusting([trusted]);
        TestApp::behind(server.authenticate()).route("/", get(seen))
    };
    let with_tenants = app(issuer.trusted().tenant_claims(tenants));
    let plain = app(issuer.trusted());
    let (user, principal) = (issuer.aworld_user(), issuer.aworld_principal());
    let by = |builder: portcullis::test_util::TokenBuilder| {
        builder.claim("jti", "jti-1").scope("orders:read").sign()
    };
    for (router, token, expected) in [
        (
            &with_tenants,
            by(user.subject("alice")),
            r#"user Some("\"alice\"") None"#,
        ),
        (
            &with_tenants,
            by(principal
                .client(MockIssuer::PORTAL_CLIENT_ID)
                .subject("alice")),
            r#"principal Some("\"alice\"") None"#,
        ),
        (
            &plain,
            by(issuer
                .client_token()
                .client("some-client")
                .subject("some-client")),
            r#"client None Some("some-client")"#,
        ),
        (
            &plain,
            by(issuer.token().subject("alice").client("some-client")),
            r#"subject Some("\"alice\"") Some("some-client")"#,
        ),
    ] {
        let answer = router.get("/", &token).await;
        assert_eq!(answer.body, expected);
    }
    assert_eq!(IdentityKind::Client.as_str(), "client");
}

#[tokio::test]
async fn proofs_show_their_shape_and_no_id() {
    let issuer = MockIssuer::new();
    let server = trusting([issuer.trusted().tenant_claims(TenantClaims::aworld())]);
    let app = TestApp::behind(server.authenticate().context("app")).route(
        "/workspaces/{workspace_id}",
        get(|access: WorkspaceAccess| async move { format!("{access:?}") }),
    );
    let token = issuer.aworld_user().workspace("secret-place").sign();
    let shown = app.get("/workspaces/secret-place", &token).await;
    assert_eq!(shown.verdict(), "200");
    let shown = shown.body;
    assert!(
        shown.contains("WorkspaceAccess") && shown.contains("WorkspaceId(..)"),
        "{shown}"
    );
    assert!(!shown.contains("secret-place"), "{shown}");
}
