//! The corpus: some hundred requests with the answer that a correct resource server gives.
//!
//! 1. The harness configures the library, sends what is written and compares. Every check of a
//!    request is the library's own.
//! 2. Where more than one answer is right, the case runs several times and must be answered
//!    the same way every time.
//! 3. A case that any server can answer is answered twice by one that remembers verified tokens,
//!    and once by one that does not, always the same way.
//! 4. Where the corpus contradicts a standard, `tests/corpus/disputed.txt` has the sentence and
//!    the answer that must come instead; such cases are counted apart.
//! 5. A case that says how long an answer may take gets [`BUSY`] times as long, and one that was
//!    late, or met an outage that it does not want, is asked again with nothing beside it.
//! 6. What cannot be asked of the library yet is skipped by name, with the reason, in
//!    `tests/corpus/skipped.txt`; never because the answer differs.

mod app;
mod check;
mod data;
mod run;
mod send;
mod site;
mod world;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use data::{Ability, Answer, Case, Corpus};
use run::Outcome;
use world::{Application, World};

/// Time between two requests to one server, where a case does not say otherwise: longer than the
/// cooldown of unknown keys, so that each finds the server free to ask its issuers.
const BETWEEN_REQUESTS_S: i64 = 31;

/// How often a case runs that may be answered in more than one way.
const RUNS: usize = 3;

/// The times of the corpus are those of an idle machine; a busy one may take so many times as long.
/// With 12 s for an issuer that never answers and 0.5 s for a request that must not wait for a
/// fetch, which ends after 5 s, a machine this busy still shows what a case is about.
const BUSY: u32 = 5;

/// How often a case is asked again that a busy machine may have kept waiting.
const AGAIN: usize = 2;

/// Set in the child process whose memory is measured; see [`memory_of_a_child`].
const CHILD: &str = "PORTCULLIS_TEST_MEMORY";

/// Worlds that stand at the same time. Those that wait for slow sites cost nothing meanwhile.
const AT_ONCE: usize = 8;
const SLOW_AT_ONCE: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_is_answered_as_written() {
    if std::env::var_os(CHILD).is_some() {
        return memory_stays_bounded().await;
    }
    let mut corpus = Corpus::read();
    let cases: Vec<Arc<Case>> = corpus.cases.drain(..).map(Arc::new).collect();
    let corpus = Arc::new(corpus);
    let skipped = data::skipped();
    let ids: BTreeSet<&str> = cases.iter().map(|case| &*case.id).collect();
    assert_eq!(ids.len(), corpus.counts.total, "every case has its own id");
    for id in skipped.keys() {
        assert!(ids.contains(&**id), "{id} is skipped and does not exist");
    }

    let due = cases.iter().filter(|case| !skipped.contains_key(&case.id));
    let (plain, apart): (Vec<_>, Vec<_>) = due.partition(|case| is_plain(case));
    let (weighed, apart): (Vec<_>, Vec<_>) = apart.into_iter().partition(|case| is_weighed(case));
    let (measured, others) = apart.into_iter().partition(|case| is_measured(case));
    let mut results = Results::default();
    let child = memory_of_a_child();
    results.one_by_one(&corpus, measured).await;
    results.together(&corpus, others).await;
    results.shared(&corpus, plain).await;
    for _ in 0..AGAIN {
        let late = results.take_late(cases.iter().filter(|case| !is_weighed(case)));
        results.one_by_one(&corpus, late).await;
    }
    results.of_a_child(&weighed, child).await;
    results.compare(&cases);

    let disputed = results.set_disputed_apart(&data::disputed());
    let failures = results.failures();
    for failure in &failures {
        println!("{failure}");
    }
    let failed = failures.len();
    let passed = results.0.len() - failed;
    assert_eq!(
        disputed + passed + failed + skipped.len(),
        corpus.counts.total
    );
    // Past the capture, so that the line is seen when all is well.
    let line = format!(
        "\ncorpus: {passed} passed, {failed} failed, {} skipped, {disputed} disputed\n",
        skipped.len()
    );
    std::io::stdout()
        .write_all(line.as_bytes())
        .expect("standard output");
    assert_eq!(failed, 0, "cases that were not answered as written");
}

/// Starts this very test in a process of its own, for the cases that measure memory. They take
/// longer than all others together, which run beside it.
fn memory_of_a_child() -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "corpus::the_corpus_is_answered_as_written"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a child process")
}

/// The child process: the cases that measure memory, with nothing else in it.
async fn memory_stays_bounded() {
    let mut corpus = Corpus::read();
    let cases: Vec<Arc<Case>> = corpus.cases.drain(..).map(Arc::new).collect();
    let skipped = data::skipped();
    let weighed = cases.iter().filter(|case| is_weighed(case));
    let due: Vec<_> = weighed
        .filter(|case| !skipped.contains_key(&case.id))
        .collect();
    let corpus = Arc::new(corpus);
    let mut results = Results::default();
    results.one_by_one(&corpus, due.clone()).await;
    for _ in 0..AGAIN {
        let late = results.take_late(due.iter().copied());
        results.one_by_one(&corpus, late).await;
    }
    let failures = results.failures();
    for failure in &failures {
        println!("\n{failure}");
    }
    assert!(failures.is_empty(), "more memory than there may be");
}

/// Whether the case measures memory: of a process of its own, since other tests use some too.
fn is_weighed(case: &Case) -> bool {
    case.needs(Ability::MemoryWatch)
}

/// Whether any server with the profile will do.
fn is_plain(case: &Case) -> bool {
    case.requires
        .iter()
        .all(|ability| *ability == Ability::Clock)
        && case.steps.is_empty()
        && case.max_elapsed_ms.is_none()
        && case.jwks_response.is_empty()
        && case.discovery_response.is_empty()
        && case.expect_outbound.is_empty()
        && case.tls_client_cert.is_none()
        && case.peer_addr.is_none()
        // A proof is good once.
        && !case.profile.starts_with("dpop")
        && !case.config_must_fail
}

/// Whether the case measures time, and is better not disturbed, or sends so many
/// requests at once that it would disturb others.
fn is_measured(case: &Case) -> bool {
    const SHORT_MS: u64 = 3_000;
    const MANY: usize = 100;
    let is_crowd = |at_once: usize| at_once >= MANY;
    if case
        .steps
        .iter()
        .filter_map(|step| step.parallel)
        .any(is_crowd)
    {
        return true;
    }
    let mut spans = case.steps.iter().filter_map(|step| step.max_elapsed_ms);
    case.max_elapsed_ms.is_some_and(|most| most < SHORT_MS) || spans.any(|most| most < SHORT_MS)
}

fn is_slow(case: &Case) -> bool {
    case.answers().any(Answer::is_slow)
}

fn runs_of(case: &Case) -> usize {
    let has_choice = case
        .exchanges()
        .any(|(_, expect)| !expect.accept_also.is_empty());
    if has_choice { RUNS } else { 1 }
}

/// The outcomes of every run, by case.
#[derive(Default)]
struct Results(BTreeMap<String, Vec<Outcome>>);

impl Results {
    /// Cases in worlds of their own, many at once.
    async fn together(&mut self, corpus: &Arc<Corpus>, cases: Vec<&Arc<Case>>) {
        let few = Arc::new(Semaphore::new(AT_ONCE));
        let many = Arc::new(Semaphore::new(SLOW_AT_ONCE));
        let mut runs = Runs::default();
        // The slow ones first: the others run while they wait.
        let (slow, quick): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| is_slow(case));
        for (case, places) in (slow.into_iter().map(|case| (case, &many)))
            .chain(quick.into_iter().map(|case| (case, &few)))
        {
            for _ in 0..runs_of(case) {
                let (corpus, case) = (Arc::clone(corpus), Arc::clone(case));
                let places = Arc::clone(places);
                runs.start(&Arc::clone(&case), async move {
                    let _place = places.acquire_owned().await.expect("places stay open");
                    run::alone(&corpus, &case).await
                });
            }
        }
        runs.finish(self).await;
    }

    /// Cases that share one server for each profile, one after the other.
    async fn shared(&mut self, corpus: &Arc<Corpus>, cases: Vec<&Arc<Case>>) {
        let mut servers: BTreeMap<(&str, bool), (World, Application)> = BTreeMap::new();
        for case in cases {
            // Twice by a server that remembers verified tokens, the second time when it may have
            // seen this one, and once by one that does not.
            for (remembers, least) in [(true, 2), (false, 1)] {
                let key = (&*case.profile, remembers);
                let (world, application) = match servers.entry(key) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        let mut world = World::quiet(corpus).await;
                        world.remembers = remembers;
                        let application = world.application(&case.profile).await;
                        let application = application.expect("the configuration is good");
                        new.insert((world, application))
                    }
                };
                for _ in 0..least.max(runs_of(case)) {
                    world.advance(BETWEEN_REQUESTS_S);
                    world.show(case.clock());
                    let outcome = run::plain(case, application).await;
                    self.0.entry(case.id.clone()).or_default().push(outcome);
                }
            }
        }
        for ((profile, _), (world, _)) in servers {
            let visits = world.ledger.visits();
            let astray = visits.iter().filter(|visit| !visit.is_due).count();
            assert_eq!(astray, 0, "requests of `{profile}` to a forbidden address");
        }
    }

    /// Takes out the cases that were answered late or never, or met an outage that they do not
    /// want. A machine that has much to do may keep a site from answering within the library's
    /// limits, which are real time: an outage to the server, and none of the case's.
    fn take_late<'c>(&mut self, cases: impl Iterator<Item = &'c Arc<Case>>) -> Vec<&'c Arc<Case>> {
        let marks = [".. got 503", ".. took", ".. got 0 "];
        let is_late = |problem: &String| marks.iter().any(|mark| problem.contains(mark));
        let late = |case: &&Arc<Case>| {
            let runs = self.0.get(&case.id).map(Vec::as_slice).unwrap_or_default();
            let mut problems = runs.iter().flat_map(|outcome| &outcome.problems);
            problems.any(is_late)
        };
        let late: Vec<_> = cases.filter(late).collect();
        for case in &late {
            self.0.remove(&case.id);
        }
        late
    }

    /// Cases that a process of its own runs, which tells of those that fail.
    async fn of_a_child(&mut self, cases: &[&Arc<Case>], child: Child) {
        let output = child.wait_with_output().await.expect("a child process");
        let told = String::from_utf8_lossy(&output.stdout);
        for case in cases {
            let start = format!("{}: ", case.id);
            let mut problems: Vec<String> = told
                .lines()
                .filter_map(|line| line.strip_prefix(&start).map(str::to_owned))
                .collect();
            let has_run = told.contains("1 passed") || told.contains("1 failed");
            if !has_run {
                problems.push(format!("the child process failed: {told}"));
            }
            let verdicts = Vec::new();
            let outcome = Outcome { problems, verdicts };
            self.0.entry(case.id.clone()).or_default().push(outcome);
        }
    }

    /// Cases with nothing beside them.
    async fn one_by_one(&mut self, corpus: &Arc<Corpus>, cases: Vec<&Arc<Case>>) {
        for case in cases {
            let mut runs = Runs::default();
            for _ in 0..runs_of(case) {
                let (corpus, case) = (Arc::clone(corpus), Arc::clone(case));
                runs.start(&Arc::clone(&case), async move {
                    run::alone(&corpus, &case).await
                });
            }
            runs.finish(self).await;
        }
    }

    /// Cases that must be answered like another.
    fn compare(&mut self, cases: &[Arc<Case>]) {
        for case in cases {
            let Some(other) = &case.same_answer_as else {
                continue;
            };
            let verdicts = |id: &str| {
                let runs = self.0.get(id).map(Vec::as_slice).unwrap_or_default();
                runs.first().map(|outcome| outcome.verdicts.clone())
            };
            // The corpus is a part of a larger one: the other case may not be in it.
            let (Some(own), Some(others)) = (verdicts(&case.id), verdicts(other)) else {
                continue;
            };
            if own != others {
                let problem = format!("expected the answer of {other} .. got {own:?}");
                self.0.entry(case.id.clone()).or_default().push(Outcome {
                    problems: vec![problem],
                    verdicts: own,
                });
            }
        }
    }

    /// Takes out the cases that are answered as `disputed.txt` says, and nothing else is wrong
    /// with. How many they are.
    fn set_disputed_apart(&mut self, disputed: &BTreeMap<String, String>) -> usize {
        for (id, answer) in disputed {
            let runs = self
                .0
                .get(id)
                .unwrap_or_else(|| panic!("{id} is disputed and did not run"));
            let as_said = runs.iter().all(|run| {
                run.problems.len() == 1
                    && run
                        .verdicts
                        .iter()
                        .all(|verdict| verdict.to_string() == *answer)
            });
            if as_said {
                self.0.remove(id);
            }
        }
        disputed
            .keys()
            .filter(|id| !self.0.contains_key(*id))
            .count()
    }

    /// One line for each case that failed.
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (id, runs) in &self.0 {
            let mut problems: Vec<&str> = (runs.iter())
                .flat_map(|outcome| outcome.problems.iter().map(String::as_str))
                .collect();
            problems.dedup();
            if runs
                .windows(2)
                .any(|pair| pair[0].verdicts != pair[1].verdicts)
            {
                problems.push("answered in different ways");
            }
            if !problems.is_empty() {
                failures.push(format!("{id}: {}", problems.join("; ")));
            }
        }
        failures
    }
}

/// Runs under way.
#[derive(Default)]
struct Runs {
    tasks: JoinSet<Outcome>,
    cases: BTreeMap<tokio::task::Id, String>,
}

impl Runs {
    fn start(&mut self, case: &Case, run: impl Future<Output = Outcome> + Send + 'static) {
        let task = self.tasks.spawn(run);
        self.cases.insert(task.id(), case.id.clone());
    }

    async fn finish(mut self, results: &mut Results) {
        while let Some(done) = self.tasks.join_next_with_id().await {
            let (task, outcome) = done.unwrap_or_else(|error| {
                let problems = vec![format!("the run ended early: {error}")];
                let outcome = Outcome {
                    problems,
                    verdicts: Vec::new(),
                };
                (error.id(), outcome)
            });
            let case = self.cases.remove(&task).expect("it was started here");
            results.0.entry(case).or_default().push(outcome);
        }
    }
}
