//! A safety check while a site is cut off.

use super::stage::{Cluster, Island};
use crate::alerts::Answer;
use crate::escalation::roll;
use crate::{AlertId, NodeId};

/// Key and status of everyone asked.
async fn statuses(conn: &mut sqlx::SqliteConnection, alert: AlertId) -> Vec<String> {
    let rows = roll(conn, alert, true, 0, 100).await.unwrap();
    rows.iter()
        .map(|row| {
            let status = row.status.map_or("missing", Answer::name);
            format!("{} {status} marks {}", row.key, row.marks.len())
        })
        .collect()
}

#[tokio::test]
async fn answers_and_marks_of_an_island_are_on_the_clusters_list_once_it_is_back() {
    let mut island = Island::new(2).await;
    let before = island.alerts.len();
    island.check_safety(&[0, 1, 2]).await;
    island.act().await;
    island.answer(before, 0, Answer::Safe).await;
    island.mark(before, 0, Answer::NeedHelp).await;
    island.mark(before, 1, Answer::NotOnSite).await;
    let alert = island.alerts[before];
    let expected = [
        "ana safe marks 1",
        "bela not_on_site marks 1",
        "carl missing marks 0",
    ];
    assert_eq!(statuses(&mut island.world.conn, alert).await, expected);

    let mut cluster = Cluster::new().await;
    cluster.world.pass(7_200);
    let facts = island.journal.clone();
    cluster.merge(NodeId(2), facts.clone()).await;
    assert_eq!(statuses(&mut cluster.world.conn, alert).await, expected);
    cluster.merge(NodeId(2), facts).await;
    assert_eq!(statuses(&mut cluster.world.conn, alert).await, expected);
}
