//! `holdfast cluster recover`: goes on alone after the majority is gone for good.

use cluster::recover::{Recovery, Survey};
use domain::alerts;
use serde_json::json;

use super::Context;
use crate::output::{Done, Exit, Failure};
use crate::run;
use crate::run::data_dir::DataDir;

/// Open alerts are counted up to this many.
const OPEN_ALERTS_MAX: u32 = 10_000;

pub(super) async fn recover(context: &Context) -> Done {
    let config = context.config()?;
    let _held = DataDir::take(&config.node.data_dir).map_err(|error| {
        Failure::of(
            Exit::Conflict,
            anyhow::Error::new(error)
                .context("stop this node first; it must not run while it is recovered"),
        )
    })?;
    let recovery = Recovery::open(run::cluster_config(&config)?)
        .await
        .map_err(failed)?;
    match recovery.survey().cloned() {
        Some(survey) => {
            let open = match recovery.view().await.map_err(failed)? {
                Some(mut view) => {
                    alerts::list(&mut view, Some(alerts::State::Open), None, OPEN_ALERTS_MAX)
                        .await
                        .map_err(|e| Failure::of(Exit::Failure, e.into()))?
                        .len()
                }
                None => 0,
            };
            context.output.note(words(&survey, open));
            let question =
                "Begin the new epoch? The nodes above can never take part again as they are.";
            if let Err(no) = context.confirm(question) {
                recovery.give_up().await.map_err(failed)?;
                return Err(no);
            }
        }
        None => context
            .output
            .note("an earlier recovery broke off after it was confirmed; finishing it"),
    }
    let done = recovery
        .carry_out(&config.api.names)
        .await
        .map_err(failed)?;
    let answer = json!({
        "ok": true, "node": done.node.0, "epoch": done.epoch,
        "aside": done.aside, "ca_file": run::ca_file(&config),
    });
    context.output.data(&answer, || {
        format!("epoch {}, this node is {} now", done.epoch, done.node)
    });
    context.output.note(format!(
        "Start it with `holdfast run`, then invite new nodes: one node has no spare. The old log is in {}; \
         API keys still hold, invitations do not.",
        done.aside.display()
    ));
    Ok(())
}

fn words(survey: &Survey, open_alerts: usize) -> String {
    let fenced: Vec<String> = survey
        .fenced
        .iter()
        .map(|(node, name)| format!("{node} ({name})"))
        .collect();
    let mut text = format!(
        "{} (cluster {}), epoch {}:\n  \
         kept: everything up to log entry {} of {} (cluster time), {open_alerts} open alerts\n  \
         lost: whatever the others confirmed after that and this node never received\n  \
         fenced for ever: {}\n  \
         this node: {} becomes {} in epoch {}",
        survey.organisation,
        survey.cluster,
        survey.epoch,
        survey.applied,
        survey.as_of.to_rfc3339(),
        if fenced.is_empty() {
            "nobody".to_owned()
        } else {
            fenced.join(", ")
        },
        survey.node,
        survey.next_node,
        survey.next_epoch,
    );
    if survey.unconfirmed > 0 {
        text.push_str(&format!(
            "\n  of these, {} entries were not known to be confirmed by the others; they are kept all the same",
            survey.unconfirmed
        ));
    }
    if survey.new_authority {
        text.push_str(
            "\n  this node never held the issuing key: the cluster gets a new authority, clients need the new \
             cluster-ca.pem, and the fenced cannot be told (keep them switched off)",
        );
    }
    text.push_str(
        "\nIf more than half of the nodes can come back, do not do this: start them instead.",
    );
    text
}

fn failed(error: cluster::RecoverError) -> Failure {
    let exit = match &error {
        cluster::RecoverError::Retired(_)
        | cluster::RecoverError::NoIdentity(_)
        | cluster::RecoverError::NotFounded(_)
        | cluster::RecoverError::BrokenRestore(_) => Exit::Conflict,
        cluster::RecoverError::Identity(_)
        | cluster::RecoverError::Open(_)
        | cluster::RecoverError::Close(_)
        | cluster::RecoverError::Files(_)
        | cluster::RecoverError::Read(_)
        | cluster::RecoverError::Database(_)
        | cluster::RecoverError::Apply(_)
        | cluster::RecoverError::Internal(_) => Exit::Failure,
    };
    Failure::of(exit, error.into())
}
