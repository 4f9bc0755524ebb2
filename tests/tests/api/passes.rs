//! Ways in at night: a known device while somebody guesses, codes and invitations by text (SECURITY T-14, T-16).

use std::time::Duration;

use domain::deliveries::{self, Assignment, Command as Deliveries};
use domain::nodes::{ChannelReport, Command as Nodes};
use domain::ports::{Freshness, Replica as _};
use domain::{Command, NodeId};
use serde_json::{Value, json};

use super::World;
use super::accounts::{PASSWORD, begin, finish};
use super::device::Device;

const ANNA: &str = "+358401234567";

/// People, of whom Anna's number is known to reach her, and a modem.
async fn with_modem() -> World {
    let world = World::start().await;
    world.add_people().await;
    let known = json!({ "method": { "kind": "sms", "address": ANNA }, "state": "verified", "how": "told by phone" });
    world
        .operator()
        .post("/v1/people/anna/verification", known)
        .await
        .expect(200);
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
    let found = domain::nodes::Found {
        cluster_id: [7; 16],
        organisation: "Aurora Energy".to_owned(),
        node_name: "alpha".to_owned(),
        pin: [1; 32],
        addresses: vec![],
    };
    world.apply(Command::Nodes(Nodes::Found(found))).await;
    let report = Nodes::ReportChannels {
        node: NodeId(1),
        channels: vec![modem],
    };
    world.apply(Command::Nodes(report)).await;
    world
        .apply(Command::Deliveries(Deliveries::DrawReplySecret))
        .await;
    world
}

/// Gives what is due to the modem; the texts that leave, oldest first.
async fn leaving(world: &World) -> Vec<String> {
    let mut view = world.replica.read(Freshness::Local).await.unwrap();
    let due = deliveries::due(&mut view, world.replica.now(), 100)
        .await
        .unwrap();
    drop(view);
    let assignments = due
        .iter()
        .filter(|due| due.kind == "sms")
        .map(|due| Assignment {
            attempt: due.attempt,
            node: NodeId(1),
            channel: "m1".to_owned(),
        })
        .collect();
    world
        .apply(Command::Deliveries(Deliveries::Assign { assignments }))
        .await;
    let mut view = world.replica.read(Freshness::Local).await.unwrap();
    let work = deliveries::work_for(&mut view, NodeId(1)).await.unwrap();
    work.into_iter().map(|work| work.body).collect()
}

fn code_in(texts: &[String]) -> String {
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    let mut codes =
        words.filter(|word| word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit()));
    codes.next().unwrap().to_owned()
}

#[tokio::test]
async fn who_guesses_at_a_password_does_not_keep_its_owner_out() {
    let world = World::start().await;
    world.add_people().await;
    let mut phone = world
        .signed_in("anna", Some("anna"), &["duty-officer"])
        .await;
    phone.delete("/v1/session").await.expect(200);
    phone.token.clear();
    let thief = Device::new(&world);
    for _ in 0..12 {
        let status = begin(&world, &thief, "anna", "not this one at all")
            .await
            .status;
        assert!(status == 401 || status == 429, "{status}");
        world.replica.advance(Duration::from_secs(30));
    }
    begin(&world, &thief, "anna", PASSWORD)
        .await
        .refusal(429, "too-many");
    phone.clock = world.now_s();
    // From the same network, but on the phone that was signed in before.
    let body = |device: &Device, password: &str| json!({ "account": "anna", "password": password, "device": device.described() });
    let path = "/v1/sign-in";
    phone.post(path, body(&phone, PASSWORD)).await.expect(200);
    // The thief's own key shows nothing, and the phone's tries have an end, too.
    let shown = thief.post(path, body(&thief, PASSWORD)).await;
    shown.refusal(429, "too-many");
    for _ in 0..10 {
        phone.clock = world.now_s();
        let refused = phone.post(path, body(&phone, "not this one at all")).await;
        refused.refusal(401, "sign-in-refused");
        world.replica.advance(Duration::from_secs(30));
    }
    phone.clock = world.now_s();
    phone
        .post(path, body(&phone, PASSWORD))
        .await
        .refusal(429, "too-many");
    world.stop().await;
}

#[tokio::test]
async fn a_code_by_text_ends_a_sign_in_and_is_nowhere_kept() {
    let world = with_modem().await;
    let phone = world
        .signed_in("anna", Some("anna"), &["duty-officer"])
        .await;
    let shown = phone.get("/v1/session").await.expect(200);
    assert_eq!(shown["factors"]["text"], true);
    let mut laptop = Device::new(&world);
    let attempt = begin(&world, &laptop, "anna", PASSWORD).await.expect(200);
    assert_eq!(attempt["next"], json!(["text"]));
    let id = attempt["attempt"].as_str().unwrap();
    let path = format!("/v1/sign-in/{id}/text");
    let stranger = world.caller(None);
    let sent = stranger.post(&path, json!({})).await;
    assert!(!sent.text.contains("123456"), "{}", sent.text);
    let sent = sent.expect(200);
    assert_eq!(sent["sent_to"], "+•••67");
    let texts = leaving(&world).await;
    let code = code_in(&texts);
    assert!(texts[0].contains("phone"), "{texts:?}");
    let wrong = format!("{:08}", (code.parse::<u32>().unwrap() + 1) % 100_000_000);
    finish(&world, &mut laptop, &attempt, "text", &wrong)
        .await
        .refusal(401, "sign-in-refused");
    let spaced = format!("{} {}", &code[..4], &code[4..]);
    let opened = finish(&world, &mut laptop, &attempt, "text", &spaced).await;
    opened.expect(201);
    laptop.clock = world.now_s();
    laptop.get("/v1/session").await.expect(200);
    let listed = phone.get("/v1/sessions").await.expect(200);
    assert!(listed.to_string().contains("password, text"), "{listed}");
    let state = world.replica.all_bytes();
    assert!(!state.windows(8).any(|part| part == code.as_bytes()));
    let made_up = stranger.post("/v1/sign-in/00000000/text", json!({})).await;
    made_up.refusal(409, "conflict");
    world.stop().await;
}

#[tokio::test]
async fn texts_are_few_and_never_for_admins() {
    let world = with_modem().await;
    world
        .signed_in("root", Some("anna"), &["admin", "responder"])
        .await;
    let device = Device::new(&world);
    let attempt = begin(&world, &device, "root", PASSWORD).await.expect(200);
    assert_eq!(attempt["next"], json!(["totp"]));
    let text =
        |attempt: &Value| format!("/v1/sign-in/{}/text", attempt["attempt"].as_str().unwrap());
    let stranger = world.caller(None);
    let refused = stranger.post(&text(&attempt), json!({})).await;
    refused.refusal(409, "conflict");
    let operator = world.operator();
    let by_text = json!({ "send": "text" });
    operator
        .post("/v1/accounts/root/invitation", by_text)
        .await
        .refusal(409, "conflict");
    world.signed_in("anna", Some("anna"), &["responder"]).await;
    let attempt = begin(&world, &device, "anna", PASSWORD).await.expect(200);
    for _ in 0..3 {
        stranger.post(&text(&attempt), json!({})).await.expect(200);
    }
    let refused = stranger.post(&text(&attempt), json!({})).await;
    assert_eq!(refused.headers["retry-after"], "600");
    refused.refusal(429, "too-many");
    let limits = operator.get("/v1/limits").await.expect(200);
    let mut limits = limits["limits"].as_array().unwrap().iter();
    let texts = limits.find(|limit| limit["name"] == "texts").unwrap();
    assert_eq!(texts["turned_away"], 1);
    // After its time, what could not leave does not leave.
    world.replica.advance(Duration::from_secs(300));
    let mut view = world.replica.read(Freshness::Local).await.unwrap();
    let expired = deliveries::expired(&mut view, world.replica.now(), 10).await;
    assert_eq!(expired.unwrap().len(), 3);
    drop(view);
    world.stop().await;
}

#[tokio::test]
async fn an_invitation_by_text_is_seen_by_nobody_but_its_owner() {
    let world = with_modem().await;
    let operator = world.operator();
    for (name, person) in [("anna", "anna"), ("bela", "bela")] {
        let body = json!({ "person": person });
        operator
            .put(&format!("/v1/accounts/{name}"), body)
            .await
            .expect(200);
    }
    let path = "/v1/accounts/anna/invitation";
    let pigeon = json!({ "send": "pigeon" });
    operator
        .post(path, pigeon)
        .await
        .refusal(422, "invalid-input");
    let by_text = || json!({ "send": "text" });
    operator
        .post("/v1/accounts/bela/invitation", by_text())
        .await
        .refusal(409, "conflict");
    let made = operator.post(path, by_text()).await.expect(201);
    assert_eq!(
        (&made["code"], &made["sent_to"]),
        (&Value::Null, &json!("+•••67"))
    );
    let texts = leaving(&world).await;
    let words = texts[0].split_whitespace();
    let mut codes = words.map(|word| word.trim_end_matches('.'));
    let code = codes.find(|word| word.matches('-').count() == 4).unwrap();
    let mut phone = Device::new(&world);
    phone.accept(code, Some(PASSWORD)).await.expect(201);
    phone.get("/v1/session").await.expect(200);
    let state = world.replica.all_bytes();
    for form in [code.to_owned(), code.replace('-', "")] {
        assert!(
            !state
                .windows(form.len())
                .any(|part| part == form.as_bytes())
        );
    }
    world.stop().await;
}
