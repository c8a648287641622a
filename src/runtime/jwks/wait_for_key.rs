//! Waiting for a key that may be in one of several key sets.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use crate::runtime::jwks::key_store::{RemoteKeys, WaitTicket};

/// Waits until one of these sets has the key, or the fetches of all of them have ended, within the
/// tickets' time. Without an id it waits for all.
pub(crate) async fn wait_for_key<'t>(
    id: Option<&str>,
    waiting: impl Iterator<Item = (&'t Arc<RemoteKeys>, &'t WaitTicket)>,
) {
    type Wait<'t> = Pin<Box<dyn Future<Output = ()> + Send + 't>>;
    let mut waits: Vec<(&Arc<RemoteKeys>, Wait<'t>)> = waiting
        .map(|(keys, ticket)| (keys, Box::pin(keys.wait(ticket)) as Wait<'t>))
        .collect();
    poll_fn(|context| {
        let mut is_found = false;
        waits.retain_mut(|(keys, wait)| {
            let is_over = wait.as_mut().poll(context).is_ready();
            is_found |= is_over && id.is_some_and(|id| keys.has(id));
            !is_over
        });
        if is_found || waits.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
