//! Why a request is refused: explanations, and the diagnosis of issuers.

mod decided;
mod diagnosis;
mod providers;
mod symptoms;
mod without_effects;

use http::Request;
use http::request::Parts;
use portcullis::AuthenticateLayer;
use portcullis::explain::{Conclusion, Explanation};

use crate::support::{Requests as _, TestApp};

/// A request with these header fields.
fn parts(path: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn bearer(token: &str) -> Parts {
    parts("/", &[("authorization", &format!("Bearer {token}"))])
}

/// The conclusion, in the words of [`TestResponse::verdict`](crate::support::TestResponse).
fn verdict(explanation: &Explanation) -> String {
    match explanation.conclusion() {
        Conclusion::Refused(rejection) => {
            let kind = rejection.kind();
            let words = [Some(kind.as_str()), kind.fault()];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        other => other.as_str().to_owned(),
    }
}

/// The explanation of a request, and the layer's answer to it, which must agree.
async fn explained(layer: AuthenticateLayer, parts: Parts) -> Explanation {
    let explanation = layer.explain(&parts);
    let app = TestApp::behind(layer).route("/", axum::routing::get(async || {}));
    let request = Request::from_parts(parts, axum::body::Body::empty());
    let answer = app.exchange(request).await.verdict();
    let said = verdict(&explanation);
    match said.as_str() {
        "admitted" | "nothing_sent" => assert_eq!(answer, "200", "{explanation}"),
        "pending" => {}
        refused => assert!(answer.ends_with(refused), "{answer}\n{explanation}"),
    }
    explanation
}

/// The names of the checks that failed.
fn failed(explanation: &Explanation) -> Vec<&'static str> {
    let steps = explanation.failures();
    steps.map(|step| step.check().as_str()).collect()
}
