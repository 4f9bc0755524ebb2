//! What the listener must know after a restart, so that nothing that was heard before it is believed again.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::engine::Remembered;
use crate::sms_modem::MemoryError;

/// Keeps some bytes over restarts of this node.
#[async_trait]
pub trait SnmpMemory: Send + Sync + 'static {
    /// What was written last.
    async fn read(&self) -> Result<Option<Vec<u8>>, MemoryError>;

    /// Replaces it; durable once this returns.
    async fn write(&self, bytes: &[u8]) -> Result<(), MemoryError>;
}

pub(super) fn encode(remembered: &Remembered) -> Vec<u8> {
    let clocks: Vec<Value> = remembered
        .clocks
        .iter()
        .map(|(engine, boots, time_s)| json!([engine, boots, time_s]))
        .collect();
    json!({ "boots": remembered.boots, "clocks": clocks })
        .to_string()
        .into_bytes()
}

/// What cannot be read is as if it had never been.
pub(super) fn decode(bytes: &[u8]) -> Remembered {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let natural = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let clock = |row: &Value| {
        let engine = row.get(0)?.as_array()?.iter();
        let engine = engine.map(|byte| u8::try_from(byte.as_u64()?).ok());
        Some((
            engine.collect::<Option<_>>()?,
            natural(row.get(1)?)?,
            natural(row.get(2)?)?,
        ))
    };
    let clocks = document.get("clocks").and_then(Value::as_array);
    Remembered {
        boots: document.get("boots").and_then(natural).unwrap_or(0),
        clocks: clocks.into_iter().flatten().filter_map(clock).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_known_again() {
        let remembered = Remembered {
            boots: 7,
            clocks: vec![(vec![0x80, 0, 1], 3, 400), (vec![9; 12], 1, 0)],
        };
        assert_eq!(decode(&encode(&remembered)), remembered);
        assert_eq!(decode(b"{"), Remembered::default());
    }
}
