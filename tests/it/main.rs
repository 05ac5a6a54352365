//! Tests over real sockets.

mod media;
