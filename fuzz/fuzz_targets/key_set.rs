//! Any bytes as a JWK Set, and as a PEM: a mistake or keys, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::{Issuer, ResourceServer};

fuzz_target!(|bytes: &[u8]| {
    let issuer = || Issuer::oidc("https://id.example.com");
    let _ = ResourceServer::builder("api")
        .issuer(issuer().key_set(bytes))
        .build();
    if let Ok(text) = std::str::from_utf8(bytes) {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----");
        let _ = ResourceServer::builder("api").issuer(issuer().pem(pem)).build();
    }
});
