//! Which entries of the log the audit tells of: one line for every command, so that a new one does not compile before
//! somebody decided. `None` is machinery: what Holdfast does by itself to carry out what was asked, which rows of alerts,
//! deliveries and rooms tell already.
//!
//! Objects are keys and ids. Names, numbers, addresses and texts go into the details, which can be erased.

mod accounts;
mod rooms;

use sqlx::SqliteConnection;

use crate::audit::{self, Assurance, Details, Draft};
use crate::envelope::Actor;
use crate::ids::{AlertId, NodeId};
use crate::outcome::{Outcome, Receipt};
use crate::recipients::ContactMethod;
use crate::{
    Command, Entry, access, alerts, approvals, deliveries, inbound, islands, limits, nodes, oncall,
    permits, recipients, reports, setup, sources, templates, units, waking, zones,
};

/// Adds what a text was taken for, and how sure its sender is by that (SECURITY D-2): anybody can write a number.
pub(super) async fn add_fate(
    conn: &mut SqliteConnection,
    draft: &mut Draft,
    text: &inbound::Receive,
) -> Result<(), sqlx::Error> {
    let Some(fate) = inbound::fate(conn, &text.key).await? else {
        return Ok(());
    };
    draft.assurance = match fate.by_code {
        true => Assurance::TextCode.name(),
        false => Assurance::Claimed.name(),
    }
    .to_owned();
    let details = std::mem::take(&mut draft.details).text("taken", &fate.taken);
    draft.details = match fate.recipient {
        Some(recipient) => details.text("recipient", &recipient.to_string()),
        None => details,
    };
    if let Some(about) = fate.alert {
        draft.object = alert(about);
    }
    Ok(())
}

/// Action, object and details.
type Said = Option<(&'static str, String, Details)>;

/// What the audit holds of an entry, in order; mostly one thing, or nothing.
pub(super) fn drafts(entry: &Entry<'_>, outcome: &Outcome) -> Vec<Draft> {
    let actor = &entry.envelope.actor;
    // A loop may say the same twice. People who ask for what is so already asked all the same.
    if *actor == Actor::Loop && *outcome == Outcome::Unchanged {
        return Vec::new();
    }
    if let Command::Audit(audit::Command::Note { events, .. }) = &entry.envelope.command
        && matches!(outcome, Outcome::Applied(_))
    {
        return events
            .iter()
            .map(|event| Draft::of_event(entry, event))
            .collect();
    }
    let said = said(&entry.envelope.command, actor, outcome);
    said.map(|said| Draft::of(entry, outcome, said))
        .into_iter()
        .collect()
}

fn said(command: &Command, actor: &Actor, outcome: &Outcome) -> Said {
    match command {
        Command::Requests(crate::requests::Command::Prune { .. }) => None,
        Command::Nodes(command) => of_nodes(command, actor, outcome),
        Command::Access(command) => of_access(command),
        Command::Recipients(command) => of_recipients(command),
        Command::Deliveries(command) => of_deliveries(command),
        Command::Conversations(command) => rooms::of_rooms(command),
        Command::Escalation(_) => None,
        Command::Alerts(command) => of_alerts(command, outcome),
        Command::Inbound(command) => of_inbound(command),
        Command::Islands(islands::Command::Merge { origin, facts }) => line(
            "island.merge",
            node(*origin),
            details().number("facts", facts.len() as u64),
        ),
        Command::Sources(command) => of_sources(command),
        Command::Reports(command) => of_reports(command),
        Command::Zones(zones::Command::Install(install)) => line(
            "zones.install",
            "zones".to_owned(),
            details().text("version", &install.version),
        ),
        Command::Oncall(command) => of_oncall(command),
        Command::Templates(command) => of_templates(command),
        Command::Limits(command) => of_limits(command),
        Command::Approvals(command) => of_approvals(command),
        Command::Waking(command) => of_waking(command),
        Command::Automations(_) => None,
        // What was said is there already; a digest is a delivery.
        Command::Bridge(_) => None,
        Command::Files(command) => rooms::of_files(command),
        Command::Documents(command) => rooms::of_documents(command),
        Command::Units(command) => of_units(command),
        Command::Permits(command) => of_permits(command),
        Command::Setup(setup::Command::Finish) => {
            line("setup.finish", "cluster".to_owned(), details())
        }
        Command::Audit(command) => of_audit(command, outcome),
        Command::Passes(command) => accounts::of_passes(command),
        #[cfg(feature = "next-level")]
        Command::Next(_) => None,
    }
}

fn of_permits(command: &permits::Command) -> Said {
    let object = |number: &u64| format!("permit:{number}");
    match command {
        permits::Command::Ask(ask) => {
            let details = details()
                .text("body", &ask.body)
                .text("reason", &ask.reason);
            line(
                "permit.ask",
                format!("{} {}", ask.method, ask.path),
                details,
            )
        }
        permits::Command::Let { number } => line("permit.let", object(number), details()),
        permits::Command::Drop { number } => line("permit.drop", object(number), details()),
        permits::Command::Use { digest } => {
            let details = details().text("request", &audit::hex(&digest[..8]));
            line("permit.use", "permit".to_owned(), details)
        }
    }
}

fn of_units(command: &units::Command) -> Said {
    let object = |key: &str| format!("unit:{key}");
    match command {
        units::Command::Put { key, name, above } => {
            let above = above.as_deref().unwrap_or_default();
            let details = details().text("name", name).text("part_of", above);
            line("unit.put", object(key), details)
        }
        units::Command::Remove { key } => line("unit.remove", object(key), details()),
        units::Command::Place { people, unit } => {
            let object = object(unit.as_deref().unwrap_or_default());
            let details = details().names("people", people.iter().map(String::as_str));
            line("unit.place", object, details)
        }
        units::Command::Limit { account, unit } => {
            let unit = unit.as_deref().unwrap_or_default();
            let details = details().text("unit", unit);
            line("account.unit", format!("account:{account}"), details)
        }
    }
}

fn of_nodes(command: &nodes::Command, actor: &Actor, outcome: &Outcome) -> Said {
    use nodes::Command as Nodes;
    match command {
        Nodes::Found(found) => line(
            "cluster.found",
            "cluster".to_owned(),
            details()
                .text("organisation", &found.organisation)
                .text("name", &found.node_name),
        ),
        Nodes::IssueInvite {
            token_hash,
            expires_in_ms,
        } => line(
            "node.invite",
            format!("invite:{}", audit::hex(&token_hash[..8])),
            details().number("expires_in_ms", *expires_in_ms),
        ),
        Nodes::Admit(admit) => {
            let object = match outcome {
                Outcome::Applied(Receipt::Node { id }) => node(*id),
                Outcome::Applied(_)
                | Outcome::Unchanged
                | Outcome::Refused(_)
                | Outcome::Conflict
                | Outcome::Defect(_) => "node".to_owned(),
            };
            let details = details()
                .text("name", &admit.node_name)
                .text("pin", &audit::hex(&admit.pin));
            line("node.admit", object, details)
        }
        Nodes::Remove { node: id } => line("node.remove", node(*id), details()),
        Nodes::SetIdentity {
            node: id,
            pins,
            addresses,
        } => {
            let pins: Vec<String> = pins.iter().map(|pin| audit::hex(pin)).collect();
            let details = details()
                .names("pins", pins.iter().map(String::as_str))
                .names("addresses", addresses.iter().map(String::as_str));
            line("node.identity", node(*id), details)
        }
        Nodes::RaiseLevel { level } => line(
            "cluster.level",
            "cluster".to_owned(),
            details().number("level", (*level).into()),
        ),
        Nodes::SetAuthorities(set) => line(
            "cluster.authorities",
            "cluster".to_owned(),
            details().number("authorities", set.certificates.len() as u64),
        ),
        Nodes::Evict { node: id } => line("node.evict", node(*id), details()),
        Nodes::Recover(recover) => line(
            "cluster.recover",
            node(recover.node),
            details()
                .number("epoch", recover.epoch.into())
                .text("held_back", &recover.outbox_paused),
        ),
        Nodes::SetCivilOffset(set) if *actor != Actor::Loop => line(
            "cluster.time",
            "cluster".to_owned(),
            details().text("offset_ms", &set.offset_ms.to_string()),
        ),
        Nodes::ReportChannels { .. }
        | Nodes::SetReachable { .. }
        | Nodes::ReportLevel { .. }
        | Nodes::ReportMachine(_)
        | Nodes::SetCivilOffset(_)
        | Nodes::TakeDigest
        | Nodes::ReportDigest(_) => None,
    }
}

fn of_access(command: &access::Command) -> Said {
    match command {
        access::Command::CreateKey(key) => line(
            "key.create",
            format!("key:{}", key.id),
            details()
                .text("name", &key.name)
                .names("scopes", key.scopes.iter().map(String::as_str)),
        ),
        access::Command::RevokeKey { id } => line("key.revoke", format!("key:{id}"), details()),
        access::Command::Accounts(command) => accounts::of_accounts(command),
    }
}

fn of_recipients(command: &recipients::Command) -> Said {
    use recipients::Command as Recipients;
    match command {
        Recipients::PutPeople { people } => {
            let keys = || people.iter().map(|person| person.key.as_str());
            let details = details()
                .names("people", keys())
                .names("names", people.iter().map(|person| person.name.as_str()));
            line("person.put", only(keys(), "person", "people"), details)
        }
        Recipients::RemovePerson { key } => {
            line("person.remove", format!("person:{key}"), details())
        }
        Recipients::PutGroups { groups } => {
            let keys = || groups.iter().map(|group| group.key.as_str());
            line(
                "group.put",
                only(keys(), "group", "groups"),
                details().names("groups", keys()),
            )
        }
        Recipients::RemoveGroup { key } => line("group.remove", format!("group:{key}"), details()),
        Recipients::Verify(verify) => {
            let (ContactMethod::Sms(address) | ContactMethod::Email(address)) = &verify.method;
            let details = details().text("address", address).text("how", &verify.how);
            line(
                "person.verify",
                format!("person:{}", verify.person),
                details,
            )
        }
        Recipients::Import(import) => line(
            "directory.import",
            format!("source:{}", import.source),
            details()
                .number("people", import.people.len() as u64)
                .number("absent", import.absent.len() as u64),
        ),
        Recipients::DecideImport { import, approve } => line(
            "directory.decide",
            format!("import:{import}"),
            details().text("approved", if *approve { "yes" } else { "no" }),
        ),
        Recipients::FreezeImports { reason } => line(
            "directory.freeze",
            "directory".to_owned(),
            details().text("reason", reason),
        ),
        Recipients::ThawImports => line("directory.thaw", "directory".to_owned(), details()),
        Recipients::AllowPrefixes { prefixes } => line(
            "directory.prefixes",
            "directory".to_owned(),
            details().names("prefixes", prefixes.iter().map(String::as_str)),
        ),
        Recipients::BarPrefixes { barred } => line(
            "directory.barred",
            "directory".to_owned(),
            details().names("prefixes", barred.iter().map(|each| each.prefix.as_str())),
        ),
    }
}

fn of_deliveries(command: &deliveries::Command) -> Said {
    use deliveries::Command as Deliveries;
    match command {
        Deliveries::PauseOutbox { reason } => line(
            "outbox.pause",
            "outbox".to_owned(),
            details().text("reason", reason),
        ),
        Deliveries::ReleaseOutbox { .. } => line("outbox.release", "outbox".to_owned(), details()),
        Deliveries::DrawReplySecret => line("replies.secret", "replies".to_owned(), details()),
        Deliveries::Assign { .. }
        | Deliveries::RecordAttempts { .. }
        | Deliveries::RecordReports { .. }
        | Deliveries::Reclaim { .. }
        | Deliveries::Resend { .. }
        | Deliveries::Activate { .. }
        | Deliveries::Expire { .. }
        | Deliveries::Supersede { .. }
        | Deliveries::Summarise(_) => None,
    }
}

fn of_alerts(command: &alerts::Command, outcome: &Outcome) -> Said {
    use alerts::Command as Alerts;
    match command {
        Alerts::Raise(raise) => {
            let object = match outcome {
                Outcome::Applied(receipt) => receipt.alert().map(|(id, _)| alert(id)),
                Outcome::Unchanged
                | Outcome::Refused(_)
                | Outcome::Conflict
                | Outcome::Defect(_) => None,
            };
            let people: usize = raise.steps.iter().map(|step| step.recipients.len()).sum();
            let template = raise.template.as_ref().map_or("", |made| &made.key);
            let details = details()
                .text("severity", raise.severity.name())
                .text("status", raise.status.name())
                .text("text", raise.texts.first().map_or("", |(_, text)| text))
                .text("source", &raise.source)
                .text("template", template)
                .number("people", people as u64);
            line(
                "alert.raise",
                object.unwrap_or_else(|| "alert".to_owned()),
                details,
            )
        }
        Alerts::Answer {
            alert: about,
            recipient,
            answer,
            ..
        } => line(
            "alert.answer",
            alert(*about),
            details()
                .text("recipient", &recipient.to_string())
                .text("answer", answer.name()),
        ),
        Alerts::Acknowledge { alert: about, note } => line(
            "alert.acknowledge",
            alert(*about),
            details().text("note", note),
        ),
        Alerts::Resolve { alert: about, note } => {
            line("alert.resolve", alert(*about), details().text("note", note))
        }
        Alerts::CallOff {
            alert: about,
            reason,
        } => line(
            "alert.call_off",
            alert(*about),
            details().text("reason", reason),
        ),
        Alerts::Join { alert: about, into } => line(
            "alert.join",
            alert(*about),
            details().text("into", &into.to_string()),
        ),
        Alerts::Act {
            alert: about,
            act,
            reason,
        } => line(
            "alert.act",
            alert(*about),
            details().text("act", act.name()).text("reason", reason),
        ),
        Alerts::Mark {
            alert: about,
            recipient,
            by,
            mark,
        } => line(
            "alert.mark",
            alert(*about),
            details()
                .text("recipient", &recipient.to_string())
                .text("by", by)
                .text("mark", mark.name()),
        ),
        Alerts::HandOver { .. } => None,
    }
}

fn of_inbound(command: &inbound::Command) -> Said {
    match command {
        // What became of it is added by [`add_fate`].
        inbound::Command::Receive(text) => line(
            "text.receive",
            format!("text:{}", audit::hex(&text.key)),
            details()
                .text("from", &text.from)
                .text("channel", &text.channel),
        ),
        inbound::Command::ReceiveMail(mail) => line(
            "mail.receive",
            format!("mail:{}", audit::hex(&mail.key)),
            details().text("from", &mail.from),
        ),
        inbound::Command::Replay { .. } => None,
        inbound::Command::SetCommanders { whom } => line(
            "commanders.set",
            "commanders".to_owned(),
            details().names("whom", whom.iter().map(String::as_str)),
        ),
    }
}

fn of_sources(command: &sources::Command) -> Said {
    use sources::Command as Sources;
    match command {
        Sources::Put { source } => line(
            "source.put",
            format!("source:{}", source.key),
            details()
                .text("name", &source.name)
                .text("enabled", if source.enabled { "yes" } else { "no" }),
        ),
        Sources::Remove { key } => line("source.remove", format!("source:{key}"), details()),
        Sources::SetToken { key, .. } => line("source.token", format!("source:{key}"), details()),
        Sources::Take { arrivals } => {
            let mut from: Vec<&str> = arrivals.iter().map(|each| each.source.as_str()).collect();
            from.sort_unstable();
            from.dedup();
            let details = details()
                .number("signals", arrivals.len() as u64)
                .names("sources", from.iter().copied());
            line(
                "source.take",
                only(from.into_iter(), "source", "sources"),
                details,
            )
        }
        Sources::FollowUp { .. } => None,
        Sources::PutSilence(silence) => line(
            "silence.put",
            format!("silence:{}", silence.id),
            details()
                .text("source", &silence.source)
                .text("reason", &silence.reason),
        ),
        Sources::EndSilence { id } => line("silence.end", format!("silence:{id}"), details()),
        Sources::StopAll { reason, for_ms } => line(
            "source.stop_all",
            "sources".to_owned(),
            details().text("reason", reason).number("for_ms", *for_ms),
        ),
        Sources::Resume => line("source.resume", "sources".to_owned(), details()),
        Sources::Set(_) => line("source.settings", "sources".to_owned(), details()),
        Sources::Redirect { source, redirect } => line(
            "source.redirect",
            format!("source:{source}"),
            details().text(
                "reason",
                redirect.as_ref().map_or("", |redirect| &redirect.reason),
            ),
        ),
    }
}

fn of_reports(command: &reports::Command) -> Said {
    match command {
        reports::Command::Take(report) => line(
            "report.take",
            "report".to_owned(),
            details()
                .text("who", &report.who)
                .text("what", &report.what)
                .text("via", &report.via),
        ),
        reports::Command::Decide {
            number,
            decision,
            reason,
        } => {
            let decision = match decision {
                reports::Decision::Wait { .. } => "wait",
                reports::Decision::Convene { .. } => "convene",
                reports::Decision::NoAction => "no_action",
                reports::Decision::Over => "over",
            };
            let details = details().text("decision", decision).text("reason", reason);
            line("report.decide", format!("report:{number}"), details)
        }
        reports::Command::FollowUp { .. } => None,
    }
}

fn of_oncall(command: &oncall::Command) -> Said {
    use oncall::Command as Oncall;
    let of = |key: &str| format!("schedule:{key}");
    match command {
        Oncall::Put(schedule) => line(
            "schedule.put",
            of(&schedule.key),
            details().text("name", &schedule.name),
        ),
        Oncall::Remove { schedule } => line("schedule.remove", of(schedule), details()),
        Oncall::PutFixed { schedule, shifts } => line(
            "schedule.shifts",
            of(schedule),
            details().names("people", shifts.iter().map(|shift| shift.person.as_str())),
        ),
        Oncall::AddOverride { schedule, order } => line(
            "schedule.override",
            of(schedule),
            details()
                .names("instead", order.instead.iter().map(String::as_str))
                .text("reason", &order.reason),
        ),
        Oncall::RemoveOverride { schedule, number } => line(
            "schedule.override_end",
            of(schedule),
            details().number("number", *number),
        ),
        Oncall::Redirect { schedule, redirect } => line(
            "schedule.redirect",
            of(schedule),
            details().text(
                "reason",
                redirect.as_ref().map_or("", |redirect| &redirect.reason),
            ),
        ),
        Oncall::ProposeSwap { schedule, swap } => line(
            "swap.propose",
            of(schedule),
            details()
                .text("give", &swap.give.person)
                .text("take", &swap.take.person),
        ),
        Oncall::SettleSwap {
            schedule,
            number,
            verdict,
        } => {
            let verdict = match verdict {
                oncall::Verdict::Consent { .. } => "consent",
                oncall::Verdict::Impose { .. } => "impose",
                oncall::Verdict::Decline { .. } => "decline",
            };
            let details = details().number("number", *number).text("verdict", verdict);
            line("swap.settle", of(schedule), details)
        }
        Oncall::CreateFeed(feed) => line("feed.create", format!("feed:{}", feed.id), details()),
        Oncall::RevokeFeed { id } => line("feed.revoke", format!("feed:{id}"), details()),
    }
}

fn of_templates(command: &templates::Command) -> Said {
    use templates::Command as Templates;
    let of = |key: &str| format!("template:{key}");
    match command {
        Templates::Put(template) => line(
            "template.put",
            of(&template.key),
            details().text("name", &template.name),
        ),
        Templates::Archive { key } => line("template.archive", of(key), details()),
        Templates::Restore { key, .. } => line("template.restore", of(key), details()),
        Templates::InstallStarter { templates } => line(
            "template.starter",
            "templates".to_owned(),
            details().names("templates", templates.iter().map(|each| each.key.as_str())),
        ),
        Templates::SetPolicy(policy) => line(
            "template.policy",
            "templates".to_owned(),
            details().names("link_hosts", policy.link_hosts.iter().map(String::as_str)),
        ),
    }
}

fn of_limits(command: &limits::Command) -> Said {
    match command {
        limits::Command::SetSecondPerson(set) => line(
            "limits.second_person",
            "limits".to_owned(),
            details().text("on", if set.is_some() { "yes" } else { "no" }),
        ),
        limits::Command::SetBudget(budget) => line(
            "limits.budget",
            format!("account:{}", budget.account),
            details().number("reserve_percent", budget.reserve_percent.into()),
        ),
        limits::Command::RemoveBudget { account } => line(
            "limits.budget_remove",
            format!("account:{account}"),
            details(),
        ),
    }
}

fn of_approvals(command: &approvals::Command) -> Said {
    // A code somebody gave is a secret while it counts: it is in no details.
    let said = |said: &approvals::Said| {
        details()
            .text("name", &said.name)
            .text("reason", &said.reason)
    };
    match command {
        approvals::Command::Decide {
            number,
            decision,
            said: words,
        } => {
            let action = match decision {
                approvals::Decision::Approve => "held.approve",
                approvals::Decision::Refuse => "held.refuse",
                approvals::Decision::Release => "held.release",
                approvals::Decision::Withdraw => "held.withdraw",
            };
            line(action, format!("held:{number}"), said(words))
        }
        approvals::Command::Review {
            number,
            said: words,
        } => line("held.review", format!("held:{number}"), said(words)),
        approvals::Command::FollowUp { .. } => None,
    }
}

fn of_waking(command: &waking::Command) -> Said {
    match command {
        waking::Command::FollowUp { .. } => None,
        waking::Command::StartTrips { node: from } => line(
            "modem.trips",
            from.map_or_else(|| "nodes".to_owned(), node),
            details(),
        ),
        waking::Command::SetSpares { numbers } => line(
            "card.spares",
            "card".to_owned(),
            details().names("numbers", numbers.iter().map(String::as_str)),
        ),
        waking::Command::StartTest(test) => line(
            "wake.test",
            "wake_test".to_owned(),
            details().number("people", test.people.len() as u64),
        ),
        waking::Command::CallOffTest { number } => {
            line("wake.call_off", format!("wake_test:{number}"), details())
        }
    }
}

fn of_audit(command: &audit::Command, outcome: &Outcome) -> Said {
    let refused = matches!(outcome, Outcome::Refused(_));
    match command {
        audit::Command::SetKey { node: id, key } => line(
            "node.audit_key",
            node(*id),
            details().text("key", &audit::hex(key)),
        ),
        audit::Command::Erase { seq, reason } => line(
            "audit.erase",
            format!("entry:{seq}"),
            details().text("reason", reason),
        ),
        // Somebody signs who may not.
        audit::Command::Seal(seal) if refused => {
            line("audit.checkpoint", node(seal.node), details())
        }
        audit::Command::Note { node: id, .. } if refused => {
            line("audit.note", node(*id), details())
        }
        audit::Command::Seal(_) | audit::Command::Note { .. } | audit::Command::Mark => None,
    }
}

fn line(action: &'static str, object: String, details: Details) -> Said {
    Some((action, object, details))
}

fn details() -> Details {
    Details::default()
}

fn node(id: NodeId) -> String {
    format!("node:{id}")
}

fn alert(id: AlertId) -> String {
    format!("alert:{id}")
}

/// `kind:key` when there is one, else `many`.
fn only<'a>(keys: impl Iterator<Item = &'a str>, kind: &str, many: &str) -> String {
    let mut keys = keys;
    match (keys.next(), keys.next()) {
        (Some(key), None) => format!("{kind}:{key}"),
        (None | Some(_), _) => many.to_owned(),
    }
}
