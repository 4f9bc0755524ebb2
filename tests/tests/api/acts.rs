//! Changes to a running alert over HTTP.

use domain::access::Scope;
use domain::escalation::Command as Escalation;
use domain::{AlertId, Command};
use serde_json::{Value, json};

use super::World;

/// Raises an alert in two steps, Anna then Bela, and calls the first.
async fn running(world: &World) -> String {
    world.add_people().await;
    let body = json!({
        "severity": "high", "text": "Fire in the turbine hall",
        "steps": [{"people": ["anna"]}, {"after_s": 600, "people": ["bela"]}],
    });
    let raised = world.operator().post("/v1/alerts", body).await.expect(201);
    let alert = AlertId::parse(raised["id"].as_str().unwrap()).unwrap();
    let page = Escalation::ExpandPage { alert, page: 0 };
    world.apply(Command::Escalation(page)).await;
    format!("/v1/alerts/{alert}")
}

#[tokio::test]
async fn every_act_is_done_once_and_shown_with_who_did_it_and_why() {
    let world = World::start().await;
    let alert = running(&world).await;
    let (operator, acts) = (world.operator(), format!("{alert}/acts"));
    let add = json!({"act": "add", "to": {"people": ["bela"]}, "reason": "knows the pump"});
    let once = operator.with("idempotency-key", "add-bela");
    for _ in 0..2 {
        let done = once.post(&acts, add.clone()).await.expect(200);
        assert_eq!(done["changed"], true, "{done}");
    }
    for body in [
        json!({"act": "pause", "for_s": 600}),
        json!({"act": "resume"}),
        json!({"act": "pause", "for_s": 1200, "reason": "looking at it"}),
        json!({"act": "severity", "severity": "critical"}),
        json!({"act": "update", "text": "Gate 5", "texts": {"fi": "Portti 5"}, "who": "silent"}),
        json!({"act": "next_step"}),
        json!({"act": "withdraw", "person": "anna"}),
    ] {
        let done = operator.post(&acts, body.clone()).await.expect(200);
        assert_eq!(done["changed"], true, "{body}");
    }
    let shown = operator.get(&alert).await.expect(200);
    let done: Vec<String> = shown["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| format!("{} {}", act["act"], act["reason"]))
        .collect();
    assert_eq!(
        done,
        [
            r#""add" "knows the pump""#,
            r#""pause" """#,
            r#""resume" """#,
            r#""pause" "looking at it""#,
            r#""severity" """#,
            r#""update" """#,
            r#""next_step" """#,
            r#""withdraw" """#,
        ]
    );
    assert_eq!(shown["acts"][0]["by"], "operator:n1");
    assert_eq!(shown["acts"][0]["named"], json!(["person:bela"]));
    assert_eq!(shown["acts"][5]["texts"]["fi"], "Portti 5");
    assert_eq!(shown["severity"], "critical");
    assert!(shown["plan"]["paused_until"].is_string(), "{shown}");
    assert_eq!(shown["plan"]["step"], 2);
    let called = shown["called"].as_array().unwrap();
    assert_eq!(
        (&called[0]["person"]["key"], &called[0]["withdrawn"]),
        (&json!("anna"), &json!(true))
    );
    assert_eq!(
        (&called[1]["person"]["key"], &called[1]["step"]),
        (&json!("bela"), &Value::Null)
    );
    let room = format!("/v1/rooms/{}/messages", shown["id"].as_str().unwrap());
    let said = operator.get(&room).await.expect(200).to_string();
    assert!(
        said.contains("Called in addition (person:bela): Bela Berg. Reason: knows the pump"),
        "{said}"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_act_that_cannot_be_done_is_refused_in_words() {
    let world = World::start().await;
    let alert = running(&world).await;
    let (operator, acts) = (world.operator(), format!("{alert}/acts"));
    for (body, place) in [
        (json!({"act": "severity", "severity": "bad"}), "#/severity"),
        (json!({"act": "update", "text": " "}), "#/text"),
        (json!({"act": "update", "text": "x", "who": "me"}), "#/who"),
        (
            json!({"act": "resume", "reason": "x".repeat(400)}),
            "#/reason",
        ),
        (
            json!({"act": "add", "to": {"people": ["nobody"]}}),
            "nobody",
        ),
        (json!({"act": "add", "to": {}}), "nobody is named"),
        (json!({"act": "pause", "for_s": 5}), "1 minute to 4 hours"),
        (
            json!({"act": "withdraw", "person": "carl"}),
            "neither called",
        ),
        (json!({"act": "dance"}), "dance"),
    ] {
        let answer = operator.post(&acts, body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert!(answer.text.contains(place), "{body}: {}", answer.text);
    }
    operator
        .post("/v1/alerts/99/acts", json!({"act": "resume"}))
        .await
        .refusal(404, "unknown-alert");
    let resolved = format!("{alert}/resolve");
    operator.post(&resolved, json!({})).await.expect(200);
    let late = operator.post(&acts, json!({"act": "next_step"})).await;
    let late = late.refusal(409, "alert-closed");
    assert!(late.to_string().contains("raise a new one"), "{late}");
    let reader = world.key(&[Scope::AlertRead], None).await;
    world
        .caller(Some(&reader))
        .post(&acts, json!({"act": "resume"}))
        .await
        .refusal(403, "not-allowed");
    world.stop().await;
}
