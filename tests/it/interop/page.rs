//! The page of the demo in a real browser, Debian's `chromium`.
//!
//! 1. The demo is the program that `cargo test` builds with the examples, started as a person starts it.
//! 2. What is pressed and what must be seen stands in `tests/interop/browser/page.mjs`.
//! 3. Pictures of the page are left in `target/interop/browser/`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use http::StatusCode;
use tokio::process::Command;

use super::house::{Foreign, client, home, starter_of};

/// How long all steps may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The program of the demo lies beside the folder of this one.
fn demo() -> PathBuf {
    let tests = std::env::current_exe().expect("a program");
    let folder = tests.ancestors().nth(2).expect("two folders up");
    let demo = folder.join("examples/demo");
    assert!(
        demo.exists(),
        "the demo is not built; run `cargo build --example demo`"
    );
    demo
}

#[tokio::test]
#[ignore = "needs the browser from tests/interop/install"]
async fn page_of_the_demo_signs_in_calls_is_refused_and_recovers_in_a_real_browser() {
    let home = home("browser");
    let demo = Foreign::demo(&demo()).await;
    let driver = Command::new("node")
        .arg(starter_of("browser/page.mjs"))
        .arg(demo.url())
        .arg(&home)
        .current_dir(&home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, driver).await;
    let output = output.expect("in time").expect("node is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    assert!(said.ends_with("done\n"), "{said}\n{errors}");
}

/// What operators see is for the page alone: a page of another site that the browser shows cannot ask for it.
#[tokio::test]
#[ignore = "needs the demo, which is built with what is from tests/interop/install"]
async fn admin_of_the_demo_answers_its_own_page_alone() {
    let demo = Foreign::demo(&demo()).await;
    let status = format!("{}admin/status", demo.url());
    let port = status.split(['/', ':']).nth(4).expect("a port");
    let ask = async |fields: &[(&str, &str)]| {
        let request = client().get(&status);
        let request = fields.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.send().await.expect("an answer").status()
    };
    let rebound = format!("evil.example:{port}");
    let by_name = format!("localhost:{port}");
    for (fields, expected) in [
        (&[][..], StatusCode::OK),
        (&[("sec-fetch-site", "same-origin")][..], StatusCode::OK),
        (&[("host", &*by_name)][..], StatusCode::OK),
        (
            &[("sec-fetch-site", "cross-site")][..],
            StatusCode::FORBIDDEN,
        ),
        (
            &[("sec-fetch-site", "same-site")][..],
            StatusCode::FORBIDDEN,
        ),
        (&[("host", &*rebound)][..], StatusCode::FORBIDDEN),
    ] {
        assert_eq!(ask(fields).await, expected, "{fields:?}");
    }
}
