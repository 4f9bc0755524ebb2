//! What the watchers tell whoever is on duty: what is wrong and what to do, short enough for one text.

use super::Language;
use crate::watch::Trouble;

/// The words for a trouble.
pub fn trouble(trouble: &Trouble, language: Language) -> String {
    match trouble {
        Trouble::ActionLate { alert } => language.say("watch.action_late", &[("alert", alert)]),
        Trouble::ActionMissing { alert } => {
            language.say("watch.action_missing", &[("alert", alert)])
        }
        Trouble::DeliveriesLate { kind } => {
            language.say("watch.deliveries_late", &[("kind", kind)])
        }
        Trouble::SendsLate { node } => language.say("watch.sends_late", &[("node", node)]),
        Trouble::NotEnded => language.word("watch.not_ended").to_owned(),
        Trouble::NoChannel { kind } => language.say("watch.no_channel", &[("kind", kind)]),
        Trouble::NodeSilent { node } => language.say("watch.node_silent", &[("node", node)]),
        Trouble::ReportsLate { node } => language.say("watch.reports_late", &[("node", node)]),
        Trouble::ChannelDown { node, channel } => language.say(
            "watch.channel_down",
            &[("node", node), ("channel", channel)],
        ),
        Trouble::TripMissing { node, to } => {
            language.say("watch.trip_missing", &[("node", node), ("to", to)])
        }
        Trouble::StateDiffers { node } => language.say("watch.state_differs", &[("node", node)]),
        Trouble::StatesDiffer => language.word("watch.states_differ").to_owned(),
        Trouble::AuditDiffers { node } => language.say("watch.audit_differs", &[("node", node)]),
        Trouble::AuditsDiffer => language.word("watch.audits_differ").to_owned(),
        Trouble::ClocksJumped => language.word("watch.clocks_jumped").to_owned(),
        Trouble::DiskFull { node } => language.say("watch.disk_full", &[("node", node)]),
        Trouble::OnBattery { node } => language.say("watch.on_battery", &[("node", node)]),
        Trouble::Standstill => language.word("watch.standstill").to_owned(),
        Trouble::CutOff { node } => language.say("watch.cut_off", &[("node", node)]),
        Trouble::BudgetNearlyUsed { account } => {
            language.say("watch.budget_nearly_used", &[("account", account)])
        }
        Trouble::BudgetUsed { account } => {
            language.say("watch.budget_used", &[("account", account)])
        }
        Trouble::HeldBack => language.word("watch.held_back").to_owned(),
    }
}

/// A node is about to go dark: when, and where answers go from then on. One text, made when there is no time for a log.
pub fn going_dark(language: Language, site: &str, time: &str, number: Option<&str>) -> String {
    let key = match number {
        Some(_) => "watch.going_dark.to",
        None => "watch.going_dark.alone",
    };
    let values = [
        ("site", site),
        ("time", time),
        ("number", number.unwrap_or_default()),
    ];
    language.say(key, &values)
}
