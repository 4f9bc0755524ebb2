//! `holdfast config`: what is set, where, and what is wrong with it.

use serde_json::json;

use super::Context;
use super::args::ConfigCommand;
use crate::config;
use crate::output::{Done, Exit, Failure};

pub(super) fn config(context: &Context, command: &ConfigCommand) -> Done {
    let loaded = config::load(context.config_path().as_deref());
    match (command, loaded) {
        (ConfigCommand::Check, Ok(_)) => {
            context
                .output
                .data(&json!({ "ok": true, "problems": [] }), String::new);
            context.output.note("the settings are in order");
            Ok(())
        }
        (ConfigCommand::Show { origin }, Ok(loaded)) => {
            let object: serde_json::Map<_, _> = loaded
                .shown
                .iter()
                .map(|s| {
                    (
                        s.key.clone(),
                        json!({ "value": s.value, "origin": s.origin.to_string() }),
                    )
                })
                .collect();
            context.output.data(&object.into(), || {
                let line = |s: &config::Shown| {
                    let from = if *origin {
                        format!("   # {}", s.origin)
                    } else {
                        String::new()
                    };
                    format!("{} = {}{from}", s.key, s.value)
                };
                loaded.shown.iter().map(line).collect::<Vec<_>>().join("\n")
            });
            Ok(())
        }
        (_, Err(error)) => {
            if context.output.json {
                let problem = |p: &config::Problem| json!({ "origin": p.origin.to_string(), "key": p.key, "text": p.text });
                let problems: Vec<_> = error.0.iter().map(problem).collect();
                context
                    .output
                    .line(&json!({ "ok": false, "problems": problems }).to_string());
            }
            let count = error.0.len();
            for problem in &error.0 {
                context.output.note(problem);
            }
            let text = if count == 1 {
                "the settings have one problem".to_owned()
            } else {
                format!("the settings have {count} problems")
            };
            Err(Failure::new(Exit::Failure, text).reported(context.output.json))
        }
    }
}
