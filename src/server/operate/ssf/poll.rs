//! The task that polls a transmitter (RFC 8936).
//!
//! 1. A token is acknowledged with the next request, after its effect is in force; one that is refused is
//!    reported with its error. One that could not be judged or stored is neither, and comes again.
//! 2. While new tokens come, requests follow each other at once; otherwise after the interval. So a
//!    transmitter that ignores acknowledgements causes no loop. After a failure, exponential backoff with
//!    jitter.
//! 3. What is to be acknowledged outlives a failed request.
//! 4. The task holds no handle of the server between requests: it ends with the last one, a request
//!    that is under way included.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::logging;
use crate::model::decision::event::Event;
use crate::runtime::clock::Clock;
use crate::runtime::ssf::poll_endpoint::{PollError, PollReport, PolledSets};
use crate::runtime::ssf::poll_record::Polling;
use crate::runtime::util::backoff::Backoff;
use crate::runtime::util::current_runtime::{NoRuntime, boxed_task, current_runtime};
use crate::runtime::util::excerpt::excerpt;
use crate::runtime::util::select::{Either, race};
use crate::server::decide::ssf_transmitter::Transmitter;
use crate::server::operate::ssf::receive::{Received, SetFailure, SetSource};
use crate::server::resource_server::{ResourceServer, ServerState};

/// The pause after the first failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest text of an error that is kept, in characters.
const MAX_ERROR_CHARS: usize = 200;

impl ResourceServer {
    /// Starts the task of each transmitter that is polled, unless it runs.
    pub(in crate::server) fn start_polling(&self) -> Result<(), NoRuntime> {
        let registry = self.0.registry.load_full();
        for transmitter in &registry.transmitters {
            let Some(polling) = &transmitter.polling else {
                continue;
            };
            let runtime = current_runtime()?;
            if !polling.running.swap(true, Ordering::AcqRel) {
                let task = PollTask {
                    server: Arc::downgrade(&self.0),
                    transmitter: Arc::downgrade(transmitter),
                    clock: Arc::clone(&self.0.clock),
                    gone: polling.alive.subscribe(),
                };
                runtime.spawn(boxed_task(task.run()));
            }
        }
        Ok(())
    }
}

struct PollTask {
    server: Weak<ServerState>,
    transmitter: Weak<Transmitter>,
    clock: Arc<dyn Clock>,
    gone: watch::Receiver<()>,
}

/// What follows a request.
enum Next {
    AtOnce,
    /// The interval.
    Later,
    /// A pause of the backoff, or a longer one that the endpoint demands.
    AfterFailure(Option<Duration>),
}

impl PollTask {
    async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).with_jitter(100..=125);
        let mut report = PollReport::default();
        while let Some(next) = self.poll(&mut report).await {
            let pause = match next {
                Next::AtOnce => {
                    backoff.reset();
                    continue;
                }
                Next::Later => {
                    backoff.reset();
                    None
                }
                Next::AfterFailure(demanded) => {
                    let pause = backoff.failed();
                    Some(demanded.map_or(pause, |longer| longer.min(LONGEST_PAUSE * 10).max(pause)))
                }
            };
            let Some(at) = self.schedule(pause) else {
                return;
            };
            let gone = async { while self.gone.changed().await.is_ok() {} };
            if let Either::Second(()) = race(self.clock.sleep_until(at), gone).await {
                return;
            }
        }
    }

    /// When the next request is due. `None` when the last handle is gone.
    fn schedule(&self, pause: Option<Duration>) -> Option<Duration> {
        let transmitter = self.transmitter.upgrade()?;
        let polling = transmitter.polling.as_ref()?;
        let pause = pause.unwrap_or(polling.endpoint.config.interval);
        let at = self.clock.monotonic().saturating_add(pause);
        polling.record().next = Some(at);
        Some(at)
    }

    /// One request and the effect of its tokens. `None` when the last handle is gone.
    async fn poll(&mut self, report: &mut PollReport) -> Option<Next> {
        let transmitter = self.transmitter.upgrade()?;
        // The endpoint alone outlives the handles here, and only until the request is given up.
        let polling = transmitter.polling.as_ref()?;
        polling.record().next = None;
        let endpoint = Arc::clone(&polling.endpoint);
        let reported = std::mem::take(report);
        drop(transmitter);
        let gone = async { while self.gone.changed().await.is_ok() {} };
        let answer = match race(endpoint.poll(&reported, &*self.clock), gone).await {
            Either::First(answer) => answer,
            Either::Second(()) => return None,
        };
        let (server, transmitter) = (self.server.upgrade()?, self.transmitter.upgrade()?);
        let polling = transmitter.polling.as_ref()?;
        match answer {
            Ok(sets) => {
                self.note_success(&transmitter, polling);
                let server = ResourceServer(server);
                let batch = receive_all(&server, &transmitter, sets, report).await;
                Some(match batch {
                    Batch { is_new: true, .. } => Next::AtOnce,
                    Batch {
                        must_return: true, ..
                    } => Next::AfterFailure(None),
                    _ => Next::Later,
                })
            }
            Err(error) => {
                *report = reported;
                Self::note_failure(&transmitter, polling, &error);
                Some(Next::AfterFailure(error.retry_after))
            }
        }
    }

    fn note_success(&self, transmitter: &Transmitter, polling: &Polling) {
        let mut record = polling.record();
        record.polls += 1;
        record.last_success = Some(self.clock.now());
        record.last_error = None;
        let failures = std::mem::take(&mut record.failures);
        drop(record);
        if failures > 0 {
            logging::emit(Event::PollRecovered {
                transmitter: &transmitter.issuer,
            });
        }
    }

    fn note_failure(transmitter: &Transmitter, polling: &Polling, error: &PollError) {
        let text = excerpt(&error.text, MAX_ERROR_CHARS);
        let mut record = polling.record();
        record.polls += 1;
        record.failures = record.failures.saturating_add(1);
        let is_first = record.failures == 1;
        record.last_error = Some(text.clone());
        drop(record);
        if is_first {
            logging::emit(Event::PollFailed {
                transmitter: &transmitter.issuer,
                error: &text,
            });
        }
    }
}

/// What the tokens of an answer were.
#[derive(Default)]
struct Batch {
    /// One of them has had its effect now.
    is_new: bool,
    /// One could not be judged or stored.
    must_return: bool,
}

/// Receives each token and notes what is to be reported.
async fn receive_all(
    server: &ResourceServer,
    transmitter: &Arc<Transmitter>,
    sets: PolledSets,
    report: &mut PollReport,
) -> Batch {
    let mut batch = Batch::default();
    for (id, set) in sets.sets {
        let (server, transmitter) = (server.clone(), Arc::clone(transmitter));
        let key = id.clone();
        // In a task of its own: a clock or a log subscriber of the application may panic.
        let received = tokio::spawn(async move {
            let source = SetSource::Poll(&transmitter.issuer, &key);
            server.receive_set(set.as_bytes(), source).await
        });
        match received.await {
            Ok(Ok(received)) => {
                batch.is_new |= received == Received::New;
                report.accepted.push(id);
            }
            Ok(Err(SetFailure::Refused { code, why })) => report.refused.push((id, code, why)),
            Ok(Err(SetFailure::Unavailable { .. })) | Err(_) => batch.must_return = true,
        }
    }
    batch
}

impl Drop for PollTask {
    /// The runtime was shut down: another one may start a new task.
    fn drop(&mut self) {
        if let Some(transmitter) = self.transmitter.upgrade() {
            if let Some(polling) = &transmitter.polling {
                polling.running.store(false, Ordering::Release);
            }
        }
    }
}
