//! Gathers what there is.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::rules::{self, ADMINS_MIN, NODES_MIN, State, Step};
use crate::access::Role;
use crate::access::accounts::{self, AccountRow};
use crate::ids::NodeId;
use crate::nodes;
use crate::passes::{self, CardState};
use crate::time::Timestamp;

/// Who said that setup is finished, and when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finished {
    pub at: Timestamp,
    /// The actor.
    pub by: String,
}

/// That setup is finished, once it is.
pub async fn finished(conn: &mut SqliteConnection) -> Result<Option<Finished>, sqlx::Error> {
    let row: Option<(i64, String)> =
        sqlx::query_as("select finished_at_ms, finished_by from setup where id = 1")
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|(at, by)| Finished {
        at: Timestamp(at),
        by,
    }))
}

/// How far every step is at `now`, in order.
pub async fn look(conn: &mut SqliteConnection, now: Timestamp) -> Result<Vec<State>, sqlx::Error> {
    let mut states = of_accounts(conn, now).await?.to_vec();
    states.extend(of_nodes(conn, now).await?);
    let people = "select count(distinct m.recipient_id) from contact_method m join person p on p.recipient_id = m.recipient_id \
                  where p.removed_at_ms is null and m.kind = 'sms'";
    states.push(counted(conn, Step::People, people).await?);
    let templates = "select count(*) from template where archived_at_ms is null";
    states.push(counted(conn, Step::Templates, templates).await?);
    let exercises = "select count(*) from alert a where a.status <> 'actual' and exists (select 1 from called_person c \
                     where c.alert_id = a.alert_id and c.answer <> '')";
    states.push(counted(conn, Step::Exercise, exercises).await?);
    states.sort_unstable_by_key(|state| state.step);
    Ok(states)
}

/// Whether an account is one of an administrator's, and no card's.
fn is_admin(account: &AccountRow) -> bool {
    account.roles.0.contains(&Role::Admin) && !account.is_glass()
}

/// Whether anybody but this account is, or was before it was switched off, an administrator with a way in of their own.
pub(crate) async fn has_another_admin(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<bool, sqlx::Error> {
    let all = accounts::accounts(conn).await?;
    Ok(all
        .iter()
        .any(|account| account.name != name && is_admin(account) && account.can_show()))
}

/// Whoever can run the cluster, and whoever can lead with it.
async fn of_accounts(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<[State; 2], sqlx::Error> {
    let all = accounts::accounts(conn).await?;
    let state = |step, of, is_one: &dyn Fn(&AccountRow) -> bool| {
        let (ready, not_yet): (Vec<&AccountRow>, Vec<&AccountRow>) = all
            .iter()
            .filter(|account| is_one(account) && account.lets_in(now))
            .partition(|account| account.can_show() && !account.must_enrol());
        State {
            step,
            count: number(ready.len()),
            of,
            missing: not_yet
                .iter()
                .map(|account| account.shown.clone())
                .collect(),
        }
    };
    let is_manager = |account: &AccountRow| account.roles.0.contains(&Role::IncidentManager);
    Ok([
        state(Step::Administrators, ADMINS_MIN, &is_admin),
        state(Step::Managers, 1, &is_manager),
    ])
}

/// Nodes, what they send by, what was heard of them, and the cards of their sites.
async fn of_nodes(conn: &mut SqliteConnection, now: Timestamp) -> Result<Vec<State>, sqlx::Error> {
    let members = nodes::nodes(conn).await?;
    let members: Vec<_> = members
        .into_iter()
        .filter(|node| node.removed_at.is_none())
        .collect();
    let channels = nodes::channels(conn).await?;
    let up = |node: NodeId, kind: &str| {
        let mut own = channels.iter().filter(|channel| channel.node == node);
        own.any(|channel| channel.kind == kind && channel.usable)
    };
    let named = |keep: &dyn Fn(NodeId) -> bool| -> Vec<String> {
        let left = members.iter().filter(|node| keep(node.node));
        left.map(|node| node.name.clone()).collect()
    };
    let silent: Vec<String> = members
        .iter()
        .filter(|node| !node.reachable)
        .map(|node| node.name.clone())
        .collect();
    let without = named(&|node| !(up(node, "sms") && up(node, "email")));
    let heard: BTreeMap<i64, bool> = sqlx::query_as(
        "select node_id, max(arrived_at_ms is not null) from round_trip group by node_id order by node_id",
    )
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    let answered: bool = sqlx::query_scalar(
        "select exists (select 1 from inbound_text i join channel c on c.node_id = i.node_id and c.name = i.channel \
         where i.taken = 'answer' and c.kind = 'sms')",
    )
    .fetch_one(&mut *conn)
    .await?;
    let modems: Vec<(String, bool)> = members
        .iter()
        .filter(|node| up(node.node, "sms"))
        .map(|node| {
            let heard = heard.get(&node.node.0.cast_signed());
            (node.name.clone(), heard.copied().unwrap_or_default())
        })
        .collect();
    let cards = passes::cards(conn).await?;
    let ready = cards
        .iter()
        .filter(|card| card.state(now) == CardState::Ready);
    Ok(vec![
        State {
            step: Step::Nodes,
            count: number(members.len() - silent.len()),
            of: NODES_MIN.max(number(members.len())),
            missing: silent,
        },
        State {
            step: Step::Channels,
            count: number(members.len() - without.len()),
            of: number(members.len()).max(1),
            missing: without,
        },
        rules::texts(&modems, answered),
        State {
            step: Step::Cards,
            count: number(ready.count()),
            of: number(members.len()).max(1),
            missing: Vec::new(),
        },
    ])
}

async fn counted(
    conn: &mut SqliteConnection,
    step: Step,
    statement: &'static str,
) -> Result<State, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(statement).fetch_one(conn).await?;
    Ok(State {
        step,
        count: count.try_into().unwrap_or(u32::MAX),
        of: 1,
        missing: Vec::new(),
    })
}

fn number(count: usize) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
