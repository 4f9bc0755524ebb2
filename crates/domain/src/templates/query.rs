//! Reads of templates.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Mistake, Policy, Price, Template};
use crate::oncall::{self, Called, Of};
use crate::outcome::Refusal;
use crate::recipients::{self, Criterion};
use crate::rows;
use crate::time::Timestamp;

/// A version of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    pub template: Template,
    /// Counts from 1.
    pub version: u32,
    /// Who put it.
    pub author: String,
    pub put_at: Timestamp,
    /// It is as the starter pack has it.
    pub starter: bool,
    /// An alert was raised from it.
    pub used: bool,
    /// When the template was taken out of use, if it was.
    pub archived_at: Option<Timestamp>,
}

/// A template in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    pub newest: Version,
    /// Versions that can still be read.
    pub versions: u64,
}

/// All templates by key, those out of use only when asked for.
pub async fn list(conn: &mut SqliteConnection, archived: bool) -> Result<Vec<Listed>, sqlx::Error> {
    let found = sqlx::query(
        "select v.version, v.author, v.put_at_ms, v.starter, v.used, v.content, t.archived_at_ms, \
         (select count(*) from template_version a where a.key = t.key) as versions \
         from template t join template_version v on v.key = t.key and v.version = t.version \
         where ? or t.archived_at_ms is null order by t.key",
    )
    .bind(archived)
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(Listed {
                newest: version_row(row)?,
                versions: rows::unsigned(row, "versions")?,
            })
        })
        .collect()
}

/// The newest version of a template.
pub async fn find(conn: &mut SqliteConnection, key: &str) -> Result<Option<Version>, sqlx::Error> {
    let row = sqlx::query(
        "select v.version, v.author, v.put_at_ms, v.starter, v.used, v.content, t.archived_at_ms \
         from template t join template_version v on v.key = t.key and v.version = t.version where t.key = ?",
    )
    .bind(key)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(version_row).transpose()
}

/// One version of a template.
pub async fn version(
    conn: &mut SqliteConnection,
    key: &str,
    version: u32,
) -> Result<Option<Version>, sqlx::Error> {
    let row = sqlx::query(
        "select v.version, v.author, v.put_at_ms, v.starter, v.used, v.content, t.archived_at_ms \
         from template t join template_version v on v.key = t.key where t.key = ? and v.version = ?",
    )
    .bind(key)
    .bind(i64::from(version))
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(version_row).transpose()
}

/// Every version of a template that can still be read, newest first.
pub async fn versions(conn: &mut SqliteConnection, key: &str) -> Result<Vec<Version>, sqlx::Error> {
    let found = sqlx::query(
        "select v.version, v.author, v.put_at_ms, v.starter, v.used, v.content, t.archived_at_ms \
         from template t join template_version v on v.key = t.key where t.key = ? order by v.version desc",
    )
    .bind(key)
    .fetch_all(conn)
    .await?;
    found.iter().map(version_row).collect()
}

/// What holds for every text. Without one set: no links, no price.
pub async fn policy(conn: &mut SqliteConnection) -> Result<Policy, sqlx::Error> {
    let row =
        sqlx::query("select link_hosts, price_micros, currency from text_policy where id = 1")
            .fetch_optional(conn)
            .await?;
    let Some(row) = row else {
        return Ok(Policy::default());
    };
    let micros: Option<i64> = row.try_get("price_micros")?;
    let currency: String = row.try_get("currency")?;
    Ok(Policy {
        link_hosts: rows::json(&row, "link_hosts")?,
        price: micros.map(|micros| Price {
            micros: micros.cast_unsigned(),
            currency,
        }),
    })
}

/// The names in a template that nobody, no group and no schedule has now, and skills and sites that nobody has. People
/// come and go, so this is a warning.
pub async fn unknown_recipients(
    conn: &mut SqliteConnection,
    template: &Template,
) -> Result<Vec<Mistake>, sqlx::Error> {
    let mut unknown = Vec::new();
    for (index, step) in template.steps.iter().enumerate() {
        for (place, name) in step.to.iter().enumerate() {
            let Some(called) = Called::parse(name) else {
                continue;
            };
            let refusal = match called {
                Called::Named(named) => recipients::resolve(&mut *conn, &[named]).await?.err(),
                Called::OnCall(key) => match oncall::schedule(&mut *conn, &key).await? {
                    Some(_) => None,
                    None => Some(Refusal::UnknownSchedule(key)),
                },
            };
            if let Some(refusal) = refusal {
                unknown.push(Mistake {
                    at: format!("/steps/{index}/to/{place}"),
                    problem: refusal.to_string(),
                });
            }
        }
        for (place, quota) in step.enough.iter().enumerate() {
            if let Some(problem) = nobody(conn, &quota.of).await? {
                let at = format!("/steps/{index}/enough/{place}");
                unknown.push(Mistake { at, problem });
            }
        }
    }
    Ok(unknown)
}

/// Says that nobody has what a quota wants.
async fn nobody(conn: &mut SqliteConnection, of: &Of) -> Result<Option<String>, sqlx::Error> {
    let (criterion, words) = match of {
        Of::Anyone | Of::Step | Of::EachSite => return Ok(None),
        Of::Called(names) => {
            for name in names {
                let Called::Named(named) = name else {
                    continue;
                };
                let named = std::slice::from_ref(named);
                if let Err(refusal) = recipients::resolve(&mut *conn, named).await? {
                    return Ok(Some(refusal.to_string()));
                }
            }
            return Ok(None);
        }
        Of::Skill(skill) => (
            Criterion::Skill(skill.clone()),
            format!("has the skill {skill:?}"),
        ),
        Of::Site(site) => (
            Criterion::Site(site.clone()),
            format!("belongs to the site {site:?}"),
        ),
    };
    let there = recipients::of_whom(conn, &criterion).await?;
    Ok(there.is_empty().then(|| format!("nobody {words}")))
}

fn version_row(row: &SqliteRow) -> Result<Version, sqlx::Error> {
    Ok(Version {
        template: rows::json(row, "content")?,
        version: rows::unsigned(row, "version")?,
        author: row.try_get("author")?,
        put_at: rows::time(row, "put_at_ms")?,
        starter: row.try_get("starter")?,
        used: row.try_get("used")?,
        archived_at: rows::time_opt(row, "archived_at_ms")?,
    })
}
