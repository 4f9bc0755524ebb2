//! Automations over HTTP: declared in a template, shown as sentences, tried out, and done when an alert runs.

use domain::automations::Command as Automations;
use domain::escalation::Command as Escalation;
use domain::{AlertId, Command};
use serde_json::{Value, json};

use super::World;

fn pump() -> Value {
    json!({
        "name": "Pump", "severity": "high", "needed": 2,
        "texts": {"en": "Pump down", "fi": "Pumppu seis", "sv": "Pumpen stannade"},
        "steps": [{"to": ["group:duty"]}],
        "automations": [
            {"when": {"answered": {"answer": "cannot", "among": ["group:duty"]}},
             "then": [{"add": {"to": ["person:bela"]}}, {"severity": "critical"}, {"tell": "not_reached"}]},
            {"when": {"nobody": {"after_s": 300}}, "then": [{"post": {"text": "Silence"}}]},
            {"when": "complete", "then": [{"close": {"note": "enough"}}]},
        ],
    })
}

#[tokio::test]
async fn automations_are_kept_as_they_were_put_and_read_as_sentences() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.put("/v1/templates/pump", pump()).await.expect(200);
    let shown = operator.get("/v1/templates/pump").await.expect(200);
    assert_eq!(
        shown["automations"][0]["en"],
        "When 1 person (group:duty) has answered \"cannot come\": call also person:bela; make it critical; \
         tell whoever asked for it that too few were reached."
    );
    assert_eq!(
        shown["automations"][2]["fi"],
        "Kun ryhmä on koossa: päätä hälytys."
    );
    let again = operator
        .put("/v1/templates/pump", shown["template"].clone())
        .await
        .expect(200);
    assert_eq!(again["changed"], false, "what is shown can be put again");
    let preview = operator
        .post("/v1/alerts/preview", json!({"template": "pump"}))
        .await
        .expect(200);
    assert_eq!(preview["automations"].as_array().unwrap().len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_trial_says_what_would_fire_when_and_changes_nothing() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.put("/v1/templates/pump", pump()).await.expect(200);
    let answers = json!({"answers": [
        {"after_s": 60, "person": "anna", "answer": "cannot"},
        {"after_s": 90, "person": "anna", "answer": "coming"},
    ]});
    let before = world.replica.applied();
    let tried = operator
        .post("/v1/templates/pump/try", answers)
        .await
        .expect(200);
    assert_eq!(world.replica.applied(), before);
    assert_eq!(tried["fires"].as_array().unwrap().len(), 1, "{tried}");
    assert_eq!(
        (&tried["fires"][0]["after_s"], &tried["fires"][0]["number"]),
        (&json!(60), &json!(1))
    );
    assert_eq!(tried["silent"], json!([2, 3]));
    let nobody = json!({"answers": [{"after_s": 1, "person": "nobody", "answer": "maybe"}]});
    let problem = operator
        .post("/v1/templates/pump/try", nobody)
        .await
        .refusal(422, "invalid-input");
    assert_eq!(problem["errors"][0]["pointer"], "#/answers/0/person");
    assert_eq!(problem["errors"][1]["pointer"], "#/answers/0/answer");
    world.stop().await;
}

#[tokio::test]
async fn what_an_automation_names_must_be_there() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let mut bad = pump();
    bad["automations"][0]["then"][0] = json!({"add": {"to": ["group:nobody"]}});
    bad["automations"][1]["then"][0] = json!({"raise": {"template": "nothing"}});
    let problem = operator
        .put("/v1/templates/pump", bad)
        .await
        .refusal(422, "invalid-input");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        [
            "#/automations/0/then/0/add/to/0",
            "#/automations/1/then/0/raise/template"
        ]
    );
    let mut bad = pump();
    bad["automations"][0]["then"][1] = json!({"severity": "terrible"});
    bad["automations"][0]["when"]["answered"]["answer"] = json!("maybe");
    let problem = operator
        .put("/v1/templates/pump", bad)
        .await
        .refusal(422, "invalid-input");
    assert!(
        problem
            .to_string()
            .contains("#/automations/0/when/answered/answer"),
        "{problem}"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_answer_brings_about_what_the_template_says_and_whoever_asked_is_told() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.put("/v1/templates/pump", pump()).await.expect(200);
    let raise = json!({"template": "pump", "requester": "person:bela"});
    let raised = operator.post("/v1/alerts", raise).await.expect(201);
    let alert = AlertId::parse(raised["id"].as_str().unwrap()).unwrap();
    let path = format!("/v1/alerts/{alert}");
    world
        .apply(Command::Escalation(Escalation::ExpandPage {
            alert,
            page: 0,
        }))
        .await;
    operator
        .post(
            &format!("{path}/answer"),
            json!({"person": "anna", "answer": "cannot"}),
        )
        .await
        .expect(200);
    let shown = operator.get(&path).await.expect(200);
    let automations = shown["automations"].as_array().unwrap();
    assert_eq!(automations[0]["state"], "fired", "{shown}");
    assert_eq!(automations[0]["cause"], "1 person has answered cannot");
    assert_eq!(
        automations[0]["did"],
        json!([
            "called also person:bela",
            "made it critical",
            "told Bela Berg that too few were reached"
        ])
    );
    assert_eq!(automations[1]["state"], "waiting");
    assert!(automations[1]["due"].is_string());
    assert_eq!(shown["severity"], "critical");
    assert_eq!(shown["acts"][0]["by"], "automation 1 of pump");
    let again = Automations::FollowUp {
        alerts: vec![alert],
    };
    world.apply(Command::Automations(again)).await;
    let same = operator.get(&path).await.expect(200);
    assert_eq!(same["automations"], shown["automations"]);

    let only = json!({"template": "pump", "only": "person:anna"});
    let trial = operator.post("/v1/alerts", only).await.expect(201);
    let trial = format!("/v1/alerts/{}", trial["id"].as_str().unwrap());
    let shown = operator.get(&trial).await.expect(200);
    assert_eq!(shown["automations"], json!([]), "nothing follows a trial");
    operator
        .post(
            "/v1/alerts",
            json!({"severity": "low", "text": "x", "to": {"people": ["anna"]}, "requester": "person:bela"}),
        )
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}
