//! The engine's runtime: tokio as it is, but the engine's chance (how long it waits before an election) can be seeded.

use std::cell::RefCell;
use std::fmt::{self, Debug};
use std::time::Duration;

use openraft::OptionalSend;
use openraft::async_runtime::AsyncRuntime;
use openraft::impls::TokioRuntime;
use rand::rngs::{StdRng, ThreadRng};
use rand::{Rng as _, SeedableRng as _, TryRng};

thread_local! {
    static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// From here on the engine draws its chance on this thread from `seed`: for simulations, which run a whole cluster on one
/// thread and must be able to run it again. A node that serves never calls this.
pub fn seed_engine(seed: u64) {
    SEEDED.set(Some(StdRng::seed_from_u64(seed)));
}

/// Tokio, with chance that can be seeded.
pub struct EngineRuntime(TokioRuntime);

impl Debug for EngineRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineRuntime")
    }
}

/// Where the engine's random numbers come from.
#[derive(Debug)]
pub enum Chance {
    /// The operating system's, through the thread's generator.
    Real(ThreadRng),
    /// What [`seed_engine`] set.
    Seeded(Box<StdRng>),
}

impl TryRng for Chance {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(match self {
            Self::Real(rng) => rng.next_u32(),
            Self::Seeded(rng) => rng.next_u32(),
        })
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(match self {
            Self::Real(rng) => rng.next_u64(),
            Self::Seeded(rng) => rng.next_u64(),
        })
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        match self {
            Self::Real(rng) => rng.fill_bytes(to),
            Self::Seeded(rng) => rng.fill_bytes(to),
        }
        Ok(())
    }
}

impl AsyncRuntime for EngineRuntime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> =
        <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = Chance;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        TokioRuntime::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> Chance {
        SEEDED.with_borrow_mut(|seeded| match seeded {
            Some(rng) => Chance::Seeded(Box::new(StdRng::seed_from_u64(rng.next_u64()))),
            None => Chance::Real(rand::rng()),
        })
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}
