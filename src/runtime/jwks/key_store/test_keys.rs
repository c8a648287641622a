//! The keys of an issuer on a loopback server, and what a miss of theirs is.

use std::sync::Arc;
use std::time::Duration;

use super::test_server::{Server, TestClock};
use super::{Location, Miss, RefreshLimits, RemoteConfig, RemoteKeys, WaitTicket};
use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::model::error::rejection::Outage;
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::jwks::refresh_task;
use crate::verify::jose::jwk_set::{Selection, select};

pub(super) const ISSUER: &str = "https://issuer.example.com";
pub(super) const X1: &str = "ejZuOHWLCxl1jLNedvEmcJ2OueiirqRO-g5BzOTBgQY";
pub(super) const X2: &str = "_KUg1pjGYRYLGez9wfL76U798W6HZwGUZgojWv0dd08";

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn miss(keys: &RemoteKeys, id: Option<&str>) -> Miss {
    keys.miss(
        keys.current().ok().map(|loaded| loaded.searched()),
        id,
        None,
    )
}

pub(super) fn waits(miss: Miss) -> WaitTicket {
    match miss {
        Miss::Wait(ticket) => ticket,
        other => panic!("no wait: {other:?}"),
    }
}

pub(super) fn refused(miss: Miss) -> (Outage, Duration) {
    match miss {
        Miss::Unavailable {
            outage,
            retry_after,
        } => (outage, retry_after),
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn has(keys: &RemoteKeys, id: &str) -> bool {
    let current = keys.current().expect("keys");
    matches!(
        select(&[&current], Some(id), Algorithm::EdDSA, ISSUER),
        Selection::Keys { .. }
    )
}

pub(super) fn config(server: &Server, path: Option<&str>) -> RemoteConfig {
    let at = |path| format!("{}{path}", server.url);
    RemoteConfig {
        issuer: ISSUER.into(),
        tenants: Vec::new(),
        location: match path {
            Some(path) => Location::KeySet(at(path)),
            None => Location::Discovery(vec![at("/one"), at("/two")]),
        },
        algorithms: AlgorithmSet::of(Algorithm::all()),
        most_keys: 100,
        most_bytes: 256 << 10,
        lazy: false,
        http_options: HttpOptions::default(),
        limits: RefreshLimits {
            wait: secs(60), // a slow machine fails no test
            ..RefreshLimits::default()
        },
        bearer: None,
        key_set_origin: None,
        copy: None,
    }
}

pub(super) fn started(server: &Server, path: Option<&str>) -> (Arc<RemoteKeys>, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    let keys = RemoteKeys::new(config(server, path), clock.clone()).expect("keys");
    refresh_task::start(&keys).expect("a runtime");
    (keys, clock)
}

pub(super) async fn loaded(server: &Server) -> (Arc<RemoteKeys>, Arc<TestClock>) {
    let (keys, clock) = started(server, Some("/jwks"));
    keys.first_attempt().await.expect("keys");
    (keys, clock)
}
