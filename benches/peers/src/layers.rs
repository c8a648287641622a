//! Each library's layer, as its documentation builds it.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use aliri_oauth2::Authority;
use aliri_tower::Oauth2Authorizer;
use http::{Request, Response, StatusCode};
use jwt_authorizer::{Authorizer, IntoLayer as _, JwtAuthorizer};
use oauth_resource_server::http_layer::HttpAuthLayer;
use oauth_resource_server::{KeyNaming, OAuthConfig, OAuthValidator};
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};
use tower::{Layer as _, Service as _};
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

use crate::stage::{built, handler, now, runtime, skewed, with};
use crate::{Peer, Site};

/// The handler, this library, and the others.
pub(crate) fn all(site: &Site) -> Vec<Peer> {
    let mut all = own(site);
    all.extend([
        jwt_authorizer(site),
        tower_oauth2_resource_server(site),
        oauth_resource_server(site),
        aliri_tower(site),
    ]);
    all
}

/// The handler, and this library with tokens that it never saw and with tokens that it did.
fn own(site: &Site) -> Vec<Peer> {
    let good = || site.requests.iter().filter(|asked| asked.is_good);
    let count = good().map(|asked| asked.values.len()).sum::<usize>();
    let server = || {
        let issuer = site.shape.trusted(&site.issuer);
        ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer)
    };
    // Fewer entries than tokens, so that each is new when it comes again.
    let new = built(server().token_cache_entries(count / 5));
    let seen = built(
        server()
            .token_cache_entries(2 * count)
            .token_cache_bytes(1 << 29),
    );
    let seen = seen.authenticate().layer(handler());
    for value in good().flat_map(|asked| &*asked.values) {
        let answer = now(seen.clone().call(with(value)));
        assert!(answer.is_ok_and(|it| it.status() == StatusCode::OK));
    }
    vec![
        site.calls("the handler alone", &handler(), |count| skewed(count)),
        site.peer_of_new(
            "portcullis, new token",
            &new.authenticate().layer(handler()),
        ),
        site.peer("portcullis, seen token", &seen),
    ]
}

fn jwt_authorizer(site: &Site) -> Peer {
    let validation = jwt_authorizer::Validation::new()
        .iss(&[site.issuer.issuer()])
        .aud(&[MockIssuer::AUDIENCE]);
    let builder: JwtAuthorizer = JwtAuthorizer::from_jwks_text(&site.issuer.key_set());
    let authorizer = runtime().block_on(builder.validation(validation).build());
    let authorizer: Authorizer = authorizer.expect("sound settings");
    // It answers with axum 0.7's bodies only.
    let handler = tower::service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(
            axum07::body::Body::empty(),
        )))
    });
    site.peer("jwt-authorizer", &authorizer.into_layer().layer(handler))
}

fn tower_oauth2_resource_server(site: &Site) -> Peer {
    let claims = ClaimsValidationSpec::new()
        .iss(&site.issuer.issuer())
        .aud(&vec![MockIssuer::AUDIENCE.to_owned()])
        .exp(true);
    let tenant = TenantConfiguration::static_builder(site.issuer.key_set())
        .claims_validation(claims)
        .build()
        .expect("sound settings");
    let server = <OAuth2ResourceServer>::builder().add_tenant(tenant);
    let server = runtime().block_on(server.build()).expect("sound settings");
    let layer = server.into_layer::<String>();
    site.peer("tower-oauth2-resource-server", &layer.layer(handler()))
}

fn oauth_resource_server(site: &Site) -> Peer {
    let config = OAuthConfig {
        enabled: true,
        issuer: site.issuer.issuer(),
        jwks_uri: Some(site.issuer.key_set_url()),
        audience: MockIssuer::AUDIENCE.to_owned(),
        resource: MockIssuer::AUDIENCE.to_owned(),
        allow_unscoped_tokens: true,
        ..OAuthConfig::default()
    };
    let config = config.resolve(KeyNaming::Dotted("oauth"));
    let config = config.expect("sound settings").expect("it is enabled");
    let validator = OAuthValidator::new(&config).expect("sound settings");
    runtime().block_on(validator.refresh_now()).expect("served");
    let layer = HttpAuthLayer::builder().oauth(Arc::new(validator)).build();
    let layer = layer.expect("sound settings");
    site.peer("oauth-resource-server", &layer.layer(handler()))
}

fn aliri_tower(site: &Site) -> Peer {
    if site.algorithm != Algorithm::RS256 {
        // Its feature for ES256 links OpenSSL.
        return site.without("aliri_tower");
    }
    let keys = serde_json::from_str(&site.issuer.key_set()).expect("a key set");
    let validator = aliri::jwt::CoreValidator::default()
        .add_approved_algorithm(aliri::jwa::Algorithm::RS256)
        .add_allowed_audience(aliri::jwt::Audience::from_static(MockIssuer::AUDIENCE))
        .require_issuer(aliri::jwt::Issuer::new(site.issuer.issuer()));
    let authorizer = Oauth2Authorizer::new().with_terse_error_handler::<String>();
    let layer = authorizer.jwt_layer(Authority::new(keys, validator));
    site.peer("aliri_tower", &layer.layer(handler()))
}
