//! Real HTTP/1.1 clients whose requests are refused before their body was read.
//!
//! Beside the layer stands a handler of axum that ignores its body and answers 403: what it loses
//! is printed, and no verdict hangs on it.

use std::path::Path;
use std::process::{Output, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::StatusCode;
use portcullis::Scoped;
use portcullis::layer::{ProblemJson, RequireScopeLayer};
use portcullis::test_util::MockIssuer;
use tokio::process::Command;

use super::house::{home, serve};
use crate::support::{API, server};

portcullis::scopes! {
    Read = "read";
    Write = "write";
}

/// An application for all clients, and a good token for it that has not the scope `write`.
async fn site() -> (String, String) {
    let issuer = MockIssuer::new();
    // The empty message of protobuf is no bytes.
    let good =
        || post(|_: Scoped<Read>, _: Bytes| async { [("content-type", "application/proto")] });
    let app = Router::new()
        .route("/refused", post(|_: Scoped<Write>, _: Bytes| async {}))
        .route("/good", good())
        .route(
            "/Test/Refused",
            post(|_: Bytes| async {}).layer(RequireScopeLayer::of::<Write>().rendered()),
        )
        .route("/Test/Good", good())
        .route_layer(server(&issuer).authenticate().renderer(ProblemJson))
        .route("/plain/refused", post(async || StatusCode::FORBIDDEN))
        .route("/plain/good", post(|_: Bytes| async {}));
    let token = issuer.token().audience(API).scope("read").sign();
    (serve(app).await, token)
}

async fn run(home: &Path, command: &str, arguments: &[&str]) -> Output {
    Command::new(command)
        .args(arguments)
        .current_dir(home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the program is installed")
}

/// How many calls this client of Node lost.
async fn lost(home: &Path, arguments: &[&str]) -> usize {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/http-clients/client.mjs");
    let script = script.to_str().expect("text");
    let output = run(home, "node", &[&[script], arguments].concat()).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let lost = said.trim().strip_prefix("done ");
    let lost = lost.and_then(|lost| lost.parse().ok());
    let lost = lost.unwrap_or_else(|| panic!("{arguments:?} did not end: {said}\n{errors}"));
    println!(
        "{} of {} lost: {lost}\n{errors}",
        arguments[0], arguments[1]
    );
    lost
}

#[tokio::test]
#[ignore = "needs http-clients from tests/interop/install"]
async fn refused_calls_of_real_clients_are_answered_and_so_is_the_next_call() {
    let home = home("http-clients");
    let (base, token) = site().await;
    for (way, rounds) in [("http", "1000"), ("fetch", "200"), ("connect", "200")] {
        let (big, small) = ("2000000", "200000");
        for (rounds, bytes) in [("20", big), (rounds, small)] {
            let lost = lost(&home, &[way, &base, &token, rounds, bytes]).await;
            assert_eq!(lost, 0, "{way} with {bytes} bytes");
        }
    }
    let plain = format!("{base}/plain");
    for way in ["http", "fetch"] {
        // The plain handler knows no token: each refused call is 403 at best.
        lost(&home, &[way, &plain, &token, "100", "200000"]).await;
    }
}

#[tokio::test]
#[ignore = "needs http-clients from tests/interop/install"]
async fn refused_upload_of_curl_is_answered_with_and_without_expect() {
    let home = home("http-clients");
    let (base, token) = site().await;
    let body = std::env::temp_dir().join(format!("portcullis-upload-{}", std::process::id()));
    std::fs::write(&body, vec![b'x'; 2 * 1024 * 1024]).expect("a file");
    let upload = format!("@{}", body.display());
    let bearer = format!("authorization: Bearer {token}");
    for (path, field, status) in [
        ("/refused", "authorization: Bearer bad.bad.bad", "401"),
        ("/refused", &*bearer, "403"),
        ("/Test/Refused", &*bearer, "403"),
        ("/good", &*bearer, "200"),
    ] {
        // curl says `Expect: 100-continue` for bodies of this size, unless it is told not to.
        for expect in ["expect: 100-continue", "expect:"] {
            let url = format!("{base}{path}");
            let output = run(
                &home,
                "curl",
                &[
                    "--silent",
                    "--show-error",
                    "--noproxy",
                    "*",
                    "--max-time",
                    "60",
                    "--output",
                    "/dev/null",
                    "--write-out",
                    "%{http_code} %{size_upload}",
                    "--header",
                    field,
                    "--header",
                    expect,
                    "--data-binary",
                    &upload,
                    &url,
                ],
            )
            .await;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{path} {expect}: {said} {errors}");
            let (found, sent) = said.split_once(' ').expect("two numbers");
            assert_eq!(found, status, "{path} {expect}: {errors}");
            let nothing_sent = expect.ends_with("continue") && status != "200";
            assert_eq!(
                sent == "0",
                nothing_sent,
                "{path} {expect}: {sent} bytes sent"
            );
        }
    }
    std::fs::remove_file(&body).expect("the file is there");
}
