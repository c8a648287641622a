//! Attacks on the metadata of resources: hosts, paths and identifiers.

use super::*;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn metadata_does_not_depend_on_the_request() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(API)
        .resource(MCP)
        .issuer(issuer.trusted())
        .build()
        .expect("sound");
    let mcp = TestApp::behind(server.authenticate_for(MCP).expect("a resource"))
        .route("/mcp", get(async |_: AccessToken| {}));
    let app: Router = Router::from(TestApp::new(&server))
        .merge(mcp.clone())
        .merge(server.metadata());
    let mut found = Found::default();
    let evil = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-url", "/evil"),
        ("origin", "https://evil.example"),
        ("x-rewrite-url", "/evil"),
        ("referer", "https://evil.example"),
        ("x-forwarded-port", "1"),
        ("accept-language", "evil"),
    ];
    for path in ["/", "/mcp", WELL_KNOWN, &format!("{WELL_KNOWN}/mcp")] {
        let plain = app.send(path, &[]).await;
        let attacked = app.send(path, &evil).await;
        found.expect(
            plain.wire() == attacked.wire() && plain.body == attacked.body,
            format!("{path}\n{}", attacked.wire()),
        );
        found.expect(!attacked.wire().contains("evil"), path);
    }
    // An absolute target.
    let absolute = app
        .send(&format!("http://evil.example{WELL_KNOWN}"), &[])
        .await;
    found.expect(
        absolute
            .body
            .contains("\"resource\":\"https://api.example.com\"")
            && !absolute.body.contains("evil"),
        absolute.body,
    );
    for (path, status) in [
        (format!("{WELL_KNOWN}/"), 200),
        (format!("{WELL_KNOWN}//"), 404),
        (format!("{WELL_KNOWN}/mcp/"), 200),
        (format!("{WELL_KNOWN}/mcp//"), 404),
        (format!("{WELL_KNOWN}//mcp"), 404),
        (format!("/{WELL_KNOWN}"), 404),
        (format!("{WELL_KNOWN}/%6dcp"), 404),
        (format!("{WELL_KNOWN}%2fmcp"), 404),
        (format!("{WELL_KNOWN}/mcp/.."), 404),
        (format!("{WELL_KNOWN}/./mcp"), 404),
        (format!("{WELL_KNOWN}/MCP"), 404),
        (format!("{WELL_KNOWN}/mcp?x=1"), 200),
        (format!("{WELL_KNOWN}?resource=evil"), 200),
        ("/.well-known/OAuth-protected-resource".into(), 404),
        (format!("{WELL_KNOWN}/mcp;x"), 404),
        (format!("/mcp{WELL_KNOWN}"), 404),
        (format!("{WELL_KNOWN}/other"), 404),
        (format!("{WELL_KNOWN}x"), 404),
        ("/.well-known/oauth-authorization-server".into(), 404),
    ] {
        let answer = app.send(&path, &[]).await;
        found.expect(answer.status == status, format!("{path} {}", answer.status));
    }
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("OPTIONS", 204),
        ("POST", 405),
        ("PUT", 405),
        ("DELETE", 405),
        ("TRACE", 405),
        ("X", 405),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(WELL_KNOWN)
            .body(Body::from("x"))
            .expect("a request");
        let answer = app.exchange(request).await;
        found.expect(
            answer.status == status,
            format!("{method} {}", answer.status),
        );
    }
}

#[tokio::test]
async fn identifier_with_odd_characters_is_refused_or_served_and_never_panics() {
    let mut found = Found::default();
    let issuer = MockIssuer::new();
    for path in [
        "/{x}", "/{*x}", "/a{b", "/a}b", "/{{x}}", "/{", "/{}", "//", "/mcp//", "//mcp", "/a//b",
        "/ ", "/a b", "/%", "/%zz", "/%7Bx%7D", "/:c", "/*", "/:", "/a:b", "/a*b", "/mcp;x=1",
        "/mcp?x=1", "/?x", "?", "/<x>", "/|", "/^", "/`", "/'", "/,", "/$(x)", "/..", "/.",
        "/a/../b", "/\u{e9}", "/\t", "/\n", "/\\", "/\"", "/#", "#x", "/mcp#", "/%2f", "/@",
        "/[x]", "/~",
    ] {
        for host in [
            "https://api.example.com",
            "https://API.example.com",
            "https://u:p@api.example.com",
            "https://api.example.com:443",
            "https://[::1]",
            "http://localhost:3000",
        ] {
            let id = format!("{host}{path}");
            let trusted = issuer.trusted();
            let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let server = ResourceServer::builder(id.as_str()).issuer(trusted).build();
                let Ok(server) = server else { return None };
                let paths: Vec<String> = server.metadata().paths().map(ToOwned::to_owned).collect();
                let app: Router = Router::new().merge(server.metadata());
                let app = Router::from(TestApp::new(&server)).merge(app);
                Some((app, paths))
            }));
            match built {
                Err(_) => found.expect(false, format!("PANIC {id}")),
                Ok(None) => {}
                Ok(Some((app, paths))) => {
                    let refused = app.send("/", &[]).await;
                    let challenge = refused.challenge().to_owned();
                    let named = challenge
                        .split_once("resource_metadata=\"")
                        .map(|(_, rest)| rest.trim_end_matches('"').to_owned());
                    found.expect(
                        named.is_some() != paths.is_empty(),
                        format!("{id} {challenge} {paths:?}"),
                    );
                    let Some(named) = named else { continue };
                    let Ok(uri) = named.parse::<http::Uri>() else {
                        found.expect(false, format!("no URI {id} {named}"));
                        continue;
                    };
                    let target = uri
                        .path_and_query()
                        .map_or("/", |it| it.as_str())
                        .to_owned();
                    let answer = app.send(&target, &[]).await;
                    found.expect(
                        answer.status == 200,
                        format!("{} {id} {target} {paths:?}", answer.status),
                    );
                    found.expect(
                        answer.status != 200
                            || answer.body.contains(&format!("\"resource\":{}", json!(id))),
                        format!("{id} {}", answer.body),
                    );
                    // What captures would match and the path is not.
                    let other = app.send(&format!("{WELL_KNOWN}/zzz"), &[]).await;
                    found.expect(other.status == 404, format!("{} {id} zzz", other.status));
                }
            }
        }
    }
}

#[tokio::test]
async fn resources_whose_routes_meet_are_refused_or_served() {
    let mut found = Found::default();
    for pair in [
        ["/a", "/a/"],
        ["/a", "/a//"],
        ["/:c", "/*d"],
        ["/:c", "/e"],
        ["/:c/a", "/*d/b"],
        ["/:c/a", "/e/a"],
        ["/a", "/a?x"],
        ["", "/"],
        ["/", "//"],
        ["/a", "/A"],
        ["/{x}", "/:c"],
        ["/{x}", "/{y}"],
        ["/{x}", "/a"],
    ] {
        let trusted = MockIssuer::new().trusted();
        let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let ids = pair.map(|path| format!("https://api.example.com{path}"));
            let server = ResourceServer::builder(ids[0].as_str())
                .resource(ids[1].as_str())
                .issuer(trusted)
                .build();
            server.ok().map(|server| {
                (
                    Router::<()>::new().merge(server.metadata()),
                    server
                        .metadata()
                        .paths()
                        .map(ToOwned::to_owned)
                        .collect::<Vec<String>>(),
                )
            })
        }));
        match built {
            Err(_) => found.expect(false, format!("PANIC {pair:?}")),
            Ok(None) => {}
            Ok(Some((app, paths))) => {
                for path in &paths {
                    let answer = app.send(path, &[]).await;
                    found.expect(
                        answer.status == 200,
                        format!("{pair:?} {path} {}", answer.status),
                    );
                }
            }
        }
    }
}
