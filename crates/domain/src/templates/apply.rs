//! Writes to `template`, `template_version` and `text_policy`.

use sqlx::SqliteConnection;

use super::automated::unknown_in_automations;
use super::rules::{TEMPLATES_MAX, VERSIONS_MAX, check, check_policy};
use super::{Command, Mistake, Policy, Template, Version, query};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Put(template) => put(conn, entry, template).await,
        Command::Archive { key } => archive(conn, entry, key).await,
        Command::Restore { key, version } => restore(conn, entry, key, *version).await,
        Command::InstallStarter { templates } => install_starter(conn, entry, templates).await,
        Command::SetPolicy(policy) => set_policy(conn, policy).await,
    }
}

/// Notes that an alert was raised from a version, which is kept from then on. One that is gone is no matter: the alert
/// holds all it needs itself.
pub(crate) async fn mark_used(
    conn: &mut SqliteConnection,
    key: &str,
    version: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query("update template_version set used = 1 where key = ? and version = ?")
        .bind(key)
        .bind(i64::from(version))
        .execute(conn)
        .await?;
    Ok(())
}

async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    template: &Template,
) -> Result<Outcome, sqlx::Error> {
    if let Some(refusal) = refused(conn, template).await? {
        return Ok(Outcome::Refused(refusal));
    }
    let newest = query::find(conn, &template.key).await?;
    if newest
        .as_ref()
        .is_some_and(|found| found.archived_at.is_some())
    {
        return Ok(Outcome::Refused(Refusal::TemplateArchived(
            template.key.clone(),
        )));
    }
    if newest
        .as_ref()
        .is_some_and(|found| found.template == *template)
    {
        return Ok(Outcome::Unchanged);
    }
    if newest.is_none() && count(conn).await? >= TEMPLATES_MAX {
        let problem = format!("there are {TEMPLATES_MAX} templates already; change one instead");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let version = add_version(conn, entry, template, newest.as_ref(), false).await?;
    Ok(Outcome::Applied(Receipt::Number(u64::from(version))))
}

async fn archive(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
) -> Result<Outcome, sqlx::Error> {
    let Some(found) = query::find(conn, key).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownTemplate(key.to_owned())));
    };
    if found.archived_at.is_some() {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("update template set archived_at_ms = ?, archived_by = ? where key = ?")
        .bind(entry.at.0)
        .bind(entry.envelope.actor.label())
        .bind(key)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::Number(u64::from(found.version))))
}

async fn restore(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
    version: Option<u32>,
) -> Result<Outcome, sqlx::Error> {
    let Some(newest) = query::find(conn, key).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownTemplate(key.to_owned())));
    };
    let wanted = match version {
        Some(version) => query::version(conn, key, version).await?,
        None => Some(newest.clone()),
    };
    let Some(wanted) = wanted else {
        let asked = version.unwrap_or_default();
        let name = format!("{key} version {asked}");
        return Ok(Outcome::Refused(Refusal::UnknownTemplate(name)));
    };
    let mut now = newest.version;
    if wanted.template != newest.template {
        // Rules and allowed hosts may have changed since.
        if let Some(refusal) = refused(conn, &wanted.template).await? {
            return Ok(Outcome::Refused(refusal));
        }
        let newest = Some(&newest);
        now = add_version(conn, entry, &wanted.template, newest, wanted.starter).await?;
    } else if newest.archived_at.is_none() {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("update template set archived_at_ms = null, archived_by = '' where key = ?")
        .bind(key)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::Number(u64::from(now))))
}

async fn install_starter(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    templates: &[Template],
) -> Result<Outcome, sqlx::Error> {
    for template in templates {
        if let Some(refusal) = refused(conn, template).await? {
            return Ok(Outcome::Refused(refusal));
        }
    }
    let mut installed = 0;
    for template in templates {
        let newest = query::find(conn, &template.key).await?;
        let renew = match &newest {
            None => count(conn).await? < TEMPLATES_MAX,
            // Whatever somebody edited or took out of use stays as they left it.
            Some(found) => {
                found.starter && found.archived_at.is_none() && found.template != *template
            }
        };
        if renew {
            add_version(conn, entry, template, newest.as_ref(), true).await?;
            installed += 1;
        }
    }
    Ok(match installed {
        0 => Outcome::Unchanged,
        installed => Outcome::Applied(Receipt::Count(installed)),
    })
}

async fn set_policy(conn: &mut SqliteConnection, policy: &Policy) -> Result<Outcome, sqlx::Error> {
    if let Some(mistake) = check_policy(policy).into_iter().next() {
        return Ok(Outcome::Refused(invalid(&mistake)));
    }
    if query::policy(conn).await? == *policy {
        return Ok(Outcome::Unchanged);
    }
    let price = policy.price.as_ref();
    sqlx::query(
        "insert into text_policy (id, link_hosts, price_micros, currency) values (1, ?, ?, ?) \
         on conflict (id) do update set link_hosts = excluded.link_hosts, price_micros = excluded.price_micros, \
         currency = excluded.currency",
    )
    .bind(rows::to_json(&policy.link_hosts)?)
    .bind(price.map(|price| price.micros.cast_signed()))
    .bind(price.map_or("", |price| &price.currency))
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Why a template may not be put.
async fn refused(
    conn: &mut SqliteConnection,
    template: &Template,
) -> Result<Option<Refusal>, sqlx::Error> {
    let policy = query::policy(conn).await?;
    if let Some(mistake) = check(template, &policy).first() {
        return Ok(Some(invalid(mistake)));
    }
    let unknown = unknown_in_automations(conn, template).await?;
    Ok(unknown.first().map(invalid))
}

fn invalid(mistake: &Mistake) -> Refusal {
    Refusal::Invalid(format!("{}: {}", mistake.at, mistake.problem))
}

async fn count(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from template")
        .fetch_one(conn)
        .await
}

/// Adds a version as the newest, and forgets the oldest that nobody needs.
async fn add_version(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    template: &Template,
    newest: Option<&Version>,
    starter: bool,
) -> Result<u32, sqlx::Error> {
    let version = newest.map_or(1, |found| found.version.saturating_add(1));
    sqlx::query(
        "insert into template (key, version, archived_at_ms, archived_by) values (?, ?, null, '') \
         on conflict (key) do update set version = excluded.version",
    )
    .bind(&template.key)
    .bind(i64::from(version))
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into template_version (key, version, author, put_at_ms, starter, used, content) \
         values (?, ?, ?, ?, ?, 0, ?)",
    )
    .bind(&template.key)
    .bind(i64::from(version))
    .bind(entry.envelope.actor.label())
    .bind(entry.at.0)
    .bind(starter)
    .bind(rows::to_json(template)?)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from template_version where key = ?1 and used = 0 and version not in \
         (select version from template_version where key = ?1 and used = 0 order by version desc limit ?2)",
    )
    .bind(&template.key)
    .bind(VERSIONS_MAX)
    .execute(conn)
    .await?;
    Ok(version)
}
