//! Tests over real folders, processes and sockets.

mod log;
