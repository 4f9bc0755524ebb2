//! What was promised, and what is so at the end.

use std::collections::BTreeSet;

use emulator::event::Event;

use super::{Alert, Story};
use crate::output::each;

/// Counts everything and notes every promise that did not hold.
pub(super) async fn judge(story: &mut Story<'_>) -> Result<(), anyhow::Error> {
    let alerts = story.alerts.clone();
    count_lost(story, &alerts).await;
    let (mut by_sms, mut by_mail) = (BTreeSet::new(), BTreeSet::new());
    for alert in &alerts {
        let shown = story
            .client
            .get(&format!("/v1/alerts/{}?limit=5000", alert.id))
            .await
            .map_err(|f| f.error)?;
        let report = &mut story.report;
        for delivery in each(&shown["deliveries"]) {
            report.deliveries_total += 1;
            report.deliveries_ended += usize::from(delivery["next_action"].is_null());
            report.duplicates_possible += usize::from(delivery["possible_repeat"] == true);
            let accepted = each(&delivery["attempts"])
                .filter(|a| a["state"] == "accepted")
                .filter_map(|a| a["node"].as_u64());
            if delivery["kind"] == "sms" {
                by_sms.extend(accepted)
            } else {
                by_mail.extend(accepted)
            }
        }
        let from_phones = each(&shown["called"]).filter(|c| {
            c["answered_from"]
                .as_str()
                .is_some_and(|from| from.starts_with('+'))
        });
        report.acks_by_sms += from_phones.count();
    }
    let texts = story
        .outside
        .seen()
        .iter()
        .filter(|s| matches!(s, Event::Submitted { part: 1, .. }))
        .count();
    story.report.texts_sent = texts;
    story.report.mails_sent = story.outside.mails().await?;
    let mark = alerts.first().map_or("", |first| first.mark);
    let paged = story
        .people
        .paged_after_answering(story.outside, mark)
        .await?;

    let answered = story.people.all.iter().filter(|p| p.answered()).count();
    let report = &mut story.report;
    let nodes = report.nodes;
    report.check(by_sms.len() == nodes, || {
        format!("texts went out through nodes {by_sms:?} only")
    });
    report.check(by_mail.len() == nodes, || {
        format!("mails went out through nodes {by_mail:?} only")
    });
    let (total, ended) = (report.deliveries_total, report.deliveries_ended);
    report.check(total > 0 && ended == total, || {
        format!("{} of {total} deliveries have not ended", total - ended)
    });
    report.check(paged.is_empty(), || {
        format!("paged after answering: {}", paged.join(", "))
    });
    let acks = report.acks_by_sms;
    report.check(acks > answered, || {
        format!(
            "{acks} answers by SMS are recorded, {} were confirmed",
            answered + 1
        )
    });
    Ok(())
}

/// An accepted alert must be known to every node.
async fn count_lost(story: &mut Story<'_>, alerts: &[Alert]) {
    let mut lost = BTreeSet::new();
    for node in &story.fleet.nodes {
        let Ok(list) = node.local().get("/v1/alerts?limit=500").await else {
            story
                .report
                .broken
                .push(format!("node {} does not answer at the end", node.id));
            continue;
        };
        let known = |alert: &Alert| {
            each(&list["alerts"])
                .any(|a| a["id"] == alert.id.as_str() && a["number"] == alert.number.as_str())
        };
        lost.extend(
            alerts
                .iter()
                .filter(|alert| !known(alert))
                .map(|alert| alert.number.clone()),
        );
    }
    story.report.alerts_lost = lost.len();
    story.report.check(lost.is_empty(), || {
        format!("accepted and not known to every node: alerts {lost:?}")
    });
}
