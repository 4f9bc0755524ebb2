//! Texts that a budget does not let leave.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use super::apply::bar;
use crate::apply::Entry;
use crate::ids::DeliveryId;
use crate::limits;

/// Looks at what is about to be given to channels, one log entry long.
pub(super) struct Budget {
    /// Nothing is limited, and nothing need be looked at.
    limited: bool,
    /// Why nothing but critical texts leaves on an account, by account; none: there is room.
    used_up: BTreeMap<String, Option<String>>,
}

impl Budget {
    pub(super) async fn load(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        Ok(Self {
            limited: !limits::budgets(conn).await?.is_empty(),
            used_up: BTreeMap::new(),
        })
    }

    /// Ends a delivery whose account is used up, in sight of everyone, and says so. Critical texts, call-offs and replies
    /// always leave: people must not be left with half of what they were told.
    pub(super) async fn bars(
        &mut self,
        conn: &mut SqliteConnection,
        entry: &Entry<'_>,
        delivery: DeliveryId,
    ) -> Result<bool, sqlx::Error> {
        if !self.limited {
            return Ok(false);
        }
        let row = sqlx::query(
            "select coalesce(p.account, '') as account from delivery d left join budget_payer p on p.alert_id = d.alert_id \
             where d.delivery_id = ? and d.kind = 'sms' and d.critical = 0 and d.purpose not in ('call_off', 'reply')",
        )
        .bind(delivery.as_bytes())
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let account: String = row.try_get("account")?;
        if !self.used_up.contains_key(&account) {
            let why = limits::used_up(conn, entry.at, &account).await?;
            self.used_up.insert(account.clone(), why);
        }
        match self.used_up.get(&account).and_then(Option::as_deref) {
            Some(why) => bar(conn, entry, delivery, why).await,
            None => Ok(false),
        }
    }
}
