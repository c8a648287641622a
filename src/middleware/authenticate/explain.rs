//! The explanation of a request: what the layer would do with it, check by check.

use http::Request;
use http::request::Parts;

#[cfg(feature = "axum")]
use crate::middleware::authenticate::axum_extensions::original_uri;
use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::authenticate::layer::AuthenticateLayer;
use crate::middleware::authenticate::layer_policy::LayerPolicy;
use crate::model::decision::explained_check::Check;
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::explain::explanation::{Conclusion, Explanation, Step};
use crate::server::explain::record::Record;
use crate::server::explain::request::LookedUp;
use crate::server::resource_server::ResourceServer;
use crate::verify::request::request_parts::RequestParts;

impl ResourceServer {
    /// Why a request with these parts is admitted or refused by the layer of
    /// [`authenticate()`](Self::authenticate); a layer with settings of its own has
    /// [`explain`](AuthenticateLayer::explain) too.
    ///
    /// ```
    /// use http::Request;
    /// use portcullis::ResourceServer;
    /// use portcullis::explain::Check;
    ///
    /// let issuer = portcullis::test_util::MockIssuer::new();
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(issuer.trusted())
    ///     .build()?;
    /// let token = issuer.token().audience("https://other.example.com").sign();
    /// let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(())?;
    /// let (parts, ()) = request.into_parts();
    ///
    /// let explanation = server.explain(&parts);
    /// let failed: Vec<_> = explanation.failures().collect();
    /// assert_eq!(failed[0].check(), Check::Audience);
    /// assert_eq!(failed[0].found(), Some("https://other.example.com"));
    /// assert_eq!(failed[0].setting(), Some("audience"));
    /// println!("{explanation}"); // for an operator, never for a client
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("debug", "why", "diagnose"))]
    pub fn explain(&self, request: &Parts) -> Explanation {
        self.authenticate().explain(request)
    }
}

impl<M, E> AuthenticateLayer<M, E> {
    /// Why this layer admits or refuses a request with these parts: every check, one by one, also after
    /// one that failed. For operators; **never send it to a client**.
    ///
    /// The conclusion is that of a request that is sent now, and nothing changes by it: no cache and no
    /// counter, no DPoP proof is used up, and nothing is fetched. Where a request would wait for a key,
    /// the introspection endpoint or a status list, the conclusion is
    /// [`Pending`](Conclusion::Pending), and `explain_with_lookups` waits. The shared store of used
    /// proofs is never asked. The application's own [checks](crate::ResourceServerBuilder::check) are
    /// called, with a token that passes everything else.
    ///
    /// Of a layer that [only observes](crate::layer::DangerousLayer::observe_only_until) the conclusion is
    /// what it would do, and a step says that the request goes on all the same.
    ///
    /// Guards and extractors of the route are not part of it. The last steps name the kind of caller,
    /// the evidence of a tenant that it lacks, and its scope.
    pub fn explain(&self, request: &Parts) -> Explanation {
        self.policy().explain(request, LookedUp::default())
    }

    /// Like [`explain`](Self::explain), after the look-ups that a request with this token would make: of
    /// its key, of the introspection endpoint's verdict, of its status list. It waits as long as a
    /// request does, at most some seconds, and what is fetched stays in memory as after a request.
    #[cfg(feature = "jwks")]
    pub fn explain_with_lookups(
        &self,
        request: &Parts,
    ) -> impl Future<Output = Explanation> + Send + use<M, E> {
        let policy = self.policy();
        let request = request.clone();
        let lookup = {
            let parts = parts_of(&request);
            policy.server.look_up_for(&policy.sources, parts)
        };
        async move {
            let looked_up = lookup.await;
            policy.explain(&request, looked_up)
        }
    }
}

/// The parts that authentication reads.
fn parts_of(request: &Parts) -> RequestParts<'_> {
    let parts = RequestParts::from(request);
    #[cfg(feature = "axum")]
    let parts = parts.with_original_uri(original_uri);
    parts
}

impl LayerPolicy {
    fn explain(&self, request: &Parts, looked_up: LookedUp) -> Explanation {
        let mut record = Record::default();
        self.explain_in(&mut record, request, looked_up);
        let resource = &self.server.resource_at(self.resource_place).identifier;
        record.finish(self.server.wall_clock(), resource)
    }

    fn explain_in(&self, record: &mut Record, request: &Parts, looked_up: LookedUp) {
        if let Some(fault) = self.setting_fault {
            record.refuse(Check::LayerSettings, fault.rejection());
        }
        self.explain_observing(record);
        // A proxy's field changes the request, so it is a copy that is explained.
        let mut request = Request::from_parts(request.clone(), ());
        if let Some(proxy) = &self.certificate_proxy {
            match proxy.apply(&mut request) {
                Ok(()) => record.push(Step::passed(Check::ClientCertificate)),
                Err(rejection) => record.refuse(Check::ClientCertificate, rejection),
            }
        }
        let (request, ()) = request.into_parts();
        // Inside of a layer of the same server the proof of the request is used up already.
        let outer = request.extensions.get::<AuthContext>();
        let used_proof: Option<ProofFingerprint> = outer.and_then(|outer| outer.used_proof);
        let parts = parts_of(&request).at_resource(self.resource_place);
        let verified =
            self.server
                .explain_request(record, &self.sources, parts, used_proof, looked_up);
        match &verified {
            Some(verified) => self.explain_demands(record, verified),
            None if !record.is_open() => {}
            None if self.admits.nothing_sent => record.conclude(Conclusion::NothingSent),
            None => {
                let rejection = Rejection::from(RejectionKind::MissingToken);
                record.refuse(Check::Credential, rejection);
            }
        }
    }

    /// A layer that only observes now lets a request go on that this refuses.
    fn explain_observing(&self, record: &mut Record) {
        let Some(observe_only) = &self.observe_only else {
            return;
        };
        if observe_only.observes(self.server.wall_clock()) {
            let reason = format!(
                "the layer only observes until {}: a request that it refuses goes on, without a caller",
                observe_only.until()
            );
            let step = Step::noted(Check::LayerSettings).because(reason);
            record.push(step.by_setting("observe_only_until"));
        }
    }

    /// What the layer demands of a verified token, in the order in which it does.
    fn explain_demands(&self, record: &mut Record, verified: &VerifiedRequest) {
        let found = self.server.names_of(verified.resources);
        match self.check_resource(verified) {
            Ok(()) => record.push(Step::passed(Check::Resource).finding(&found)),
            Err(rejection) => record.refuse(Check::Resource, rejection),
        }
        let is_principal = self.admits.principals && verified.is_principal();
        let context = verified.context();
        if verified.is_for(self.context.as_deref()) || is_principal {
            if let Some(context) = context {
                record.push(Step::passed(Check::Context).finding(context));
            }
        } else {
            let rejection = self.wrong_context().by(verified.realm());
            let step = Step::failed(Check::Context, &rejection);
            let step = match context {
                Some(context) => step.finding(context),
                None => step,
            };
            record.refuse_at(step, rejection);
        }
        match self.check_binding(verified) {
            Ok(()) if self.required_bindings.is_none() => {}
            Ok(()) => record.push(Step::passed(Check::LayerBinding)),
            Err(rejection) => record.refuse(Check::LayerBinding, rejection),
        }
    }
}
