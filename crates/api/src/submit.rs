//! Changes: from a command to its place in the log and an answer.

use std::time::Duration;

use domain::nodes::Disk;
use domain::ports::{Durability, Proposal, ProposeError};
use domain::vocabulary::Severity;
use domain::{Actor, Command, Outcome, Receipt, alerts};
use serde::Serialize;
use tokio::time::timeout;
use tracing::debug;
use utoipa::ToSchema;

use crate::input::Order;
use crate::problem::{self, Kind, NamedIn, Problem};
use crate::state::Shared;

/// The replica ends a proposal by its own, shorter deadline; this one guards against a replica that hangs.
/// Long enough for a node on the slowest profile to find itself cut off and take the change by itself.
pub(crate) const PROPOSE_TIME: Duration = Duration::from_secs(60);

/// What is promised about a change once it is answered.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Promise {
    /// On the disks of a majority, and applied on the node that answers.
    Replicated,
    /// On the disk of the answering node, which is cut off; it reaches the cluster when it can.
    Island,
}

/// Where a change stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Stored {
    durability: Promise,
    /// The change's place in the log.
    index: u64,
    /// False when what was asked for was already so.
    changed: bool,
}

/// A change that is done.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) stored: Stored,
    pub(crate) receipt: Receipt,
}

impl Done {
    pub(crate) fn index(&self) -> u64 {
        self.stored.index
    }
}

/// Whether an alert depends on it: that is never too much.
fn is_urgent(command: &Command) -> bool {
    matches!(
        command,
        Command::Alerts(_) | Command::Approvals(_) | Command::Reports(_)
    )
}

/// Puts a command through the log. `named_in` says where the caller named the things the command speaks of.
pub(crate) async fn submit(
    shared: &Shared,
    order: Order,
    command: Command,
    named_in: NamedIn,
) -> Result<Done, Problem> {
    let now = shared.clock.boot();
    match (&order.session, &order.actor, &command) {
        (Some(session), _, command) if !is_urgent(command) => shared.pace.change(session, now)?,
        (_, Actor::ApiKey { id }, Command::Alerts(alerts::Command::Raise(raise))) => {
            let critical = raise.severity == Severity::Critical;
            shared.pace.raise(id, critical, now)?;
        }
        _ => {}
    }
    let room = shared.machine.disk();
    if !command.fits(room.disk) {
        let taken = match room.disk {
            Disk::CriticalOnly => "critical alerts only",
            Disk::Unknown | Disk::Ample | Disk::ResultsOnly => "nothing new",
        };
        let detail = format!(
            "this node has {} MB of disk left and takes {taken}; make room there, or ask another node",
            room.free_bytes >> 20
        );
        let problem = Problem::new(Kind::DiskFull, detail);
        return Err(problem.with_idempotency_key(&order.idempotency_key));
    }
    let proposal = Proposal {
        request: order.request,
        body: order.body,
        actor: order.actor,
        decided_under: None,
        command,
    };
    let answered = timeout(PROPOSE_TIME, shared.replica.propose(proposal)).await;
    let committed = answered
        .unwrap_or(Err(ProposeError::Unknown))
        .map_err(|error| problem::of_propose_error(&error, &order.idempotency_key))?;
    debug!(index = committed.index, request = %order.request, "command committed");
    if let Some(problem) = problem::of_outcome(&committed.outcome, named_in) {
        return Err(problem);
    }
    let durability = match committed.durability {
        Durability::Replicated => Promise::Replicated,
        Durability::Island => Promise::Island,
    };
    let (receipt, changed) = match committed.outcome {
        Outcome::Applied(receipt) => (receipt, true),
        Outcome::Unchanged | Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_) => {
            (Receipt::None, false)
        }
    };
    Ok(Done {
        stored: Stored {
            durability,
            index: committed.index,
            changed,
        },
        receipt,
    })
}
