//! Everything that is logged on one thread, at every level, as one text.
//!
//! One subscriber serves the whole process and asks each thread where to write: what a thread
//! alone subscribed to could be switched off for good by another one that did not.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

thread_local! {
    static LISTENER: RefCell<Option<Logs>> = const { RefCell::new(None) };
}

/// What was logged so far.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<String>>, Option<Arc<dyn Fn() + Send + Sync>>);

/// Takes down what its thread logs, while it lives.
pub(crate) struct Listening(());

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENER.with_borrow_mut(|listener| *listener = None);
    }
}

impl Logs {
    /// Takes down what this thread logs while the guard lives.
    pub(crate) fn listen(&self) -> Listening {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| tracing_subscriber::registry().with(Router).init());
        LISTENER.with_borrow_mut(|listener| *listener = Some(self.clone()));
        Listening(())
    }

    /// Asks something whenever a record is written.
    pub(crate) fn asking(question: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::default(), Some(Arc::new(question)))
    }

    pub(crate) fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn write(&self, record: impl FnOnce(&mut Text<'_>)) {
        if let Some(question) = &self.1 {
            question();
        }
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        record(&mut Text(&mut held));
        held.push('\n');
    }
}

/// Leads each thread's records to its listener.
struct Router;

impl Router {
    fn write(record: impl FnOnce(&mut Text<'_>)) {
        let listener = LISTENER.with_borrow(Clone::clone);
        if let Some(logs) = listener {
            logs.write(record);
        }
    }
}

impl<S: Subscriber> Layer<S> for Router {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        Self::write(|text| attributes.record(text));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        Self::write(|text| values.record(text));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        Self::write(|text| event.record(text));
    }
}

/// Fields as they are: a viewer of logs may show them as they are too.
struct Text<'t>(&'t mut String);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{field}={value} ");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
