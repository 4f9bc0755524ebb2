//! The organisation of the demo: its people with languages, skills and sites, who is on call, and a prepared alert.
//!
//! Everything is put through the API, as an organisation would.

use std::time::Duration;

use anyhow::anyhow;
use hyper::Method;
use serde_json::{Value, json};

use super::nodes::wait;
use crate::cli::directory::upload;
use crate::client::Client;
use crate::output::each;

/// The people of the demo, as a file the import reads.
pub(super) const PEOPLE_CSV: &str = include_str!("organisation.csv");

/// The prepared alert about water in the turbine hall.
pub(super) const FLOOD: &str = "flood";

/// The leader brings the rules of all time zones in by itself; until then no schedule can be written.
const ZONES_TIME: Duration = Duration::from_secs(30);

/// Where the organisation is.
const ZONE: &str = "Europe/Helsinki";

/// Puts everything; how many people were added.
pub(super) async fn set_up(client: &Client) -> Result<usize, anyhow::Error> {
    let report = upload(client, "", PEOPLE_CSV.as_bytes().to_vec())
        .await
        .map_err(|failure| failure.error)?;
    let added = each(&report["lines"])
        .filter(|line| line["verdict"] == "added")
        .count();
    wait("the rules of time zones are there", ZONES_TIME, || async {
        let zones = client.get("/v1/zones").await.map_err(|f| f.error)?;
        Ok(!zones["release"].is_null())
    })
    .await?;
    for (path, body) in [
        ("/v1/schedules/control-room", control_room()),
        ("/v1/schedules/managers", managers()),
        (&format!("/v1/templates/{FLOOD}"), flood()),
    ] {
        client
            .change(Method::PUT, path, Some(&body))
            .await
            .map_err(|failure| failure.error.context(format!("cannot put {path}")))?;
    }
    let who = client
        .get("/v1/schedules/control-room/on-call")
        .await
        .map_err(|failure| failure.error)?;
    match who["on_call"]
        .as_array()
        .is_some_and(|on_call| !on_call.is_empty())
    {
        true => Ok(added),
        false => Err(anyhow!("nobody is on call in the control room: {who}")),
    }
}

/// Lets people sign in: for each account, what it is and the code that lets one device in.
pub(super) async fn invite(
    client: &Client,
) -> Result<Vec<(&'static str, &'static str, String)>, anyhow::Error> {
    let accounts = [
        ("admin", None, "admin"),
        ("paula", Some("paula"), "incident-manager"),
        ("bjorn", Some("bjorn"), "responder"),
    ];
    let mut codes = Vec::with_capacity(accounts.len());
    for (account, person, role) in accounts {
        let at = format!("/v1/accounts/{account}");
        let mut answer = Value::Null;
        let steps = [
            (
                Method::PUT,
                String::new(),
                person.map(|key| json!({ "person": key })),
            ),
            (
                Method::PUT,
                "/roles".to_owned(),
                Some(json!({ "roles": [role] })),
            ),
            (Method::POST, "/invitation".to_owned(), Some(json!({}))),
        ];
        // The first admin's account came with the founding.
        let first = usize::from(person.is_none());
        for (method, what, body) in steps.into_iter().skip(first) {
            let path = format!("{at}{what}");
            let done = client.change(method, &path, body.as_ref()).await;
            answer = done.map_err(|failure| failure.error.context(format!("cannot do {path}")))?;
        }
        codes.push((
            account,
            role,
            answer["code"].as_str().unwrap_or_default().to_owned(),
        ));
    }
    Ok(codes)
}

/// Days by turns; at night one of those who live nearby.
fn control_room() -> Value {
    json!({
        "name": "Control room", "zone": ZONE,
        "layers": [
            {
                "name": "Night", "rotation": "weekly", "start": "2026-01-05T08:00",
                "turns": [["anna"], ["daavid"]],
                "windows": [{
                    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "20:00", "to": "08:00",
                }],
            },
            {
                "name": "Day", "rotation": "daily", "start": "2026-01-05T08:00",
                "turns": [["anna"], ["bjorn"], ["carol"], ["daavid"], ["elin"], ["frank"]],
            },
        ],
    })
}

fn managers() -> Value {
    json!({
        "name": "Managers", "zone": ZONE,
        "layers": [{
            "name": "Week", "rotation": "weekly", "start": "2026-01-05T08:00",
            "turns": [["paula"], ["quentin"], ["riikka"], ["sven"], ["tuula"], ["ursula"]],
        }],
    })
}

fn flood() -> Value {
    json!({
        "name": "Water in a hall", "severity": "critical", "fallback": "en",
        "texts": {
            "en": "{pump} has tripped, water is rising in {where}",
            "fi": "{pump} on pysähtynyt, vesi nousee: {where}",
            "sv": "{pump} har stannat, vattnet stiger: {where}",
        },
        "placeholders": [
            { "name": "pump", "required": true, "example": { "en": "Pump 3" } },
            {
                "name": "where", "example": { "en": "the turbine hall" },
                "default": { "en": "the turbine hall", "fi": "turbiinisali", "sv": "turbinhallen" },
            },
        ],
        "steps": [
            { "to": ["schedule:control-room", "group:duty", "group:field"] },
            { "after_s": 300, "to": ["schedule:managers", "group:managers"] },
        ],
        "gather": {
            "en": { "place": "Control room", "bridge": "+358 9 4245 0000", "pin": "118" },
            "fi": { "place": "Valvomo", "bridge": "+358 9 4245 0000", "pin": "118" },
            "sv": { "place": "Kontrollrummet", "bridge": "+358 9 4245 0000", "pin": "118" },
        },
        "checklist": [
            {
                "owner": { "en": "Control room", "fi": "Valvomo", "sv": "Kontrollrummet" },
                "text": { "en": "Start the spare pump", "fi": "Käynnistä varapumppu", "sv": "Starta reservpumpen" },
            },
            {
                "owner": { "en": "Field", "fi": "Kenttä", "sv": "Fält" },
                "text": { "en": "Close gate 2", "fi": "Sulje luukku 2", "sv": "Stäng lucka 2" },
            },
        ],
        "automations": [
            {
                "when": { "answered": { "count": 3, "answer": "coming" } },
                "then": [{ "post": { "text": "Three are coming: one to the spare pump, two to gate 2" } }],
            },
            {
                "when": { "answered": { "count": 1, "answer": "need_help" } },
                "then": [{ "add": { "to": ["schedule:managers"] } }],
            },
            {
                "when": { "incomplete": { "after_s": 600 } },
                "then": [{ "add": { "to": ["group:managers"] } }, { "tell": "not_reached" }],
            },
        ],
        "notes": "The drawings of the hall are in the cupboard beside the door.",
    })
}
