//! A response, whose body is read in pieces.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, response};
use hyper::body::{Body as _, Incoming};

use crate::runtime::http::transport::pool::{ConnectionPool, Sender};
use crate::runtime::http::transport::server_origin::ServerOrigin;
use crate::runtime::http::transport::transport_error::TransportError;

/// A response. Its connection ends with it, or goes back to the pool that it came from.
pub(crate) struct HttpResponse {
    head: response::Parts,
    /// Until it is dropped.
    body: Option<Incoming>,
    sender: Option<Sender>,
    pool: Option<(Arc<ConnectionPool>, ServerOrigin)>,
}

impl HttpResponse {
    pub(super) fn new(
        response: Response<Incoming>,
        sender: Sender,
        pool: Option<(Arc<ConnectionPool>, ServerOrigin)>,
    ) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head,
            body: Some(body),
            sender: Some(sender),
            pool,
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The length of the body that the response announces.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.body.as_ref()?.size_hint().exact()
    }

    /// The next piece of the body, without trailers; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        loop {
            let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(TransportError::broken(&error)),
            }
        }
    }
}

impl Drop for HttpResponse {
    fn drop(&mut self) {
        // First: `hyper` closes a connection whose body has an end that is not there yet.
        drop(self.body.take());
        if let (Some(sender), Some((pool, origin))) = (self.sender.take(), self.pool.take()) {
            pool.give_back(origin, sender);
        }
    }
}
