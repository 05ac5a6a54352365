//! A connection that has to say in time which protocol it speaks.
//!
//! The protocol's own limit begins once the protocol is known; until then this one holds, or whoever says nothing would
//! keep a place for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How HTTP/2 begins (RFC 9113, section 3.4); the first byte that differs says that it is HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The connection; reading fails with `TimedOut` while the protocol is not known after the time given.
pub struct Prompt<Io> {
    io: Io,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface seen.
    seen: usize,
}

impl<Io> Prompt<Io> {
    /// Gives `io` this long to begin.
    pub fn new(io: Io, within: Duration) -> Self {
        Self { io, deadline: Some(Box::pin(sleep(within))), seen: 0 }
    }

    fn note(&mut self, bytes: &[u8]) {
        let expected = PREFACE.get(self.seen..).unwrap_or_default();
        self.seen = self.seen.saturating_add(bytes.len());
        if self.seen >= PREFACE.len() || !expected.starts_with(bytes) {
            self.deadline = None;
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Prompt<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if self.deadline.is_some() {
                    self.note(buf.filled().get(before..).unwrap_or_default());
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                let Some(deadline) = &mut self.deadline else { return Poll::Pending };
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Prompt<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// Whether a connection that sent `bytes` is given up when its time is over.
    async fn is_given_up(bytes: &[u8]) -> bool {
        let (mut client, server) = duplex(1024);
        client.write_all(bytes).await.unwrap();
        let mut prompt = Prompt::new(server, Duration::from_millis(20));
        let mut read = vec![0; 1024];
        loop {
            match tokio::time::timeout(Duration::from_millis(200), prompt.read(&mut read)).await {
                Err(_) => return false,
                Ok(Err(error)) => return error.kind() == io::ErrorKind::TimedOut,
                Ok(Ok(_)) => {}
            }
        }
    }

    #[tokio::test]
    async fn only_who_has_not_begun_is_given_up() {
        for (bytes, given_up) in [
            (&b""[..], true),
            (b"PRI * HTTP/2.0\r\n", true),
            (PREFACE, false),
            (b"G", false),
            (b"PRINT / HTTP/1.1\r\n", false),
        ] {
            assert_eq!(is_given_up(bytes).await, given_up, "{bytes:?}");
        }
    }
}
