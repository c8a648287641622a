//! Mutual TLS (RFC 8705): clients that authenticate by their certificate, and tokens that are bound to it.

use portcullis::binding::ClientCertificate;
use portcullis::test_util::{
    AuthorizationServerError, ManualClock, ServedAuthorizationServer, TestCertificate, TestClient,
    TlsPeer,
};
use serde_json::Value;

use super::support::{Answer, builder, encoded, payload, send, served};

#[path = "../../../examples/support/tls.rs"]
mod tls;

struct Site {
    server: ServedAuthorizationServer,
    own: TestCertificate,
    alice: TestCertificate,
}

impl Site {
    async fn start() -> Self {
        let own = TestCertificate::self_signed("127.0.0.1");
        let alice = TestCertificate::self_signed("alice");
        let thumbprint = alice.certificate().to_x5t_s256();
        let by = |id: &str, method: &str| {
            TestClient::confidential(id, "unused")
                .token_endpoint_auth_method(method)
                .certificate_thumbprint(&*thumbprint)
                .grant_types(["client_credentials"])
        };
        let listener = tls::TlsListener::bind("127.0.0.1:0", &own)
            .await
            .expect("a free port");
        let server = builder(&ManualClock::new())
            .client(by("self-signed", "self_signed_tls_client_auth"))
            .client(by("chained", "tls_client_auth"))
            .client(by("bound", "client_secret_basic"))
            .serve_tls(listener)
            .await
            .expect("sound accounts");
        Self { server, own, alice }
    }

    /// Asks for a machine's token on a connection with this certificate.
    async fn ask(
        &self,
        certificate: Option<&TestCertificate>,
        client: &str,
        secret: Option<&str>,
    ) -> Answer {
        let fields = [("grant_type", "client_credentials"), ("client_id", client)];
        let mut request = self
            .client(certificate)
            .post(format!("{}/token", self.server.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(&fields));
        if secret.is_some() {
            request = request.basic_auth(client, secret);
        }
        send(request).await
    }

    fn client(&self, certificate: Option<&TestCertificate>) -> reqwest::Client {
        let root = reqwest::Certificate::from_der(self.own.der()).expect("a certificate");
        let mut client = reqwest::Client::builder().tls_certs_only([root]);
        if let Some(own) = certificate {
            let pem = [own.private_key_pem(), own.pem()].concat();
            client =
                client.identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("an identity"));
        }
        client.build().expect("a client")
    }
}

#[tokio::test]
async fn certificate_authenticates_its_client_and_binds_the_token() {
    let site = Site::start().await;
    let mallory = TestCertificate::self_signed("alice");
    for client in ["self-signed", "chained"] {
        let answer = site.ask(Some(&site.alice), client, None).await;
        assert_eq!(answer.status, 200, "{client}: {answer:?}");
        let token = answer.json();
        assert_eq!(token["token_type"], "Bearer");
        let thumbprint = site.alice.certificate().to_x5t_s256();
        assert_eq!(
            payload(&token["access_token"])["cnf"]["x5t#S256"],
            thumbprint
        );
        for other in [Some(&mallory), None] {
            let answer = site.ask(other, client, None).await;
            assert_eq!(answer.error(), (401, "invalid_client".into()), "{client}");
        }
        // The method that it is registered for, and no other.
        let answer = site.ask(Some(&site.alice), client, Some("unused")).await;
        assert_eq!(answer.error(), (401, "invalid_client".into()), "{client}");
    }
}

#[tokio::test]
async fn token_of_a_client_with_a_secret_is_bound_where_it_shows_its_certificate() {
    let site = Site::start().await;
    let bound = site
        .ask(Some(&site.alice), "bound", Some("unused"))
        .await
        .json();
    assert!(payload(&bound["access_token"])["cnf"]["x5t#S256"].is_string());
    let free = site.ask(None, "bound", Some("unused")).await.json();
    assert!(payload(&free["access_token"]).get("cnf").is_none());
    let without_secret = site.ask(Some(&site.alice), "bound", None).await;
    assert_eq!(without_secret.error(), (401, "invalid_client".into()));
}

#[tokio::test]
async fn metadata_has_aliases_for_mutual_tls_where_there_is_tls() {
    let site = Site::start().await;
    let read = |server: &ServedAuthorizationServer| -> Value {
        serde_json::from_str(&server.discovery_document()).expect("JSON")
    };
    let metadata = read(&site.server);
    let url = site.server.url();
    assert!(url.starts_with("https://127.0.0.1:"));
    assert_eq!(metadata["issuer"], url);
    assert_eq!(
        metadata["mtls_endpoint_aliases"]["token_endpoint"],
        format!("{url}/token")
    );
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let plain = read(&served(&ManualClock::new()).await);
    assert!(plain.get("mtls_endpoint_aliases").is_none());
}

#[tokio::test]
async fn client_of_mutual_tls_without_a_thumbprint_is_a_mistake() {
    let client =
        TestClient::confidential("chained", "unused").token_endpoint_auth_method("tls_client_auth");
    let started = builder(&ManualClock::new()).client(client).serve().await;
    let Err(error @ AuthorizationServerError::Accounts { .. }) = started else {
        panic!("{started:?}");
    };
    assert!(
        error.to_string().contains("certificate_thumbprint"),
        "{error}"
    );
}

#[tokio::test]
async fn socket_beyond_loopback_is_refused_with_tls_too() {
    struct Everywhere(tls::TlsListener);

    impl axum::serve::Listener for Everywhere {
        type Io = <tls::TlsListener as axum::serve::Listener>::Io;
        type Addr = TlsPeer;

        async fn accept(&mut self) -> (Self::Io, TlsPeer) {
            self.0.accept().await
        }

        fn local_addr(&self) -> std::io::Result<TlsPeer> {
            let certificate: Option<ClientCertificate> = None;
            Ok(TlsPeer::new(([0, 0, 0, 0], 443).into(), certificate))
        }
    }

    let own = TestCertificate::self_signed("127.0.0.1");
    let bind = async || {
        let listener = tls::TlsListener::bind("127.0.0.1:0", &own).await;
        Everywhere(listener.expect("a free port"))
    };
    let server = || builder(&ManualClock::new());
    let refused = server().serve_tls(bind().await).await;
    assert!(matches!(
        refused,
        Err(AuthorizationServerError::BeyondLoopback(_))
    ));
    let told = server().danger().listen_beyond_loopback();
    assert!(told.serve_tls(bind().await).await.is_ok());
}
