//! The feature level (DESIGN A11): each node says what its program knows, the leader raises what the cluster uses.

use domain::nodes::{self, Command as Nodes, LEVEL_KNOWN, Levels};
use domain::ports::{Freshness, ReadError, Replica};
use domain::{Command, NodeId};

/// What this node has to say, with its channels' health.
pub(crate) async fn of_node(replica: &dyn Replica) -> Result<Vec<Command>, ReadError> {
    if replica.island().is_some() {
        return Ok(Vec::new()); // the others decide what is used
    }
    let node = replica.node();
    let mut view = replica.read(Freshness::Local).await?;
    let levels = nodes::levels(&mut view).await?;
    let said = |(id, level): &(NodeId, u16)| *id == node && *level != LEVEL_KNOWN;
    let mut commands = Vec::new();
    if levels.known.iter().any(said) {
        let level = LEVEL_KNOWN;
        commands.push(Command::Nodes(Nodes::ReportLevel { node, level }));
    }
    #[cfg(feature = "next-level")]
    if levels.used >= 2 {
        let count = view.applied;
        commands.push(Command::Next(domain::next::Command::Beat { node, count }));
    }
    Ok(commands)
}

/// What the leader has to do: raise the level once every member knows a higher one.
pub(crate) fn of_leader(levels: &Levels) -> Option<Command> {
    let level = levels.next()?;
    Some(Command::Nodes(Nodes::RaiseLevel { level }))
}
