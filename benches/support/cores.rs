//! What the cores have done.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// What every thread of this program has computed so far: unlike the time on the wall it is the same beside busy neighbours.
pub fn computed() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
