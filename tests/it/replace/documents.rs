//! What documents say of the issuers follows a replacement.

use axum::Router;
use axum::body::Body;
use http::Request;
use portcullis::test_util::MockIssuer;

use super::with;
use crate::support::{Requests as _, trusting};

#[tokio::test]
async fn the_metadata_document_names_the_issuers_of_now() {
    let mocks = ["https://one.example", "https://two.example"].map(MockIssuer::named);
    let [one, two] = &mocks;
    let server = trusting([one.trusted()]);
    let app: Router = Router::new().merge(server.metadata());
    let path = "/.well-known/oauth-protected-resource";
    let before = app.send(path, &[]).await;
    assert!(
        before.body.contains("https://one.example"),
        "{}",
        before.body
    );
    let tag = before.header("etag").expect("a tag").to_owned();
    let known = app.send(path, &[("if-none-match", &tag)]).await;
    assert_eq!(known.status, 304);
    server.replace(with([two.trusted()])).expect("sound");
    let after = app.send(path, &[("if-none-match", &tag)]).await;
    assert_eq!(after.status, 200, "another document");
    assert!(after.body.contains("https://two.example"), "{}", after.body);
    assert!(
        !after.body.contains("https://one.example"),
        "{}",
        after.body
    );
    let head = Request::head(path).body(Body::empty()).expect("a request");
    assert_eq!(app.exchange(head).await.status, 200);
}
