//! Texts that came in, orders by text, and who may give them, over HTTP.

use domain::access::Scope;
use domain::inbound::{Command as Inbound, Receive};
use domain::recipients::{Command as Recipients, ContactMethod, Found, Verify};
use domain::{Command, NodeId};
use serde_json::json;

use super::World;
use super::alerts::expand;

const ANNA: &str = "+358401234567";

async fn receive(world: &World, number: u8, text: &str) {
    world
        .apply(Command::Inbound(Inbound::Receive(Receive {
            key: [number; 16],
            node: NodeId(1),
            channel: "modem".to_owned(),
            from: ANNA.to_owned(),
            text: text.to_owned(),
            sent_at_ms: None,
            wall_ms: 0,
            whole: true,
            call: false,
            damaged: false,
        })))
        .await;
}

#[tokio::test]
async fn orders_by_text_are_seen_and_their_codes_are_not() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let nobody = json!({"commanders": ["person:nobody"]});
    operator
        .put("/v1/inbound/commanders", nobody)
        .await
        .refusal(422, "unknown-recipient");
    let reader = world.key(&[Scope::AlertRead], None).await;
    let reader = world.caller(Some(&reader));
    let anna = json!({"commanders": ["person:anna"]});
    reader
        .put("/v1/inbound/commanders", anna.clone())
        .await
        .refusal(403, "not-allowed");
    operator
        .put("/v1/inbound/commanders", anna)
        .await
        .expect(200);
    world
        .apply(Command::Recipients(Recipients::Verify(Verify {
            person: "anna".to_owned(),
            method: ContactMethod::Sms(ANNA.to_owned()),
            found: Found::Verified,
            how: "met".to_owned(),
        })))
        .await;
    receive(&world, 1, "START duty Fire in hall 2").await;
    let seen = reader.get("/v1/inbound/orders").await.expect(200);
    assert_eq!(seen["commanders"], json!(["person:anna"]));
    assert_eq!(seen["waiting"], 1, "{seen}");
    let order = &seen["orders"][0];
    assert_eq!(
        (&order["person"], &order["verb"], &order["state"]),
        (&json!("anna"), &json!("start"), &json!("waiting"))
    );
    assert!(order.get("code").is_none(), "{order}");
    receive(&world, 2, "000000").await;
    let all = reader.get("/v1/inbound").await.expect(200);
    let taken: Vec<_> = all["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["taken"].clone())
        .collect();
    assert!(
        taken.contains(&json!("ordered")) && taken.contains(&json!("order_refused")),
        "{all}"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_answer_given_for_somebody_may_say_when_they_come() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let raise = json!({"severity": "high", "text": "Fire", "to": {"people": ["anna"]}});
    let raised = operator.post("/v1/alerts", raise).await.expect(201);
    expand(&world, &raised).await;
    let answer = |body| operator.post("/v1/alerts/1/answer", body);
    answer(json!({"person": "anna", "answer": "cannot", "eta_minutes": 5}))
        .await
        .refusal(422, "invalid-input");
    answer(json!({"person": "anna", "answer": "coming", "eta_minutes": 721}))
        .await
        .refusal(422, "invalid-input");
    answer(json!({"person": "anna", "answer": "coming", "eta_minutes": 20}))
        .await
        .expect(200);
    let shown = operator.get("/v1/alerts/1").await.expect(200);
    assert_eq!(shown["called"][0]["eta_minutes"], 20, "{shown}");
    assert!(shown["called"][0]["expected_at"].is_string());
    world.stop().await;
}
