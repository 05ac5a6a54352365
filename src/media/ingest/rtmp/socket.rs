//! A connection's socket. Who publishes is not waited for but looked at twenty times a second: encoders write a picture in many
//! small pieces, and waking for each of them costs more than everything else that is done with it.

use std::io::{ErrorKind, Read, Result, Write};
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A sixth of a part: what a viewer waits longer for the picture is half of this.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) enum Socket {
    /// Woken when bytes come.
    Waited(TcpStream),
    /// Looked at.
    Watched {
        /// It never blocks.
        stream: std::net::TcpStream,
        /// The last look took all there was.
        emptied: bool,
    },
}

impl Socket {
    /// From now on it is looked at.
    pub(super) fn watch(&mut self) -> Result<()> {
        if let Self::Waited(stream) = self {
            let stream = stream.as_fd().try_clone_to_owned()?.into();
            *self = Self::Watched { stream, emptied: false };
        }
        Ok(())
    }

    /// Reads what there is, and waits until there is something; nothing at the end. Who drops it while it waits loses nothing.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let (stream, emptied) = match self {
            Self::Waited(stream) => return stream.read(buffer).await,
            Self::Watched { stream, emptied } => (stream, emptied),
        };
        loop {
            if *emptied {
                sleep(LOOK_EVERY).await;
            }
            match stream.read(buffer) {
                Ok(count) => {
                    *emptied = count < buffer.len();
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => *emptied = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all of it.
    pub(super) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        let stream = match self {
            Self::Waited(stream) => return stream.write_all(bytes).await,
            Self::Watched { stream, .. } => stream,
        };
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(LOOK_EVERY).await,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says that no more will be written.
    pub(super) async fn shutdown(&mut self) -> Result<()> {
        match self {
            Self::Waited(stream) => stream.shutdown().await,
            Self::Watched { stream, .. } => stream.shutdown(std::net::Shutdown::Write),
        }
    }
}
