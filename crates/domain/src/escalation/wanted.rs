//! From quotas as people write them to those a plan freezes: whom a skill, a site or a name means at the raise.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::{Among, Quota};
use crate::ids::RecipientId;
use crate::oncall::{self, Of, WantedQuota, check_quota};
use crate::outcome::Refusal;
use crate::recipients::{self, Criterion};
use crate::time::CivilTime;

/// Quotas of a step as they are frozen, and what the room is to be told of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResolvedQuotas {
    pub quotas: Vec<Quota>,
    pub notes: Vec<String>,
}

/// Whose answers each quota counts. A skill and a site mean those of `called`, everyone whom the alert calls in any step,
/// since nobody else is asked; that may be fewer than wanted, which is a note, but not nobody, which is a refusal.
pub async fn quotas(
    conn: &mut SqliteConnection,
    wanted: &[WantedQuota],
    called: &[RecipientId],
    at: CivilTime,
) -> Result<Result<ResolvedQuotas, Refusal>, sqlx::Error> {
    let mut resolved = ResolvedQuotas::default();
    for quota in wanted {
        if let Err(problem) = check_quota(quota) {
            return Ok(Err(Refusal::Invalid(problem)));
        }
        let named = |what: &str| match quota.what.as_str() {
            "" => what.to_owned(),
            own => own.to_owned(),
        };
        let (what, among) = match &quota.of {
            Of::Anyone => (named(""), Among::Anyone),
            Of::Step => (named(""), Among::Step),
            Of::Called(names) => match oncall::resolve(conn, names, at).await? {
                Ok(found) => {
                    resolved.notes.extend(found.notes);
                    (named(""), Among::Listed(found.people))
                }
                Err(refusal) => return Ok(Err(refusal)),
            },
            Of::Skill(skill) => {
                let who = Criterion::Skill(skill.clone());
                match known(conn, &who, called, &format!("has the skill {skill:?}")).await? {
                    Ok(people) => (named(skill), Among::Listed(people)),
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            Of::Site(site) => {
                let who = Criterion::Site(site.clone());
                match known(conn, &who, called, &format!("belongs to the site {site:?}")).await? {
                    Ok(people) => (named(site), Among::Listed(people)),
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            Of::EachSite => {
                let sites = each_site(conn, quota.count, called).await?;
                if sites.is_empty() {
                    return Ok(Err(Refusal::Invalid(
                        "nobody this alert calls belongs to a site; name sites in the directory or leave the condition out"
                            .to_owned(),
                    )));
                }
                resolved.quotas.extend(sites);
                continue;
            }
        };
        resolved.quotas.push(Quota {
            what,
            among,
            count: quota.count,
        });
    }
    resolved
        .notes
        .extend(resolved.quotas.iter().filter_map(too_few));
    Ok(Ok(resolved))
}

/// Those called of whom something is known, in the order in which they are called.
async fn known(
    conn: &mut SqliteConnection,
    criterion: &Criterion,
    called: &[RecipientId],
    words: &str,
) -> Result<Result<Vec<RecipientId>, Refusal>, sqlx::Error> {
    let anywhere = recipients::of_whom(conn, criterion).await?;
    let mut seen = BTreeSet::new();
    let people: Vec<RecipientId> = called
        .iter()
        .copied()
        .filter(|id| anywhere.contains(id) && seen.insert(*id))
        .collect();
    if !people.is_empty() {
        return Ok(Ok(people));
    }
    Ok(Err(Refusal::Invalid(match anywhere.len() {
        0 => format!(
            "nobody {words}; say so of somebody in the directory or leave the condition out"
        ),
        others => format!(
            "nobody this alert calls {words}, though {others} in the directory do; call some of them as well"
        ),
    })))
}

/// A quota for every site to which somebody called belongs.
async fn each_site(
    conn: &mut SqliteConnection,
    count: u32,
    called: &[RecipientId],
) -> Result<Vec<Quota>, sqlx::Error> {
    let called: BTreeSet<RecipientId> = called.iter().copied().collect();
    let sites = recipients::people_by_site(conn).await?;
    Ok(sites
        .into_iter()
        .filter_map(|(site, mut people)| {
            people.retain(|id| called.contains(id));
            (!people.is_empty()).then_some(Quota {
                what: site,
                among: Among::Listed(people),
                count,
            })
        })
        .collect())
}

fn too_few(quota: &Quota) -> Option<String> {
    let Among::Listed(people) = &quota.among else {
        return None;
    };
    let (there, wanted) = (people.len(), quota.count);
    (wanted != u32::MAX && there > 0 && there < wanted as usize).then(|| {
        let what = &quota.what;
        format!("Wanted {wanted} of {what:?}, but only {there} are called; all of them are wanted.")
    })
}
