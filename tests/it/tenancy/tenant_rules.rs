//! Mistakes in tenant rules, each beside its accepted twin.

use std::time::Duration;

use portcullis::tenant::{AccountId, ClientTenant, WorkspaceId};
use portcullis::{Issuer, ResourceServer, ResourceServerBuilder, TenantClaims};

use crate::support::API;

fn with(rules: TenantClaims) -> ResourceServerBuilder {
    let issuer = Issuer::rfc9068("https://id.example.com").tenant_claims(rules);
    ResourceServer::builder(API).issuer(issuer)
}

/// The mistake that `build()` finds in these rules; empty for none.
fn mistake(rules: TenantClaims) -> String {
    said(with(rules))
}

fn said(builder: ResourceServerBuilder) -> String {
    builder
        .build()
        .err()
        .map(|mistake| mistake.to_string())
        .unwrap_or_default()
}

fn aworld() -> TenantClaims {
    TenantClaims::aworld()
}

fn principals() -> TenantClaims {
    aworld().portal_client("portal")
}

fn alone() -> TenantClaims {
    TenantClaims::by_workspace("w").without_accounts()
}

fn tenant() -> ClientTenant {
    ClientTenant::workspace("w-1").account("a-1").context("app")
}

#[test]
fn the_reach_of_principals_has_one_source_and_somebody_who_has_it() {
    for good in [
        principals().principals_reach(["a-1"]),
        principals()
            .principals_reach(["a-1"])
            .principals_reach(["a-2"]),
        principals().principals_reach(Vec::<String>::new()),
        principals().principals_reach_claim("accounts"),
        principals().principals_reach_every_account(),
    ] {
        assert_eq!(mistake(good), "");
    }
    for (rules, words) in [
        (aworld().principals_reach(["a-1"]), "`portal_client(..)`"),
        (
            aworld().principals_reach_every_account(),
            "`portal_client(..)`",
        ),
        (principals().principals_reach([""]), "no id"),
        (principals().principals_reach(["a\n"]), "no id"),
        (principals().principals_reach_claim(""), "name the claim"),
        (
            principals()
                .principals_reach(["a-1"])
                .principals_reach_every_account(),
            "one source",
        ),
        (
            principals()
                .principals_reach_claim("x")
                .principals_reach_claim("y"),
            "one source",
        ),
        (
            principals()
                .without_accounts()
                .principals_reach_every_account(),
            "`without_accounts()`",
        ),
    ] {
        let said = mistake(rules);
        assert!(said.contains(words), "{said}");
        assert!(said.contains("tenant_claims"), "{said}");
    }
}

#[test]
fn delegation_needs_a_scope_and_a_field_of_its_own() {
    for good in [
        aworld().delegation(),
        aworld().delegation().delegation_header("X-Acting-For"),
        aworld().delegation().delegation_scope("act"),
        alone().delegation_scope("act").delegation(),
        // Off, it demands nothing.
        alone(),
    ] {
        assert_eq!(mistake(good), "");
    }
    for (rules, words) in [
        (alone().delegation(), "`delegation_scope(..)`"),
        (alone().delegation().delegation_scope(""), "scope token"),
        (alone().delegation().delegation_scope("a b"), "scope token"),
        (
            aworld().delegation().delegation_scope_in("portal", "x"),
            "`contexts(..)`",
        ),
        (
            alone().delegation().delegation_scope_in("app", "x"),
            "`contexts(..)`",
        ),
        (aworld().delegation_header("no field"), "field name"),
        (aworld().delegation_header(""), "field name"),
        (
            aworld().delegation_header("Authorization"),
            "another meaning",
        ),
        (aworld().delegation_header("cookie"), "another meaning"),
        (
            aworld().delegation_header("Accept-Language"),
            "another meaning",
        ),
        (aworld().delegation_header("user-agent"), "another meaning"),
        (
            aworld().delegation_header("x-acting-for"),
            "add `delegation()`",
        ),
        (alone().delegation_scope("act"), "add `delegation()`"),
    ] {
        let said = mistake(rules);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_client_in_the_map_has_a_whole_tenant() {
    for good in [
        aworld().client_tenant("c", tenant()),
        aworld()
            .client_tenant("c", tenant())
            .client_tenant("d", tenant()),
        alone().client_tenant("c", ClientTenant::workspace("w-1")),
    ] {
        assert_eq!(mistake(good), "");
    }
    for (rules, words) in [
        (aworld().client_tenant("", tenant()), "no id"),
        (
            aworld().client_tenant("c", ClientTenant::workspace("").account("a").context("app")),
            "no id",
        ),
        (
            aworld().client_tenant("c", ClientTenant::workspace("w").account("").context("app")),
            "no id",
        ),
        (
            aworld().client_tenant("c", ClientTenant::workspace("w").context("app")),
            "account exactly where",
        ),
        (
            alone().client_tenant("c", ClientTenant::workspace("w").account("a")),
            "account exactly where",
        ),
        (
            aworld().client_tenant("c", ClientTenant::workspace("w").account("a")),
            "context exactly where",
        ),
        (
            aworld().client_tenant(
                "c",
                ClientTenant::workspace("w").account("a").context("portal"),
            ),
            "context exactly where",
        ),
        (
            alone().client_tenant("c", ClientTenant::workspace("w").context("app")),
            "context exactly where",
        ),
        (
            aworld()
                .client_tenant("c", tenant())
                .client_tenant("c", tenant()),
            "twice",
        ),
        (principals().client_tenant("portal", tenant()), "both"),
    ] {
        let said = mistake(rules);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn an_issuer_limited_to_accounts_needs_somebody_who_knows_the_owners() {
    let limited = |accounts: &[&str]| aworld().only_accounts(accounts.iter().copied());
    let known = |rules| {
        said(
            with(rules).workspace_directory(portcullis::tenant::workspace_directory_fn(
                |_: WorkspaceId| async { Ok(Some(AccountId::new("a-1")?)) },
            )),
        )
    };
    assert_eq!(known(limited(&["a-1"])), "");
    assert_eq!(known(limited(&["a-1"]).client_tenant("c", tenant())), "");
    assert!(mistake(limited(&["a-1"])).contains("`workspace_directory(..)`"));
    for (rules, words) in [
        (limited(&[]), "names none"),
        (limited(&[""]), "no id"),
        (limited(&["a-1"]).without_accounts(), "`without_accounts()`"),
        (
            limited(&["a-2"]).client_tenant("c", tenant()),
            "`only_accounts(..)` does not",
        ),
    ] {
        let said = known(rules);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_group_pattern_names_one_workspace() {
    let by = |pattern: &str| TenantClaims::by_group("groups", pattern);
    assert_eq!(mistake(by("/tenants/{account}/{workspace}")), "");
    assert_eq!(mistake(by("/ws/{workspace}").without_accounts()), "");
    assert_eq!(mistake(by("/ws/{workspace}").account_claim("org")), "");
    for (rules, words) in [
        (by("").without_accounts(), "`{workspace}` once"),
        (by("/tenants").without_accounts(), "`{workspace}` once"),
        (
            by("{workspace}/{workspace}").without_accounts(),
            "`{workspace}` once",
        ),
        (
            by("ws-{workspace}").without_accounts(),
            "`{workspace}` once",
        ),
        (
            by("{account}/{workspace}").account_claim("org"),
            "the other setting",
        ),
        (
            by("{account}/{workspace}").without_accounts(),
            "the other setting",
        ),
        (by("{workspace}"), "`account_claim(..)`"),
        (
            TenantClaims::by_group("", "{workspace}").without_accounts(),
            "name the claim",
        ),
    ] {
        let said = mistake(rules);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn machines_by_claim_alone_need_the_claim_and_look_ups_a_sane_time() {
    assert_eq!(
        mistake(
            alone()
                .machine_claim("gty", "m2m")
                .machine_claim_suffices()
                .user_mark("sid")
        ),
        ""
    );
    assert!(mistake(alone().machine_claim_suffices()).contains("`machine_claim(..)`"));
    let unmarked = alone().machine_claim("gty", "m2m").machine_claim_suffices();
    assert!(mistake(unmarked).contains("`user_mark(..)`"));
    assert!(mistake(alone().user_mark("")).contains("name the claim"));
    for (millis, sound) in [(9, false), (10, true), (30_000, true), (30_001, false)] {
        let said = said(with(aworld()).lookup_timeout(Duration::from_millis(millis)));
        assert_eq!(said.is_empty(), sound, "{millis}: {said}");
    }
}

#[test]
fn contexts_are_stated_or_meant_and_not_both() {
    assert_eq!(mistake(alone().in_context("app")), "");
    assert_eq!(mistake(alone().in_every_context()), "");
    for (rules, words) in [
        (aworld().in_context("app"), "leave out"),
        (aworld().in_every_context(), "leave out"),
        (alone().in_context(""), "context's name is empty"),
    ] {
        let said = mistake(rules);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn tenants_that_share_their_rules_name_no_client_of_one() {
    let family = |tenants: &[&str], rules: TenantClaims| {
        let template = "https://login.example.com/{tenant}/v2.0";
        let issuer = Issuer::oidc_tenants(template, "tid", tenants.iter().copied())
            .key_set_url("https://login.example.com/keys")
            .tenant_claims(rules);
        said(ResourceServer::builder(API).issuer(issuer))
    };
    let mapped = || alone().client_tenant("c", ClientTenant::workspace("w-1"));
    assert_eq!(family(&["t-1", "t-2"], alone()), "");
    assert_eq!(family(&["t-1"], mapped()), "");
    for rules in [mapped(), principals()] {
        let said = family(&["t-1", "t-2"], rules);
        assert!(said.contains("issuers of their own"), "{said}");
    }
}

#[test]
fn clients_that_the_rules_name_are_enough_for_cognito() {
    let pool = |rules: TenantClaims| {
        let issuer = Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").tenant_claims(rules);
        said(ResourceServer::builder(API).issuer(issuer))
    };
    assert_eq!(pool(aworld().client_tenant("c", tenant())), "");
    assert_eq!(pool(principals()), "");
    assert!(pool(aworld()).contains("client_id"));
}
