//! Attacks on requirements: claims of the authentication, hierarchies and guards in a row.

use super::*;

portcullis::scopes! {
    Orders = "orders:read";
    Write = "orders:write";
    Openid = "openid";
}
portcullis::requirements! {
    Phr { acr: "phr" }
    Mfa { scope: "orders:write", acr: "mfa" | "phr" }
    Recent { max_age: Duration::from_secs(300) }
}

#[tokio::test]
async fn claims_of_the_authentication_of_any_type() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate())
        .route("/acr", get(async |_: Authorized<Phr>| {}))
        .route("/age", get(async |_: Authorized<Recent>| {}))
        .route("/mfa", get(async |_: Authorized<Mfa>| {}))
        .route("/", get(async |_: AccessToken| {}));
    let now = clock.now().as_secs();
    let mut found = Found::default();
    for (auth_time, expected) in [
        (json!(now), true),
        (json!(now - 300), true),
        (json!(now - 331), false),
        (json!(now - 86_400), false),
        (json!(now + 29), true),
        (json!(now + 31), false),
        (json!(now + 1_000_000), false),
        (json!(now.to_string()), false),
        (json!(""), false),
        (json!(-1), false),
        (json!(0), false),
        (json!(i64::MIN), false),
        (json!(i64::MAX), false),
        (json!(u64::MAX), false),
        (json!(1e300), false),
        (json!(-1e300), false),
        (json!([now]), false),
        (json!({"t": now}), false),
        (json!(null), false),
        (json!(true), false),
    ] {
        let token = issuer
            .token()
            .audience(API)
            .claim("auth_time", &auth_time)
            .sign();
        for _ in 0..2 {
            let answer = app.get("/age", &token).await;
            found.expect(
                (answer.status == 200) == expected,
                format!("auth_time {auth_time} {}", answer.verdict()),
            );
            found.expect(
                answer.status == 200 || answer.verdict() == "401 insufficient_user_authentication",
                format!("auth_time {auth_time} {}", answer.verdict()),
            );
        }
        let other = app.get("/", &token).await;
        found.expect(
            other.status == 200,
            format!("/ auth_time {auth_time} {}", other.verdict()),
        );
    }
    for raw in [
        "1e9",
        "1700000000.5",
        "1e400",
        "-0",
        "99999999999999999999999999",
        "1E+9",
    ] {
        let plain = issuer.token().audience(API).claim("auth_time", 4711);
        let payload = plain
            .sign()
            .split('.')
            .nth(1)
            .map(ToOwned::to_owned)
            .unwrap_or_default();
        let payload =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload)
                .expect("base64");
        let payload = String::from_utf8(payload)
            .expect("text")
            .replace("4711", raw);
        let token = issuer.token().payload_json(payload).sign();
        let answer = app.get("/age", &token).await;
        found.expect(
            answer.verdict() == "401 insufficient_user_authentication",
            format!("raw {raw} {}", answer.verdict()),
        );
        let other = app.get("/", &token).await;
        found.expect(
            other.status == 200,
            format!("/ raw {raw} {}", other.verdict()),
        );
    }
    for acr in [
        json!(1),
        json!({"a": "phr"}),
        json!(["phr", 1]),
        json!([["phr"]]),
        json!(""),
        json!(null),
        json!("phr\u{0}"),
        json!("PHR"),
        json!("phr mfa"),
        json!(["", null]),
    ] {
        let token = issuer.token().audience(API).claim("acr", &acr).sign();
        let answer = app.get("/acr", &token).await;
        found.expect(
            answer.verdict() == "401 insufficient_user_authentication",
            format!("acr {acr} {}", answer.verdict()),
        );
        found.expect(
            app.get("/", &token).await.status == 200,
            format!("/ acr {acr}"),
        );
    }
    // Values of a token never reach a challenge.
    let token = issuer
        .token()
        .audience(API)
        .scope("x\", error=\"evil orders:write")
        .claim("acr", "evil\"\r\n")
        .claim("auth_time", "evil")
        .sign();
    for path in ["/acr", "/age", "/mfa"] {
        let answer = app.get(path, &token).await;
        found.expect(!answer.wire().contains("evil"), answer.wire());
    }
}

#[tokio::test]
async fn hierarchy_is_exact_and_tokens_spelled_twice_change_nothing() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .scope_hierarchy(
            ScopeHierarchy::new()
                .implies("orders:admin", "orders:write")
                .implies("orders:write", "orders:read")
                .implies("orders", "other"),
        )
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate())
        .route("/", get(async |_: Scoped<Orders>| {}))
        .route("/w", get(async |_: Scoped<Write>| {}));
    let mut found = Found::default();
    for (scope, read, write) in [
        ("orders:read", true, false),
        ("orders:read orders:read", true, false),
        ("orders:write", true, true),
        ("orders:admin", true, true),
        ("Orders:Write", false, false),
        ("ORDERS:ADMIN", false, false),
        ("orders", false, false),
        ("orders:", false, false),
        ("orders:admins", false, false),
        ("orders:admi", false, false),
        ("orders:write:x", false, false),
        ("xorders:write", false, false),
        ("orders:write\torders:x", false, false),
        ("", false, false),
        ("orders:write,orders:read", false, false),
        ("  orders:write", true, true),
        ("orders:admin orders:admin orders:read", true, true),
    ] {
        let token = issuer.token().audience(API).scope(scope).sign();
        for _ in 0..2 {
            let [one, two] = [app.get("/", &token).await, app.get("/w", &token).await];
            found.expect(
                (one.status == 200) == read && (two.status == 200) == write,
                format!("{scope:?} {} {}", one.verdict(), two.verdict()),
            );
        }
    }
}

#[tokio::test]
async fn client_that_replaces_its_scope_each_time_gets_through_two_guards() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(Resource::new(API).scopes::<Orders>().scopes::<Write>())
        .issuer(issuer.trusted())
        .build()
        .expect("sound");
    let route = get(async |_: Scoped<Openid>| {})
        .route_layer(RequireLayer::of::<Orders>())
        .route_layer(RequireLayer::of::<Write>());
    let app = TestApp::behind(server.authenticate()).route("/", route);
    let mut scope = String::new();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let token = issuer.token().audience(API).scope(&scope).sign();
        let answer = app.get("/", &token).await;
        if answer.status == 200 {
            return;
        }
        let (_, rest) = answer.challenge().split_once("scope=\"").expect("a scope");
        scope = rest.split('"').next().unwrap_or_default().to_owned();
        seen.push(scope.clone());
    }
    panic!("never let in: {seen:?}");
}
