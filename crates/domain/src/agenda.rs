//! When each slice has something to do, in one statement. The leader's loop looks after every change, most looks find
//! nothing, and a statement of its own for each slice would cost far more than what SQLite does with it.

use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use crate::time::Timestamp;
use crate::{
    alerts, approvals, audit, automations, bridge, deliveries, escalation, files, inbound, nodes,
    reports, requests, rows, sources, waking,
};

/// What one slice has to do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Due {
    /// Something happened that is to be followed up whatever the time is.
    pub now: bool,
    /// When the next of what waits for a time is due.
    pub next: Option<Timestamp>,
}

impl Due {
    /// Whether there is something to do at `now`.
    pub fn by(&self, now: Timestamp) -> bool {
        self.now || self.next.is_some_and(|at| at <= now)
    }
}

/// Where a look is worth while. What it says is due may turn out not to be, never the other way about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agenda {
    pub escalation: Due,
    pub deliveries: Due,
    pub expiry: Due,
    pub sources: Due,
    pub automations: Due,
    pub bridge: Due,
    pub files: Due,
    pub reports: Due,
    pub approvals: Due,
    pub waking: Due,
    /// Marks of the audit.
    pub audit: Due,
    /// Since when the method is wanted that waits longest of those which another one could follow.
    pub standby_since: Option<Timestamp>,
    /// Since when the page is wanted that waits longest of those nobody has got.
    pub untold_since: Option<Timestamp>,
    /// A node has work assigned.
    pub under_way: bool,
    /// Texts came with codes that are known elsewhere only.
    pub elsewhere: bool,
    /// Open alerts wait for somebody who came on duty.
    pub duty_awaited: bool,
    /// Since a restore nothing leaves.
    pub outbox_paused: bool,
    pub has_reply_secret: bool,
    /// When the replicas were last compared.
    pub digested_at: Option<Timestamp>,
    /// When the oldest request that is remembered was applied.
    pub oldest_request: Option<Timestamp>,
}

impl Agenda {
    /// When the next thing after `now` is due, marks aside.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let all = [
            self.escalation,
            self.deliveries,
            self.sources,
            self.automations,
            self.bridge,
            self.files,
            self.reports,
            self.approvals,
            self.waking,
        ];
        let times = all.iter().filter_map(|due| due.next);
        times.filter(|at| *at > now).min()
    }
}

static AGENDA: LazyLock<String> = LazyLock::new(|| {
    let columns = [
        ("escalation", escalation::NEXT_DUE),
        ("deliveries", deliveries::NEXT_DUE),
        ("expiry", deliveries::NEXT_EXPIRY),
        ("sources", sources::NEXT_DUE),
        ("automations", automations::NEXT_DUE),
        ("automations_now", automations::STIRRED),
        ("bridge", bridge::NEXT_DUE),
        ("bridge_now", bridge::FOLLOWED),
        ("files", files::NEXT_DUE),
        ("reports", reports::NEXT_DUE),
        ("reports_now", reports::ALERT_CLOSED),
        ("approvals", approvals::NEXT_DUE),
        ("waking", waking::NEXT_DUE),
        (
            "waking_now",
            &format!("({} or {})", waking::UNPLANNED, waking::CARD_IS_OLD),
        ),
        ("audit", &audit::next_mark()),
        ("standby", deliveries::STANDBY_SINCE),
        ("untold", deliveries::UNTOLD_SINCE),
        ("under_way", deliveries::UNDER_WAY),
        ("elsewhere", inbound::ANY_ELSEWHERE),
        ("duty_awaited", alerts::DUTY_AWAITED),
        ("outbox_paused", nodes::IS_OUTBOX_PAUSED),
        ("has_reply_secret", deliveries::HAS_REPLY_SECRET),
        ("digested", nodes::DIGESTED_AT),
        ("request", requests::OLDEST),
    ];
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, sql)| format!("{sql} as {name}"))
        .collect();
    format!("select {}", columns.join(", "))
});

/// Reads it.
pub async fn agenda(conn: &mut SqliteConnection) -> Result<Agenda, sqlx::Error> {
    let row = sqlx::query(AssertSqlSafe(AGENDA.as_str()))
        .fetch_one(conn)
        .await?;
    let time = |column: &str| rows::time_opt(&row, column);
    let due = |column: &str| -> Result<Due, sqlx::Error> {
        Ok(Due {
            now: false,
            next: time(column)?,
        })
    };
    let stirred = |column: &str, now: &str| -> Result<Due, sqlx::Error> {
        Ok(Due {
            now: row.try_get(now)?,
            next: time(column)?,
        })
    };
    Ok(Agenda {
        escalation: due("escalation")?,
        deliveries: due("deliveries")?,
        expiry: due("expiry")?,
        sources: due("sources")?,
        automations: stirred("automations", "automations_now")?,
        bridge: stirred("bridge", "bridge_now")?,
        files: due("files")?,
        reports: stirred("reports", "reports_now")?,
        approvals: due("approvals")?,
        waking: stirred("waking", "waking_now")?,
        audit: due("audit")?,
        standby_since: time("standby")?,
        untold_since: time("untold")?,
        under_way: row.try_get("under_way")?,
        elsewhere: row.try_get("elsewhere")?,
        duty_awaited: row.try_get("duty_awaited")?,
        outbox_paused: row.try_get("outbox_paused")?,
        has_reply_secret: row.try_get("has_reply_secret")?,
        digested_at: time("digested")?,
        oldest_request: time("request")?,
    })
}
