//! Revisions before 2026-07-28: decided by the body, which is read under a limit.

use axum::body::{Body, Bytes};
use portcullis::mcp::McpLayer;

use crate::mcp::support::{
    McpApp, REVISIONS_WITHOUT_HEADERS, call, challenge, echoed, message, scopes,
};
use crate::support::logs::Logs;

const NO_MESSAGE: &str = "400 invalid_request mcp_message";

#[tokio::test]
async fn each_revision_admits_and_refuses_by_the_body() {
    let app = McpApp::new();
    let edit = call("edit");
    for revision in REVISIONS_WITHOUT_HEADERS {
        let refused = app.post_old(revision, "missions:read", &edit).await;
        assert_eq!(refused.verdict(), "403 insufficient_scope", "{revision:?}");
        assert_eq!(
            refused.challenge(),
            challenge("missions:read missions:write")
        );
        let admitted = app
            .post_old(revision, "missions:read missions:write", &edit)
            .await;
        assert_eq!(admitted.body_or_verdict(), echoed(&edit), "{revision:?}");
    }
    // An unknown revision is the service's business; its body decides.
    for revision in [Some("draft"), Some("1999-01-01"), Some("")] {
        let refused = app.post_old(revision, "missions:read", &edit).await;
        assert_eq!(refused.verdict(), "403 insufficient_scope", "{revision:?}");
    }
}

#[tokio::test]
async fn header_fields_of_the_newest_revision_say_nothing_in_earlier_ones() {
    let app = McpApp::new();
    for revision in ["2025-03-26", "2025-11-25", "draft"] {
        let fields = [
            ("mcp-protocol-version", revision),
            ("mcp-method", "ping"),
            ("mcp-name", "list"),
        ];
        let answer = app.post("missions:read", &fields, call("edit")).await;
        assert_eq!(answer.verdict(), "403 insufficient_scope", "{revision}");
    }
}

#[tokio::test]
async fn batch_is_judged_by_all_of_its_members_in_one_challenge() {
    let app = McpApp::new();
    let level = message("logging/setLevel", r#"{"level":"info"}"#);
    let batch = |members: &[&str]| format!("[{}]", members.join(","));
    let all = batch(&[&call("list"), &level, &call("edit"), &call("list")]);
    let refused = app.post_old(None, "missions:read", &all).await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");
    let stated: std::collections::BTreeSet<&str> = refused
        .challenge()
        .split_once("scope=\"")
        .and_then(|(_, scope)| {
            scope
                .trim_end_matches('"')
                .split(' ')
                .collect::<Vec<_>>()
                .into()
        })
        .expect("a scope")
        .into_iter()
        .collect();
    assert_eq!(
        stated,
        ["log:write", "missions:read", "missions:write"].into()
    );
    let admitted = app
        .post_old(
            Some("2025-03-26"),
            "missions:read missions:write log:write",
            &all,
        )
        .await;
    assert_eq!(admitted.body_or_verdict(), echoed(&all));

    let undeclared = batch(&[&call("list"), &call("unknown")]);
    let answer = app.post_old(None, "missions:read", &undeclared).await;
    assert_eq!(answer.verdict(), "403 forbidden");
    // Later revisions have none.
    for revision in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let answer = app
            .post_old(Some(revision), "missions:read", &batch(&[&call("list")]))
            .await;
        assert_eq!(answer.verdict(), NO_MESSAGE, "{revision}");
    }
    for none in ["[]", "[1]", "[[]]"] {
        assert_eq!(
            app.post_old(None, "missions:read", none).await.verdict(),
            NO_MESSAGE
        );
    }
}

#[tokio::test]
async fn notifications_are_judged_like_requests_and_responses_need_a_good_token() {
    let app = McpApp::new();
    let call = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"edit"}}"#;
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}"#;
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"declined"}}"#;
    let cancelled =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    for (body, verdict) in [
        (call, "403 insufficient_scope"),
        (response, "200"),
        (error, "200"),
        (cancelled, "200"),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/custom"}"#,
            "403 forbidden",
        ),
    ] {
        let answer = app
            .post_old(Some("2025-11-25"), "missions:read", body)
            .await;
        assert_eq!(answer.verdict(), verdict, "{body}");
    }
}

#[tokio::test]
async fn body_that_is_no_strict_message_is_refused_and_its_twin_is_not() {
    let app = McpApp::new();
    let with_arguments = |arguments: &str| {
        message(
            "tools/call",
            &format!(r#"{{"name":"list","arguments":{arguments}}}"#),
        )
    };
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (bad, twin) in [
        (call("list").replace("7,", "7,,"), call("list")),
        (format!("{}x", call("list")), format!("{}\n ", call("list"))),
        (call("list").replace("\"2.0\"", "\"1.0\""), call("list")),
        (
            call("list").replace(r#""name":"list""#, r#""name":"list","name":"edit""#),
            call("list"),
        ),
        (
            call("list").replace(r#""name":"list""#, r#""name":"list","n\u0061me":"edit""#),
            call("list").replace(r#""name":"list""#, r#""n\u0061me":"list""#),
        ),
        (
            call("list").replace(r#""id":7"#, r#""id":7,"Method":"tools/call""#),
            call("list").replace(r#""id":7"#, r#""id":7,"extra":true"#),
        ),
        (
            with_arguments(r#"{"x":{"y":1,"y":2}}"#),
            with_arguments(r#"{"x":{"y":1,"z":2}}"#),
        ),
        (with_arguments(&nested(63)), with_arguments(&nested(62))),
        (with_arguments(&nested(200_000)), with_arguments("{}")),
        ("nonsense".to_owned(), message("ping", "{}")),
        (String::new(), message("ping", "{}")),
    ] {
        let answer = app
            .post_old(Some("2025-06-18"), "missions:read", &bad)
            .await;
        assert_eq!(answer.verdict(), NO_MESSAGE, "{bad:.200}");
        assert!(
            answer.body.starts_with(r#"{"jsonrpc":"2.0","#),
            "{}",
            answer.body
        );
        let answer = app
            .post_old(Some("2025-06-18"), "missions:read", &twin)
            .await;
        assert_eq!(answer.body_or_verdict(), echoed(&twin));
    }
}

#[tokio::test]
async fn body_over_the_limit_is_413_and_one_at_the_limit_passes() {
    let body = call("list");
    for (limit, verdict) in [
        (body.len(), "200"),
        (body.len() - 1, "413 invalid_request mcp_body_too_large"),
    ] {
        let app = McpApp::with(McpLayer::new(scopes()).max_body_bytes(limit));
        let whole = app.post_old(None, "missions:read", &body).await;
        assert_eq!(whole.verdict(), verdict);
        // In pieces, without a length that is known before.
        let pieces: Vec<_> = body
            .as_bytes()
            .chunks(5)
            .map(Bytes::copy_from_slice)
            .collect();
        let pieces = Body::from_stream(Pieces(pieces.into()));
        assert_eq!(
            app.post("missions:read", &[], pieces).await.verdict(),
            verdict
        );
    }
    let app = McpApp::new();
    let long = message(
        "tools/call",
        &format!(r#"{{"name":"list","x":"{}"}}"#, "x".repeat(4 << 20)),
    );
    assert_eq!(
        app.post_old(None, "missions:read", &long).await.verdict(),
        "413 invalid_request mcp_body_too_large"
    );
}

struct Pieces(std::collections::VecDeque<Bytes>);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front().map(Ok))
    }
}

#[tokio::test]
async fn body_is_handed_on_byte_for_byte() {
    let app = McpApp::new();
    let body = format!(
        " \r\n{}\t",
        message(
            "tools/call",
            r#"{"arguments" : {"é":"\ud83d\ude00","n":1.0e+2} ,"n\u0061me":"list"}"#
        )
    );
    let whole = app.post_old(None, "missions:read", &body).await;
    assert_eq!(whole.body_or_verdict(), echoed(&body));
    let pieces: Vec<_> = body
        .as_bytes()
        .chunks(3)
        .map(Bytes::copy_from_slice)
        .collect();
    let pieces = app
        .post(
            "missions:read",
            &[],
            Body::from_stream(Pieces(pieces.into())),
        )
        .await;
    assert_eq!(pieces.body_or_verdict(), echoed(&body));
    let compared = app
        .post_new("missions:read", Some("tools/call"), Some("list"), &body)
        .await;
    assert_eq!(compared.body_or_verdict(), echoed(&body));
}

#[tokio::test]
async fn body_that_breaks_off_is_400() {
    struct Broken;

    impl futures_core::Stream for Broken {
        type Item = Result<Bytes, std::io::Error>;

        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())))
        }
    }
    let app = McpApp::new();
    let answer = app
        .post("missions:read", &[], Body::from_stream(Broken))
        .await;
    assert_eq!(answer.verdict(), NO_MESSAGE);
}

#[tokio::test]
async fn nothing_of_a_body_or_a_name_is_logged() {
    let logs = Logs::default();
    let _listening = logs.listen();
    let app = McpApp::new();
    let secret = "s3cr3t";
    for body in [
        call(secret),
        format!("{{\"{secret}\": "),
        message(secret, "{}"),
        message(
            "tools/call",
            &format!(r#"{{"name":"edit","arguments":{{"{secret}":"{secret}"}}}}"#),
        ),
        message("resources/read", &format!(r#"{{"uri":"{secret}"}}"#)),
    ] {
        let answer = app.post_old(None, "missions:read", &body).await;
        assert!(answer.status.is_client_error());
        assert!(!answer.body.contains(secret), "{}", answer.body);
    }
    app.post_new(
        "missions:read",
        Some("tools/call"),
        Some(secret),
        &call("list"),
    )
    .await;
    app.post_new("missions:read", Some(secret), None, &call("list"))
        .await;
    let text = logs.text();
    assert!(!text.contains(secret), "{text}");
    for reason in [
        "undeclared_tool",
        "undeclared_method",
        "undeclared_resource",
        "mcp_message",
    ] {
        assert!(text.contains(reason), "{reason} in\n{text}");
    }
}
