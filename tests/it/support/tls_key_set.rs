//! A key set that is served over TLS.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A key set over TLS on loopback, until it is dropped.
pub(crate) struct TlsKeySet {
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Drop for TlsKeySet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsKeySet {
    pub(crate) async fn open(tls: TlsAcceptor, key_set: String) -> Self {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{key_set}",
            key_set.len()
        );
        Self::answering(tls, answer, true).await
    }

    /// `closed`: whether the end of the answer is told in TLS (RFC 8446 section 6.1), not by TCP alone.
    pub(crate) async fn answering(tls: TlsAcceptor, answer: String, closed: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answer) = (tls.clone(), answer.clone());
                tokio::spawn(async move {
                    // The client hangs up where it does not trust the certificate.
                    let Ok(mut stream) = tls.accept(stream).await else {
                        return;
                    };
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.flush().await;
                    let _ = if closed {
                        stream.shutdown().await
                    } else {
                        stream.get_mut().0.shutdown().await
                    };
                });
            }
        });
        Self {
            url: format!("https://{address}/keys"),
            task,
        }
    }
}
