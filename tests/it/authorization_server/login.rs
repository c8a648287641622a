//! The login page, as a browser meets it: cookies, the form, sessions.

use std::time::Duration;

use http::StatusCode;
use portcullis::test_util::{ManualClock, ServedAuthorizationServer, TestUser};
use serde_json::json;

use super::support::{
    Answer, CALLBACK, authorization_url, builder, encoded, http, parameter, payload, redeem, send,
    served,
};

/// Cookies, as a browser keeps them.
#[derive(Default)]
struct Browser(Vec<(String, String)>);

impl Browser {
    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = send(request.header("cookie", cookies.join("; "))).await;
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().expect("text");
            assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
            let (name, value) = set
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='))
                .expect("a pair");
            self.0.retain(|(other, _)| other != name);
            self.0.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    async fn open(&mut self, url: &str) -> Answer {
        self.send(http().get(url)).await
    }

    /// Sends the form of a page with these fields beside its hidden ones.
    async fn submit(
        &mut self,
        server: &ServedAuthorizationServer,
        page: &Answer,
        fields: &[(&str, &str)],
    ) -> Answer {
        let (query, csrf) = (hidden(page, "authorization_request"), hidden(page, "csrf"));
        let mut all = vec![("authorization_request", &*query), ("csrf", &*csrf)];
        all.extend(fields);
        self.send(login(server, &all)).await
    }
}

fn login(server: &ServedAuthorizationServer, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    http()
        .post(format!("{}/login", server.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", server.url())
        .body(encoded(fields))
}

fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .body
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name}: {page:?}"));
    let (value, _) = rest.split_once('"').expect("an end");
    value
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[tokio::test]
async fn login_form_signs_the_picked_user_in_and_the_session_answers_later_requests() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let mut browser = Browser::default();
    let page = browser.open(&authorization_url(&server, &[])).await;
    assert!(page.body.contains("value=\"principal-1\""));
    let back = browser
        .submit(&server, &page, &[("subject", "principal-1")])
        .await;
    // RFC 9700 s4.12.
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{back:?}");
    assert_eq!(back.parameter("iss").as_deref(), Some(server.url()));
    let tokens = redeem(&server, &back.parameter("code").expect("a code"), &[])
        .await
        .json();
    assert_eq!(payload(&tokens["access_token"])["sub"], "principal-1");

    clock.advance(Duration::from_secs(100));
    for (changed, silent) in [
        (&[][..], true),
        (&[("prompt", "none")][..], true),
        (&[("max_age", "100")][..], true),
        (&[("max_age", "99")][..], false),
        (&[("max_age", "0")][..], false),
        (&[("prompt", "login")][..], false),
        (&[("prompt", "select_account")][..], false),
        (&[("acr_values", "phr")][..], false),
    ] {
        let answer = browser.open(&authorization_url(&server, changed)).await;
        let is_silent = answer.status == StatusCode::SEE_OTHER;
        assert_eq!(is_silent, silent, "{changed:?}");
        assert_eq!(
            answer.parameter_if_redirected("code").is_some(),
            silent,
            "{changed:?}"
        );
    }
    let old = browser
        .open(&authorization_url(
            &server,
            &[("prompt", "none"), ("max_age", "1")],
        ))
        .await;
    assert_eq!(old.parameter("error").as_deref(), Some("login_required"));
    clock.advance(Duration::from_secs(12 * 3600));
    let late = browser
        .open(&authorization_url(&server, &[("prompt", "none")]))
        .await;
    assert_eq!(late.parameter("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn authentication_class_that_was_asked_for_stands_in_both_tokens() {
    let server = served(&ManualClock::new()).await;
    let mut browser = Browser::default();
    let url = authorization_url(&server, &[("acr_values", "phr other")]);
    let page = browser.open(&url).await;
    let back = browser
        .submit(&server, &page, &[("subject", "user-1")])
        .await;
    let tokens = redeem(&server, &back.parameter("code").expect("a code"), &[])
        .await
        .json();
    assert_eq!(payload(&tokens["id_token"])["acr"], "phr");
    assert_eq!(payload(&tokens["access_token"])["acr"], "phr");
    assert_eq!(browser.open(&url).await.status, StatusCode::SEE_OTHER);
    // The session of a user who signs in again goes on, that of another user does not.
    let again = browser
        .open(&authorization_url(&server, &[("prompt", "login")]))
        .await;
    let sid = async |back: Answer| {
        let code = back.parameter("code").expect("a code");
        let tokens = redeem(&server, &code, &[]).await.json();
        payload(&tokens["id_token"])["sid"].clone()
    };
    let first = payload(&tokens["id_token"])["sid"].clone();
    let same = browser
        .submit(&server, &again, &[("subject", "user-1")])
        .await;
    assert_eq!(sid(same).await, first);
    let other = browser
        .submit(&server, &again, &[("subject", "agent-1")])
        .await;
    assert_ne!(sid(other).await, first);
}

#[tokio::test]
async fn hints_name_the_user_that_the_client_expects() {
    let server = served(&ManualClock::new()).await;
    let mut browser = Browser::default();
    let page = browser.open(&authorization_url(&server, &[])).await;
    let back = browser
        .submit(&server, &page, &[("subject", "user-1")])
        .await;
    let tokens = redeem(&server, &back.parameter("code").expect("a code"), &[])
        .await
        .json();
    let mine = tokens["id_token"].as_str().expect("a token");
    let others = server.id_token().subject("agent-1").sign();
    let silent = ("prompt", "none");
    let answer = browser
        .open(&authorization_url(
            &server,
            &[silent, ("id_token_hint", mine)],
        ))
        .await;
    assert!(answer.parameter("code").is_some());
    for hint in [&*others, "unreadable"] {
        let answer = browser
            .open(&authorization_url(
                &server,
                &[silent, ("id_token_hint", hint)],
            ))
            .await;
        assert_eq!(answer.parameter("error").as_deref(), Some("login_required"));
    }
    let page = browser
        .open(&authorization_url(&server, &[("id_token_hint", &others)]))
        .await;
    let (hinted, first) = (
        page.body.find("value=\"agent-1\""),
        page.body.find("value=\"user-1\""),
    );
    assert!(hinted < first);
    // What the server does not know changes nothing.
    let more = [
        ("ui_locales", "se"),
        ("display", "popup"),
        ("claims", "{}"),
        ("extra", "foobar"),
    ];
    let answer = browser.open(&authorization_url(&server, &more)).await;
    assert!(answer.parameter("code").is_some());
}

#[tokio::test]
async fn login_form_of_another_browser_or_origin_is_refused() {
    let server = served(&ManualClock::new()).await;
    let url = authorization_url(&server, &[]);
    let (mut mine, mut theirs) = (Browser::default(), Browser::default());
    let (page, foreign) = (mine.open(&url).await, theirs.open(&url).await);
    let (query, csrf) = (
        hidden(&page, "authorization_request"),
        hidden(&page, "csrf"),
    );
    let fields = [
        ("authorization_request", &*query),
        ("csrf", &*csrf),
        ("subject", "user-1"),
    ];

    let without_cookie = send(login(&server, &fields)).await;
    assert_eq!(without_cookie.status, StatusCode::BAD_REQUEST);
    let with_foreign_form = mine
        .submit(&server, &foreign, &[("subject", "user-1")])
        .await;
    assert_eq!(with_foreign_form.status, StatusCode::BAD_REQUEST);
    let other_request = query.replace("state-1", "state-2");
    let changed = [
        ("authorization_request", &*other_request),
        ("csrf", &*csrf),
        ("subject", "user-1"),
    ];
    assert_eq!(
        mine.send(login(&server, &changed)).await.status,
        StatusCode::BAD_REQUEST
    );
    let elsewhere = http()
        .post(format!("{}/login", server.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "http://localhost:5173")
        .body(encoded(&fields));
    assert_eq!(mine.send(elsewhere).await.status, StatusCode::BAD_REQUEST);

    let good = mine.submit(&server, &page, &[("subject", "user-1")]).await;
    assert_eq!(good.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn typed_claims_sign_their_user_in_and_mistakes_are_shown() {
    let server = served(&ManualClock::new()).await;
    let mut browser = Browser::default();
    let page = browser.open(&authorization_url(&server, &[])).await;
    for (typed, problem) in [
        ("{", "no JSON object"),
        ("[]", "no JSON object"),
        ("{\"roles\": []}", "`sub` is missing"),
        ("{\"sub\": \"u\", \"iss\": \"x\"}", "the claim `iss`"),
        (
            "{\"sub\": \"</textarea><script>alert(1)</script>\", \"aud\": 1}",
            "the claim `aud`",
        ),
    ] {
        let answer = browser
            .submit(&server, &page, &[("typed", "yes"), ("claims", typed)])
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{typed}");
        assert!(answer.body.contains(problem), "{}", answer.body);
        assert!(answer.body.contains("role=\"alert\""));
        assert!(!answer.body.contains("<script"), "{}", answer.body);
    }
    let typed = json!({"sub": "user-9", "roles": ["viewer"]}).to_string();
    let back = browser
        .submit(&server, &page, &[("typed", "yes"), ("claims", &typed)])
        .await;
    let tokens = redeem(&server, &back.parameter("code").expect("a code"), &[])
        .await
        .json();
    let claims = payload(&tokens["access_token"]);
    assert_eq!(
        (&claims["sub"], &claims["roles"]),
        (&json!("user-9"), &json!(["viewer"]))
    );
}

#[tokio::test]
async fn cancelled_sign_in_is_an_access_denied() {
    let server = served(&ManualClock::new()).await;
    let mut browser = Browser::default();
    let page = browser.open(&authorization_url(&server, &[])).await;
    let back = browser.submit(&server, &page, &[("cancel", "yes")]).await;
    assert_eq!(back.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(back.parameter("state").as_deref(), Some("state-1"));
    let unknown = browser
        .submit(&server, &page, &[("subject", "nobody")])
        .await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn login_page_escapes_what_others_wrote_and_loads_nothing() {
    let clock = ManualClock::new();
    let evil = "\"><script>alert(1)</script>{{csrf}}";
    let server = builder(&clock)
        .user(TestUser::new(evil).name(evil).kind(evil))
        .serve()
        .await
        .expect("a free port");
    let url = authorization_url(
        &server,
        &[("login_hint", evil), ("state", evil), ("acr_values", evil)],
    );
    let page = Browser::default().open(&url).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains("<script"), "{}", page.body);
    assert!(!page.body.contains("src="));
    // The suggested user comes first.
    let (first, prepared) = (
        page.body.find("&lt;script"),
        page.body.find("value=\"user-1\""),
    );
    assert!(first < prepared, "{}", page.body);
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self' http://localhost:* http://127.0.0.1:* http://localhost:5173",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn form_post_sends_the_response_as_a_form() {
    let server = served(&ManualClock::new()).await;
    let mut browser = Browser::default();
    let evil = "\"><script>alert(1)</script>";
    let url = authorization_url(&server, &[("response_mode", "form_post"), ("state", evil)]);
    let page = browser.open(&url).await;
    let answer = browser
        .submit(&server, &page, &[("subject", "user-1")])
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::OK, "")
    );
    assert!(
        answer
            .body
            .contains(&format!("method=\"post\" action=\"{CALLBACK}\""))
    );
    assert_eq!(hidden(&answer, "state"), evil);
    assert_eq!(hidden(&answer, "iss"), server.url());
    assert_eq!(answer.body.matches("<script").count(), 1);
    let policy = answer.header("content-security-policy");
    assert!(policy.contains(" http://localhost:5173;"), "{policy}");
    let tokens = redeem(&server, &hidden(&answer, "code"), &[]).await;
    assert_eq!(tokens.status, StatusCode::OK);
}

#[tokio::test]
async fn authorization_request_may_be_a_form() {
    let server = served(&ManualClock::new()).await;
    let url = authorization_url(&server, &[]);
    let (path, query) = url.split_once('?').expect("a query");
    let request = http()
        .post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(query.to_owned());
    let mut browser = Browser::default();
    let page = browser.send(request).await;
    let back = browser
        .submit(&server, &page, &[("subject", "user-1")])
        .await;
    assert!(parameter(back.header("location"), "code").is_some());
}
