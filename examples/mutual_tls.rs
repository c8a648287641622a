//! Tokens bound to a client certificate: mutual TLS (RFC 8705 section 3), without a proxy.
//!
//! ```sh
//! cargo run --example mutual_tls
//! ```
//!
//! 1. The acceptor demands a client certificate and puts it into every request of the connection,
//!    as [`ClientCertificate`].
//! 2. A token with `cnf: {"x5t#S256": ..}` is good on a connection with that certificate alone.
//! 3. Behind a proxy that terminates TLS, `.danger().client_certificate_header(..)` reads the
//!    certificate from a header field of trusted peers instead.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::{Router, routing::get};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use portcullis::binding::ClientCertificate;
use portcullis::test_util::{MockIssuer, TestCertificate};
use portcullis::{AccessToken, ResourceServer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tower::ServiceExt as _;

type Error = Box<dyn std::error::Error>;

async fn whoami(token: AccessToken) -> String {
    format!("hello {}", token.subject().map_or("", |id| id.as_str()))
}

/// Accepts TLS by this certificate, from clients with one of these certificates.
fn acceptor(own: &TestCertificate, clients: &[&TestCertificate]) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    for client in clients {
        roots.add(CertificateDer::from(client.der()))?;
    }
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let chain = vec![CertificateDer::from(own.der().to_vec())];
    let key = PrivatePkcs8KeyDer::from(own.private_key_der().to_vec());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, PrivateKeyDer::from(key))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves the application: one task for each connection.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor, app: Router) {
    while let Ok((connection, _)) = listener.accept().await {
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            let Ok(connection) = acceptor.accept(connection).await else {
                return; // A handshake without an accepted certificate.
            };
            // The certificate of the client stands first. It is hashed once for each connection.
            let (_, session) = connection.get_ref();
            let certificate = session
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|der| ClientCertificate::from_der(&**der));
            let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
                if let Some(certificate) = &certificate {
                    request.extensions_mut().insert(certificate.clone());
                }
                app.clone().oneshot(request)
            });
            let connection = TokioIo::new(connection);
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(connection, service).await;
        });
    }
}

/// A client with this certificate, or without one.
fn client(
    server: &TestCertificate,
    own: Option<&TestCertificate>,
) -> Result<reqwest::Client, Error> {
    let mut builder =
        reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_der(server.der())?]);
    if let Some(own) = own {
        let pem = [own.private_key_pem(), own.pem()].concat();
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes())?);
    }
    Ok(builder.build()?)
}

async fn ask(client: &reqwest::Client, at: SocketAddr, token: &str) -> String {
    let request = client
        .get(format!("https://{at}/whoami"))
        .bearer_auth(token);
    match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            format!("{status} {}", response.text().await.unwrap_or_default())
        }
        Err(_) => "no TLS connection".to_owned(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .build()?;
    let app = Router::new()
        .route("/whoami", get(whoami))
        .route_layer(server.authenticate());

    // In production: certificates of your authorities, and the clients' own keys.
    let own = TestCertificate::self_signed("127.0.0.1");
    let [alice, mallory] = ["alice", "mallory"].map(TestCertificate::self_signed);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, acceptor(&own, &[&alice, &mallory])?, app));

    let token = issuer.token().subject("alice");
    let bound = token
        .clone()
        .bound_to_certificate(alice.certificate())
        .sign();
    let with_alices = client(&own, Some(&alice))?;
    let with_mallorys = client(&own, Some(&mallory))?;
    let without = client(&own, None)?;
    for (what, client, token, expected) in [
        ("its owner", &with_alices, &bound, "200 hello alice"),
        ("a thief with a certificate", &with_mallorys, &bound, "401 "),
        ("a thief without one", &without, &bound, "no TLS connection"),
        (
            "a token that is not bound",
            &with_mallorys,
            &token.sign(),
            "200 hello alice",
        ),
    ] {
        let answer = ask(client, address, token).await;
        println!("{what}: {answer}");
        assert_eq!(answer, expected);
    }
    Ok(())
}
