//! When a step is answered enough: first, all, so many, so many of some, two different people, one from each site.
//!
//! All of them are quotas: so many "coming" among some people. A step is answered enough when each of its quotas is met.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::Answer;
use super::plan_row::{PlanRowFull, load};
use crate::ids::{AlertId, RecipientId};
use crate::oncall::{QUOTAS_MAX, check_what};
use crate::rows;
use crate::vocabulary::{AlertKind, Conduct};

/// People one quota may list.
pub const LISTED_MAX: usize = 2_000;

/// So many answers "coming" among these people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// What people call it: `medic`, `Turku`. May be empty.
    pub what: String,
    pub among: Among,
    /// More than there are people means all of them.
    pub count: u32,
}

/// Whose answers count.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Among {
    /// Everyone called so far.
    Anyone,
    /// The people of this step.
    Step,
    /// These, in whichever step they were called.
    Listed(Vec<RecipientId>),
}

/// What a plan froze beside its steps. Kept as JSON, so that it can grow.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Quotas by step; a step without any goes by the plan's `needed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) enough: Vec<Vec<Quota>>,
    #[serde(default)]
    pub(crate) conduct: Conduct,
    /// Told at once how a safety check goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lead: Vec<RecipientId>,
}

impl Policy {
    /// The quotas that count while `step` is the newest; those of the last step also in what follows it.
    pub(super) fn quotas(&self, step: u16) -> &[Quota] {
        let own = self.enough.get(usize::from(step)).or(self.enough.last());
        own.map_or(&[], Vec::as_slice)
    }
}

/// Says what is wrong with a step's quotas, and cuts them to the people there are.
pub(crate) fn fit(quotas: &[Quota], step: &[RecipientId]) -> Result<Vec<Quota>, String> {
    if quotas.len() > QUOTAS_MAX {
        return Err(format!("a step has at most {QUOTAS_MAX} conditions"));
    }
    quotas.iter().map(|quota| fit_one(quota, step)).collect()
}

fn fit_one(quota: &Quota, step: &[RecipientId]) -> Result<Quota, String> {
    let what = &quota.what;
    check_what(what)?;
    if quota.count == 0 {
        return Err("a condition wants at least one answer".to_owned());
    }
    let people = match &quota.among {
        Among::Anyone => return Ok(quota.clone()),
        Among::Step => step.len(),
        Among::Listed(people) if people.is_empty() => {
            return Err(format!("nobody is {what:?}; name people who can answer it"));
        }
        Among::Listed(people) if people.len() > LISTED_MAX => {
            return Err(format!("a condition lists at most {LISTED_MAX} people"));
        }
        Among::Listed(people) => people.len(),
    };
    Ok(Quota {
        count: quota.count.min(u32::try_from(people).unwrap_or(u32::MAX)),
        ..quota.clone()
    })
}

/// Whether enough are coming for the newest step.
pub(super) async fn is_met(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
) -> Result<bool, sqlx::Error> {
    if row.policy.conduct.kind == AlertKind::SafetyCheck {
        return is_accounted_for(conn, row).await;
    }
    let coming = u32::from(row.coming);
    let quotas = row.policy.quotas(row.plan.step);
    if quotas.is_empty() {
        return Ok(coming >= u32::from(row.needed));
    }
    // No quota is met by fewer than come in all: saves counting a crowd at each of its answers.
    if quotas.iter().any(|quota| quota.count > coming) {
        return Ok(false);
    }
    for quota in quotas {
        if coming_for(conn, row, quota).await? < quota.count {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether as many are coming to an alert as its plan wants; an acknowledgement is not that.
pub(crate) async fn is_complete(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    match load(conn, alert).await? {
        Some(row) => is_met(conn, &row).await,
        None => Ok(false),
    }
}

/// How many gave this answer as their last one: among these people, or everyone; nobody who is left out.
pub(crate) async fn count_answers(
    conn: &mut SqliteConnection,
    alert: AlertId,
    answer: Option<Answer>,
    among: Option<&[RecipientId]>,
) -> Result<u32, sqlx::Error> {
    let among = among.map(|people| rows::hex_array(people.iter().map(RecipientId::as_bytes)));
    sqlx::query_scalar(
        "select count(*) from called_person where alert_id = ?1 and answer <> '' and (?2 is null or answer = ?2) \
         and (answer <> 'coming' or word <> 'lapsed') \
         and (?3 is null or recipient_id in (select unhex(value) from json_each(?3))) \
         and recipient_id not in (select recipient_id from left_out where alert_id = ?1)",
    )
    .bind(alert.as_bytes())
    .bind(answer.map(Answer::name))
    .bind(among)
    .fetch_one(conn)
    .await
}

/// How many are coming who count for a quota.
pub(super) async fn coming_for(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
    quota: &Quota,
) -> Result<u32, sqlx::Error> {
    match &quota.among {
        Among::Anyone => Ok(u32::from(row.coming)),
        Among::Step => coming_of_step(conn, row.alert, row.plan.step).await,
        Among::Listed(people) => coming_of(conn, row.alert, people).await,
    }
}

/// Whether everyone of a safety check was asked, and has answered or was seen.
async fn is_accounted_for(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
) -> Result<bool, sqlx::Error> {
    let pages = row.plan.last_pages.first().map_or(0, |last| last + 1);
    if row.plan.round == 0 && row.plan.next_page < pages {
        return Ok(false);
    }
    let missing: bool = sqlx::query_scalar(
        "select exists (select 1 from called_person c where c.alert_id = ?1 and c.answer = '' \
         and c.recipient_id not in (select recipient_id from left_out where alert_id = ?1) \
         and not exists (select 1 from safety_mark m where m.alert_id = c.alert_id and m.recipient_id = c.recipient_id))",
    )
    .bind(row.alert.as_bytes())
    .fetch_one(conn)
    .await?;
    Ok(!missing)
}

/// Whether so many of those called have said no that the rest cannot be enough, whatever they say.
pub(super) async fn is_hopeless(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
) -> Result<bool, sqlx::Error> {
    if row.policy.conduct.kind == AlertKind::SafetyCheck {
        return Ok(false);
    }
    let alert = row.alert;
    let quotas = row.policy.quotas(row.plan.step);
    if quotas.is_empty() {
        return Ok(able(conn, alert).await? < u32::from(row.needed));
    }
    for quota in quotas {
        let able = match &quota.among {
            Among::Anyone => able(conn, alert).await?,
            Among::Step => able_of_step(conn, alert, row.plan.step).await?,
            Among::Listed(people) => able_of(conn, alert, people).await?,
        };
        if able < quota.count {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn coming_of_step(
    conn: &mut SqliteConnection,
    alert: AlertId,
    step: u16,
) -> Result<u32, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from called_person where alert_id = ?1 and step = ?2 and answer = 'coming' and word <> 'lapsed' \
         and recipient_id not in (select recipient_id from left_out where alert_id = ?1)",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(step))
    .fetch_one(conn)
    .await
}

async fn coming_of(
    conn: &mut SqliteConnection,
    alert: AlertId,
    people: &[RecipientId],
) -> Result<u32, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from called_person where alert_id = ?1 and answer = 'coming' and word <> 'lapsed' \
         and recipient_id in (select unhex(value) from json_each(?2)) \
         and recipient_id not in (select recipient_id from left_out where alert_id = ?1)",
    )
    .bind(alert.as_bytes())
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .fetch_one(conn)
    .await
}

/// People called who have not said no.
async fn able(conn: &mut SqliteConnection, alert: AlertId) -> Result<u32, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from called_person where alert_id = ?1 and answer not in ('cannot', 'need_help') \
         and recipient_id not in (select recipient_id from left_out where alert_id = ?1)",
    )
    .bind(alert.as_bytes())
    .fetch_one(conn)
    .await
}

async fn able_of_step(
    conn: &mut SqliteConnection,
    alert: AlertId,
    step: u16,
) -> Result<u32, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from called_person where alert_id = ?1 and step = ?2 and answer not in ('cannot', 'need_help') \
         and recipient_id not in (select recipient_id from left_out where alert_id = ?1)",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(step))
    .fetch_one(conn)
    .await
}

async fn able_of(
    conn: &mut SqliteConnection,
    alert: AlertId,
    people: &[RecipientId],
) -> Result<u32, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from called_person where alert_id = ?1 and answer not in ('cannot', 'need_help') \
         and recipient_id in (select unhex(value) from json_each(?2)) \
         and recipient_id not in (select recipient_id from left_out where alert_id = ?1)",
    )
    .bind(alert.as_bytes())
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .fetch_one(conn)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(count: u32, among: Among) -> Quota {
        Quota {
            what: "medic".to_owned(),
            among,
            count,
        }
    }

    #[test]
    fn a_quota_of_more_than_there_are_wants_all() {
        let step = [RecipientId([1; 16]), RecipientId([2; 16])];
        let fitted = fit(&[quota(u32::MAX, Among::Step)], &step).unwrap();
        assert_eq!(fitted[0].count, 2);
        let listed = Among::Listed(vec![step[0]]);
        assert_eq!(fit(&[quota(5, listed)], &step).unwrap()[0].count, 1);
        assert_eq!(fit(&[quota(5, Among::Anyone)], &step).unwrap()[0].count, 5);
    }

    #[test]
    fn quotas_nobody_can_meet_are_refused_with_words() {
        let nobody = fit(&[quota(1, Among::Listed(vec![]))], &[]).unwrap_err();
        assert!(nobody.contains("nobody is \"medic\""), "{nobody}");
        assert!(fit(&[quota(0, Among::Anyone)], &[]).is_err());
        let many = vec![quota(1, Among::Anyone); QUOTAS_MAX + 1];
        assert!(fit(&many, &[]).is_err());
    }

    #[test]
    fn what_follows_the_last_step_goes_by_its_quotas() {
        let policy = Policy {
            enough: vec![vec![], vec![quota(2, Among::Anyone)]],
            ..Policy::default()
        };
        assert_eq!(policy.quotas(0), []);
        assert_eq!(policy.quotas(1).len(), 1);
        assert_eq!(policy.quotas(2).len(), 1);
        assert_eq!(Policy::default().quotas(0), []);
    }
}
