//! What the test tools say to a test that is wrong, or about an application that is.

use axum::Router;
use axum::routing::get;
use portcullis::test_util::{MockIssuer, WrongCredentials};
use portcullis::{AccessToken, ResourceServer, Scoped, TenantClaims, WorkspaceAccess};

use crate::support::server;

portcullis::scopes! { Read = "orders:read"; }

fn app(server: &ResourceServer) -> Router {
    Router::new()
        .route("/orders", get(async |_: Scoped<Read>| {}))
        .route("/archive", get(async |_: Scoped<Read>| {}))
        .route("/me", get(async |_: AccessToken| {}))
        .route_layer(server.authenticate())
        .route("/open", get(async || {}))
        .route("/guarded", get(async |_: AccessToken| {}))
}

#[tokio::test]
async fn revoked_tokens_of_one_route_are_not_those_of_the_next_route_or_check() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let good = issuer.token().scope("orders:read");
    let check = WrongCredentials::of(&good)
        .get("/orders")
        .get("/archive")
        .server(&server);
    for _ in 0..2 {
        check.run(app(&server)).await.unwrap();
    }
}

#[tokio::test]
async fn report_of_a_route_without_a_layer_is_one_line() {
    let issuer = MockIssuer::new();
    let good = issuer.token().scope("orders:read");
    let check = WrongCredentials::of(&good).get("/open").get("/me");
    let faults = check.run(app(&server(&issuer))).await.expect_err("faults");
    let report = faults.to_string();
    let of_open: Vec<&str> = report
        .lines()
        .filter(|line| line.contains("GET /open"))
        .collect();
    assert!(
        of_open.len() == 1 && of_open[0].ends_with("no layer covers this route"),
        "{report}"
    );
    assert!(
        faults
            .iter()
            .filter(|fault| fault.request() == "GET /open")
            .count()
            > 100
    );
    // The other route has its own lines, and the way out.
    assert!(report.contains("GET /me `wrong_scope`"), "{report}");
    assert!(report.contains("`without_scope()`"), "{report}");
}

#[tokio::test]
async fn report_of_a_guard_without_a_layer_says_so() {
    let issuer = MockIssuer::new();
    let check = WrongCredentials::of(&issuer.token()).get("/guarded");
    let faults = check.run(app(&server(&issuer))).await.expect_err("faults");
    assert!(
        faults.to_string().contains("no layer covers this route"),
        "{faults}"
    );
}

#[test]
#[should_panic(expected = "`Scoped<Read, WorkspaceAccess>` cannot be extracted")]
fn extraction_report_names_types_as_an_application_does() {
    let _: Scoped<Read, WorkspaceAccess> = MockIssuer::new().token().extract();
}

#[test]
#[should_panic(expected = "`.extraction().server(&server)`")]
fn extraction_report_without_a_tenant_names_the_server_setting() {
    let token = MockIssuer::new().token().claim("workspace_id", "acme");
    let _: WorkspaceAccess = token.extract();
}

#[test]
#[should_panic(expected = "`.path_parameter(\"workspace_id\", ..)`")]
fn extraction_report_without_a_path_names_the_path_setting() {
    let _ = with_own_rules(None);
}

#[test]
fn extraction_by_own_tenant_rules_takes_the_path_parameter() {
    let access = with_own_rules(Some("acme"));
    assert_eq!(access.workspace().as_str(), "acme");
}

fn with_own_rules(path: Option<&str>) -> WorkspaceAccess {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("workspace_id").without_accounts();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted().tenant_claims(rules))
        .build()
        .expect("a server");
    let token = issuer.token().claim("workspace_id", "acme");
    let extraction = token.extraction().server(&server);
    match path {
        Some(workspace) => extraction
            .path_parameter("workspace_id", workspace)
            .extract(),
        None => extraction.extract(),
    }
}

#[test]
fn extraction_panic_names_the_line_of_the_test() {
    use std::sync::{Arc, Mutex};
    let seen = Arc::new(Mutex::new(None));
    let place = Arc::clone(&seen);
    let this_thread = std::thread::current().id();
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == this_thread {
            let file = panic.location().map(|location| location.file().to_owned());
            *place.lock().expect("no panic holds it") = file;
        } else {
            former(panic);
        }
    }));
    let outcome = std::panic::catch_unwind(|| {
        let _: Scoped<Read> = MockIssuer::new().token().scope("other").extract();
    });
    drop(std::panic::take_hook());
    assert!(outcome.is_err());
    let file = seen.lock().expect("no panic holds it").clone();
    assert!(file.is_some_and(|file| file.ends_with("reports.rs")));
}
