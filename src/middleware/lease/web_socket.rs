//! A WebSocket of axum that ends with its lease.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_core::Stream;
use futures_sink::Sink;

use crate::middleware::lease::handle::Lease;
use crate::model::decision::lease_end::LeaseEnd;

/// The code of the close message: "policy violation" (RFC 6455 section 7.4.1).
const POLICY_VIOLATION: u16 = 1008;

/// A WebSocket of axum that ends with its [`Lease`].
///
/// When the lease ends, a close message is sent with the code 1008 (policy violation, RFC 6455 section
/// 7.4.1) and the reason as text, [`recv`](Self::recv) and the stream end, and sends fail. A pending
/// `recv` is woken; a handler that waits for something else selects [`ended`](Lease::ended) on a clone of
/// the lease beside it. The close message is given up where the client does not read.
///
/// ```
/// use axum::extract::ws::WebSocketUpgrade;
/// use axum::response::Response;
/// use portcullis::lease::Lease;
///
/// async fn chat(lease: Lease, upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(async move |socket| {
///         let mut socket = lease.web_socket(socket);
///         while let Some(Ok(message)) = socket.recv().await {
///             if socket.send(message).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
/// # let _: axum::Router = axum::Router::new().route("/chat", axum::routing::any(chat));
/// ```
#[must_use]
pub struct LeasedWebSocket {
    socket: WebSocket,
    receiving: Lease,
    /// The halves of a split socket may wait in two tasks, and a handle wakes one.
    sending: Lease,
    close_code: u16,
    /// Whether the close message was sent, or given up.
    is_closed: bool,
}

impl Lease {
    /// A WebSocket that ends with the lease.
    pub fn web_socket(self, socket: WebSocket) -> LeasedWebSocket {
        LeasedWebSocket {
            socket,
            receiving: self.clone(),
            sending: self,
            close_code: POLICY_VIOLATION,
            is_closed: false,
        }
    }
}

impl LeasedWebSocket {
    /// The code of the close message that the end of the lease sends, for clients that tell it from
    /// others: 4000 to 4999 are for applications. Default: 1008.
    pub fn close_code(mut self, code: u16) -> Self {
        self.close_code = code;
        self
    }

    /// The lease, to renew it or to see why the socket has ended.
    pub const fn lease(&self) -> &Lease {
        &self.receiving
    }

    /// The next message; `None` when the socket is closed or the lease has ended.
    pub async fn recv(&mut self) -> Option<Result<Message, axum::Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// The socket's, or one that says that the lease has ended.
    pub async fn send(&mut self, message: Message) -> Result<(), axum::Error> {
        poll_fn(|context| Pin::new(&mut *self).poll_ready(context)).await?;
        Pin::new(&mut *self).start_send(message)?;
        poll_fn(|context| Pin::new(&mut *self).poll_flush(context)).await
    }

    /// Sends the close message once, as far as the client takes it at once: a client that does not read
    /// must not hold the socket.
    fn close(&mut self, end: LeaseEnd, context: &mut Context<'_>) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        let mut socket = Pin::new(&mut self.socket);
        let close = Message::Close(Some(CloseFrame {
            code: self.close_code,
            reason: end.sentence().into(),
        }));
        let is_ready = matches!(socket.as_mut().poll_ready(context), Poll::Ready(Ok(())));
        if is_ready && socket.as_mut().start_send(close).is_ok() {
            let _ = socket.poll_flush(context);
        }
    }

    /// The error where the lease has ended; otherwise the task that sends is woken then.
    fn check(&mut self, context: &mut Context<'_>) -> Result<(), axum::Error> {
        match self.sending.poll_ended(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(end) => {
                self.close(end, context);
                Err(axum::Error::new(SocketEnded(end)))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the lease has ended: {0}")]
struct SocketEnded(LeaseEnd);

impl Stream for LeasedWebSocket {
    type Item = Result<Message, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Poll::Ready(end) = this.receiving.poll_ended(context) {
            this.close(end, context);
            return Poll::Ready(None);
        }
        Pin::new(&mut this.socket).poll_next(context)
    }
}

impl Sink<Message> for LeasedWebSocket {
    type Error = axum::Error;

    fn poll_ready(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), axum::Error>> {
        let this = self.get_mut();
        this.check(context)?;
        ready!(Pin::new(&mut this.socket).poll_ready(context))?;
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), axum::Error> {
        Pin::new(&mut self.get_mut().socket).start_send(message)
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), axum::Error>> {
        let this = self.get_mut();
        this.check(context)?;
        Pin::new(&mut this.socket).poll_flush(context)
    }

    fn poll_close(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), axum::Error>> {
        Pin::new(&mut self.get_mut().socket).poll_close(context)
    }
}

impl fmt::Debug for LeasedWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedWebSocket")
            .field("lease", &self.receiving)
            .finish_non_exhaustive()
    }
}
