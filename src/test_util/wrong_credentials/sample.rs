//! The requests and tokens that rows are made of.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use axum::body::Body;
use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};

use crate::test_util::issuer::MockIssuer;
use crate::test_util::proof::{DpopKey, ProofBuilder};
use crate::test_util::tokens::TokenBuilder;
use crate::test_util::wrong_credentials::settings::WrongCredentials;
use crate::test_util::wrong_credentials::step::Step;

/// One request of the check, without credentials, and the good token.
pub(super) struct Sample<'c> {
    pub(super) check: &'c WrongCredentials,
    pub(super) parts: &'c Parts,
    pub(super) body: &'c [u8],
    /// The key of the proofs.
    pub(super) key: &'c DpopKey,
    /// The nonce that the server demands in proofs.
    pub(super) nonce: Option<&'c str>,
}

impl Sample<'_> {
    /// The good token, to be changed.
    pub(super) fn good(&self) -> TokenBuilder {
        self.check.good.clone()
    }

    pub(super) const fn issuer(&self) -> &MockIssuer {
        self.check.good.mock_issuer()
    }

    /// The token in the form that the application reads.
    pub(super) fn written(&self, token: &TokenBuilder) -> String {
        if self.check.is_opaque {
            token.issue()
        } else {
            token.sign()
        }
    }

    /// The request without credentials.
    pub(super) fn request(&self) -> Request<Body> {
        self.request_with_body(self.body.to_vec())
    }

    pub(super) fn request_with_body(&self, body: Vec<u8>) -> Request<Body> {
        let mut parts = self.parts.clone();
        if !parts.headers.contains_key(HOST) {
            let host = HeaderValue::from_static("api.example.com");
            parts.headers.insert(HOST, host);
        }
        if let Some(prepare) = &self.check.prepare {
            prepare(&mut parts);
        }
        Request::from_parts(parts, body.into())
    }

    /// One request with these fields more.
    #[allow(clippy::unnecessary_wraps)] // A row's result.
    pub(super) fn with_fields<const N: usize>(
        &self,
        fields: [(&'static str, Vec<u8>); N],
    ) -> Option<Vec<Step>> {
        let mut request = self.request();
        for (name, value) in fields {
            let value = HeaderValue::from_bytes(&value).expect("the value of a field");
            request
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
        Some(vec![Step::send(request)])
    }

    /// One request with this `Authorization` field.
    pub(super) fn field(&self, value: impl Into<Vec<u8>>) -> Option<Vec<Step>> {
        self.with_fields([("authorization", value.into())])
    }

    /// One request with this token, as the good one is sent.
    #[allow(clippy::unnecessary_wraps)] // A row's result.
    pub(super) fn text(&self, token: &str) -> Option<Vec<Step>> {
        Some(vec![Step::send(self.authorized(token))])
    }

    /// The same for what is wrong by its form as a JWT.
    pub(super) fn jwt(&self, token: &str) -> Option<Vec<Step>> {
        if self.check.is_opaque {
            return None;
        }
        self.text(token)
    }

    /// The same for what is wrong by its claims.
    pub(super) fn token(&self, token: &TokenBuilder) -> Option<Vec<Step>> {
        self.text(&self.written(token))
    }

    /// The request with this token, as the good one is sent.
    pub(super) fn authorized(&self, token: &str) -> Request<Body> {
        if self.check.proof_key.is_some() {
            return self.proof().authorize(self.request(), token);
        }
        let mut request = self.request();
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let value = value.expect("a token is visible ascii");
        request.headers_mut().insert(AUTHORIZATION, value);
        request
    }

    /// The good token, bound to the key of the proofs.
    pub(super) fn bound(&self) -> String {
        self.written(&self.good().bound_to_key(self.key))
    }

    /// A good proof for the request.
    pub(super) fn proof(&self) -> ProofBuilder {
        self.proof_by(self.key)
    }

    pub(super) fn proof_by(&self, key: &DpopKey) -> ProofBuilder {
        let url = format!("{}{}", self.check.public_origin, self.parts.uri.path());
        let proof = key.proof(self.parts.method.as_str(), &url);
        match self.nonce {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        }
    }

    /// The bound token with this proof for it; the proof is made for the token.
    pub(super) fn proven(&self, proof: &ProofBuilder) -> Option<Vec<Step>> {
        self.check.has_dpop.then(|| {
            let request = proof.authorize(self.request(), &self.bound());
            vec![Step::send(request)]
        })
    }

    /// The bound token with proofs as they are made of a good one for it.
    pub(super) fn proofs<const N: usize>(
        &self,
        make: impl Fn(ProofBuilder) -> [String; N],
    ) -> Option<Vec<Step>> {
        if !self.check.has_dpop {
            return None;
        }
        let token = self.bound();
        let proofs = make(self.proof().access_token(&token));
        let steps = self.field(format!("DPoP {token}"))?;
        let mut steps: Vec<Step> = steps;
        if let Some(Step::Send(request)) = steps.first_mut() {
            for proof in proofs {
                let value = HeaderValue::try_from(proof).expect("a proof is visible ascii");
                request.headers_mut().append("dpop", value);
            }
        }
        Some(steps)
    }

    /// Whether a segment of the path is this claim of the good token.
    pub(super) fn is_in_path(&self, claim: &str) -> bool {
        let value = self.check.good.text_claim(claim);
        let mut segments = self.parts.uri.path().split('/');
        value.is_some_and(|value| segments.any(|segment| segment == value))
    }
}
