//! One case, from its world to its verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::check::{forbidden, problems, verdict};
use super::data::{Ability, Bound, Case, Corpus, Expect, Http, Step, Text, Verdict};
use super::send::{Reply, send};
use super::site::Visit;
use super::world::{Application, World};
use super::{BETWEEN_REQUESTS_S, BUSY};
use crate::support::endpoint::field;
use crate::support::logs::Logs;

/// What became of a case.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) problems: Vec<String>,
    /// One for each request, in the order of the case.
    pub(super) verdicts: Vec<Verdict>,
}

/// Runs a case that needs nothing but a server.
pub(super) async fn plain(case: &Case, application: &Application) -> Outcome {
    let mut outcome = Outcome::default();
    let reply = send(&application.router, &case.http, false).await;
    outcome.note(case, &case.http, &case.expect, &reply);
    outcome
}

/// Runs a case in a world of its own.
pub(super) async fn alone(corpus: &Arc<Corpus>, case: &Arc<Case>) -> Outcome {
    let logs = Logs::default();
    if !case.needs(Ability::LogCapture) {
        return Run::of(corpus, case, &logs).await;
    }
    // A thread and a runtime of its own: every task of this case logs on it, and no other's.
    let (corpus, case) = (Arc::clone(corpus), Arc::clone(case));
    let apart = move || {
        let _listening = logs.listen();
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(Run::of(&corpus, &case, &logs))
    };
    tokio::task::spawn_blocking(apart)
        .await
        .expect("the case does not panic")
}

struct Run<'c> {
    case: &'c Case,
    world: World,
    application: Application,
    /// Other layers of the same process, by profile.
    others: BTreeMap<String, Application>,
    behind: JoinSet<(usize, Option<Reply>)>,
    outcome: Outcome,
}

impl<'c> Run<'c> {
    async fn of(corpus: &Arc<Corpus>, case: &'c Case, logs: &Logs) -> Outcome {
        let mut outcome = Outcome::default();
        let mut world = World::of(corpus, case).await;
        let application = match world.application(&case.profile).await {
            Ok(_) if case.config_must_fail => {
                outcome.problem("the configuration was taken");
                return outcome;
            }
            Ok(application) => application,
            Err(_) if case.config_must_fail => return outcome,
            Err(error) => {
                outcome.problem(format!("the configuration was refused: {error}"));
                return outcome;
            }
        };
        let mut run = Self {
            case,
            world,
            application,
            others: BTreeMap::new(),
            behind: JoinSet::new(),
            outcome,
        };
        let memory = resident_megabytes();
        if case.steps.is_empty() {
            run.single().await;
        } else {
            run.steps().await;
        }
        run.check_memory(memory);
        run.check_outbound(&case.expect_outbound);
        run.check_questions();
        run.check_logs(logs);
        run.outcome
    }

    async fn single(&mut self) {
        let case = self.case;
        let raw = case.needs(Ability::RawSocket);
        let reply = send(&self.application.router, &case.http, raw).await;
        self.outcome.in_time(case.max_elapsed_ms, &reply);
        self.outcome.note(case, &case.http, &case.expect, &reply);
    }

    async fn steps(&mut self) {
        let steps = &self.case.steps;
        let mut at = 0;
        while at < steps.len() {
            let group = steps[at].group;
            let together = (steps[at..].iter())
                .take_while(|step| group.is_some() && step.group == group)
                .count()
                .max(1);
            self.together(at, &steps[at..at + together]).await;
            at += together;
        }
        while let Some(done) = self.behind.join_next().await {
            let (at, reply) = done.expect("the request does not panic");
            let step = &steps[at];
            if let Some(reply) = reply {
                self.outcome
                    .note(self.case, &step.http, &step.expect, &reply);
            }
        }
    }

    /// Sends the requests of some steps, all at once.
    async fn together(&mut self, first: usize, steps: &[Step]) {
        let mut sent = JoinSet::new();
        for (place, step) in steps.iter().enumerate() {
            let application = self.prepare(step).await;
            if step.background {
                let before = self.world.ledger.len();
                let request = request(application, step.http.clone(), step.abort_after_ms);
                let at = first + place;
                let (sender, ended) = oneshot::channel::<()>();
                self.behind.spawn(async move {
                    let reply = request.await;
                    drop(sender);
                    (at, reply)
                });
                // It has got going when an issuer was asked because of it, or it has ended.
                tokio::select! {
                    () = self.world.ledger.more_than(before) => {}
                    _ = ended => {}
                }
                continue;
            }
            if let Some(vary) = step.vary.as_ref().filter(|_| step.parallel.is_none()) {
                // One after the other, and made one by one: the memory is the server's.
                for number in 0..vary.count {
                    let http = ending_in(&step.http, number, vary.replace_last);
                    let reply = send(&application.router, &http, false).await;
                    self.outcome.note(self.case, &http, &step.expect, &reply);
                    // Thousands that are answered at once must not keep other worlds waiting.
                    tokio::task::yield_now().await;
                }
                continue;
            }
            for http in variations(step) {
                let request = request(application.clone(), http, step.abort_after_ms);
                sent.spawn(async move { (place, request.await) });
            }
        }
        // In the order of the steps: the answers are compared between runs.
        let mut replies: Vec<_> = sent.join_all().await;
        replies.sort_by_key(|(place, _)| *place);
        for copies in replies.chunk_by(|(one, _), (next, _)| one == next) {
            let mut answers = copies.iter().flat_map(|(_, reply)| reply).map(verdict);
            let first = answers.next();
            if answers.any(|next| Some(next) != first) {
                self.outcome
                    .problem("copies of one request were answered in different ways");
            }
        }
        for (place, reply) in replies {
            // `None` when the client went away before the answer came.
            if let Some(reply) = reply {
                let step = &steps[place];
                self.outcome.in_time(step.max_elapsed_ms, &reply);
                self.outcome
                    .note(self.case, &step.http, &step.expect, &reply);
            }
        }
        for step in steps {
            self.check_outbound(&step.expect_outbound);
        }
    }

    /// Whether the case says nothing about time, and nothing happens beside its steps.
    fn is_timeless(&self) -> bool {
        let others = [
            Ability::Clock,
            Ability::Concurrency,
            Ability::JwksMock,
            Ability::Timing,
            Ability::MemoryWatch,
        ];
        self.case.clock.is_none() && !others.iter().any(|ability| self.case.needs(*ability))
    }

    /// Everything that happens before the step's request, and the server that the request goes to.
    async fn prepare(&mut self, step: &Step) -> Application {
        self.world.set_key_sets(&step.jwks_response).await;
        self.world.tell(step.introspection_response.as_ref()).await;
        if let Some(reload) = &step.reload {
            self.application = self.configured(&reload.profile).await;
        }
        if let Some(seconds) = step.advance_s {
            self.world.advance(seconds);
        } else if self.is_timeless() {
            // Right at any time, so also when the issuers may be asked again.
            self.world.advance(BETWEEN_REQUESTS_S);
        }
        if let Some(most) = step.settle_ms {
            let most = Duration::from_millis(most) * BUSY;
            self.application.settled(most).await;
        }
        let Some(profile) = &step.profile else {
            return self.application.clone();
        };
        if !self.others.contains_key(profile) {
            let other = self.configured(profile).await;
            self.others.insert(profile.clone(), other);
        }
        self.others[profile].clone()
    }

    async fn configured(&mut self, profile: &str) -> Application {
        let made = self.world.application(profile).await;
        made.expect("the other configuration is good")
    }

    fn check_outbound(&mut self, bounds: &BTreeMap<String, Bound>) {
        let visits = self.world.ledger.visits();
        let count = |which: fn(&Visit) -> bool| visits.iter().filter(|one| which(one)).count();
        for (whom, bound) in bounds {
            let count = match whom.as_str() {
                "jwks" => count(|visit| visit.is_due && !visit.is_question()),
                "other" => count(|visit| !visit.is_due),
                "introspection" => count(Visit::is_question),
                unknown => panic!("requests to {unknown} are not counted"),
            };
            if count > bound.max {
                let most = bound.max;
                self.outcome.problem(format!(
                    "expected at most {most} requests to {whom} .. got {count}"
                ));
            }
        }
        for visit in visits {
            for name in &self.case.outbound_headers_must_not {
                if visit.header_names.split(' ').any(|sent| sent == name) {
                    self.outcome
                        .problem(format!("`{name}` was sent to {}", visit.path));
                }
            }
        }
    }

    fn check_questions(&mut self) {
        let visits = self.world.ledger.visits();
        let questions: Vec<_> = visits.iter().filter(|visit| visit.is_question()).collect();
        if let Some(expected) = &self.case.expect_introspection {
            if questions.is_empty() || questions.len() > expected.max_calls {
                let count = questions.len();
                self.outcome
                    .problem(format!("it was asked {count} times about the token"));
            }
            for question in questions {
                let same_form = question.form.split('&').count() == expected.form.len()
                    && expected
                        .form
                        .iter()
                        .all(|(name, value)| field(&question.form, name).as_ref() == Some(value));
                let mut hidden = expected.url_must_not_contain.iter();
                let is_hidden = hidden.all(|secret| !question.path.contains(secret));
                if question.method != expected.method || !same_form || !is_hidden {
                    self.outcome.problem("it was asked in another way");
                }
            }
        }
        let most = self.world.most_questions();
        if let Some(bound) = self.case.max_concurrent_introspections {
            if most > bound {
                self.outcome.problem(format!(
                    "expected at most {bound} questions at a time .. got {most}"
                ));
            }
        }
    }

    fn check_logs(&mut self, logs: &Logs) {
        let text = logs.text();
        if self.case.needs(Ability::LogCapture) && text.is_empty() {
            self.outcome.problem("nothing was logged at all");
        }
        for secret in forbidden(self.case, &self.case.log_must_not_contain) {
            if text.contains(&secret) {
                self.outcome.problem(format!("`{secret}` is in the logs"));
            }
        }
    }

    fn check_memory(&mut self, before: Option<u64>) {
        let (Some(before), Some(most)) = (before, self.case.max_rss_growth_mb) else {
            return;
        };
        let grown = resident_megabytes().map(|after| after.saturating_sub(before));
        if let Some(grown) = grown.filter(|grown| *grown > most) {
            self.outcome
                .problem(format!("expected at most {most} MB more .. got {grown}"));
        }
    }
}

impl Outcome {
    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    fn note(&mut self, case: &Case, http: &Http, expect: &Expect, reply: &Reply) {
        self.problems.extend(problems(case, http, expect, reply));
        self.verdicts.push(verdict(reply));
    }

    fn in_time(&mut self, most: Option<u64>, reply: &Reply) {
        let most = most.map(|most| Duration::from_millis(most) * BUSY);
        if let Some(most) = most.filter(|most| reply.took > *most) {
            let took = reply.took;
            self.problem(format!("expected within {most:?} .. took {took:?}"));
        }
    }
}

/// One request. `None` when the client went away before the answer came.
async fn request(
    application: Application,
    http: Http,
    abort_after_ms: Option<u64>,
) -> Option<Reply> {
    let sent = send(&application.router, &http, false);
    match abort_after_ms {
        None => Some(sent.await),
        Some(most) => timeout(Duration::from_millis(most), sent).await.ok(),
    }
}

/// The requests of a step: copies, or such whose last characters count up.
fn variations(step: &Step) -> Vec<Http> {
    match &step.vary {
        None => vec![step.http.clone(); step.parallel.unwrap_or(1)],
        Some(vary) => (0..vary.count)
            .map(|number| ending_in(&step.http, number, vary.replace_last))
            .collect(),
    }
}

/// The request with the last so many characters of its credential replaced by a number.
fn ending_in(http: &Http, number: usize, digits: usize) -> Http {
    let mut http = http.clone();
    for (name, value) in &mut http.headers {
        if name.eq_ignore_ascii_case("authorization") {
            let mut text = value.spelled_out();
            text.truncate(text.len() - digits);
            *value = Text::Whole(format!("{text}{number:0digits$}"));
        }
    }
    http
}

/// What this process holds in memory, where the system says so.
fn resident_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024)
}
