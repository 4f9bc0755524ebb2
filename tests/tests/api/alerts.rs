//! An alert's life over HTTP.

use domain::alerts::State;
use domain::escalation::Command as Escalation;
use domain::ports::{Freshness, Proposal, ProposeError, Replica};
use domain::{AlertId, Command, RequestId, alerts};
use serde_json::{Value, json};
use tests::fake_replica::Fault;

use super::World;
use super::client::Client;

async fn raise(client: &Client, body: Value) -> Value {
    client.post("/v1/alerts", body).await.expect(201)
}

fn fire() -> Value {
    json!({"severity": "critical", "text": "Fire in the turbine hall", "to": {"groups": ["duty"]}})
}

/// Lets the scheduler's first step happen: the people of the first page are owed their texts.
pub(super) async fn expand(world: &World, alert: &Value) {
    let alert = AlertId::parse(alert["id"].as_str().unwrap()).unwrap();
    world
        .apply(Command::Escalation(Escalation::ExpandPage {
            alert,
            page: 0,
        }))
        .await;
}

#[tokio::test]
async fn an_alert_is_raised_shown_and_called_off() {
    let world = World::start().await;
    world.add_people().await;
    let client = world.trusted().await;
    let raised = client.post("/v1/alerts", fire()).await;
    let location = raised.headers["location"].to_str().unwrap().to_owned();
    let raised = raised.expect(201);
    assert_eq!(
        (&raised["durability"], &raised["number"], &raised["changed"]),
        (&json!("replicated"), &json!("1"), &json!(true))
    );
    expand(&world, &raised).await;

    let shown = client.get(&location).await;
    assert_eq!(
        shown.headers["holdfast-applied"].to_str().unwrap(),
        world.replica.applied().to_string()
    );
    assert!(
        shown.headers["holdfast-as-of"]
            .to_str()
            .unwrap()
            .starts_with("2026-11-21T")
    );
    let shown = shown.expect(200);
    assert_eq!(shown["state"], "open");
    assert_eq!(shown["text"], "Fire in the turbine hall");
    assert!(
        shown["next_action"].is_string() && shown["next_due"].is_string(),
        "{shown}"
    );
    assert_eq!(shown["called"][0]["person"]["key"], "anna");
    assert_eq!(shown["called"][0]["answer"], Value::Null);
    let deliveries = shown["deliveries"].as_array().unwrap();
    let mut planned: Vec<_> = deliveries
        .iter()
        .map(|d| format!("{} {}", d["kind"], d["next_action"]).replace('"', ""))
        .collect();
    planned.sort();
    assert_eq!(
        planned,
        ["email send", "ring wait_for_earlier_method", "sms send"],
        "critical: by SMS and mail at once, and the phone rings after the SMS"
    );
    assert!(
        !shown.to_string().contains("\"code\""),
        "codes are not shown"
    );
    assert_eq!(
        client.get("/v1/alerts/1").await.expect(200)["id"],
        raised["id"]
    );

    let done = client
        .post("/v1/alerts/1/call-off", json!({"reason": "false alarm"}))
        .await
        .expect(200);
    assert_eq!(done["changed"], true);
    let again = client
        .post("/v1/alerts/1/call-off", json!({"reason": "false alarm"}))
        .await
        .expect(200);
    assert_eq!(again["changed"], false);
    let shown = client.get("/v1/alerts/1").await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["note"]),
        (&json!("called_off"), &json!("false alarm"))
    );
    world.stop().await;
}

#[tokio::test]
async fn answers_given_by_telephone_count() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let raised = raise(&operator, fire()).await;
    expand(&world, &raised).await;
    operator
        .post(
            "/v1/alerts/1/answer",
            json!({"person": "anna", "answer": "coming"}),
        )
        .await
        .expect(200);
    let shown = operator.get("/v1/alerts/1").await.expect(200);
    assert_eq!(shown["called"][0]["answer"], "coming");
    assert_eq!(shown["called"][0]["answered_from"], "operator:n1");
    assert_eq!(shown["plan"]["coming"], 1);
    operator
        .post(
            "/v1/alerts/1/answer",
            json!({"person": "bela", "answer": "coming"}),
        )
        .await
        .refusal(422, "unknown-recipient");
    let wrong = operator
        .post(
            "/v1/alerts/1/answer",
            json!({"person": "anna", "answer": "maybe"}),
        )
        .await;
    assert!(
        wrong.refusal(422, "invalid-input")["detail"]
            .as_str()
            .unwrap()
            .contains("need_help")
    );
    world.stop().await;
}

#[tokio::test]
async fn an_alert_is_acknowledged_resolved_and_stays_closed() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    raise(&operator, fire()).await;
    operator
        .post("/v1/alerts/1/acknowledge", json!({"note": "on it"}))
        .await
        .expect(200);
    operator
        .post("/v1/alerts/1/resolve", json!({}))
        .await
        .expect(200);
    operator
        .post("/v1/alerts/1/acknowledge", json!({}))
        .await
        .refusal(409, "alert-closed");
    let shown = operator.get("/v1/alerts/1").await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["acknowledged_by"]),
        (&json!("resolved"), &json!("operator:n1"))
    );
    world.stop().await;
}

#[tokio::test]
async fn an_alert_is_joined_into_another_and_not_into_itself() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let first = raise(&operator, fire()).await;
    raise(&operator, fire()).await;
    operator
        .post("/v1/alerts/2/join", json!({"into": "2"}))
        .await
        .refusal(409, "conflict");
    operator
        .post("/v1/alerts/2/join", json!({"into": "1"}))
        .await
        .expect(200);
    let shown = operator.get("/v1/alerts/2").await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["joined_into"]),
        (&json!("joined"), &first["id"])
    );
    operator
        .post("/v1/alerts/2/join", json!({"into": "77"}))
        .await
        .refusal(404, "unknown-alert");
    world.stop().await;
}

#[tokio::test]
async fn alerts_are_listed_newest_first_page_by_page() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    for _ in 0..3 {
        raise(&operator, fire()).await;
    }
    operator
        .post("/v1/alerts/2/resolve", json!({}))
        .await
        .expect(200);
    let page = operator.get("/v1/alerts?limit=2").await.expect(200);
    let numbers = |page: &Value| {
        page["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| alert["number"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (numbers(&page), &page["next"]),
        (vec!["3".to_owned(), "2".to_owned()], &json!("2"))
    );
    let rest = operator
        .get("/v1/alerts?limit=2&before=2")
        .await
        .expect(200);
    assert_eq!(
        (numbers(&rest), rest.get("next")),
        (vec!["1".to_owned()], None)
    );
    assert_eq!(
        numbers(&operator.get("/v1/alerts?state=open").await.expect(200)),
        ["3", "1"]
    );
    operator
        .get("/v1/alerts?state=closed")
        .await
        .refusal(400, "bad-request");
    world.stop().await;
}

#[tokio::test]
async fn a_repeated_raise_raises_once_and_other_content_is_a_conflict() {
    let world = World::start().await;
    world.add_people().await;
    let client = world
        .trusted()
        .await
        .with("idempotency-key", "pump-3-tripped");
    let first = raise(&client, fire()).await;
    let second = raise(&client, fire()).await;
    assert_eq!(
        (&first["id"], &first["number"]),
        (&second["id"], &second["number"])
    );
    let mut other = fire();
    other["text"] = json!("Another text");
    client
        .post("/v1/alerts", other)
        .await
        .refusal(409, "idempotency-conflict");
    let elsewhere = client.post("/v1/alerts/1/resolve", json!({})).await;
    elsewhere.refusal(409, "idempotency-conflict");
    // The same key from another caller is another request.
    let operator = world.operator().with("idempotency-key", "pump-3-tripped");
    assert_ne!(raise(&operator, fire()).await["id"], first["id"]);
    world.stop().await;
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time_although_its_people_have_gone() {
    let world = World::start().await;
    world.add_people().await;
    let client = world.trusted().await.with("idempotency-key", "once");
    let first = raise(&client, fire()).await;
    let operator = world.operator();
    operator.delete("/v1/groups/duty").await.expect(200);
    let again = raise(&client, fire()).await;
    assert_eq!(again["id"], first["id"]);
    world.stop().await;
}

#[tokio::test]
async fn a_lost_answer_hands_out_a_key_under_which_a_repeat_is_safe() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    world.replica.plan(Fault::LoseAnswer);
    let problem = operator
        .post("/v1/alerts", fire())
        .await
        .refusal(504, "outcome-unknown");
    let repeat = operator.with(
        "idempotency-key",
        problem["idempotency_key"].as_str().unwrap(),
    );
    assert_eq!(raise(&repeat, fire()).await["number"], "1");
    let mut view = world.replica.read(Freshness::Local).await.unwrap();
    assert_eq!(
        alerts::list(&mut view, Some(State::Open), None, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    drop(view);
    world.stop().await;
}

#[tokio::test]
async fn a_cluster_that_cannot_take_more_says_so_and_when_to_come_back() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    world.replica.plan(Fault::Fail(ProposeError::Overloaded));
    let busy = operator.post("/v1/alerts", fire()).await;
    assert_eq!(busy.headers["retry-after"], "1");
    busy.refusal(503, "overloaded");
    world.replica.plan(Fault::Fail(ProposeError::Refused(
        "no leader is known".to_owned(),
    )));
    operator
        .post("/v1/alerts", fire())
        .await
        .refusal(503, "unavailable");
    world.stop().await;
}

#[tokio::test]
async fn people_unknown_here_are_not_refused_while_the_others_cannot_be_asked() {
    let world = World::start().await;
    let operator = world.operator();
    let nobody = || json!({"severity": "low", "text": "x", "to": {"people": ["nobody"]}});
    let refused = operator.post("/v1/alerts", nobody()).await;
    refused.refusal(422, "unknown-recipient");
    world.replica.set_leader(None);
    let unsure = operator.post("/v1/alerts", nobody()).await;
    unsure.refusal(503, "no-quorum");
    world.stop().await;
}

#[tokio::test]
async fn what_an_alert_cannot_be_is_said_field_by_field() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let long = json!({"severity": "urgent", "text": "x".repeat(5_000), "to": {"people": ["anna"]}});
    let problem = operator
        .post("/v1/alerts", long)
        .await
        .refusal(422, "invalid-input");
    let errors = problem["errors"].to_string();
    assert!(
        errors.contains("#/severity") && errors.contains("at most 2000"),
        "{errors}"
    );

    let nobody = json!({"severity": "low", "text": "x", "to": {"people": ["nobody"]}});
    let problem = operator
        .post("/v1/alerts", nobody)
        .await
        .refusal(422, "unknown-recipient");
    assert!(problem["detail"].as_str().unwrap().contains("nobody"));
    operator
        .put("/v1/groups/empty", json!({"name": "Empty", "members": []}))
        .await
        .expect(200);
    let empty = json!({"severity": "low", "text": "x", "to": {"groups": ["empty"]}});
    operator
        .post("/v1/alerts", empty)
        .await
        .refusal(422, "no-recipients");
    world.stop().await;
}

#[tokio::test]
async fn hostile_text_is_taken_and_shown_as_it_came() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let text = "Pump 3\r\nAT+CMGD=1,4\u{1a}\u{1b}\0 \u{202e}\u{1f525} <script>";
    raise(
        &operator,
        json!({"severity": "high", "text": text, "to": {"people": ["anna"]}}),
    )
    .await;
    assert_eq!(operator.get("/v1/alerts/1").await.expect(200)["text"], text);
    world.stop().await;
}

#[tokio::test]
async fn people_talk_in_an_alerts_room_and_in_the_duty_inbox() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    raise(&operator, fire()).await;
    operator
        .post(
            "/v1/rooms/1/messages",
            json!({"text": "Meet at gate 2", "author": "Anna"}),
        )
        .await
        .expect(201);
    let said = operator.get("/v1/rooms/1/messages").await.expect(200);
    let last = said["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["author"], &last["text"], &last["via"]),
        (&json!("Anna"), &json!("Meet at gate 2"), &json!("api"))
    );
    operator
        .post(
            "/v1/rooms/inbox/messages",
            json!({"text": "Called the number back"}),
        )
        .await
        .expect(201);
    assert_eq!(
        operator.get("/v1/rooms/inbox/messages").await.expect(200)["messages"][0]["author"],
        "operator:n1"
    );
    operator
        .post("/v1/rooms/99/messages", json!({"text": "x"}))
        .await
        .refusal(404, "unknown-alert");
    operator
        .post("/v1/rooms/1/messages", json!({"text": ""}))
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

#[tokio::test]
async fn a_request_id_never_collides_with_those_of_loops() {
    let world = World::start().await;
    world.add_people().await;
    let raised = raise(&world.operator(), fire()).await;
    let proposal = Proposal::by_loop(
        RequestId::derive(&[b"loop"]),
        Command::Escalation(Escalation::ExpandPage {
            alert: AlertId::parse(raised["id"].as_str().unwrap()).unwrap(),
            page: 0,
        }),
    );
    world.replica.propose(proposal).await.unwrap();
    assert_eq!(
        world.operator().get("/v1/alerts/1").await.expect(200)["called"][0]["person"]["key"],
        "anna"
    );
    world.stop().await;
}
