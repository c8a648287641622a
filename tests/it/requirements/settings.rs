//! Mistakes in scope hierarchies and in the claim of the context class: `build()` names them.

use portcullis::config::ScopeHierarchy;
use portcullis::{Issuer, ResourceServer, ResourceServerBuilder};

use crate::support::API;

fn rules(rules: &[(&str, &str)]) -> ScopeHierarchy {
    let none = ScopeHierarchy::new();
    rules.iter().fold(none, |all, (wider, narrower)| {
        all.implies(*wider, *narrower)
    })
}

fn issuer() -> Issuer {
    Issuer::oidc("https://id.example.com")
}

fn builder() -> ResourceServerBuilder {
    ResourceServer::builder(API)
}

/// The mistake that `build()` finds; empty for none.
fn mistake(builder: ResourceServerBuilder) -> String {
    let error = builder.build().err();
    error.map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn hierarchies_without_a_cycle_are_sound() {
    for hierarchy in [
        rules(&[]),
        rules(&[("a", "b")]),
        rules(&[("a", "b c"), ("b", "d"), ("c", "d")]),
        rules(&[("a", "b"), ("a", "b"), ("a", "c")]),
        rules(&[(
            "https://api.example.com/all",
            "https://api.example.com/read",
        )]),
        (0..2047).fold(ScopeHierarchy::new(), |all, step| {
            all.implies(format!("s{step}"), format!("s{}", step + 1))
        }),
    ] {
        let at_server = builder()
            .issuer(issuer())
            .scope_hierarchy(hierarchy.clone());
        assert_eq!(mistake(at_server), "");
        let at_issuer = builder().issuer(issuer().scope_hierarchy(hierarchy));
        assert_eq!(mistake(at_issuer), "");
    }
}

#[test]
fn cycle_is_named_in_full_whatever_its_length_and_wherever_its_rules_stand() {
    let many = (0..100).fold(ScopeHierarchy::new(), |all, step| {
        all.implies(format!("s{step}"), format!("s{}", (step + 1) % 100))
    });
    for (hierarchy, words) in [
        (rules(&[("a", "a")]), "a -> a;"),
        (rules(&[("a", "b"), ("b", "a")]), "a -> b -> a;"),
        (
            rules(&[("x", "a"), ("a", "b c"), ("c", "a")]),
            "a -> c -> a;",
        ),
        (many, "s97 -> s98 -> s99 -> s0;"),
    ] {
        let said = mistake(
            builder()
                .issuer(issuer())
                .scope_hierarchy(hierarchy.clone()),
        );
        assert!(
            said.contains("`scope_hierarchy`") && said.contains(words),
            "{said}"
        );
        let said = mistake(builder().issuer(issuer().scope_hierarchy(hierarchy)));
        assert!(
            said.contains("`scope_hierarchy`") && said.contains(words),
            "{said}"
        );
        assert!(said.contains("https://id.example.com"), "{said}");
    }
    // One half at the server, the other at one of two issuers.
    let halves = builder()
        .scope_hierarchy(rules(&[("a", "b")]))
        .issuer(Issuer::oidc("https://good.example.com").scope_hierarchy(rules(&[("b", "c")])))
        .issuer(issuer().scope_hierarchy(rules(&[("b", "a")])));
    let said = mistake(halves);
    assert!(said.contains("a -> b -> a"), "{said}");
    assert!(said.contains("https://id.example.com"), "{said}");
    assert!(!said.contains("good.example.com"), "{said}");
}

#[test]
fn malformed_names_and_too_many_scopes_are_refused() {
    let beyond = (0..2048).fold(ScopeHierarchy::new(), |all, step| {
        all.implies(format!("s{step}"), format!("s{}", step + 1))
    });
    for (hierarchy, words) in [
        (rules(&[("a b", "c")]), "`a b`"),
        (rules(&[("", "c")]), "``"),
        (rules(&[("a", "")]), "``"),
        (rules(&[("a", " b")]), "``"),
        (rules(&[("a", "b  c")]), "``"),
        (rules(&[("a", "b\"c")]), "is not a scope token"),
        (rules(&[("a", "b\nc")]), "is not a scope token"),
        (rules(&[("ä", "b")]), "is not a scope token"),
        (beyond, "more than 2048 scopes"),
    ] {
        let said = mistake(
            builder()
                .issuer(issuer())
                .scope_hierarchy(hierarchy.clone()),
        );
        assert!(
            said.contains("`scope_hierarchy`") && said.contains(words),
            "{said}"
        );
        assert!(!said.contains('\n'), "{said}");
        let said = mistake(builder().issuer(issuer().scope_hierarchy(hierarchy)));
        assert!(
            said.contains("https://id.example.com") && said.contains(words),
            "{said}"
        );
    }
}

#[test]
fn claim_of_the_context_class_has_a_name_and_one_value() {
    let with = |issuer: Issuer| mistake(builder().issuer(issuer));
    assert_eq!(with(issuer().acr_claim("acrs")), "");
    assert_eq!(with(issuer().acr_claim("acrs").acr_claim("acrs")), "");
    for wrong in [
        issuer().acr_claim(""),
        issuer().acr_claim("acrs").acr_claim("acr"),
    ] {
        let said = with(wrong);
        assert!(said.contains("acr_claim"), "{said}");
    }
}
