//! The card, tests of phones and trips between modems over HTTP.

use domain::nodes::{ChannelReport, Command as Nodes, Found};
use domain::waking::{Command as Waking, Due};
use domain::{Command, NodeId};
use serde_json::json;

use super::World;

/// A world whose only node has a modem.
async fn with_modem() -> World {
    let world = World::start().await;
    world.add_people().await;
    let found = Found {
        cluster_id: [7; 16],
        organisation: "Aurora Energy".to_owned(),
        node_name: "alpha".to_owned(),
        pin: [1; 32],
        addresses: vec![],
    };
    world.apply(Command::Nodes(Nodes::Found(found))).await;
    let modem = ChannelReport {
        name: "m1".to_owned(),
        kind: "sms".to_owned(),
        up: true,
        reason: String::new(),
        operator: "Elisa".to_owned(),
        number: "+358500000001".to_owned(),
        signal_dbm: None,
        rate_per_min: 10,
    };
    let report = Nodes::ReportChannels {
        node: NodeId(1),
        channels: vec![modem],
    };
    world.apply(Command::Nodes(report)).await;
    world
}

#[tokio::test]
async fn the_card_has_every_number_and_says_how_to_set_a_phone_up() {
    let world = with_modem().await;
    let operator = world.operator();
    operator.get("/v1/vcard").await.refusal(404, "not-found");
    let due = vec![Due::Card];
    world.apply(Command::Waking(Waking::FollowUp { due })).await;
    let many = json!({"spares": ["+358401", "+358402", "+358403"]});
    operator
        .put("/v1/number-card", many)
        .await
        .refusal(422, "invalid-input");
    let spares = json!({"spares": ["+358 40 1000009"]});
    operator.put("/v1/number-card", spares).await.expect(200);
    let file = operator.get("/v1/vcard?language=fi").await;
    for line in [
        "BEGIN:VCARD\r\n",
        "TEL;TYPE=CELL,VOICE:+358500000001\r\n",
        "TEL;TYPE=CELL,VOICE:+358401000009\r\n",
        "NOTE:Kortti 2.",
    ] {
        assert!(file.text.contains(line), "{}", file.text);
    }
    let card = operator
        .get("/v1/number-card?language=sv")
        .await
        .expect(200);
    assert_eq!(card["version"], 2);
    assert_eq!(card["spares"], json!(["+358401000009"]));
    for system in ["iphone", "android"] {
        assert!(card["instructions"][system].as_array().unwrap().len() >= 4);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_test_of_phones_is_planned_listed_and_called_off() {
    let world = with_modem().await;
    let operator = world.operator();
    let nobody = json!({"people": ["nobody"]});
    operator
        .post("/v1/wake-tests", nobody)
        .await
        .refusal(422, "unknown-recipient");
    let test = json!({"people": ["anna"], "in_s": 3600});
    let planned = operator.post("/v1/wake-tests", test).await.expect(201);
    assert_eq!(planned["number"], 1);
    let tests = operator.get("/v1/wake-tests").await.expect(200);
    assert_eq!(tests["tests"][0]["state"], "waiting");
    let phones = operator.get("/v1/wake-proofs").await.expect(200);
    let anna = phones["phones"]
        .as_array()
        .unwrap()
        .iter()
        .find(|phone| phone["person"] == "anna")
        .unwrap();
    assert_eq!(anna["state"], "never");
    assert!(!phones["warnings"].as_array().unwrap().is_empty());
    operator.delete("/v1/wake-tests/1").await.expect(200);
    operator
        .delete("/v1/wake-tests/1")
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

#[tokio::test]
async fn a_node_alone_with_a_modem_says_so() {
    let world = with_modem().await;
    let operator = world.operator();
    operator
        .post("/v1/round-trips", json!({"node": 7}))
        .await
        .refusal(422, "invalid-input");
    operator
        .post("/v1/round-trips", json!({}))
        .await
        .expect(200);
    let trips = operator.get("/v1/round-trips").await.expect(200);
    assert_eq!(trips["nodes"][0]["state"], "alone");
    world.stop().await;
}
