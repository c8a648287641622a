//! What a replacement says of itself.

use std::time::Duration;

use portcullis::test_util::MockIssuer;
use portcullis::{Issuer, TenantClaims};

use super::with;
use crate::support::logs::Logs;
use crate::support::trusting;

const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";

#[test]
fn a_report_names_what_was_added_removed_and_changed_and_the_revision() {
    let mocks = [ONE, TWO, "https://three.example"].map(MockIssuer::named);
    let [one, two, three] = &mocks;
    let server = trusting([one.trusted(), two.trusted()]);
    assert_eq!(server.revision(), 1);
    let logs = Logs::default();
    let listening = logs.listen();
    let changed = one
        .trusted()
        .leeway(Duration::from_secs(5))
        .client_id("web");
    let report = server.replace(with([three.trusted(), changed]));
    let report = report.expect("sound");
    drop(listening);
    assert_eq!(report.revision(), 2);
    assert_eq!(
        report.added().collect::<Vec<_>>(),
        ["https://three.example"]
    );
    assert_eq!(report.removed().collect::<Vec<_>>(), [TWO]);
    assert_eq!(report.unchanged().count(), 0);
    let [change] = report.changed() else {
        panic!("{report}");
    };
    assert_eq!(change.issuer(), ONE);
    assert_eq!(change.settings(), ["client_id", "leeway"]);
    let line = "revision 2: added https://three.example; removed https://two.example; changed https://one.example (client_id, leeway); 0 unchanged";
    assert_eq!(report.to_string(), line);
    let logged = logs.text();
    assert!(logged.contains("configuration replaced"), "{logged}");
    assert!(logged.contains(line), "{logged}");
    let again = server.replace(with([
        three.trusted(),
        one.trusted()
            .leeway(Duration::from_secs(5))
            .client_id("web"),
    ]));
    let again = again.expect("sound");
    assert!(again.is_empty() && !report.is_empty());
    assert_eq!(again.unchanged().count(), 2);
    assert_eq!((again.revision(), server.revision()), (3, 3));
}

/// A setting of an issuer, and a value that differs from the default.
type Setting = (&'static str, fn(Issuer) -> Issuer);

#[test]
fn each_setting_of_an_issuer_that_differs_is_named_and_it_alone() {
    use portcullis::config::StatusListCheck;
    let settings: Vec<Setting> = vec![
        ("also_named", |issuer| {
            issuer.also_named("https://alias.example")
        }),
        ("audience", |issuer| issuer.audience("https://a.example")),
        ("audience_claim", |issuer| {
            issuer.audience_claim("audiences")
        }),
        ("client_id", |issuer| issuer.client_id("web")),
        ("accept_type", |issuer| issuer.accept_type("jwt+own")),
        ("require_claim", |issuer| {
            issuer.require_claim("env", "prod")
        }),
        ("require_header", |issuer| issuer.require_header("x", "y")),
        ("scope_claim", |issuer| issuer.scope_claim("scp")),
        ("roles_claim", |issuer| issuer.roles_claim("r")),
        ("groups_claim", |issuer| issuer.groups_claim("g")),
        ("lone_roles_and_groups", Issuer::lone_roles_and_groups),
        ("acr_claim", |issuer| issuer.acr_claim("level")),
        ("subject_claim", |issuer| issuer.subject_claim("oid")),
        ("client_id_claim", |issuer| issuer.client_id_claim("appid")),
        ("leeway", |issuer| issuer.leeway(Duration::from_secs(1))),
        ("longest_token_life", |issuer| {
            issuer.longest_token_life(Duration::from_secs(600))
        }),
        ("logout_client", |issuer| issuer.logout_client("web")),
        ("tenant_claims", |issuer| {
            issuer.tenant_claims(TenantClaims::by_workspace("w").without_accounts())
        }),
        ("session_claim", |issuer| issuer.session_claim("session")),
        ("max_staleness", |issuer| {
            issuer.max_staleness(Duration::from_secs(7200))
        }),
        ("refresh_interval", |issuer| {
            issuer.refresh_interval(Duration::from_secs(120))
        }),
        ("unknown_key_cooldown", |issuer| {
            issuer.unknown_key_cooldown(Duration::from_secs(5))
        }),
        ("most_keys", |issuer| issuer.most_keys(7)),
        ("key_set_bytes", |issuer| issuer.key_set_bytes(65_536)),
        ("userinfo", |issuer| {
            issuer.userinfo("https://one.example/me")
        }),
        ("status_list", |issuer| {
            issuer.status_list(StatusListCheck::new())
        }),
        ("proxy_from_environment", Issuer::proxy_from_environment),
        ("accept_any_audience", |issuer| {
            issuer.danger().accept_any_audience()
        }),
        ("plain_http", |issuer| issuer.danger().plain_http()),
    ];
    let mock = MockIssuer::named(ONE);
    for (setting, set) in settings {
        let server = trusting([mock.trusted()]);
        let report = server.replace(with([set(mock.trusted())]));
        let report = report.expect(setting);
        let [change] = report.changed() else {
            panic!("{setting}: {report}");
        };
        assert_eq!(change.settings(), [setting]);
        let same = server.replace(with([set(mock.trusted())]));
        assert!(same.expect(setting).is_empty(), "{setting}");
    }
}

#[test]
fn rules_of_the_server_for_scopes_belong_to_each_issuer() {
    let mock = MockIssuer::named(ONE);
    let server = trusting([mock.trusted()]);
    let hierarchy = || portcullis::config::ScopeHierarchy::new().implies("write", "read");
    let report = server.replace(with([mock.trusted()]).scope_hierarchy(hierarchy()));
    let report = report.expect("sound");
    assert_eq!(report.changed()[0].settings(), ["scope_hierarchy"]);
    let own = server.replace(with([mock.trusted().scope_hierarchy(hierarchy())]));
    assert!(own.expect("sound").is_empty(), "the same closure");
}
