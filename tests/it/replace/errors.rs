//! Replacements that are refused, and change nothing.

use std::time::Duration;

use portcullis::binding::{Binding, Dpop};
use portcullis::config::{KeySetCopies, SharedStore};
use portcullis::error::ReplaceError;
use portcullis::observe::{
    DecisionRecord, DecisionRecords, DecisionSink, Observer, QueueFull, RequestDecision, SinkError,
    SubjectIds,
};
use portcullis::revocation::revocation_loader_fn;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::UnixTime;
use portcullis::{ResourceServer, ResourceServerBuilder};

use super::with;
use crate::support::{Requests as _, TestApp, builder};

#[tokio::test]
async fn settings_with_a_mistake_change_nothing_and_say_where_it_is() {
    let issuer = MockIssuer::new();
    let server = builder(&issuer).build().expect("sound");
    let app = TestApp::new(&server);
    let token = issuer.token().sign();
    let sound = || issuer.trusted().client_id("web");
    for (wrong, setting) in [
        (with([]), "issuer"),
        (with([sound().leeway(Duration::from_secs(301))]), "leeway"),
        (with([sound(), sound()]), "issuer"),
        (with([sound().client_id("")]), "client_id"),
    ] {
        let error = server.replace(wrong).expect_err("a mistake");
        let ReplaceError::Invalid(mistake) = &error else {
            panic!("{error}");
        };
        assert_eq!(mistake.setting(), setting);
        assert_eq!(error.to_string(), mistake.to_string());
        assert_eq!(server.revision(), 1);
        assert_eq!(app.verdict(&token).await, "200");
    }
    server.replace(with([sound()])).expect("the accepted twin");
    assert_eq!(server.revision(), 2);
    assert_eq!(app.verdict(&token).await, "401 invalid_token client_id");
}

/// A setting of the server, and a value that is not the default.
type Setting = (
    &'static str,
    fn(ResourceServerBuilder) -> ResourceServerBuilder,
);

const STAYING: [Setting; 20] = [
    ("resource", |builder| {
        builder.resource("https://two.example/two")
    }),
    ("max_token_bytes", |builder| builder.max_token_bytes(4096)),
    ("resource_metadata", |builder| {
        builder.resource_metadata("https://docs.example/metadata")
    }),
    ("earliest_time", |builder| {
        builder.earliest_time(UnixTime::from_secs(0))
    }),
    (
        "without_token_cache",
        ResourceServerBuilder::without_token_cache,
    ),
    ("token_cache_entries", |builder| {
        builder.token_cache_entries(5)
    }),
    ("token_cache_bytes", |builder| {
        builder.token_cache_bytes(2 << 20)
    }),
    ("token_cache_life", |builder| {
        builder.token_cache_life(Duration::from_secs(5))
    }),
    ("lookup_timeout", |builder| {
        builder.lookup_timeout(Duration::from_secs(1))
    }),
    ("workspace_parameter", |builder| {
        builder.workspace_parameter("w")
    }),
    ("account_parameter", |builder| {
        builder.account_parameter("a")
    }),
    ("most_revocations", |builder| builder.most_revocations(5)),
    (
        "show_unknown_issuers",
        ResourceServerBuilder::show_unknown_issuers,
    ),
    ("log_callers", ResourceServerBuilder::log_callers),
    ("dpop", |builder| builder.dpop(Dpop::accepted())),
    ("require_binding", |builder| {
        builder.require_binding(Binding::Dpop)
    }),
    ("key_set_copies", |builder| {
        let key = *b"0123456789abcdef0123456789abcdef";
        builder.key_set_copies(KeySetCopies::in_folder("/var/lib/api").sealing_key(key))
    }),
    ("decision_records", |builder| {
        builder.decision_records(DecisionRecords::new())
    }),
    ("decision_records", |builder| {
        let records = DecisionRecords::new().subject_ids(SubjectIds::Fingerprint);
        let records = records.fingerprint_key([7; 32]).queue_capacity(5);
        builder.decision_records(records.when_queue_is_full(QueueFull::Refuse))
    }),
    ("public_origin", |builder| {
        builder.public_origin("https://public.example")
    }),
];

#[test]
fn settings_of_the_server_stay_and_each_that_differs_is_named() {
    let issuer = MockIssuer::new();
    for (setting, set) in STAYING {
        let server = builder(&issuer).build().expect("sound");
        let error = server.replace(set(builder(&issuer)));
        let error = error.expect_err("another value");
        let ReplaceError::NotReplaceable { settings, .. } = &error else {
            panic!("{error}");
        };
        assert!(settings.contains(&setting), "{setting}: {settings:?}");
        assert_eq!(server.revision(), 1);
        let server = set(builder(&issuer)).build().expect("sound");
        let same = server.replace(set(builder(&issuer)));
        assert!(same.expect("the accepted twin").is_empty(), "{setting}");
    }
}

#[test]
fn secrets_of_the_server_are_compared_and_not_shown() {
    let issuer = MockIssuer::new();
    let store = |key: u8| {
        let mut bytes = [7; 32];
        bytes[0] = key;
        let store = SharedStore::redis("redis://:pass-word@127.0.0.1:1").cluster_key(bytes);
        builder(&issuer).shared_store(store)
    };
    let server = store(1).build().expect("sound");
    let error = server.replace(store(2)).expect_err("another key");
    assert!(error.to_string().contains("`shared_store`"), "{error}");
    assert!(!format!("{error} {error:?}").contains("pass-word"));
    server.replace(store(1)).expect("the same key");
    let mut bytes = [7; 32];
    bytes[0] = 1;
    let changing = SharedStore::redis("redis://:pass-word@127.0.0.1:1").cluster_key(bytes);
    bytes[0] = 2;
    let changing = builder(&issuer).shared_store(changing.previous_cluster_key(bytes));
    let error = server.replace(changing).expect_err("a second key");
    assert!(error.to_string().contains("`shared_store`"), "{error}");
}

struct Ignores;

impl Observer for Ignores {
    fn decided(&self, _: &RequestDecision<'_>) {}
}

impl DecisionSink for Ignores {
    async fn record(&self, _: DecisionRecord) -> Result<(), SinkError> {
        Ok(())
    }
}

#[test]
fn decision_records_are_compared_but_for_their_sink() {
    let issuer = MockIssuer::new();
    let records = DecisionRecords::new;
    let key = |byte| records().fingerprint_key([byte; 32]);
    let with = |records| builder(&issuer).decision_records(records);
    let differs = |server: &ResourceServer, other: DecisionRecords| {
        let error = server.replace(with(other)).expect_err("other records");
        let ReplaceError::NotReplaceable { settings, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(settings, &["decision_records"]);
    };
    // As from a file, and the sink from code.
    let server = with(key(7)).decision_sink(Ignores).build().expect("sound");
    for other in [
        records(),
        key(8),
        key(7).subject_ids(SubjectIds::Omitted),
        key(7).queue_capacity(5),
        key(7).when_queue_is_full(QueueFull::Refuse),
    ] {
        differs(&server, other);
    }
    let error = server.replace(builder(&issuer)).expect_err("no records");
    assert!(error.to_string().contains("`decision_records`"), "{error}");
    assert_eq!(server.revision(), 1);
    let text = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let same = records().fingerprint_key_base64(text);
    server.replace(with(same)).expect("the same key");
    assert!(
        server.decision_records_status().is_some(),
        "the sink is kept"
    );
    // All of it is code.
    let server = with(key(7).sink(Ignores)).build().expect("sound");
    server.replace(builder(&issuer)).expect("left out");
    differs(&server, key(7));
}

#[test]
fn code_stays_that_of_the_running_server() {
    let issuer = MockIssuer::new();
    let server = builder(&issuer)
        .clock(ManualClock::new())
        .check(|_| Ok(()))
        .build()
        .expect("sound");
    let given: [Setting; 6] = [
        ("observer", |builder| builder.observer(Ignores)),
        ("decision_records", |builder| {
            builder.decision_records(DecisionRecords::new().sink(Ignores))
        }),
        ("decision_sink", |builder| builder.decision_sink(Ignores)),
        ("clock", |builder| builder.clock(ManualClock::new())),
        ("check", |builder| builder.check(|_| Ok(()))),
        ("load_revocations", |builder| {
            builder.load_revocations(revocation_loader_fn(|_| async { Ok(()) }))
        }),
    ];
    for (setting, set) in given {
        let error = server.replace(set(builder(&issuer))).expect_err("code");
        let ReplaceError::CodeGiven { settings, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(settings, &[setting]);
        let expected = format!("`{setting}`: the running server keeps its own");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    let both = builder(&issuer)
        .observer(Ignores)
        .decision_records(DecisionRecords::new().sink(Ignores));
    let error = server.replace(both).expect_err("code").to_string();
    assert!(
        error.starts_with("`observer`, `decision_records`: ") && error.contains("leave them out"),
        "{error}"
    );
    server.replace(builder(&issuer)).expect("without code");
}
