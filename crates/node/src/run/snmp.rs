//! The SNMP listener of this node: its engine id, and what it needs remembered over restarts, kept in the node's own
//! database.

use std::sync::Arc;

use async_trait::async_trait;
use channels::{MemoryError, SnmpInSettings, SnmpMemory};
use cluster::Cluster;
use cluster::store::node_db::{NodeDb, NodeDbError};

use crate::config::SnmpInConfig;

/// Its name in `node.db`.
const FACT: &str = "snmp";

pub(super) fn settings(config: &SnmpInConfig, cluster: &Cluster) -> SnmpInSettings {
    SnmpInSettings {
        address: config.listen,
        engine: engine(cluster),
        from: config.from.clone(),
        communities: config.communities.clone(),
        users: config.users.clone(),
    }
}

/// An engine id of no enterprise and in no standard's form (RFC 3411 §5, format 5): the cluster's id and the node's, which
/// is never given to another.
fn engine(cluster: &Cluster) -> Vec<u8> {
    let node = cluster.node().0.to_be_bytes();
    [
        &[0x80, 0, 0, 0, 5][..],
        &cluster.identity().cluster(),
        &node,
    ]
    .concat()
}

/// Memory in `node.db`.
pub(super) struct Memory(Arc<NodeDb>);

impl Memory {
    pub(super) fn new(node_db: Arc<NodeDb>) -> Arc<Self> {
        Arc::new(Self(node_db))
    }
}

#[async_trait]
impl SnmpMemory for Memory {
    async fn read(&self) -> Result<Option<Vec<u8>>, MemoryError> {
        self.0.fact(FACT).await.map_err(memory_error)
    }

    async fn write(&self, bytes: &[u8]) -> Result<(), MemoryError> {
        self.0
            .set_facts(&[(FACT, bytes)])
            .await
            .map_err(memory_error)
    }
}

fn memory_error(error: NodeDbError) -> MemoryError {
    MemoryError(Box::new(error))
}
