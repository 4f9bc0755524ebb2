//! Who has a skill or belongs to a site, by the index over what is known of people.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, SqliteConnection};

use crate::ids::RecipientId;
use crate::recipients::Criterion;

/// Everyone of whom this is known.
pub(crate) async fn of_whom(
    conn: &mut SqliteConnection,
    criterion: &Criterion,
) -> Result<BTreeSet<RecipientId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select recipient_id from person_label where kind = ? and value = ? order by recipient_id",
    )
    .bind(criterion.kind())
    .bind(criterion.value())
    .fetch_all(conn)
    .await?;
    Ok(RecipientId::from_rows(&found)?.into_iter().collect())
}

/// Every site with the people who belong to it.
pub(crate) async fn people_by_site(
    conn: &mut SqliteConnection,
) -> Result<BTreeMap<String, Vec<RecipientId>>, sqlx::Error> {
    let found = sqlx::query(
        "select value, recipient_id from person_label where kind = 'site' order by value, recipient_id",
    )
    .fetch_all(conn)
    .await?;
    let mut sites: BTreeMap<String, Vec<RecipientId>> = BTreeMap::new();
    for row in &found {
        sites
            .entry(row.try_get(0)?)
            .or_default()
            .push(RecipientId::from_row(row.try_get(1)?)?);
    }
    Ok(sites)
}
