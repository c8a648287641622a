//! The client's certificate in the header field of a proxy: believed from trusted peers alone.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Request};
use portcullis::AuthenticateLayer;
use portcullis::binding::{ClientCertificate, ClientCertificateHeader, PeerAddress, TrustedPeers};
use portcullis::test_util::{MockIssuer, TestCertificate};
use tokio::net::TcpListener;

use crate::support::logs::Logs;
use crate::support::{Requests as _, TestResponse, server};

const PROXY: &str = "10.1.2.3";
const STRANGER: &str = "203.0.113.7";
const REFUSED: &str = "400 invalid_request client_certificate";

const X_CERT: HeaderName = HeaderName::from_static("x-ssl-client-cert");

fn peers(text: &str) -> TrustedPeers {
    text.parse().expect("peers")
}

fn layer(issuer: &MockIssuer, header: ClientCertificateHeader) -> AuthenticateLayer {
    let layer = server(issuer).authenticate().danger();
    layer.client_certificate_header(header, peers("10.0.0.0/8, fd00::/8"))
}

/// Answers with the thumbprint of the request's certificate, and with the names of the header fields
/// that describe one.
fn app(layer: AuthenticateLayer) -> Router {
    let handler = async |request: Request<Body>| {
        let certificate = request.extensions().get::<ClientCertificate>();
        let thumbprint = certificate.map(ClientCertificate::to_x5t_s256);
        let mut names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
        names.retain(|name| name.contains("cert"));
        names.sort_unstable();
        format!(
            "{} [{}]",
            thumbprint.as_deref().unwrap_or("none"),
            names.join(" ")
        )
    };
    Router::new().route("/", get(handler)).route_layer(layer)
}

/// A request with a good token from this peer.
struct Sent {
    request: Request<Body>,
}

impl Sent {
    fn from(issuer: &MockIssuer, peer: Option<&str>) -> Self {
        let mut request = Request::new(Body::empty());
        let bearer = issuer.token().bearer();
        request.headers_mut().insert("authorization", bearer);
        if let Some(peer) = peer {
            let address: IpAddr = peer.parse().expect("an address");
            request.extensions_mut().insert(PeerAddress(address));
        }
        Self { request }
    }

    fn with(mut self, name: &HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a value");
        self.request.headers_mut().append(name, value);
        self
    }

    fn over_tls(mut self, certificate: &TestCertificate) -> Self {
        let certificate = certificate.certificate().clone();
        self.request.extensions_mut().insert(certificate);
        self
    }

    async fn to(self, app: &Router) -> TestResponse {
        app.exchange(self.request).await
    }
}

fn url_encoded(text: &str, safe: &str) -> String {
    text.chars()
        .map(|one| match one {
            _ if one.is_ascii_alphanumeric() || "-._~".contains(one) => one.to_string(),
            _ if safe.contains(one) => one.to_string(),
            _ => format!("%{:02X}", u32::from(one)),
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Each form, the name of its field, and the value that its proxy sends.
fn forms(client: &TestCertificate) -> Vec<(ClientCertificateHeader, HeaderName, String)> {
    let name = HeaderName::from_static;
    let pem = client.pem();
    let chain = [&*pem, &TestCertificate::self_signed("ca").pem()].concat();
    let hash = hex(client.certificate().thumbprint());
    vec![
        (
            ClientCertificateHeader::Rfc9440,
            name("client-cert"),
            format!(":{}:", STANDARD.encode(client.der())),
        ),
        (
            ClientCertificateHeader::Envoy,
            name("x-forwarded-client-cert"),
            format!(
                "By=spiffe://mesh/api;Hash={hash};Cert=\"{}\";Subject=\"CN=client\";URI=",
                url_encoded(&pem, "")
            ),
        ),
        (
            ClientCertificateHeader::NginxEscaped(X_CERT),
            X_CERT,
            url_encoded(&pem, ""),
        ),
        (
            ClientCertificateHeader::AwsPassthrough,
            name("x-amzn-mtls-clientcert"),
            url_encoded(&chain, "+=/"),
        ),
        (
            ClientCertificateHeader::AwsVerify,
            name("x-amzn-mtls-clientcert-leaf"),
            url_encoded(&pem, "+=/"),
        ),
    ]
}

#[tokio::test]
async fn every_form_is_believed_from_a_trusted_peer_and_stays_for_the_application() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    for (form, field, value) in forms(&client) {
        let app = app(layer(&issuer, form));
        let expected = format!("{} [{field}]", client.certificate().to_x5t_s256());
        for peer in [PROXY, "::ffff:10.1.2.3", "fd00::1"] {
            let answer = Sent::from(&issuer, Some(peer)).with(&field, &value);
            assert_eq!(answer.to(&app).await.body, expected, "{peer}");
        }
    }
}

#[tokio::test]
async fn every_form_is_removed_from_requests_of_others() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    for (form, field, value) in forms(&client) {
        let app = app(layer(&issuer, form));
        for peer in [
            Some(STRANGER),
            Some("::1"),
            Some("::ffff:203.0.113.7"),
            None,
        ] {
            let once = Sent::from(&issuer, peer).with(&field, &value);
            assert_eq!(once.to(&app).await.body, "none []", "{peer:?}");
            let twice = Sent::from(&issuer, peer)
                .with(&field, &value)
                .with(&field, "a");
            assert_eq!(twice.to(&app).await.body, "none []", "{peer:?}");
        }
    }
}

#[tokio::test]
async fn a_faulty_or_repeated_field_of_a_trusted_peer_is_refused() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    for (form, field, value) in forms(&client) {
        let app = app(layer(&issuer, form));
        let sent = || Sent::from(&issuer, Some(PROXY));
        let good = sent().with(&field, &value).to(&app).await;
        assert_eq!(good.verdict(), "200", "the accepted twin");
        let long = "a".repeat(16 * 1024 + 1);
        for faulty in [
            sent().with(&field, &value).with(&field, &value),
            sent().with(&field, &format!("{value},{value}")),
            sent().with(&field, &format!("{value},")),
            sent().with(&field, "a"),
            sent().with(&field, &long),
        ] {
            assert_eq!(faulty.to(&app).await.verdict(), REFUSED, "{field}");
        }
    }
}

#[tokio::test]
async fn a_refusal_names_the_setting_and_no_byte_of_the_field() {
    let issuer = MockIssuer::new();
    let app = app(layer(&issuer, ClientCertificateHeader::Rfc9440));
    let field = HeaderName::from_static("client-cert");
    let logs = Logs::default();
    let _listening = logs.listen();
    let sent = Sent::from(&issuer, Some(PROXY)).with(&field, ":QUJD:");
    let answer = sent.to(&app).await;
    assert_eq!(answer.verdict(), REFUSED);
    let log = logs.text();
    assert!(log.contains("client_certificate_header"), "{log}");
    assert!(!log.contains("QUJD") && !answer.wire().contains("QUJD"));
}

#[tokio::test]
async fn the_certificate_of_the_proxy_itself_is_never_that_of_its_clients() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    let proxy = TestCertificate::self_signed("proxy");
    let (form, field, value) = forms(&client).remove(0);
    let app = app(layer(&issuer, form));
    let sent = |peer| Sent::from(&issuer, peer).over_tls(&proxy);
    let stated = sent(Some(PROXY)).with(&field, &value).to(&app).await;
    let x5t = client.certificate().to_x5t_s256();
    assert_eq!(stated.body, format!("{x5t} [client-cert]"));
    assert_eq!(sent(Some(PROXY)).to(&app).await.body, "none []");
    let empty = sent(Some(PROXY)).with(&field, "").to(&app).await;
    assert_eq!(empty.body, "none [client-cert]");
    // A peer that is not trusted speaks for itself: the certificate is that of its own connection.
    let x5t = proxy.certificate().to_x5t_s256();
    for peer in [Some(STRANGER), None] {
        let own = sent(peer).with(&field, &value).to(&app).await;
        assert_eq!(own.body, format!("{x5t} []"), "{peer:?}");
    }
}

#[tokio::test]
async fn without_the_setting_no_field_is_read_or_removed() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    let app = app(server(&issuer).authenticate());
    for (_, field, value) in forms(&client) {
        let sent = || Sent::from(&issuer, Some(PROXY)).with(&field, &value);
        let answer = sent().to(&app).await;
        assert_eq!(answer.body, format!("none [{field}]"));
        let answer = sent().with(&field, "a").over_tls(&client).to(&app).await;
        let x5t = client.certificate().to_x5t_s256();
        assert_eq!(answer.body, format!("{x5t} [{field}]"));
    }
}

#[tokio::test]
async fn fields_of_the_same_proxy_are_removed_and_others_stay() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    for (form, field, value) in forms(&client) {
        let app = app(layer(&issuer, form.clone()));
        let mut sent = Sent::from(&issuer, Some(STRANGER)).with(&field, &value);
        for name in [
            "client-cert-chain",
            "client_cert",
            "x-amzn-mtls-clientcert-serial-number",
            "x-amzn-mtls-clientcert-issuer",
            "x-amzn-mtls-clientcert-subject",
            "x-amzn-mtls-clientcert-validity",
        ] {
            sent = sent.with(&HeaderName::from_static(name), "a");
        }
        let left = sent.to(&app).await.body;
        assert!(
            left.contains(" client_cert") || left.contains("[client_cert"),
            "{left}"
        );
        let is_aws = matches!(
            form,
            ClientCertificateHeader::AwsPassthrough | ClientCertificateHeader::AwsVerify
        );
        assert_eq!(left.contains("x-amzn"), !is_aws, "{left}");
        let is_rfc = form == ClientCertificateHeader::Rfc9440;
        assert_eq!(left.contains("client-cert-chain"), !is_rfc, "{left}");
    }
}

#[tokio::test]
async fn layers_with_an_unusable_setting_answer_500() {
    let issuer = MockIssuer::new();
    let fault = "500 misconfigured layer_setting";
    let client = TestCertificate::self_signed("client");
    let set = |header: ClientCertificateHeader, of: &TrustedPeers| {
        let layer = server(&issuer).authenticate().danger();
        layer.client_certificate_header(header, of.clone())
    };
    let rfc = ClientCertificateHeader::Rfc9440;
    let proxies = peers(PROXY);
    let once = set(rfc.clone(), &proxies);
    let same = once
        .clone()
        .danger()
        .client_certificate_header(rfc.clone(), proxies.clone());
    let form = once
        .clone()
        .danger()
        .client_certificate_header(ClientCertificateHeader::Envoy, proxies.clone());
    let peer = once
        .clone()
        .danger()
        .client_certificate_header(rfc.clone(), peers("::1"));
    let authorization = ClientCertificateHeader::NginxEscaped(http::header::AUTHORIZATION);
    for (layer, expected) in [
        (once, "200"),
        (same, "200"),
        (form, fault),
        (peer, fault),
        (set(rfc, &TrustedPeers::default()), fault),
        (set(authorization, &proxies), fault),
    ] {
        let app = app(layer);
        let answer = Sent::from(&issuer, Some(PROXY)).over_tls(&client).to(&app);
        assert_eq!(answer.await.verdict(), expected);
    }
}

#[tokio::test]
async fn the_peer_of_a_real_connection_is_read_from_axum() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    let x5t = client.certificate().to_x5t_s256();
    let (form, field, value) = forms(&client).remove(0);
    for (trusted, expected) in [
        ("127.0.0.0/8, ::1", format!("{x5t} [client-cert]")),
        ("10.0.0.0/8", "none []".to_owned()),
    ] {
        let layer = server(&issuer).authenticate().danger();
        let app = app(layer.client_certificate_header(form.clone(), peers(trusted)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let request = reqwest::Client::new()
            .get(format!("http://{address}/"))
            .header("authorization", issuer.token().bearer())
            // What a header field says about the peer is not read.
            .header("x-forwarded-for", PROXY)
            .header("forwarded", format!("for={PROXY}"))
            .header(&field, &value);
        let response = request.send().await.expect("an answer");
        assert_eq!(
            response.text().await.expect("a body"),
            expected,
            "{trusted}"
        );
    }
}

#[tokio::test]
async fn the_address_that_a_server_states_counts_before_the_one_of_axum() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    let (form, field, value) = forms(&client).remove(0);
    let app = app(layer(&issuer, form));
    for (stated, connected, believed) in [
        (Some(PROXY), STRANGER, true),
        (Some(STRANGER), PROXY, false),
        (None, PROXY, true),
        (None, STRANGER, false),
    ] {
        let mut sent = Sent::from(&issuer, stated).with(&field, &value);
        let connected: IpAddr = connected.parse().expect("an address");
        let connected = ConnectInfo(SocketAddr::from((connected, 443)));
        sent.request.extensions_mut().insert(connected);
        let body = sent.to(&app).await.body;
        assert_eq!(
            !body.starts_with("none"),
            believed,
            "{stated:?} {connected:?}"
        );
    }
}

#[tokio::test]
async fn an_inner_layer_that_trusts_other_peers_does_not_believe_the_outer_one() {
    let issuer = MockIssuer::new();
    let client = TestCertificate::self_signed("client");
    let outer = layer(&issuer, ClientCertificateHeader::Rfc9440);
    let inner = server(&issuer).authenticate().danger();
    let inner =
        inner.client_certificate_header(ClientCertificateHeader::Rfc9440, peers("192.0.2.1"));
    let field = format!(":{}:", STANDARD.encode(client.der()));
    let name = HeaderName::from_static("client-cert");
    let sent = || Sent::from(&issuer, Some(PROXY)).with(&name, &field);
    let believed = sent().to(&app(outer.clone())).await;
    let thumbprint = client.certificate().to_x5t_s256();
    assert_eq!(believed.body, format!("{thumbprint} [client-cert]"));
    let both = app(inner).layer(outer);
    assert_eq!(sent().to(&both).await.body, "none []");
    // The certificate of the connection stays where no header was read.
    let strange = Sent::from(&issuer, Some(STRANGER)).over_tls(&client);
    assert_eq!(strange.to(&both).await.body, format!("{thumbprint} []"));
}
