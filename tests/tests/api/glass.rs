//! Break-glass cards over HTTP: made by two, used once, seen on every answer.

use std::time::Duration;

use serde_json::json;

use super::World;
use super::client::Answer;
use super::device::Device;

const MARK: &str = "holdfast-break-glass";

async fn open(world: &World, device: &mut Device, code: &str) -> Answer {
    let body = json!({ "code": code, "device": device.described() });
    let answer = world.caller(None).post("/v1/sign-in/glass", body).await;
    device.take_token(&answer);
    answer
}

/// A card for a site that an admin made and the operator confirmed; its id and code.
async fn sealed(world: &World, admin: &Device, site: &str) -> (String, String) {
    let made = admin.post("/v1/glass-cards", json!({ "site": site })).await;
    let made = made.expect(201);
    let card = made["card"]["card"].as_str().unwrap().to_owned();
    let path = format!("/v1/glass-cards/{card}/confirm");
    world.operator().post(&path, json!({})).await.expect(200);
    (card, made["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_sealed_card_lets_an_administrator_in_once_and_every_screen_says_so() {
    let world = World::start().await;
    world.add_people().await;
    let root = world.signed_in("root", Some("anna"), &["admin"]).await;
    let bela = world.signed_in("bela", Some("bela"), &["responder"]).await;
    let made = root
        .post("/v1/glass-cards", json!({ "site": "helsinki" }))
        .await
        .expect(201);
    assert_eq!(made["card"]["state"], "waiting");
    assert_eq!(made["card"]["made_by"], "account:root");
    let (card, code) = (
        made["card"]["card"].as_str().unwrap(),
        made["code"].as_str().unwrap(),
    );
    let mut tablet = Device::new(&world);
    open(&world, &mut tablet, code)
        .await
        .refusal(409, "conflict");
    let confirm = format!("/v1/glass-cards/{card}/confirm");
    root.post(&confirm, json!({}))
        .await
        .refusal(409, "conflict");
    world.operator().post(&confirm, json!({})).await.expect(200);
    let answer = bela.get("/v1/session").await;
    assert_eq!(answer.headers[MARK], "none", "nothing happened yet");

    let opened = open(&world, &mut tablet, &code.to_lowercase()).await;
    let opened = opened.expect(201);
    assert_eq!(opened["session"]["account"], "glass-helsinki");
    assert_eq!(opened["session"]["must_enrol"], false);
    for device in [&bela, &root, &tablet] {
        let marked = device.get("/v1/session").await;
        let mark = marked.headers[MARK].to_str().unwrap();
        assert!(mark.starts_with("helsinki; until="), "{mark}");
    }
    let key = world.trusted().await;
    assert_ne!(key.get("/v1/alerts").await.headers[MARK], "none");
    let public = world.caller(None).get("/v1/about").await;
    assert!(!public.headers.contains_key(MARK), "strangers see nothing");

    // It lets an administrator in anew, which no admin does alone, and nobody keeps a way in by it.
    let invite = "/v1/accounts/root/invitation";
    root.post(invite, json!({})).await.refusal(409, "takes-two");
    tablet.post(invite, json!({})).await.expect(201);
    tablet
        .post("/v1/session/totp", json!({}))
        .await
        .refusal(409, "conflict");
    tablet.get("/v1/rooms").await.expect(200);
    let raise = json!({ "text": "x", "severity": "low", "to": { "people": ["anna"] } });
    tablet
        .post("/v1/alerts", raise)
        .await
        .refusal(403, "not-allowed");

    open(&world, &mut Device::new(&world), code)
        .await
        .refusal(409, "conflict");
    let listed = root.get("/v1/glass-cards").await.expect(200);
    assert_eq!(listed["cards"][0]["state"], "used");
    assert_eq!(listed["cards"][0]["used_on"], "phone");
    assert!(!listed.to_string().contains(code), "a list shows no code");
    let outbox = world.replica.all_bytes();
    let told = b"the break-glass card of helsinki".as_slice();
    let told_fi = "hätäkortti".as_bytes();
    let holds = |what: &[u8]| outbox.windows(what.len()).any(|part| part == what);
    assert!(holds(told) || holds(told_fi), "admins are told");
    assert!(!holds(code.as_bytes()) && !holds(code.replace('-', "").as_bytes()));

    // Revoked, what it opened is over at once, and the mark is gone.
    root.delete(&format!("/v1/glass-cards/{card}"))
        .await
        .expect(200);
    tablet.get("/v1/session").await.refusal(401, "session-over");
    assert_eq!(bela.get("/v1/session").await.headers[MARK], "none");
    world.stop().await;
}

#[tokio::test]
async fn a_card_is_good_for_two_hours_and_signing_out_ends_it() {
    let world = World::start().await;
    let mut root = world.signed_in("root", None, &["admin"]).await;
    let (_, code) = sealed(&world, &root, "turku").await;
    let mut tablet = Device::new(&world);
    open(&world, &mut tablet, &code).await.expect(201);
    world.replica.advance(Duration::from_secs(7_199));
    tablet.clock = world.now_s();
    let answer = tablet.get("/v1/session").await;
    assert_ne!(answer.headers[MARK], "none");
    answer.expect(200);
    world.replica.advance(Duration::from_secs(1));
    tablet.clock = world.now_s();
    tablet.get("/v1/session").await.refusal(401, "session-over");
    let operator = world.operator().get("/v1/accounts").await;
    assert_eq!(operator.headers[MARK], "none", "it is over");

    // The admin's own session is over by now, too.
    let invited = world
        .operator()
        .post("/v1/accounts/root/invitation", json!({}))
        .await
        .expect(201);
    root.clock = world.now_s();
    root.accept(invited["code"].as_str().unwrap(), None)
        .await
        .expect(201);
    let (_, code) = sealed(&world, &root, "turku").await;
    tablet.clock = world.now_s();
    open(&world, &mut tablet, &code).await.expect(201);
    tablet.delete("/v1/session").await.expect(200);
    assert_eq!(root.get("/v1/session").await.headers[MARK], "none");
    open(&world, &mut tablet, &code)
        .await
        .refusal(409, "conflict");
    world.stop().await;
}

#[tokio::test]
async fn guessing_at_cards_is_turned_away_like_guessing_at_passwords() {
    let world = World::start().await;
    let mut device = Device::new(&world);
    let guess = "00000-00000-00000-00000-00000";
    for _ in 0..10 {
        open(&world, &mut device, guess)
            .await
            .refusal(409, "conflict");
    }
    let answer = open(&world, &mut device, guess).await;
    assert!(answer.headers.contains_key("retry-after"));
    answer.refusal(429, "too-many");
    open(&world, &mut device, "not a code")
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

#[tokio::test]
async fn only_those_who_run_the_system_see_or_make_cards() {
    let world = World::start().await;
    for role in ["incident-manager", "responder", "auditor"] {
        let device = world.signed_in(role, None, &[role]).await;
        for answer in [
            device.get("/v1/glass-cards").await,
            device
                .post("/v1/glass-cards", json!({ "site": "turku" }))
                .await,
        ] {
            answer.refusal(403, "not-allowed");
        }
    }
    let operator = world.operator();
    let wrong = operator
        .post("/v1/glass-cards", json!({ "site": "Tur ku" }))
        .await;
    wrong.refusal(422, "invalid-input");
    operator
        .delete("/v1/glass-cards/none")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}
