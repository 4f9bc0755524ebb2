//! A send journal that outlives its node's process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::deliveries::AttemptRef;
use domain::ports::{Journal, JournalError};

use super::gate::{Gate, Point};

#[derive(Debug, Default)]
pub struct MemoryJournal {
    open: Mutex<BTreeSet<AttemptRef>>,
    gate: Arc<Gate>,
}

impl MemoryJournal {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self {
            open: Mutex::default(),
            gate,
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeSet<AttemptRef>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn started(&self, attempts: &[AttemptRef]) -> Result<(), JournalError> {
        self.gate.pass(Point::Journal).await;
        self.open().extend(attempts.iter().copied());
        self.gate.pass(Point::Journalled).await;
        Ok(())
    }

    async fn ended(&self, attempts: &[AttemptRef]) -> Result<(), JournalError> {
        self.gate.pass(Point::Forget).await;
        let mut open = self.open();
        for attempt in attempts {
            open.remove(attempt);
        }
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<AttemptRef>, JournalError> {
        Ok(self.open().iter().copied().collect())
    }
}
