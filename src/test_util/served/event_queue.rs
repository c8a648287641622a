//! The poll endpoint of a transmitter (RFC 8936), and what a receiver has reported to it.
//!
//! 1. A token stays in the queue until it is acknowledged or refused; the oldest comes first.
//! 2. `maxEvents` is honored. A request that may wait is answered at once all the same.

use serde_json::{Map, Value, json};

use super::wire::{Answer, Request};

/// The queue of one transmitter.
#[derive(Clone, Default)]
pub(super) struct EventQueue {
    pub(super) waiting: Vec<(String, String)>,
    pub(super) acknowledged: Vec<String>,
    pub(super) errors: Vec<(String, String)>,
    pub(super) token: Option<String>,
    pub(super) last_question: Option<String>,
    pub(super) redelivers: bool,
}

impl EventQueue {
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        if self.token.is_some() && request.bearer() != self.token.as_deref() {
            return Answer::new(401, "");
        }
        let Ok(question) = serde_json::from_slice::<Value>(request.body()) else {
            return Answer::new(400, "");
        };
        self.last_question = Some(question.to_string());
        let acknowledged = question
            .get("ack")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for id in acknowledged.filter_map(Value::as_str) {
            self.take(id);
            self.acknowledged.push(id.to_owned());
        }
        for (id, error) in question
            .get("setErrs")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            self.take(id);
            let code = error.get("err").and_then(Value::as_str).unwrap_or_default();
            self.errors.push((id.clone(), code.to_owned()));
        }
        let most = question
            .get("maxEvents")
            .and_then(Value::as_u64)
            .unwrap_or(u64::MAX);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let sets = self.waiting.iter().take(most);
        let sets: Map<_, _> = sets
            .map(|(id, set)| (id.clone(), set.as_str().into()))
            .collect();
        let more = self.waiting.len() > most;
        let answer = json!({ "sets": sets, "moreAvailable": more });
        Answer::of_type("application/json", answer.to_string())
    }

    fn take(&mut self, id: &str) {
        if !self.redelivers {
            self.waiting.retain(|(own, _)| own != id);
        }
    }
}
