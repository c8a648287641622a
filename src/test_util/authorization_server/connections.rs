//! Connections that end with the server.
//!
//! 1. When the server stops, each connection ends, whatever it is about: a request that hangs, a body that is not whole,
//!    a connection on which nothing was sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// A socket whose connections end when the sender is dropped.
pub(super) struct Ending<L> {
    pub(super) socket: L,
    pub(super) stopped: watch::Receiver<()>,
}

impl<L: Listener> Listener for Ending<L> {
    type Io = EndingConnection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, L::Addr) {
        let (connection, address) = self.socket.accept().await;
        let stopped = wait(self.stopped.clone());
        let connection = EndingConnection {
            connection,
            stopped: Some(Box::pin(stopped)),
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.socket.local_addr()
    }
}

/// Returns when the sender has been dropped.
pub(super) async fn wait(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}

pub(super) struct EndingConnection<C> {
    connection: C,
    /// Absent once it has ended.
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<C> EndingConnection<C> {
    /// An error once the server has stopped; else the task is woken then.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(stopped) = &mut self.stopped {
            if stopped.as_mut().poll(context).is_pending() {
                return Ok(());
            }
            self.stopped = None;
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for EndingConnection<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.connection).poll_read(context, buffer)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for EndingConnection<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.connection).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}
