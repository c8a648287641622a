//! Records of decisions: what stands in them, where they go, and what happens when the sink is slow.

use std::sync::{Arc, Mutex};

use axum::routing::get;
use portcullis::binding::Binding;
use portcullis::observe::{
    DecisionOutcome, DecisionRecord, DecisionRecords, DecisionSink, DecisionStage, QueueFull,
    SinkError, SubjectIds,
};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, ResourceServer, Scoped, TenantClaims};
use tokio::sync::Semaphore;

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp, builder};

portcullis::scopes! { Write = "missions/write"; }

/// Keeps the records; each takes a permit.
#[derive(Clone)]
struct Kept(Arc<Mutex<Vec<DecisionRecord>>>, Arc<Semaphore>);

impl Kept {
    fn at_once() -> Self {
        Self::with(Semaphore::MAX_PERMITS)
    }

    fn with(permits: usize) -> Self {
        Self(Arc::default(), Arc::new(Semaphore::new(permits)))
    }

    fn take(&self) -> Vec<DecisionRecord> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl DecisionSink for Kept {
    async fn record(&self, record: DecisionRecord) -> Result<(), SinkError> {
        self.1.acquire().await?.forget();
        assert!(record.token_id() != Some("panics"), "the sink panics");
        if record.token_id() == Some("fails") {
            return Err("the disk is full".into());
        }
        self.0.lock().expect("no panic").push(record);
        Ok(())
    }
}

fn recording(issuer: &MockIssuer, records: DecisionRecords) -> ResourceServer {
    let server = builder(issuer).decision_records(records).build();
    server.expect("sound settings")
}

#[tokio::test]
async fn decision_record_says_who_did_what_and_why_not() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let kept = Kept::at_once();
    let rules = TenantClaims::by_workspace("workspace").account_claim("account");
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .clock(clock.clone())
        .decision_records(DecisionRecords::new().sink(kept.clone()))
        .build()
        .expect("sound settings");
    let app = TestApp::behind(server.authenticate())
        .route("/", get(async |_: AccessToken| {}))
        .route("/scope", get(async |_: Scoped<Write>| {}));
    let token = issuer
        .token()
        .subject("user-1")
        .client("client-1")
        .claim("workspace", "acme-prod")
        .claim("account", "acme")
        .claim("email", "secret@example.com")
        .claim("jti", "token-1")
        .scope("missions/read")
        .actor("agent-1")
        .sign();
    assert_eq!(app.verdict(&token).await, "200");
    let refused = app.get("/scope", &token).await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");
    server.flush_decision_records().await;
    let records = kept.take();
    let [admitted, refused] = &records[..] else {
        panic!("two records: {records:?}");
    };
    assert_eq!(admitted.outcome(), DecisionOutcome::Admitted);
    assert_eq!(admitted.stage(), DecisionStage::Layer);
    assert!(admitted.check_micros().is_some() && refused.check_micros().is_none());
    let common = serde_json::json!({
        "time": clock.now().as_secs(),
        "resource": API,
        "revision": 1,
        "issuer": issuer.issuer(),
        "caller": "user",
        "subject": "user-1",
        "client": "client-1",
        "actor": "agent-1",
        "actor_issuer": issuer.issuer(),
        "account": "acme",
        "workspace": "acme-prod",
        "token_id": "token-1",
    });
    let with = |members: serde_json::Value| {
        let (mut all, members) = (common.clone(), members);
        let more = members.as_object().cloned().unwrap_or_default();
        all.as_object_mut().expect("an object").extend(more);
        all
    };
    let json = serde_json::to_value(refused).expect("plain data");
    assert_eq!(
        json,
        with(serde_json::json!({
            "outcome": "refused",
            "stage": "guard",
            "kind": "insufficient_scope",
            "claim": "scope",
            "problem": "differs",
            "setting": "scope_claim",
            "expected": "missions/write",
            "found": "missions/read",
        }))
    );
    let mut json = serde_json::to_value(admitted).expect("plain data");
    let time = json
        .as_object_mut()
        .expect("an object")
        .remove("check_micros");
    assert!(time.is_some_and(|micros| micros.is_u64()));
    assert_eq!(
        json,
        with(serde_json::json!({ "outcome": "admitted", "stage": "layer" }))
    );
    let all = format!("{records:?}");
    assert!(!all.contains("secret@") && !all.contains(&token), "{all}");
}

#[tokio::test]
async fn decision_record_is_one_event_for_each_request_with_names_escaped() {
    let issuer = MockIssuer::new();
    let app = |records| TestApp::new(&recording(&issuer, records));
    let lines = async |app: &TestApp, token: &str| {
        let logs = Logs::default();
        let listening = logs.listen();
        let _ = app.verdict(token).await;
        drop(listening);
        let text = logs.text();
        assert!(!text.contains(token), "no token: {text}");
        let lines = text
            .lines()
            .filter(|line| line.contains("message=request decided"));
        lines.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let plain = app(DecisionRecords::new());
    let token = issuer.token().subject("a\nb").claim("jti", "id-1");
    let [line] = &lines(&plain, &token.sign()).await[..] else {
        panic!("one line");
    };
    for field in [
        "outcome=admitted ",
        "subject=a\\nb ",
        "token_id=id-1 ",
        "revision=1 ",
    ] {
        assert!(line.contains(field), "{field}: {line}");
    }
    let [line] = &lines(&plain, &token.clone().expired().sign()).await[..] else {
        panic!("one line");
    };
    for field in [
        "outcome=refused ",
        "kind=invalid_token ",
        "fault=expired ",
        "token_fingerprint=",
    ] {
        assert!(line.contains(field), "{field}: {line}");
    }
    assert!(
        !line.contains("id-1"),
        "no claim of a refused token: {line}"
    );
    let private = app(DecisionRecords::new().subject_ids(SubjectIds::Omitted));
    let [line] = &lines(&private, &token.sign()).await[..] else {
        panic!("one line");
    };
    assert!(
        line.contains("outcome=admitted ") && !line.contains("subject="),
        "{line}"
    );
    // Without the setting there is none.
    let silent = TestApp::new(&builder(&issuer).build().expect("sound settings"));
    assert_eq!(lines(&silent, &token.sign()).await, [""; 0]);
}

#[tokio::test]
async fn decision_record_is_an_event_with_the_names_of_tenants_escaped() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("workspace").account_claim("account");
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .decision_records(DecisionRecords::new())
        .build()
        .expect("sound settings");
    let app = TestApp::new(&server);
    for (id, shown) in [("acme", "acme"), ("a\u{202e}\"b", "a\\u{202e}\\\"b")] {
        let token = issuer.token().claim("workspace", id).claim("account", id);
        let logs = Logs::default();
        let listening = logs.listen();
        assert_eq!(app.verdict(&token.sign()).await, "200");
        drop(listening);
        let text = logs.text();
        for field in ["account", "workspace"] {
            let field = format!("{field}={shown} ");
            assert!(text.contains(&field), "{field}: {text}");
        }
    }
}

#[tokio::test]
async fn decision_record_has_fingerprints_that_are_equal_under_one_key() {
    let issuer = MockIssuer::new();
    let token = issuer.token().subject("user-1").without("jti").sign();
    let other = issuer
        .token()
        .subject("user-1")
        .without("jti")
        .claim("n", 2)
        .sign();
    let tampered = issuer.token().tampered_signature();
    let mut seen = Vec::new();
    for key in [[1; 32], [1; 32], [2; 32]] {
        let kept = Kept::at_once();
        let records = DecisionRecords::new()
            .sink(kept.clone())
            .subject_ids(SubjectIds::Fingerprint)
            .fingerprint_key(key);
        let server = recording(&issuer, records);
        let app = TestApp::new(&server);
        for token in [&token, &token, &other] {
            assert_eq!(app.verdict(token).await, "200");
        }
        assert!(app.verdict(&tampered).await.starts_with("401 "));
        server.flush_decision_records().await;
        let records = kept.take();
        let tokens: Vec<String> = records
            .iter()
            .map(|record| record.token_fingerprint().unwrap_or_default().to_owned())
            .collect();
        assert!(tokens.iter().all(|print| print.len() == 32), "{tokens:?}");
        assert_eq!(tokens[0], tokens[1]);
        assert!(tokens[0] != tokens[2] && tokens[0] != tokens[3]);
        let subject = records[0].subject().unwrap_or_default().to_owned();
        assert_eq!(Some(&*subject), records[2].subject());
        assert!(subject.len() == 32 && subject != tokens[0]);
        assert_eq!(records[3].subject(), None);
        seen.push((tokens, subject));
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].0[0] != seen[2].0[0] && seen[0].1 != seen[2].1);
}

#[tokio::test]
async fn decision_records_are_dropped_and_counted_while_the_sink_is_slow() {
    let issuer = MockIssuer::new();
    let kept = Kept::with(0);
    let records = DecisionRecords::new().sink(kept.clone()).queue_capacity(2);
    let server = recording(&issuer, records);
    let app = TestApp::new(&server);
    let token = issuer.token().sign();
    for _ in 0..2 {
        assert_eq!(app.verdict(&token).await, "200");
    }
    // The task has one record in hand, so that its place in the queue is free.
    tokio::task::yield_now().await;
    for _ in 0..5 {
        assert_eq!(app.verdict(&token).await, "200");
    }
    let status = server.decision_records_status().expect("a sink");
    assert_eq!((status.capacity(), status.written()), (2, 0));
    let dropped = status.dropped();
    assert!((3..=5).contains(&dropped), "{status:?}");
    kept.1.add_permits(100);
    server.flush_decision_records().await;
    let status = server.decision_records_status().expect("a sink");
    assert_eq!((status.written(), status.queued()), (7 - dropped, 0));
    assert_eq!(kept.take().len() as u64, 7 - dropped);
}

#[tokio::test]
async fn decision_records_without_a_place_keep_requests_out_where_the_setting_says_so() {
    let issuer = MockIssuer::new();
    let kept = Kept::with(0);
    let records = DecisionRecords::new()
        .sink(kept.clone())
        .queue_capacity(1)
        .when_queue_is_full(QueueFull::Refuse);
    let server = recording(&issuer, records);
    let handled = Arc::new(Mutex::new(0_u64));
    let count = Arc::clone(&handled);
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(async move || *count.lock().expect("no panic") += 1),
    );
    let token = issuer.token().sign();
    let mut verdicts = Vec::new();
    for _ in 0..6 {
        verdicts.push(app.verdict(&token).await);
        tokio::task::yield_now().await;
    }
    // One record in the task's hand, one in the queue.
    assert_eq!(verdicts[0], "200");
    assert_eq!(verdicts[5], "503 unavailable record_queue_full");
    let admitted = verdicts.iter().filter(|verdict| *verdict == "200").count() as u64;
    assert_eq!(*handled.lock().expect("no panic"), admitted);
    kept.1.add_permits(100);
    server.flush_decision_records().await;
    assert_eq!(app.verdict(&token).await, "200");
    server.flush_decision_records().await;
    let records = kept.take();
    let outcome = DecisionOutcome::Admitted;
    let recorded = records.iter().filter(|record| record.outcome() == outcome);
    assert_eq!(recorded.count() as u64, admitted + 1, "each has its record");
}

#[tokio::test]
async fn decision_records_of_strangers_displace_none_of_callers() {
    for full in [QueueFull::Refuse, QueueFull::DropNewest] {
        let issuer = MockIssuer::new();
        let kept = Kept::with(0);
        let records = DecisionRecords::new()
            .sink(kept.clone())
            .queue_capacity(8)
            .when_queue_is_full(full);
        let server = recording(&issuer, records);
        let app = TestApp::new(&server);
        let (good, bad) = (issuer.token().sign(), issuer.token().tampered_signature());
        for _ in 0..40 {
            assert_eq!(app.verdict(&bad).await, "401 invalid_token signature");
            tokio::task::yield_now().await;
        }
        for _ in 0..4 {
            assert_eq!(app.verdict(&good).await, "200", "{full:?}");
        }
        kept.1.add_permits(100);
        server.flush_decision_records().await;
        let records = kept.take();
        let of = |outcome| records.iter().filter(|it| it.outcome() == outcome).count();
        assert_eq!(of(DecisionOutcome::Admitted), 4, "{full:?}");
        let refused = of(DecisionOutcome::Refused);
        assert!((4..=5).contains(&refused), "{full:?}: {refused}");
        let status = server.decision_records_status().expect("a sink");
        assert_eq!(status.dropped(), 40 - refused as u64);
    }
}

#[tokio::test]
async fn decision_records_of_nested_layers_take_one_place_in_the_queue() {
    let issuer = MockIssuer::new();
    let kept = Kept::at_once();
    let records = DecisionRecords::new()
        .sink(kept.clone())
        .queue_capacity(1)
        .when_queue_is_full(QueueFull::Refuse);
    let server = recording(&issuer, records);
    let inner = server.authenticate();
    let stricter = server.authenticate().require_binding(Binding::Dpop);
    let app = TestApp::behind(server.authenticate())
        .route("/alone", get(async |_: AccessToken| {}))
        .route("/", get(async |_: AccessToken| {}).route_layer(inner))
        .route("/bound", get(async || {}).route_layer(stricter));
    let token = issuer.token().sign();
    for (path, verdict, outcome) in [
        ("/alone", "200", DecisionOutcome::Admitted),
        ("/", "200", DecisionOutcome::Admitted),
        // The record of a refusal has the place that the outer layer has taken.
        (
            "/bound",
            "401 invalid_token binding",
            DecisionOutcome::Refused,
        ),
    ] {
        assert_eq!(app.get(path, &token).await.verdict(), verdict, "{path}");
        server.flush_decision_records().await;
        let [record] = &kept.take()[..] else {
            panic!("one record of {path}");
        };
        assert_eq!(record.outcome(), outcome, "{path}");
    }
    let status = server.decision_records_status().expect("a sink");
    assert_eq!((status.dropped(), status.queued()), (0, 0));
}

#[tokio::test]
async fn decision_records_go_on_after_an_error_and_a_panic_of_the_sink() {
    let issuer = MockIssuer::new();
    let kept = Kept::at_once();
    let server = recording(&issuer, DecisionRecords::new().sink(kept.clone()));
    let app = TestApp::new(&server);
    let logs = Logs::default();
    let listening = logs.listen();
    for id in ["fails", "panics", "good"] {
        let token = issuer.token().claim("jti", id).sign();
        assert_eq!(app.verdict(&token).await, "200", "{id}");
    }
    server.flush_decision_records().await;
    drop(listening);
    let status = server.decision_records_status().expect("a sink");
    assert_eq!((status.written(), status.failed()), (1, 2));
    assert_eq!(kept.take()[0].token_id(), Some("good"));
    assert!(
        logs.text().contains("error=the disk is full"),
        "{}",
        logs.text()
    );
}

#[test]
fn decision_records_settings_have_bounds() {
    let issuer = MockIssuer::new();
    let mistake = |records| {
        let mistake = builder(&issuer).decision_records(records).build();
        mistake.err().map(|mistake| mistake.setting())
    };
    let new = DecisionRecords::new;
    for (records, setting) in [
        (new().queue_capacity(0), Some("queue_capacity")),
        (new().queue_capacity(1), None),
        (new().queue_capacity(1_000_000), None),
        (new().queue_capacity(1_000_001), Some("queue_capacity")),
        (new().fingerprint_key([0; 32]), Some("fingerprint_key")),
        (new().fingerprint_key([7; 32]), None),
        (
            new().fingerprint_key_base64("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
            None,
        ),
        (
            new().fingerprint_key_base64("BwcHBwc="),
            Some("fingerprint_key"),
        ),
        (
            new().fingerprint_key_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            Some("fingerprint_key"),
        ),
        (
            new()
                .subject_ids(SubjectIds::Plain)
                .subject_ids(SubjectIds::Omitted),
            Some("subject_ids"),
        ),
        (
            new()
                .subject_ids(SubjectIds::Plain)
                .subject_ids(SubjectIds::Plain),
            None,
        ),
    ] {
        assert_eq!(mistake(records), setting);
    }
    let twice = builder(&issuer)
        .decision_records(new())
        .decision_records(new());
    let twice = twice.build().expect_err("given twice");
    assert_eq!(twice.setting(), "decision_records");
    // A sink needs records, and there is one.
    let kept = Kept::at_once();
    let alone = builder(&issuer).decision_sink(kept.clone()).build();
    assert_eq!(alone.expect_err("no records").setting(), "decision_sink");
    let two = builder(&issuer)
        .decision_records(new().sink(kept.clone()))
        .decision_sink(kept.clone());
    let two = two.build().expect_err("two sinks");
    assert_eq!(two.setting(), "decision_sink");
    let one = builder(&issuer).decision_records(new()).decision_sink(kept);
    assert!(one.build().is_ok());
}
