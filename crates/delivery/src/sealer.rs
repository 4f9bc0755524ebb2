//! A node's part in the audit: it says that it started and what it signs with, works the chain out from its own rows as
//! far as the log asks, and signs what that comes to (SECURITY D-12).
//!
//! After a start it goes over the whole chain, a page at a time: a row that was changed behind its back shows in what it
//! signs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::audit::{
    self, Assurance, Checkpoint, Command as Audit, EVENTS_MAX, Event, GENESIS, Seal, WORD_MAX,
    What, hex,
};
use domain::nodes::{ChannelReport, MachineReport};
use domain::ports::{Freshness, Replica, Signer};
use domain::{Actor, Command};
use tracing::{error, warn};

/// How often the rows are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Entries gone over in one round.
const PAGE: u32 = 2_000;

/// See the module. Without a signer it does nothing.
#[derive(Default)]
pub(crate) struct Sealer {
    signer: Option<Arc<dyn Signer>>,
    looked: Option<Duration>,
    /// How far the chain was worked out, and what that came to.
    reached: (u64, [u8; 32]),
    /// What the log does not know yet: that this node started, what changed around it.
    waiting: Vec<Event>,
    /// That it started is among what waits, or known.
    said_started: bool,
    /// Power, disk and channels as they were seen last.
    seen: BTreeMap<String, String>,
    /// People know that the key here is not the one the cluster knows.
    said_foreign: bool,
}

impl Sealer {
    pub(crate) fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            signer: Some(signer),
            reached: (0, GENESIS),
            ..Self::default()
        }
    }

    /// What there is to tell now.
    pub(crate) async fn due(&mut self, replica: &dyn Replica, boot: Duration) -> Vec<Command> {
        let Some(signer) = self.signer.clone() else {
            return Vec::new();
        };
        let lately = self
            .looked
            .is_some_and(|looked| boot.saturating_sub(looked) < PERIOD);
        if lately {
            return Vec::new();
        }
        self.looked = Some(boot);
        let mut commands = Vec::new();
        if !std::mem::replace(&mut self.said_started, true) {
            let version = ("version", env!("CARGO_PKG_VERSION"));
            let object = format!("node:{}", replica.node());
            self.note(replica, What::Started, object, &[version]);
        }
        if !self.waiting.is_empty() {
            commands.push(Command::Audit(Audit::Note {
                node: replica.node(),
                events: self.waiting.clone(),
            }));
        }
        // An island's chain is its own copy; nobody signs that.
        if replica.island().is_some() {
            return commands;
        }
        match self.sign(replica, signer.as_ref()).await {
            Ok(Some(command)) => commands.push(Command::Audit(command)),
            Ok(None) => {}
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "cannot read the audit"
            ),
        }
        commands
    }

    /// The log holds this now.
    pub(crate) fn told(&mut self, command: &Command) {
        if let Command::Audit(Audit::Note { events, .. }) = command {
            self.waiting.drain(..events.len().min(self.waiting.len()));
        }
    }

    /// Notes when power or disk are not as they were.
    pub(crate) fn see_machine(&mut self, replica: &dyn Replica, report: &MachineReport) {
        let object = format!("node:{}", report.node);
        for (what, name, word) in [
            (What::Power, "power", report.power.as_str()),
            (What::Disk, "disk", report.disk.as_str()),
        ] {
            if self.changed(name, word) {
                self.note(replica, what, object.clone(), &[(name, word)]);
            }
        }
    }

    /// Notes when a channel came up or went down.
    pub(crate) fn see_channels(&mut self, replica: &dyn Replica, channels: &[ChannelReport]) {
        for channel in channels {
            let state = if channel.up { "up" } else { "down" };
            if self.changed(&format!("channel {}", channel.name), state) {
                let object = format!("channel:{}/{}", replica.node(), channel.name);
                let reason: String = channel.reason.chars().take(WORD_MAX).collect();
                let details = [("state", state), ("reason", reason.as_str())];
                self.note(replica, What::Channel, object, &details);
            }
        }
    }

    /// What is seen for the first time has not changed.
    fn changed(&mut self, name: &str, word: &str) -> bool {
        let before = self.seen.insert(name.to_owned(), word.to_owned());
        before.is_some_and(|before| before != word)
    }

    fn note(
        &mut self,
        replica: &dyn Replica,
        what: What,
        object: String,
        details: &[(&str, &str)],
    ) {
        // Without a signer nothing is told; more than fits means that the log has stood still for long.
        if self.signer.is_none() || self.waiting.len() >= EVENTS_MAX {
            return;
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.waiting.push(Event {
            at: replica.now(),
            actor: Actor::Loop.label(),
            assurance: Assurance::Node.name().to_owned(),
            what,
            object,
            count: 1,
            details: details.iter().map(owned).collect(),
        });
    }

    async fn sign(
        &mut self,
        replica: &dyn Replica,
        signer: &dyn Signer,
    ) -> Result<Option<Audit>, domain::ports::ReadError> {
        let (node, key) = (replica.node(), signer.public_key());
        let mut view = replica.read(Freshness::Local).await?;
        let Some(owed) = audit::owed(&mut view, node, &key).await? else {
            return Ok(None);
        };
        match owed.key {
            None => return Ok(Some(Audit::SetKey { node, key })),
            Some(known) if known != key => {
                if !std::mem::replace(&mut self.said_foreign, true) {
                    error!(
                        "the cluster knows another audit key of this node; remove it and join it anew"
                    );
                }
                return Ok(None);
            }
            Some(_) => {}
        }
        if owed.seq <= owed.signed {
            return Ok(None);
        }
        if self.reached.0 > owed.seq {
            self.reached = (0, GENESIS);
        }
        self.reached = audit::walk(&mut view, self.reached, owed.seq, PAGE).await?;
        let (seq, head) = self.reached;
        if seq != owed.seq {
            return Ok(None); // the rest in the next rounds
        }
        let checkpoint = Checkpoint {
            cluster: hex(&owed.cluster),
            epoch: owed.epoch,
            head: hex(&head),
            node: node.to_string(),
            seq,
            signature: String::new(),
        };
        Ok(Some(Audit::Seal(Seal {
            node,
            epoch: owed.epoch,
            seq,
            head,
            signature: signer.sign(&checkpoint.message()),
        })))
    }
}
