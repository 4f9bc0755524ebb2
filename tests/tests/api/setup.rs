//! Setting a cluster up, over HTTP (decision 40).

use serde_json::{Value, json};

use super::World;
use super::device::Device;

async fn step(device: &Device, name: &str) -> Value {
    let shown = device.get("/v1/setup").await.expect(200);
    let mut steps = shown["steps"].as_array().unwrap().iter();
    steps.find(|step| step["step"] == name).unwrap().clone()
}

#[tokio::test]
async fn the_first_administrator_is_led_to_the_setup_and_makes_the_second_alone() {
    let world = World::start().await;
    let root = world.signed_in("root", None, &["admin"]).await;
    assert_eq!(root.get("/v1/session").await.expect(200)["sets_up"], true);
    assert_eq!(step(&root, "administrators").await["count"], 1);
    assert_eq!(step(&root, "names").await["needed"], false);

    root.put("/v1/accounts/dora", json!({})).await.expect(200);
    let admin = json!({ "roles": ["admin"] });
    root.put("/v1/accounts/dora/roles", admin.clone())
        .await
        .expect(200);
    let invited = root.post("/v1/accounts/dora/invitation", json!({})).await;
    let code = invited.expect(201)["code"].as_str().unwrap().to_owned();
    assert_eq!(
        step(&root, "administrators").await["missing"],
        json!(["dora"])
    );
    let mut second = Device::new(&world);
    let opened = second
        .accept(&code, Some("turquoise kettle gravel 91"))
        .await
        .expect(201);
    assert_eq!(opened["session"]["sets_up"], true, "{opened}");
    second.get("/v1/setup").await.refusal(403, "must-enrol");

    // Not before she has a factor of her own is she the second one; then it takes two.
    root.put("/v1/accounts/eva", json!({})).await.expect(200);
    let third = "/v1/accounts/eva/roles";
    root.put(third, admin).await.refusal(409, "takes-two");
    world.stop().await;
}

#[tokio::test]
async fn setup_is_finished_by_an_administrator_and_not_before_it_is_done() {
    let world = World::start().await;
    world.add_people().await;
    let root = world.signed_in("root", None, &["admin"]).await;
    let dora = world.signed_in("dora", None, &["admin"]).await;
    let maria = world.signed_in("maria", None, &["incident-manager"]).await;
    maria.get("/v1/setup").await.refusal(403, "not-allowed");
    assert_eq!(maria.get("/v1/session").await.expect(200)["sets_up"], false);
    let finish = |device| async move {
        let device: &Device = device;
        device.post("/v1/setup/finish", json!({})).await
    };
    finish(&maria).await.refusal(403, "not-allowed");
    let refused = finish(&root).await.refusal(409, "conflict");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .ends_with("texts are missing"),
        "{refused}"
    );
    for name in ["administrators", "managers", "people"] {
        assert_eq!(step(&root, name).await["done"], true, "{name}");
    }
    let texts = step(&dora, "texts").await;
    assert_eq!(texts["needed"], true, "{texts}");
    world.stop().await;
}
