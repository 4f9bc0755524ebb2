//! What is enough, as a raise and a template write it.

use domain::oncall::{Called, Of, WantedQuota};
use domain::recipients::Named;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// So many "coming" among some people: `{"count": 2}` two different people, `{"all": true}` everyone of this step,
/// `{"count": 1, "groups": ["medics"], "what": "medic"}` one of these, `{"count": 2, "skill": "first-aid"}` two who have
/// the skill, `{"count": 1, "each_site": true}` one at each site. A skill and a site mean people this alert calls.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Quota)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuotaBody {
    /// How many; or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    /// All of those meant, or of this step when nobody is named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    /// What people call it; without: the skill or the site.
    #[serde(skip_serializing_if = "String::is_empty")]
    what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    people: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schedules: Vec<String>,
    /// Of those called who have this skill in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "first-aid")]
    skill: Option<String>,
    /// Of those called who belong to this site in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Turku")]
    site: Option<String>,
    /// As many at each site to which somebody called belongs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    each_site: bool,
}

impl QuotaBody {
    /// The quota, or what is wrong with it.
    pub(crate) fn parse(self) -> Result<WantedQuota, String> {
        let count = match (self.count, self.all) {
            (Some(count), false) if count > 0 => count,
            (None, true) => u32::MAX,
            (Some(_), true) => return Err("has `count` beside `all`; give one of them".to_owned()),
            (Some(_) | None, false) => {
                return Err("says not how many; write `count`, 1 or more, or `all`".to_owned());
            }
        };
        let names = called(self.people, self.groups, self.schedules);
        let named = (!names.is_empty()).then_some(Of::Called(names));
        let each = self.each_site.then_some(Of::EachSite);
        let of = [
            named,
            self.skill.map(Of::Skill),
            self.site.map(Of::Site),
            each,
        ];
        let mut of = of.into_iter().flatten();
        let first = of.next();
        if of.next().is_some() {
            return Err(
                "says of whom in more than one way; name people, a skill, a site or `each_site`, in one way"
                    .to_owned(),
            );
        }
        let whole = if self.all { Of::Step } else { Of::Anyone };
        Ok(WantedQuota {
            what: self.what,
            count,
            of: first.unwrap_or(whole),
        })
    }
}

impl From<WantedQuota> for QuotaBody {
    fn from(quota: WantedQuota) -> Self {
        let mut body = Self {
            count: Some(quota.count).filter(|count| *count != u32::MAX),
            all: quota.count == u32::MAX,
            what: quota.what,
            ..Self::default()
        };
        match quota.of {
            Of::Anyone | Of::Step => {}
            Of::Called(names) => {
                for name in names {
                    match name {
                        Called::Named(Named::Person(key)) => body.people.push(key),
                        Called::Named(Named::Group(key)) => body.groups.push(key),
                        Called::OnCall(key) => body.schedules.push(key),
                    }
                }
            }
            Of::Skill(skill) => body.skill = Some(skill),
            Of::Site(site) => body.site = Some(site),
            Of::EachSite => body.each_site = true,
        }
        body
    }
}

/// People, groups and schedules as one list.
pub(crate) fn called(
    people: Vec<String>,
    groups: Vec<String>,
    schedules: Vec<String>,
) -> Vec<Called> {
    let on_call = schedules.into_iter().map(Called::OnCall);
    let named = named(people, groups).into_iter().map(Called::Named);
    named.chain(on_call).collect()
}

/// The people and groups a body names, people first.
pub(crate) fn named(people: Vec<String>, groups: Vec<String>) -> Vec<Named> {
    let people = people.into_iter().map(Named::Person);
    people.chain(groups.into_iter().map(Named::Group)).collect()
}
