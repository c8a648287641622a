//! An upgraded connection that ends with its lease.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::middleware::lease::handle::Lease;
use crate::model::decision::lease_end::LeaseEnd;

pin_project! {
    /// A connection that ends with its [`Lease`]: what `hyper::upgrade::on` gives, as it is or in
    /// `hyper_util::rt::TokioIo`.
    ///
    /// When the lease ends, reads report the end of the connection, and writes fail with
    /// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted); the error's source is the
    /// [`LeaseEnd`] as text. A pending read and a pending write are woken, in two tasks too. `shutdown`
    /// still reaches the connection.
    #[derive(Debug)]
    pub struct LeasedIo<I> {
        #[pin]
        io: I,
        reading: Lease,
        // The halves of a connection may wait in two tasks, and a handle wakes one.
        writing: Lease,
    }
}

impl Lease {
    /// A connection that ends with the lease: what remains of an HTTP upgrade.
    pub fn io<I>(self, io: I) -> LeasedIo<I> {
        LeasedIo {
            io,
            reading: self.clone(),
            writing: self,
        }
    }
}

impl<I> LeasedIo<I> {
    /// The lease, to renew it or to see why the connection has ended.
    pub const fn lease(&self) -> &Lease {
        &self.reading
    }

    /// The connection itself, which no lease ends from now on.
    pub fn into_inner(self) -> I {
        self.io
    }
}

/// The source of the error of a write.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the lease has ended: {0}")]
struct LeaseEnded(LeaseEnd);

/// The error of a write where the lease has ended; otherwise the task is woken then.
fn check_writing(lease: &mut Lease, context: &Context<'_>) -> io::Result<()> {
    match lease.poll_ended(context) {
        Poll::Ready(end) => {
            let ended = LeaseEnded(end);
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, ended))
        }
        Poll::Pending => Ok(()),
    }
}

impl<I: AsyncRead> AsyncRead for LeasedIo<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        if this.reading.poll_ended(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        this.io.poll_read(context, buffer)
    }
}

impl<I: AsyncWrite> AsyncWrite for LeasedIo<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        check_writing(this.writing, context)?;
        this.io.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        check_writing(this.writing, context)?;
        this.io.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_shutdown(context)
    }
}

impl<I: hyper::rt::Read> hyper::rt::Read for LeasedIo<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        if this.reading.poll_ended(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        this.io.poll_read(context, buffer)
    }
}

impl<I: hyper::rt::Write> hyper::rt::Write for LeasedIo<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        check_writing(this.writing, context)?;
        this.io.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        check_writing(this.writing, context)?;
        this.io.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_shutdown(context)
    }
}
