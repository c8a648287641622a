//! Receiving security events: which were seen before, how often what happened, the application's map of
//! subjects, and the endpoint that is polled.

pub(crate) mod seen_tokens;
pub(crate) mod counters;
pub(crate) mod subject_mapper;
pub(crate) mod poll_endpoint;
pub(crate) mod poll_record;
