//! `holdfast readiness`: whether people can be reached when it matters.

use clap::Args;
use serde_json::Value;

use super::Context;
use crate::client::segment;
use crate::output::{Done, cell, each};

#[derive(Args, Debug)]
pub(crate) struct ReadinessArgs {
    /// Only this: person:anna, group:duty, schedule:network, site:Turku or node:north
    about: Option<String>,
    /// How many to list, worst first
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

pub(super) async fn readiness(context: &Context, args: &ReadinessArgs) -> Done {
    let about = args.about.as_deref().map(segment);
    let about = about.map_or_else(String::new, |about| format!("&about={about}"));
    let path = format!("/v1/readiness?limit={}{about}", args.limit);
    let answer = context.client()?.get(&path).await?;
    context.output.data(&answer, || shown(context, &answer));
    Ok(())
}

fn shown(context: &Context, answer: &Value) -> String {
    let kinds: Vec<String> = each(&answer["kinds"])
        .map(|kind| format!("{} {}", cell(&kind["kind"]), cell(&kind["score"])))
        .collect();
    let mut text = format!(
        "readiness {} of 100 ({})\n",
        cell(&answer["score"]),
        kinds.join(", ")
    );
    let mut rows = Vec::new();
    for score in each(&answer["scores"]) {
        let mut first = [cell(&score["about"]), cell(&score["score"])];
        if each(&score["reasons"]).next().is_none() {
            rows.push(vec![
                first[0].clone(),
                first[1].clone(),
                String::new(),
                "ready".to_owned(),
                String::new(),
            ]);
        }
        for reason in each(&score["reasons"]) {
            let [about, points] = std::mem::take(&mut first);
            let mut row = vec![about, points];
            row.extend(["grade", "what", "to_do"].map(|field| cell(&reason[field])));
            rows.push(row);
        }
    }
    text.push_str(
        &context
            .output
            .table(&["about", "score", "", "why", "what to do"], &rows),
    );
    text
}
