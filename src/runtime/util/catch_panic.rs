//! Panics of the application's code: caught, so that the caller can go on. The panic hook of the process
//! reports them.

#[cfg(feature = "jwks")]
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "jwks")]
use std::pin::pin;
#[cfg(feature = "jwks")]
use std::task::Poll;

/// The value of a call. `None` where it panics.
pub(crate) fn catch_panic<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The output of a future. `None` where it panics; it is not polled again.
#[cfg(feature = "jwks")]
pub(crate) async fn catch_panic_of<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = catch_panic(|| future.as_mut().poll(context));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}
