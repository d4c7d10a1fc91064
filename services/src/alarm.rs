//! One precise alarm: rings once, within some tens of microseconds of the time it was set to. The runtime's own timers
//! are a millisecond late or more, which is too much for steps of a few milliseconds.

#[cfg(not(target_os = "linux"))]
pub(crate) use coarse::Alarm;
#[cfg(target_os = "linux")]
pub(crate) use precise::Alarm;

#[cfg(target_os = "linux")]
mod precise {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    /// The kernel's high-resolution timer, as a file the runtime waits for.
    #[derive(Debug)]
    pub(crate) struct Alarm(AsyncFd<OwnedFd>);

    impl Alarm {
        #[expect(deprecated, reason = "its successor is unsafe; this descriptor is ours alone and stays what it is")]
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            Ok(Self(AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?))
        }

        /// Rings once after this, and not at the time it was set to before.
        pub(crate) fn set(&self, after: Duration) {
            let never = Timespec { tv_sec: 0, tv_nsec: 0 };
            let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
            // Zero would turn it off.
            let value = Timespec { tv_sec: seconds, tv_nsec: i64::from(after.subsec_nanos()).max(1) as _ };
            let timer = Itimerspec { it_interval: never, it_value: value };
            // It can only fail for a wrong descriptor or a wrong time, and neither can be.
            let set = timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &timer);
            debug_assert!(set.is_ok(), "the alarm could not be set: {set:?}");
        }

        /// Waits until it rings.
        pub(crate) async fn rings(&self) -> io::Result<()> {
            loop {
                let mut ready = self.0.readable().await?;
                let mut times = [0; 8];
                match ready.try_io(|fd| Ok(rustix::io::read(fd, &mut times)?)) {
                    Ok(rung) => return rung.map(|_| ()),
                    // It was set anew between ringing and reading.
                    Err(_would_block) => {}
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod coarse {
    use std::io;
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::Instant;

    /// The runtime's own timer, which is late by a millisecond or two.
    #[derive(Debug)]
    pub(crate) struct Alarm(watch::Sender<Option<Instant>>);

    impl Alarm {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self(watch::Sender::new(None)))
        }

        pub(crate) fn set(&self, after: Duration) {
            self.0.send_replace(Some(Instant::now() + after));
        }

        pub(crate) async fn rings(&self) -> io::Result<()> {
            let mut set = self.0.subscribe();
            loop {
                let at = *set.borrow_and_update();
                let ring = async {
                    match at {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = ring => {
                        self.0.send_if_modified(|now| std::mem::take(now).is_none());
                        return Ok(());
                    }
                    changed = set.changed() => if changed.is_err() { return Ok(()) },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn it_rings_once_at_the_time_it_was_set_to_last() {
        let alarm = Alarm::new().unwrap();
        let began = Instant::now();
        alarm.set(Duration::from_mins(1));
        alarm.set(Duration::from_millis(20));
        alarm.rings().await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(20), "{:?}", began.elapsed());
        let again = tokio::time::timeout(Duration::from_millis(30), alarm.rings()).await;
        assert!(again.is_err(), "it rang twice");
    }
}
