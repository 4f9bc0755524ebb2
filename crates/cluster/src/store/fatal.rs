//! The node's one-way stop: whoever finds the disk broken raises it; whoever owns the node waits for it.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// A stop that cannot be taken back, with its first reason. After a failed fsync nobody knows what the disk holds,
/// so the only safe act is to stop and read it again at the next start.
#[derive(Clone, Debug, Default)]
pub struct Fatal {
    token: CancellationToken,
    reason: Arc<OnceLock<String>>,
}

impl Fatal {
    /// Not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises it. Only the first reason is kept.
    pub fn raise(&self, what: &str, error: &(dyn Error + 'static)) {
        let reason = format!("{what}: {}", chain(error));
        if self.reason.set(reason.clone()).is_ok() {
            tracing::error!(reason, "storage failed, the node stops");
        }
        self.token.cancel();
    }

    /// Why, once it was raised.
    pub fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Waits until it is raised, and says why.
    pub async fn raised(&self) -> String {
        self.token.cancelled().await;
        self.reason
            .get()
            .cloned()
            .unwrap_or_else(|| "storage failed".to_owned())
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_is_kept() {
        let fatal = Fatal::new();
        assert_eq!(fatal.reason(), None);
        fatal.raise("append", &std::io::Error::other("disk gone"));
        fatal.raise("vote", &std::io::Error::other("later"));
        assert_eq!(fatal.raised().await, "append: disk gone");
    }
}
