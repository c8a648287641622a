//! Attacks on the decision of the MCP layer: bodies, header fields, methods, names and nested layers.

use super::*;

#[tokio::test]
async fn body_that_calls_another_tool_never_passes() {
    let app = McpApp::new();
    let mut found = Found::default();
    let edit = |text: &str| text.replace('\'', "\"");
    let bodies = [
        call("edit"),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list','name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'edit','name':'list'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list','\u006eame':'edit'}}",
        ),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'\u006eame':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'\u0065dit'}}"),
        edit(r"{'jsonrpc':'2.0','id':1,'\u006dethod':'tools/call','params':{'name':'edit'}}"),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'ping','\u006dethod':'tools/call','params':{'name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'ping','method':'tools/call','params':{'name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'ping','Method':'tools/call','params':{'name':'edit'}}",
        ),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools\/call','params':{'name':'edit'}}"),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list'},'params':{'name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list'},'PARAMS':{'name':'edit'}}",
        ),
        // Go's encoding/json takes these for `params` (it folds U+017F to s).
        edit(
            "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list'},'param\u{17f}':{'name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list'},'param\u017f':{'name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list','Name':'edit'}}",
        ),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':['edit']}"),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':[{'name':'edit'}]}"),
        edit(r"{'jsonrpc':'2.0','method':'tools/call','params':{'name':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':null,'method':'tools/call','params':{'name':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':1.5,'method':'tools/call','params':{'name':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':-0e999,'method':'tools/call','params':{'name':'edit'}}"),
        edit(
            r"{'jsonrpc':'2.0','id':1,'result':{},'method':'tools/call','params':{'name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'result':null,'method':'tools/call','params':{'name':'edit'}}",
        ),
        edit(
            r"{'jsonrpc':'2.0','id':1,'error':null,'method':'tools/call','params':{'name':'edit'}}",
        ),
        edit(r"{'jsonrpc':'1.0','id':1,'method':'tools/call','params':{'name':'edit'}}"),
        edit(r"{'id':1,'method':'tools/call','params':{'name':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':1,'method':['tools/call'],'params':{'name':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call ','params':{'name':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call\u0000','params':{'name':'edit'}}"),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'edit\u0000'}}"),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list\ud800'}}"),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name\u0000':'list','name':'edit'}}",
        ),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':{'name':'list'}}}"),
        edit(
            r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list','arguments':{'a':1,'a':2}}}",
        ),
        edit(r"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list'}} {'x':1}"),
        edit("{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'list'}}\n")
            + &call("edit"),
        format!("\u{feff}{}", call("edit")),
        format!("\u{feff}{}", call("list")),
        format!("\u{b}{}", call("list")),
        format!("\u{a0}{}", call("list")),
        format!("//\n{}", call("list")),
        call("list").replace("\"a\":1", "\"a\":1,"),
        call("list").replace("\"a\":1", "\"a\":NaN"),
        call("list").replace("\"a\":1", "'a':1"),
        call("list").replace("\"a\":1", "\"a\":01"),
        format!(" \t\r\n{}", call("edit")),
        format!("[{},{}]", call("list"), call("edit")),
        format!("[{}]", call("edit")),
        format!("[[{}]]", call("edit")),
        format!("[{},[{}]]", call("list"), call("edit")),
        format!("[{},null]", call("list")),
        format!("[{},]", call("list")),
        format!("[{}][{}]", call("list"), call("edit")),
        format!("\"{}\"", call("edit").replace('"', "\\\"")),
        String::new(),
        "null".into(),
        "{}".into(),
    ];
    for body in &bodies {
        for version in ALL_VERSIONS {
            for (method, name) in [
                (None, None),
                (Some("ping"), None),
                (Some("tools/call"), Some("list")),
                (Some("tools/call"), Some("=?base64?bGlzdA==?=")),
                (Some("tools/call"), Some("open")),
                (Some("tools/list"), Some("list")),
                (Some("notifications/initialized"), None),
                (Some("initialize"), None),
                (Some("resources/subscribe"), Some("edit")),
            ] {
                let mut fields: Vec<(&str, &str)> = Vec::new();
                fields.extend(version.map(|it| ("mcp-protocol-version", it)));
                fields.extend(method.map(|it| ("mcp-method", it)));
                fields.extend(name.map(|it| ("mcp-name", it)));
                let answer = app.post(READ, &fields, body.clone()).await;
                found.expect(
                    !leaks(&answer),
                    format!("PASSED {version:?} {method:?} {name:?} {body}"),
                );
                found.expect(
                    answer.status.as_u16() < 500,
                    format!("{} {version:?} {method:?} {name:?} {body}", answer.status),
                );
                if !answer.body.is_empty() && !leaks(&answer) {
                    let is_json = serde_json::from_str::<Value>(&answer.body).is_ok();
                    found.expect(is_json, format!("no JSON: {}", answer.body));
                }
            }
        }
    }
}

#[tokio::test]
async fn member_that_folds_to_a_known_one_in_unicode_is_refused() {
    let app = McpApp::new();
    // Go's encoding/json folds U+017F to `s` and U+212A to `k`, and takes the last of both.
    let call = |member: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"list"}},"{member}":{{"name":"edit"}}}}"#
        )
    };
    for member in [
        "param\u{17f}",
        r"PARAM\u017F",
        "re\u{17f}ult",
        "j\u{17f}onrpc",
    ] {
        let answer = app.post_old(None, READ, &call(member)).await;
        assert_eq!(
            answer.verdict(),
            "400 invalid_request mcp_message",
            "{member}"
        );
    }
    for member in ["other", "paramß", "parameters"] {
        assert_eq!(
            app.post_old(None, READ, &call(member)).await.verdict(),
            "200",
            "{member}"
        );
    }
}

#[tokio::test]
async fn header_fields_in_all_shapes() {
    let app = McpApp::new();
    let mut found = Found::default();
    for name in [
        "edit",
        "list ",
        " list",
        "list\t",
        "LIST",
        "list, edit",
        "list;edit",
        "\"list\"",
        "=?base64?ZWRpdA==?=",
        "=?base64?bGlzdAA=?=",
        "=?base64?bGlz\u{64}A?=",
        "=?base64??=",
        "",
        "=?base64?IGxpc3Q=?=",
        "%6cist",
        "=?utf-8?B?bGlzdA==?=",
        "=?Base64?bGlzdA==?=",
        "=?base64?bGlzdA==?= ",
        "=?base64?77u/bGlzdA==?=",
    ] {
        for body in [call("edit"), call("list")] {
            let Ok(value) = HeaderValue::from_bytes(name.as_bytes()) else {
                continue;
            };
            let mut request = Request::post("/mcp")
                .header("authorization", app.issuer.token().scope(READ).bearer())
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .body(Body::from(body.clone()))
                .expect("a request");
            request.headers_mut().insert("mcp-name", value);
            let answer = app.router.exchange(request).await;
            found.expect(
                !leaks(&answer),
                format!("PASSED {name:?} {body} {}", answer.verdict()),
            );
        }
    }
    for bytes in [&b"list\xff"[..], b"\xe6\x97\xa5\xe6\x9c\xac", b"\xff"] {
        let mut request = Request::post("/mcp")
            .header("authorization", app.issuer.token().scope(READ).bearer())
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .body(Body::from(call("日本")))
            .expect("a request");
        let value = HeaderValue::from_bytes(bytes).expect("opaque");
        request.headers_mut().insert("mcp-name", value.clone());
        let answer = app.router.exchange(request).await;
        found.expect(
            answer.status == 400,
            format!("{value:?} {}", answer.verdict()),
        );
    }
    // Repeated fields, the same and other values, in every revision.
    for version in ALL_VERSIONS {
        for extra in [
            ("mcp-name", "edit"),
            ("mcp-method", "ping"),
            ("MCP-Protocol-Version", "2025-03-26"),
            ("mcp-protocol-version", "2026-07-28"),
        ] {
            let mut fields = vec![("Mcp-Method", "tools/call"), ("MCP-NAME", "list")];
            fields.extend(version.map(|it| ("mcp-protocol-version", it)));
            fields.push(extra);
            let answer = app.post(READ, &fields, call("edit")).await;
            found.expect(!leaks(&answer), format!("PASSED {fields:?}"));
        }
    }
}

#[tokio::test]
async fn names_that_differ_by_unicode_are_other_names() {
    let scopes = McpScopes::new()
        .tool::<crate::mcp::support::Read>("caf\u{e9}")
        .tool::<crate::mcp::support::Read>("list")
        .other_tools::<crate::mcp::support::Write>();
    let app = McpApp::with(McpLayer::new(scopes));
    for (name, verdict) in [
        ("caf\u{e9}", "200"),
        ("list", "200"),
        ("cafe\u{301}", "403 insufficient_scope"),
        ("LIST", "403 insufficient_scope"),
        ("l\u{131}st", "403 insufficient_scope"),
        ("li\u{17f}t", "403 insufficient_scope"),
        ("list\u{200b}", "403 insufficient_scope"),
        ("\u{ff4c}ist", "403 insufficient_scope"),
        ("", "403 insufficient_scope"),
    ] {
        assert_eq!(
            app.post_old(None, READ, &call(name)).await.verdict(),
            verdict,
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn other_methods_with_a_body_that_calls_a_tool_are_judged_like_post() {
    // A service that does not look at the method, as `any` and `service_fn` make one.
    let app = McpApp::new();
    let mut found = Found::default();
    for method in ["PUT", "PATCH", "QUERY", "post", "Post", "REPORT", "TRACE"] {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).expect("a method"))
            .uri("/mcp")
            .header("authorization", app.issuer.token().scope(READ).bearer())
            .body(Body::from(call("edit")))
            .expect("a request");
        let answer = app.router.exchange(request).await;
        found.expect(
            answer.verdict() == "403 insufficient_scope",
            format!("PASSED {method} {}", answer.verdict()),
        );
    }
    for (method, body) in [
        ("PUT", call("list")),
        ("PATCH", message("ping", "{}")),
        ("DELETE", String::new()),
        ("OPTIONS", String::new()),
        ("HEAD", String::new()),
    ] {
        let request = Request::builder()
            .method(method)
            .uri("/mcp")
            .header("authorization", app.issuer.token().scope(READ).bearer())
            .body(Body::from(body))
            .expect("a request");
        let answer = app.router.exchange(request).await;
        found.expect(
            leaks(&answer),
            format!("REFUSED {method} {}", answer.verdict()),
        );
    }
}

#[tokio::test]
async fn media_types_encodings_and_overrides_do_not_skip_the_body() {
    let app = McpApp::new();
    let mut found = Found::default();
    for field in [
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-type", "application/json; charset=utf-16"),
        ("x-http-method-override", "GET"),
        ("x-method-override", "DELETE"),
        ("upgrade", "websocket"),
        ("mcp-session-id", "x"),
        ("last-event-id", "1"),
        ("expect", "100-continue"),
        ("content-encoding", "gzip"),
        ("content-encoding", "identity"),
    ] {
        let answer = app.post(READ, &[field], call("edit")).await;
        found.expect(!leaks(&answer), format!("PASSED {field:?}"));
    }
}

#[tokio::test]
async fn body_under_a_content_encoding_is_refused() {
    // What a decompressing service inside would read is not what was judged.
    let app = McpApp::new();
    let mut found = Found::default();
    for coding in [
        "gzip",
        "br",
        "deflate",
        "zstd",
        "x-gzip",
        "identity, br",
        "BR",
        "unknown",
        "aws-chunked",
    ] {
        for version in [None, Some("2025-11-25")] {
            let mut fields = vec![("content-encoding", coding)];
            fields.extend(version.map(|it| ("mcp-protocol-version", it)));
            let answer = app.post(READ, &fields, call("list")).await;
            found.expect(!leaks(&answer), format!("PASSED {coding}"));
        }
        let fields = [
            ("content-encoding", coding),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "list"),
        ];
        let answer = app.post(READ, &fields, call("list")).await;
        found.expect(!leaks(&answer), format!("PASSED {coding} by fields"));
    }
    for coding in ["identity", "Identity", ""] {
        let answer = app
            .post(READ, &[("content-encoding", coding)], call("list"))
            .await;
        found.expect(leaks(&answer), format!("REFUSED {coding:?}"));
    }
}

#[tokio::test]
async fn uri_that_a_url_parser_reads_as_another_one_matches_no_prefix() {
    let scopes = McpScopes::new()
        .resource_prefix::<crate::mcp::support::Read>("m://")
        .resource_prefix::<crate::mcp::support::Write>("m://secret/")
        .resource_prefix::<crate::mcp::support::Read>("https://")
        .resource_prefix::<crate::mcp::support::Write>("https://secret.example/")
        .resource_prefix::<crate::mcp::support::Read>("file:///")
        .resource_prefix::<crate::mcp::support::Write>("file:///secret/");
    let app = McpApp::with(McpLayer::new(scopes));
    let mut found = Found::default();
    for uri in [
        "m://sec\\tret/1",
        "m://sec\\nret/1",
        "m://sec\\rret/1",
        "m://%73ecret/1",
        "m://x/../secret/1",
        "M://secret/1",
        "m://secret\\\\1",
        "m://secret/1",
        "m://secret\\u0000/1",
        "m://x/..%2Fsecret/1",
        "m://x/%2f..%2Fsecret/1",
        "m://x/..%5csecret/1",
        "m://x ",
        "m://x%00",
        "https://SECRET.example/1",
        "https://Secret.Example/1",
        "https:///secret.example/1",
        "https://u@secret.example/1",
        "https://secret.example:443/1",
        "https://secret.example./1",
        "https://\\u017fecret.example/1",
        "https://sec\\u00adret.example/1",
        "file:////secret/1",
        "file:///./secret/1",
        "file:///\\tsecret/1",
        "file:///%2Fsecret/1",
        "file:///secret%2F1",
        "file:///x/..%2Fsecret/1",
        "file:///x//../secret/1",
        "file://localhost/secret/1",
    ] {
        for method in ["resources/read", "resources/subscribe"] {
            let answer = app
                .post_old(
                    None,
                    READ,
                    &message(method, &format!(r#"{{"uri":"{uri}"}}"#)),
                )
                .await;
            found.expect(
                !leaks(&answer),
                format!("PASSED {method} {uri} {}", answer.verdict()),
            );
        }
    }
    for uri in [
        "m://all",
        "m://x/1?y=../z",
        "https://other.example/A%20b",
        "file:///a/B c",
        "m://Apollo/11",
        "m://a%2Fb",
        "m://\u{e4}",
        "https://other.example:8443/x",
    ] {
        let answer = app
            .post_old(
                None,
                READ,
                &message("resources/read", &format!(r#"{{"uri":"{uri}"}}"#)),
            )
            .await;
        found.expect(
            leaks(&answer),
            format!("REFUSED {uri} {}", answer.verdict()),
        );
    }
}

#[tokio::test]
async fn optional_layer_lets_no_stranger_to_an_open_tool_by_fields_or_streams() {
    let outer = |server: &ResourceServer| server.authenticate().optional();
    let mut found = Found::default();
    for layer in [
        McpLayer::new(scopes()),
        McpLayer::new(scopes()).service_compares_headers(),
    ] {
        let app = McpApp::around(layer, outer, echo());
        for (method, body) in [
            ("tools/call", call("open")),
            ("ping", message("ping", "{}")),
            ("tools/list", message("tools/list", "{}")),
            (
                "resources/subscribe",
                message("resources/subscribe", r#"{"uri":"missions://all"}"#),
            ),
        ] {
            for version in ALL_VERSIONS.iter().flatten() {
                let request = Request::post("/mcp")
                    .header("mcp-protocol-version", *version)
                    .header("mcp-method", method)
                    .header("mcp-name", "open")
                    .body(Body::from(body.clone()))
                    .expect("a request");
                let answer = app.router.exchange(request).await;
                found.expect(
                    answer.status == 401,
                    format!("{version} {method} {}", answer.verdict()),
                );
            }
        }
        for method in ["GET", "DELETE", "PUT", "OPTIONS", "HEAD"] {
            let request = Request::builder()
                .method(method)
                .uri("/mcp")
                .body(Body::empty())
                .expect("a request");
            let answer = app.router.exchange(request).await;
            found.expect(
                answer.status == 401,
                format!("{method} {}", answer.verdict()),
            );
        }
    }
}

#[tokio::test]
async fn two_layers_of_two_resources_in_a_row_demand_both() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(API)
        .resource(MCP)
        .issuer(issuer.trusted())
        .build()
        .expect("sound");
    for swapped in [false, true] {
        let (outer, inner) = (
            server.authenticate(),
            server.authenticate_for(MCP).expect("a resource"),
        );
        let (outer, inner) = if swapped {
            (inner, outer)
        } else {
            (outer, inner)
        };
        let app: Router = echo()
            .layer(McpLayer::new(scopes()))
            .layer(inner)
            .layer(outer);
        let mut found = Found::default();
        for (audiences, passes) in [
            (&[API][..], false),
            (&[MCP], false),
            (&[API, MCP], true),
            (&[MCP, API, "x"], true),
            (&["x"], false),
            (&["HTTPS://API.example.com", MCP], false),
            (&["https://api.example.com/", MCP], false),
        ] {
            let token = issuer
                .token()
                .audiences(audiences.iter().copied())
                .scope(READ)
                .bearer();
            for _ in 0..2 {
                let request = Request::post("/mcp")
                    .header("authorization", token.clone())
                    .body(Body::from(call("list")))
                    .expect("a request");
                let answer = app.exchange(request).await;
                found.expect(
                    leaks(&answer) == passes,
                    format!("{swapped} {audiences:?} {}", answer.verdict()),
                );
            }
        }
    }
    // One in the router of the other.
    let inner = TestApp::behind(server.authenticate_for(MCP).expect("a resource"))
        .route("/mcp", any(async |_: AccessToken| {}));
    let app: Router = Router::new()
        .nest("/a", Router::from(inner))
        .layer(server.authenticate());
    for (audiences, passes) in [(&[API][..], false), (&[MCP], false), (&[API, MCP], true)] {
        let token = issuer.token().audiences(audiences.iter().copied()).sign();
        assert_eq!(
            app.get("/a/mcp", &token).await.status == 200,
            passes,
            "{audiences:?}"
        );
    }
}

#[tokio::test]
async fn two_mcp_layers_in_a_row_both_count() {
    let first = McpScopes::new()
        .tool::<crate::mcp::support::Read>("list")
        .open_tool("edit");
    let second = McpScopes::new()
        .tool::<crate::mcp::support::Log>("list")
        .tool::<crate::mcp::support::Write>("edit");
    let app = McpApp::around(
        McpLayer::new(first),
        ResourceServer::authenticate,
        echo().layer(McpLayer::new(second)),
    );
    assert_eq!(
        app.post_old(None, READ, &call("list")).await.verdict(),
        "403 insufficient_scope"
    );
    assert_eq!(
        app.post_old(None, READ, &call("edit")).await.verdict(),
        "403 insufficient_scope"
    );
    assert_eq!(
        app.post_old(None, "missions:read log:write", &call("list"))
            .await
            .verdict(),
        "200"
    );
}
