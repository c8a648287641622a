//! Mistakes in the settings of status lists.

use std::time::Duration;

use portcullis::config::StatusListCheck;
use portcullis::error::ConfigMistakeKind;
use portcullis::{Issuer, ResourceServer};

use crate::support::API;

fn mistakes(issuer: Issuer) -> Vec<(&'static str, ConfigMistakeKind)> {
    match ResourceServer::builder(API).issuer(issuer).build() {
        Ok(_) => Vec::new(),
        Err(error) => error
            .mistakes()
            .map(|mistake| (mistake.setting(), mistake.kind()))
            .collect(),
    }
}

fn of(check: StatusListCheck) -> Vec<(&'static str, ConfigMistakeKind)> {
    mistakes(Issuer::oidc("https://id.example.com/a").status_list(check))
}

#[test]
fn settings_of_status_lists_have_bounds() {
    let check = StatusListCheck::new;
    let day = Duration::from_secs(24 * 3600);
    let good = [
        check(),
        check().max_ttl(Duration::from_secs(10)),
        check().max_ttl(day * 7),
        check().last_known_for(day),
        check().max_list_bytes(1 << 10),
        check().max_list_bytes(64 << 20),
        check().max_lists(1),
        check().max_lists(1024),
        check().accept_status(2).accept_status(2),
        check().uri_prefix("https://cdn.example/lists/"),
    ];
    for one in good {
        assert_eq!(of(one), []);
    }
    let second = Duration::from_secs(1);
    for (one, setting) in [
        (check().max_ttl(second * 9), "max_ttl"),
        (check().max_ttl(day * 7 + second), "max_ttl"),
        (check().last_known_for(day + second), "last_known_for"),
        (check().max_list_bytes(1023), "max_list_bytes"),
        (check().max_list_bytes((64 << 20) + 1), "max_list_bytes"),
        (check().max_lists(0), "max_lists"),
        (check().max_lists(1025), "max_lists"),
    ] {
        assert_eq!(of(one), [(setting, ConfigMistakeKind::OutOfBounds)]);
    }
    let many = (0..33).fold(check(), |check, n| {
        check.uri_prefix(format!("https://cdn.example/{n}/"))
    });
    assert_eq!(of(many), [("uri_prefix", ConfigMistakeKind::OutOfBounds)]);
}

#[test]
fn values_of_status_lists_are_checked() {
    let check = StatusListCheck::new;
    for (one, setting) in [
        (check().accept_status(1), "accept_status"),
        (check().uri_prefix("cdn.example"), "uri_prefix"),
        (check().uri_prefix("http://cdn.example/"), "uri_prefix"),
        (check().uri_prefix("https://cdn.example/?a"), "uri_prefix"),
    ] {
        assert_eq!(of(one), [(setting, ConfigMistakeKind::Invalid)]);
    }
    let twice = check().max_lists(1).max_lists(2);
    assert_eq!(of(twice), [("max_lists", ConfigMistakeKind::Repeated)]);
    let twice = Issuer::oidc("https://id.example.com")
        .status_list(check())
        .status_list(check());
    assert_eq!(
        mistakes(twice),
        [("status_list", ConfigMistakeKind::Repeated)]
    );
}

#[test]
fn issuer_whose_identifier_is_no_place_names_the_place_of_its_lists() {
    let issuer = || Issuer::oidc("accounts.example.com").key_set_url("https://k.example/jwks");
    let check = StatusListCheck::new;
    assert_eq!(
        mistakes(issuer().status_list(check())),
        [("uri_prefix", ConfigMistakeKind::Invalid)]
    );
    let named = check().uri_prefix("https://k.example");
    assert_eq!(mistakes(issuer().status_list(named)), []);
}

#[test]
fn introspected_issuer_has_no_status_lists() {
    let issuer = Issuer::introspected("https://id.example.com/introspect")
        .identified_as("https://id.example.com")
        .client_authentication(portcullis::config::ClientAuthentication::basic("a", "b"))
        .status_list(StatusListCheck::new());
    assert_eq!(
        mistakes(issuer),
        [("status_list", ConfigMistakeKind::Conflict)]
    );
}
