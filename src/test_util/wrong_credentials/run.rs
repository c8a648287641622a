//! The run of the check.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use std::fmt;

use axum::body::{Body, HttpBody};
use bytes::{Buf as _, Bytes};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use tower_service::Service;

use crate::RejectionKind;
use crate::test_util::proof::DpopKey;
use crate::test_util::wrong_credentials::expected::Answer;
use crate::test_util::wrong_credentials::fault::{WrongCredentialsFault, WrongCredentialsFaults};
use crate::test_util::wrong_credentials::rows;
use crate::test_util::wrong_credentials::sample::Sample;
use crate::test_util::wrong_credentials::settings::WrongCredentials;
use crate::test_util::wrong_credentials::step::Step;

/// The name of the good token in faults.
const GOOD: &str = "good_token";

/// The name of the good token with a good proof in faults.
const GOOD_PROOF: &str = "good_proof";

impl WrongCredentials {
    /// Sends the credentials to the application, an `axum::Router` or another service. Returns how many
    /// wrong ones were sent, for all requests together.
    ///
    /// # Errors
    ///
    /// All faults; the good token's alone where it is refused.
    ///
    /// # Panics
    ///
    /// When there is no request, and when the service itself fails.
    pub async fn run<S, B>(&self, app: S) -> Result<usize, WrongCredentialsFaults>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone,
        S::Error: fmt::Debug,
        B: HttpBody,
    {
        assert!(
            !self.requests.is_empty(),
            "name a request with `get(..)` or `request(..)`: nothing would be checked"
        );
        let (mut faults, mut sent) = (Vec::new(), 0);
        let own_key = DpopKey::generate().with_clock(self.good.mock_issuer().clock());
        let key = self.proof_key.as_ref().unwrap_or(&own_key);
        for (parts, body) in &self.requests {
            let mut sample = Sample {
                check: self,
                parts,
                body,
                key,
                nonce: None,
            };
            let nonce = self.probe(&app, &sample, &mut faults).await;
            sample.nonce = nonce.as_deref();
            if faults.iter().any(|fault| fault.name() == GOOD) {
                continue;
            }
            for row in rows::all().filter(|row| !self.skipped.contains(&row.name)) {
                let Some(steps) = (row.steps)(&sample) else {
                    continue;
                };
                sent += 1;
                let Followed {
                    answer,
                    secrets,
                    again,
                } = follow(&app, steps).await;
                let problem = if again.is_some() {
                    answer.problem(row.expected, &secrets)
                } else {
                    let answer = answer.described();
                    Some(format!("before it is wrong, the answer is {answer}"))
                };
                if let Some(problem) = problem {
                    let fault = sample.fault(row.name, problem, answer.is_accepted());
                    faults.push(fault);
                    continue;
                }
                // What is remembered of the first time must not let it in. A proof is a replay by now, so
                // that another refusal is good too.
                let Some(again) = again else {
                    continue;
                };
                let answer = call(&app, *again).await;
                if answer.is_accepted() {
                    let answer = answer.described();
                    let problem = format!("sent a second time, the answer is {answer}");
                    faults.push(sample.fault(row.name, problem, true));
                }
            }
            let good = sample.authorized(&sample.written(&self.good));
            let answer = call(&app, good).await;
            if !answer.is_accepted() {
                let problem = format!("after all, the answer is {}", answer.described());
                faults.push(sample.fault(GOOD, problem, false));
            }
        }
        faults.sort_by_key(|fault: &WrongCredentialsFault| !fault.is_open());
        if faults.is_empty() {
            Ok(sent)
        } else {
            Err(WrongCredentialsFaults(faults))
        }
    }

    /// Sends the good token, and one with a good proof. Returns the nonce that proofs must have.
    async fn probe<S, B>(
        &self,
        app: &S,
        sample: &Sample<'_>,
        faults: &mut Vec<WrongCredentialsFault>,
    ) -> Option<String>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone,
        S::Error: fmt::Debug,
        B: HttpBody,
    {
        let mut nonce = None;
        if self.has_dpop || self.proof_key.is_some() {
            let proven =
                |sample: &Sample<'_>| sample.proof().authorize(sample.request(), &sample.bound());
            let mut answer = call(app, proven(sample)).await;
            // RFC 9449 s9: the answer has the nonce for the next proof.
            let field = answer.head.headers.get("dpop-nonce");
            nonce = field
                .and_then(|field| field.to_str().ok())
                .map(ToOwned::to_owned);
            if let (false, Some(nonce)) = (answer.is_accepted(), &nonce) {
                let sample = Sample {
                    nonce: Some(nonce),
                    ..*sample
                };
                answer = call(app, proven(&sample)).await;
            }
            if !answer.is_accepted() {
                let problem = format!(
                    "the answer to a bound token with a good proof is {}; set `public_origin(..)`, or `without_dpop()` where the server takes no proofs",
                    answer.described()
                );
                faults.push(sample.fault(GOOD_PROOF, problem, false));
            }
        }
        let sample = Sample {
            nonce: nonce.as_deref(),
            ..*sample
        };
        let good = sample.authorized(&sample.written(&self.good));
        let answer = call(app, good).await;
        if !answer.is_accepted() {
            // What refuses the good token refuses the one with a proof too.
            faults.retain(|fault| fault.name() != GOOD_PROOF);
            let mut problem = format!(
                "the answer is {}, and must be a success: nothing else was sent",
                answer.described()
            );
            let kind = answer.head.extensions.get::<RejectionKind>();
            if kind == Some(&RejectionKind::NotAuthenticated) {
                problem.push_str(
                    "; no layer covers this route: `route_layer(..)` covers the routes above it",
                );
            }
            faults.push(sample.fault(GOOD, problem, false));
        }
        nonce
    }
}

impl Sample<'_> {
    fn fault(&self, name: &'static str, problem: String, is_open: bool) -> WrongCredentialsFault {
        let request = format!("{} {}", self.parts.method, self.parts.uri.path());
        WrongCredentialsFault::new(name, request, problem, is_open)
    }
}

/// What came of the steps of a row.
struct Followed {
    /// The last answer, or the first to a request that had to be accepted and was not.
    answer: Answer,
    /// What no answer may repeat.
    secrets: Vec<String>,
    /// The last request once more, where it was sent.
    again: Option<Box<Request<Body>>>,
}

/// Follows the steps of a row.
async fn follow<S, B>(app: &S, steps: Vec<Step>) -> Followed
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Debug,
    B: HttpBody,
{
    let mut steps = steps.into_iter().peekable();
    let mut last = None;
    while let Some(step) = steps.next() {
        match step {
            Step::Do(action) => action(),
            Step::Send(request) => {
                let secrets = secrets_of(&request);
                let is_last = steps.peek().is_none();
                let (request, again) = twice(*request).await;
                let answer = call(app, request).await;
                let goes_on = !is_last && answer.is_accepted();
                last = Some(Followed {
                    answer,
                    secrets,
                    again: is_last.then(|| Box::new(again)),
                });
                if !goes_on {
                    break;
                }
            }
        }
    }
    last.expect("a row sends a request")
}

async fn call<S, B>(app: &S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Debug,
    B: HttpBody,
{
    let mut app = app.clone();
    std::future::poll_fn(|context| app.poll_ready(context))
        .await
        .expect("the application is ready");
    let response = app.call(request).await.expect("the application answers");
    let (head, body) = response.into_parts();
    // The body of an accepted request may be a stream without an end.
    let is_refused = head.status.as_u16() >= 400;
    let body = if is_refused {
        read(body).await
    } else {
        Bytes::new()
    };
    Answer { head, body }
}

/// The same request two times.
async fn twice(request: Request<Body>) -> (Request<Body>, Request<Body>) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await;
    let body = body.expect("a body of bytes");
    let again = Request::from_parts(parts.clone(), body.clone().into());
    (Request::from_parts(parts, body.into()), again)
}

/// The data of a body, up to a bound.
async fn read<B: HttpBody>(body: B) -> Bytes {
    const MOST: usize = 1024 * 1024;
    let mut body = std::pin::pin!(body);
    let mut read = Vec::new();
    while read.len() < MOST {
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        let Some(Ok(frame)) = frame else {
            break;
        };
        if let Ok(mut data) = frame.into_data() {
            read.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }
    read.into()
}

/// The parts of a request's tokens and proofs, long enough to be no word.
fn secrets_of(request: &Request<Body>) -> Vec<String> {
    const SHORTEST: usize = 12;
    let fields = ["dpop", "cookie", "x-access-token"].iter();
    let fields = fields.flat_map(|name| request.headers().get_all(*name));
    let fields = request
        .headers()
        .get_all(AUTHORIZATION)
        .iter()
        .chain(fields);
    let mut secrets: Vec<String> = fields
        .flat_map(|field| {
            let text = String::from_utf8_lossy(field.as_bytes()).into_owned();
            let parts = text.split([' ', ',', '.', '=', ';', '"']);
            parts.map(ToOwned::to_owned).collect::<Vec<_>>()
        })
        .filter(|part| part.len() >= SHORTEST)
        .collect();
    secrets.sort();
    secrets.dedup();
    secrets
}
