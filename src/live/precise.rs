//! Keeps the CPU from deep sleep, out of which it takes some hundred microseconds to wake: timers are late by that much.

use std::io;

/// While this lives the CPU stays awake, as far as the system allows.
#[derive(Debug)]
pub(crate) struct Awake(#[expect(dead_code, reason = "it holds while it is open")] std::fs::File);

impl Awake {
    /// Linux's power management asks for the longest latency that anybody can bear, as a number of microseconds in this
    /// file, for as long as the file is open.
    #[cfg(target_os = "linux")]
    pub(crate) fn keep() -> io::Result<Self> {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().write(true).open("/dev/cpu_dma_latency")?;
        file.write_all(&0_i32.to_ne_bytes())?;
        Ok(Self(file))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn keep() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
