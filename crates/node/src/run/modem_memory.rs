//! What modems need remembered over restarts, kept in the node's own database: PINs tried, references of long texts.

use std::sync::Arc;

use async_trait::async_trait;
use channels::{MemoryError, PinMemory, ReferenceCounter};
use cluster::store::node_db::{NodeDb, NodeDbError};
use tokio::sync::Mutex;

/// Memory in `node.db`.
pub(super) struct ModemMemory {
    node_db: Arc<NodeDb>,
    /// One at a time reads a counter and writes the next.
    counting: Mutex<()>,
}

impl ModemMemory {
    pub(super) fn new(node_db: Arc<NodeDb>) -> Arc<Self> {
        Arc::new(Self {
            node_db,
            counting: Mutex::new(()),
        })
    }
}

#[async_trait]
impl PinMemory for ModemMemory {
    async fn tried(&self, iccid: &str, hash: [u8; 32]) -> Result<bool, MemoryError> {
        self.node_db
            .pin_tried(iccid, &hash)
            .await
            .map_err(memory_error)
    }

    async fn record(&self, iccid: &str, hash: [u8; 32]) -> Result<(), MemoryError> {
        self.node_db
            .note_pin(iccid, &hash)
            .await
            .map_err(memory_error)
    }
}

#[async_trait]
impl ReferenceCounter for ModemMemory {
    async fn next(&self, modem: &str) -> Result<u8, MemoryError> {
        let _one = self.counting.lock().await;
        let name = format!("reference of {modem}");
        let last = self.node_db.fact(&name).await.map_err(memory_error)?;
        let next = last
            .and_then(|bytes| bytes.first().copied())
            .unwrap_or_else(rand::random)
            .wrapping_add(1);
        self.node_db
            .set_facts(&[(&name, &[next])])
            .await
            .map_err(memory_error)?;
        Ok(next)
    }
}

fn memory_error(error: NodeDbError) -> MemoryError {
    MemoryError(Box::new(error))
}
