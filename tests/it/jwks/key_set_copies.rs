//! Stored copies of key sets: starts while the issuer is down.

use std::fs;
use std::time::Duration;

use portcullis::config::KeySetCopies;
use portcullis::status::KeySetState;
use portcullis::test_util::{Fault, ManualClock, MockIssuer, ServedIssuer};
use portcullis::{Issuer, ResourceServer, ResourceServerBuilder};

use crate::support::folder::Folder;
use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp};

const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
const HOUR: Duration = Duration::from_secs(3600);

/// An issuer, and a folder for copies of its keys.
struct Site {
    issuer: MockIssuer,
    served: ServedIssuer,
    clock: ManualClock,
    folder: Folder,
}

impl Site {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_clock(clock.clone());
        Self {
            served: issuer.serve().await,
            issuer,
            clock,
            folder: Folder::new(),
        }
    }

    fn copies(&self) -> KeySetCopies {
        KeySetCopies::in_folder(self.folder.path()).sealing_key(KEY)
    }

    fn trusted(&self) -> Issuer {
        Issuer::oidc(self.served.url()).key_set_url(self.served.key_set_url())
    }

    fn builder(&self, issuer: Issuer) -> ResourceServerBuilder {
        ResourceServer::builder(API)
            .issuer(issuer)
            .clock(self.clock.clone())
    }

    /// A new instance.
    async fn start(&self, builder: ResourceServerBuilder) -> (ResourceServer, TestApp) {
        let server = builder.build().expect("sound settings");
        let server = server.connect().await.expect("a runtime");
        let app = TestApp::new(&server).public("/ready", server.readiness());
        (server, app)
    }

    /// A new instance that keeps copies.
    async fn start_with_copies(&self) -> (ResourceServer, TestApp) {
        let builder = self.builder(self.trusted()).key_set_copies(self.copies());
        self.start(builder).await
    }

    /// An instance fetches the keys, writes a copy and ends; then the issuer is down.
    async fn copied_and_down(&self) {
        let (server, app) = self.start_with_copies().await;
        // The second fetch begins when the copy of the first one is written.
        server.refresh_now().await.expect("the issuer is up");
        assert_eq!(app.verdict(&self.token()).await, "200");
        assert_eq!(self.folder.files().len(), 1);
        self.served.break_with(Fault::Status(500));
    }

    fn token(&self) -> String {
        self.issuer.token().expires_in(48 * HOUR).sign()
    }
}

fn state(server: &ResourceServer) -> KeySetState {
    server.key_set_status()[0].state()
}

#[tokio::test]
async fn key_set_copy_is_used_while_the_issuer_is_down_and_a_fetched_set_replaces_it() {
    let site = Site::new().await;
    site.copied_and_down().await;
    let token = site.token();
    site.clock.advance(HOUR);

    let (without, app) = site.start(site.builder(site.trusted())).await;
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");
    assert_eq!(state(&without), KeySetState::NeverLoaded);
    drop(without);

    let logs = Logs::default();
    let listening = logs.listen();
    let (server, app) = site.start_with_copies().await;
    drop(listening);
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(app.get("/ready", "").await.status, 200);
    let status = &server.key_set_status()[0];
    assert_eq!(status.state(), KeySetState::FromCopy);
    assert_eq!(status.state().as_str(), "from_copy");
    assert!(status.state().is_usable());
    assert!(status.is_failing(), "the issuer is down");
    assert!(status.age().expect("an age") >= HOUR, "of the fetch");
    assert!(status.stale_since().is_some());
    assert!(logs.text().contains("those of a stored copy are used"));

    // The copy was not confirmed: whether the issuer has another key by now cannot be told.
    let unknown = site.issuer.token().key_id("other").sign();
    let answer = app.verdict(&unknown).await;
    assert_eq!(answer, "503 unavailable key_unconfirmed");

    site.issuer.rotate();
    site.issuer.retire_old_keys();
    site.served.recover();
    server.refresh_now().await.expect("the issuer is up");
    assert_eq!(state(&server), KeySetState::Fresh);
    assert_eq!(app.verdict(&token).await, "401 invalid_token unknown_key");
    assert_eq!(app.verdict(&site.token()).await, "200");

    // The new set was copied too.
    server.refresh_now().await.expect("the issuer is up");
    site.served.break_with(Fault::Status(500));
    let (_, app) = site.start_with_copies().await;
    assert_eq!(app.verdict(&site.token()).await, "200");
    assert_eq!(app.verdict(&token).await, "503 unavailable key_unconfirmed");
}

#[tokio::test]
async fn key_set_copy_of_a_discovered_set_is_used_while_discovery_is_down() {
    let site = Site::new().await;
    let start = || {
        let issuer = Issuer::oidc(site.served.url());
        site.start(site.builder(issuer).key_set_copies(site.copies()))
    };
    let (server, _) = start().await;
    server.refresh_now().await.expect("the issuer is up");
    site.served.break_with(Fault::Status(503));
    let (_, app) = start().await;
    assert_eq!(app.verdict(&site.token()).await, "200");
    // Another place is another set.
    let (_, app) = site.start_with_copies().await;
    assert_eq!(
        app.verdict(&site.token()).await,
        "503 unavailable keys_not_loaded"
    );
}

#[tokio::test]
async fn key_set_copy_stands_in_for_a_fetch_that_takes_long() {
    let site = Site::new().await;
    site.copied_and_down().await;
    site.served.recover();
    site.served.break_with(Fault::Hang);
    let builder = site.builder(site.trusted()).key_set_copies(site.copies());
    let server = builder.build().expect("sound settings");
    let connecting = tokio::spawn(server.clone().connect());
    site.clock.await_sleepers(1).await;
    assert_eq!(state(&server), KeySetState::NeverLoaded);
    site.clock.advance(Duration::from_secs(3));
    while state(&server) != KeySetState::FromCopy {
        tokio::task::yield_now().await;
    }
    assert_eq!(TestApp::new(&server).verdict(&site.token()).await, "200");
    connecting.abort();
}

#[tokio::test]
async fn key_set_copy_is_used_until_its_age_is_that_of_keys_that_are_too_stale() {
    let site = Site::new().await;
    site.copied_and_down().await;
    let token = site.token();
    site.clock.advance(23 * HOUR);
    let (server, app) = site.start_with_copies().await;
    assert_eq!(app.verdict(&token).await, "200");
    site.clock.advance(HOUR);
    assert_eq!(app.verdict(&token).await, "200", "at exactly the age");
    site.clock.advance(Duration::from_secs(1));
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_too_stale");
    assert_eq!(state(&server), KeySetState::TooStale);
    assert_eq!(app.get("/ready", "").await.status, 503);

    // An age of its own bounds the use of a copy further, also once it is read.
    let site = Site::new().await;
    site.copied_and_down().await;
    let token = site.token();
    let short = site.copies().max_age(HOUR);
    let (server, app) = site
        .start(site.builder(site.trusted()).key_set_copies(short))
        .await;
    assert_eq!(app.verdict(&token).await, "200");
    site.clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_too_stale");
    assert_eq!(state(&server), KeySetState::TooStale);
}

/// The verdict of a new instance, and what its log says of the copy.
async fn refused(site: &Site, token: &str, builder: ResourceServerBuilder) -> String {
    let logs = Logs::default();
    let listening = logs.listen();
    let (server, app) = site.start(builder).await;
    drop(listening);
    assert_eq!(app.verdict(token).await, "503 unavailable keys_not_loaded");
    assert_eq!(state(&server), KeySetState::NeverLoaded);
    let text = logs.text();
    let problem = text.split("problem=").nth(1).expect("an event");
    let problem = problem.trim_start_matches('"');
    let end = problem.find(|one: char| !one.is_alphanumeric() && one != '_');
    problem[..end.unwrap_or(problem.len())].to_owned()
}

#[tokio::test]
async fn key_set_copy_that_does_not_count_is_not_used_and_an_event_says_why() {
    let site = Site::new().await;
    site.copied_and_down().await;
    let with = |copies| site.builder(site.trusted()).key_set_copies(copies);
    let file = site.folder.files().remove(0);
    let good = fs::read(&file).expect("the copy");

    let (_, app) = site.start_with_copies().await;
    assert_eq!(app.verdict(&site.token()).await, "200", "the accepted twin");

    let other_key = KeySetCopies::in_folder(site.folder.path())
        .sealing_key(*b"another key, another key, anothe");
    assert_eq!(
        refused(&site, &site.token(), with(other_key)).await,
        "other_key"
    );

    let mut altered = good.clone();
    *altered.last_mut().expect("a byte") ^= 1;
    fs::write(&file, &altered).expect("a file");
    assert_eq!(
        refused(&site, &site.token(), with(site.copies())).await,
        "altered"
    );
    fs::write(&file, "no copy").expect("a file");
    assert_eq!(
        refused(&site, &site.token(), with(site.copies())).await,
        "altered"
    );
    fs::write(&file, vec![0; 8 << 20]).expect("a file");
    assert_eq!(
        refused(&site, &site.token(), with(site.copies())).await,
        "file"
    );

    // The copy of one issuer under the name of another's.
    let other = MockIssuer::new().with_clock(site.clock.clone());
    let served = other.serve().await;
    let folder = Folder::new();
    let trusted = || Issuer::oidc(served.url()).key_set_url(served.key_set_url());
    let copies = || KeySetCopies::in_folder(folder.path()).sealing_key(KEY);
    let (server, _) = site
        .start(site.builder(trusted()).key_set_copies(copies()))
        .await;
    server.refresh_now().await.expect("it is up");
    fs::write(folder.files().remove(0), &good).expect("a file");
    served.break_with(Fault::Status(500));
    let builder = site.builder(trusted()).key_set_copies(copies());
    assert_eq!(
        refused(&site, &other.token().sign(), builder).await,
        "other_issuer"
    );

    fs::write(&file, &good).expect("a file");
    let earlier = ManualClock::at(portcullis::time::UnixTime::from_secs(
        portcullis::time::Clock::now(&site.clock).as_secs() - 3600,
    ));
    let builder = ResourceServer::builder(API)
        .issuer(site.trusted())
        .clock(earlier)
        .key_set_copies(site.copies());
    assert_eq!(
        refused(&site, &site.token(), builder).await,
        "from_the_future"
    );

    site.clock.advance(24 * HOUR + Duration::from_secs(1));
    assert_eq!(
        refused(&site, &site.token(), with(site.copies())).await,
        "too_old"
    );
}

#[tokio::test]
async fn key_set_copy_of_dropped_keys_is_removed_and_never_used() {
    let site = Site::new().await;
    let (server, app) = site.start_with_copies().await;
    server.refresh_now().await.expect("the issuer is up");
    assert_eq!(site.folder.files().len(), 1);
    site.served.break_with(Fault::Status(500));
    let keys = server.issuer_keys(site.served.url()).expect("the issuer");
    keys.drop_keys();
    assert!(site.folder.files().is_empty());
    let token = site.token();
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");
    assert_eq!(state(&server), KeySetState::Dropped);
    let (_, app) = site.start_with_copies().await;
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");

    site.served.recover();
    server.refresh_now().await.expect("the issuer is up");
    server.refresh_now().await.expect("the issuer is up");
    assert_eq!(site.folder.files().len(), 1, "the keys of a later fetch");
}

#[tokio::test]
async fn key_set_copy_that_cannot_be_written_is_an_event_and_no_outage() {
    let site = Site::new().await;
    let missing = site.folder.path().join("missing");
    let copies = KeySetCopies::in_folder(&missing).sealing_key(KEY);
    let logs = Logs::default();
    let listening = logs.listen();
    let builder = site.builder(site.trusted()).key_set_copies(copies);
    let (server, app) = site.start(builder).await;
    server.refresh_now().await.expect("the issuer is up");
    drop(listening);
    assert_eq!(app.verdict(&site.token()).await, "200");
    assert_eq!(state(&server), KeySetState::Fresh);
    let text = logs.text();
    assert!(text.contains("or was not stored"), "{text}");
    assert!(!missing.exists());
}

#[tokio::test]
async fn key_set_copy_is_sealed_and_its_owner_alone_reads_the_file() {
    let site = Site::new().await;
    site.copied_and_down().await;
    let file = site.folder.files().remove(0);
    let bytes = fs::read(&file).expect("the copy");
    for text in [site.served.url(), "kty", "keys", &site.issuer.key_ids()[0]] {
        let bytes = &bytes[40..]; // behind the line that names the format
        let is_there = bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes());
        assert!(!is_there, "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file).expect("the copy").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn key_set_copies_settings_are_checked() {
    let error = |copies: KeySetCopies| {
        let builder = ResourceServer::builder(API).issuer(Issuer::oidc("https://id.example.com"));
        let built = builder.key_set_copies(copies).build();
        built.err().map(|error| error.to_string())
    };
    let good = || KeySetCopies::in_folder("/var/lib/api").sealing_key(KEY);
    assert_eq!(error(good()), None);
    assert_eq!(error(good().max_age(HOUR)), None);
    let text = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let in_base64 = KeySetCopies::in_folder("/var/lib/api").sealing_key_base64(text);
    assert_eq!(error(in_base64), None);
    for (copies, expected) in [
        (KeySetCopies::in_folder("/a"), "sealing key is missing"),
        (
            KeySetCopies::in_folder("").sealing_key(KEY),
            "folder is empty",
        ),
        (
            KeySetCopies::in_folder("/a").sealing_key([7; 32]),
            "one byte repeated",
        ),
        (
            KeySetCopies::in_folder("/a").sealing_key_base64("c2hvcnQ="),
            "not 32 bytes in base64",
        ),
        (
            good().max_age(Duration::from_secs(59)),
            "1 minute to 30 days",
        ),
        (good().max_age(31 * 24 * HOUR), "1 minute to 30 days"),
        (good().max_age(HOUR).max_age(2 * HOUR), "twice"),
    ] {
        let found = error(copies).unwrap_or_default();
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let debug = format!("{:?}", good());
    assert!(!debug.contains("0123"), "{debug}");
}
