//! Who is in a group now, and why: people it names, people of groups it names, people its rule finds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};

use super::{GroupRow, PersonRow, by_ids, first_unknown_person, group_row, group_select};
use crate::ids::{GroupId, RecipientId};
use crate::outcome::Refusal;
use crate::recipients::rules::NESTING_MAX;
use crate::recipients::{Criterion, Details, Member, Rule};
use crate::rows;

/// Somebody or some group named by key, as an alert names whom it calls.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Named {
    Person(String),
    Group(String),
}

/// One reason why a person is in a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    /// Keys of the groups between, outermost first; empty: the group itself says so.
    pub through: Vec<String>,
    /// What the person meets of the last group's rule; empty: that group names the person.
    pub matches: Vec<Criterion>,
}

/// A person in a group, with every reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Occupancy {
    pub person: PersonRow,
    pub why: Vec<Membership>,
}

/// A group with every group reached from it, as far as it takes to say who is in it.
struct Tree {
    /// Key of the group it starts from.
    root: String,
    groups: BTreeMap<String, GroupRow>,
    /// Those whom each group's rule finds, by key.
    found: BTreeMap<GroupId, Vec<RecipientId>>,
}

/// A reason on the way to becoming words: where the walk was, and whether the rule found the person.
type Step = (Vec<String>, bool);

/// Whom a list of names means: each person once, in the order named, groups in calling order.
///
/// The first unknown name is returned as the refusal to give. However large a group, it takes two statements.
pub async fn resolve(
    conn: &mut SqliteConnection,
    names: &[Named],
) -> Result<Result<Vec<RecipientId>, Refusal>, sqlx::Error> {
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    for name in names {
        match name {
            Named::Person(key) => {
                if first_unknown_person(conn, &[key]).await?.is_some() {
                    return Ok(Err(Refusal::UnknownRecipient(key.clone())));
                }
                let id = RecipientId::of_key(key);
                order.extend(seen.insert(id).then_some(id));
            }
            Named::Group(key) => {
                let Some(tree) = tree(conn, key).await? else {
                    return Ok(Err(Refusal::UnknownGroup(key.clone())));
                };
                tree.walk(&mut |id, _, _| order.extend(seen.insert(id).then_some(id)));
            }
        }
    }
    Ok(Ok(order))
}

/// Who is in a group now and why, in calling order, from the `skip`th on and at most `limit`; and how many are in it.
pub async fn occupancy(
    conn: &mut SqliteConnection,
    key: &str,
    skip: usize,
    limit: usize,
) -> Result<Option<(usize, Vec<Occupancy>)>, sqlx::Error> {
    let Some(tree) = tree(conn, key).await? else {
        return Ok(None);
    };
    let mut order = Vec::new();
    let mut why: BTreeMap<RecipientId, Vec<Step>> = BTreeMap::new();
    tree.walk(&mut |id, path, by_rule| {
        let steps = why.entry(id).or_default();
        if steps.is_empty() {
            order.push(id);
        }
        steps.push((path.iter().map(|key| (*key).to_owned()).collect(), by_rule));
    });
    let page: Vec<RecipientId> = order.iter().copied().skip(skip).take(limit).collect();
    let mut people: BTreeMap<RecipientId, PersonRow> = by_ids(conn, &page)
        .await?
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let explained = page
        .iter()
        .filter_map(|id| {
            let person = people.remove(id)?;
            let steps = why.remove(id).unwrap_or_default();
            let why = steps
                .into_iter()
                .map(|step| tree.explain(step, &person))
                .collect();
            Some(Occupancy { person, why })
        })
        .collect();
    Ok(Some((order.len(), explained)))
}

/// Which groups each group names, for all that name any.
pub(in crate::recipients) async fn inner_groups(
    conn: &mut SqliteConnection,
) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let found = sqlx::query(
        "select o.key, n.key from group_inner i join person_group o on o.group_id = i.group_id \
         join person_group n on n.group_id = i.inner_id order by o.key, i.position",
    )
    .fetch_all(conn)
    .await?;
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in &found {
        named
            .entry(row.try_get(0)?)
            .or_default()
            .push(row.try_get(1)?);
    }
    Ok(named)
}

/// The first of these keys that names no group.
pub(in crate::recipients) async fn first_unknown_group(
    conn: &mut SqliteConnection,
    keys: &[&str],
) -> Result<Option<String>, sqlx::Error> {
    let ids: Vec<GroupId> = keys.iter().map(|key| GroupId::of_key(key)).collect();
    let position: Option<i64> = sqlx::query_scalar(
        "select j.key from json_each(?) j left join person_group g on g.group_id = unhex(j.value) \
         where g.group_id is null order by j.key limit 1",
    )
    .bind(rows::hex_array(ids.iter().map(GroupId::as_bytes)))
    .fetch_optional(conn)
    .await?;
    Ok(position
        .and_then(|at| usize::try_from(at).ok())
        .and_then(|at| keys.get(at).map(|key| (*key).to_owned())))
}

/// Those whom the rules of some groups find, by group and key of the person. The index over labels leads to them; nobody
/// else is looked at.
pub(in crate::recipients) const FOUND_BY_RULES: &str = "select m.group_id, m.recipient_id from (\
     select c.group_id, l.recipient_id, sum(c.part = 'all') as alls, sum(c.part = 'any') as anys \
     from group_criterion c join person_label l on l.kind = c.kind and l.value = c.value \
     where c.group_id in (select unhex(value) from json_each(?)) group by c.group_id, l.recipient_id) m \
     join person p on p.recipient_id = m.recipient_id and p.removed_at_ms is null \
     where m.alls = (select count(*) from group_criterion c where c.group_id = m.group_id and c.part = 'all') \
     and (m.anys > 0 or not exists (select 1 from group_criterion c where c.group_id = m.group_id and c.part = 'any')) \
     order by m.group_id, p.key";

async fn tree(conn: &mut SqliteConnection, key: &str) -> Result<Option<Tree>, sqlx::Error> {
    let found = sqlx::query(group_select!(
        "where g.group_id in (with recursive reached(group_id, depth) as (select ?1, 0 union \
         select i.inner_id, r.depth + 1 from reached r join group_inner i on i.group_id = r.group_id where r.depth < ?2) \
         select group_id from reached) order by g.key"
    ))
    .bind(GroupId::of_key(key).as_bytes())
    .bind(i64::try_from(NESTING_MAX).unwrap_or(i64::MAX))
    .fetch_all(&mut *conn)
    .await?;
    let mut groups = BTreeMap::new();
    for row in &found {
        let group = group_row(row)?;
        groups.insert(group.key.clone(), group);
    }
    if !groups.contains_key(key) {
        return Ok(None);
    }
    let ruled = groups.values().filter(|group| !group.rule.is_empty());
    let ids = rows::hex_array(ruled.map(|group| group.id.as_bytes()));
    let mut found: BTreeMap<GroupId, Vec<RecipientId>> = BTreeMap::new();
    let matches = sqlx::query(FOUND_BY_RULES) // says order by itself
        .bind(ids)
        .fetch_all(conn)
        .await?;
    for row in &matches {
        found
            .entry(GroupId::from_row(row.try_get(0)?)?)
            .or_default()
            .push(RecipientId::from_row(row.try_get(1)?)?);
    }
    let root = key.to_owned();
    Ok(Some(Tree {
        root,
        groups,
        found,
    }))
}

impl Tree {
    /// Tells everyone in a group in calling order, once for each reason: who, through which groups, and whether by rule.
    fn walk<'a>(&'a self, tell: &mut dyn FnMut(RecipientId, &[&'a str], bool)) {
        let mut entered = BTreeSet::from([self.root.as_str()]);
        self.enter(&self.root, &mut Vec::new(), &mut entered, tell);
    }

    /// Groups lie at most [`NESTING_MAX`] deep, and each is entered once.
    fn enter<'a>(
        &'a self,
        key: &str,
        path: &mut Vec<&'a str>,
        entered: &mut BTreeSet<&'a str>,
        tell: &mut dyn FnMut(RecipientId, &[&'a str], bool),
    ) {
        let Some(group) = self.groups.get(key) else {
            return;
        };
        for member in &group.members {
            match member {
                Member::Person(person) => tell(RecipientId::of_key(person), path, false),
                Member::Group(inner) => {
                    if entered.insert(inner) {
                        path.push(inner);
                        self.enter(inner, path, entered, tell);
                        path.pop();
                    }
                }
            }
        }
        for id in self.found.get(&group.id).into_iter().flatten() {
            tell(*id, path, true);
        }
    }

    fn explain(&self, (through, by_rule): Step, person: &PersonRow) -> Membership {
        let says = self.groups.get(through.last().unwrap_or(&self.root));
        let rule = says.filter(|_| by_rule).map(|group| &group.rule);
        Membership {
            matches: rule.map_or_else(Vec::new, |rule| matched(rule, &person.details)),
            through,
        }
    }
}

/// Which criteria of a rule a person meets.
fn matched(rule: &Rule, details: &Details) -> Vec<Criterion> {
    let meets = |criterion: &&Criterion| match criterion {
        Criterion::Tag(tag) => details.tags.contains(tag),
        Criterion::Skill(skill) => details.skills.contains(skill),
        Criterion::Site(site) => details.sites.contains(site),
        Criterion::Kind(kind) => details.kind == *kind,
    };
    let all = rule.all_of.iter().chain(&rule.any_of);
    let mut met: Vec<Criterion> = Vec::new();
    for criterion in all.filter(meets) {
        if !met.contains(criterion) {
            met.push(criterion.clone());
        }
    }
    met
}
