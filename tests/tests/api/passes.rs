//! Ways in at night: a known device while somebody guesses, codes and invitations by text (SECURITY T-14, T-16).

use std::time::Duration;

use domain::deliveries::{self, Assignment, Command as Deliveries};
use domain::nodes::{ChannelReport, Command as Nodes};
use domain::ports::{Freshness, Replica as _};
use domain::{Command, NodeId};
use serde_json::{Value, json};

use super::World;
use super::accounts::{PASSWORD, begin, finish};
use super::alerts::expand;
use super::device::Device;
use super::lite::Phone;

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
    let work = deliveries::assigned(&mut view, NodeId(1))
        .await
        .unwrap()
        .work;
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
async fn a_phone_without_script_signs_in_by_a_texted_code() {
    let world = with_modem().await;
    world.signed_in("anna", Some("anna"), &["responder"]).await;
    let mut phone = Phone::new(&world);
    phone.get("/lite?lang=en").await;
    let fields = [("account", "anna"), ("password", PASSWORD)];
    phone.submit("/lite/sign-in", &fields).await;
    let sent = phone.send("/lite/text", &[]).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert!(sent.text.contains("A code is on its way"), "{}", sent.text);
    let code = code_in(&leaving(&world).await);
    let fields = [("factor", "text"), ("code", code.as_str())];
    let list = phone.submit("/lite/code", &fields).await;
    assert!(
        list.text.contains("Nothing is asked of you"),
        "{}",
        list.text
    );
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

/// An open alert to Bela; its number.
async fn alert(world: &World, text: &str) -> String {
    let raise = json!({ "text": text, "severity": "high", "to": { "people": ["bela"] } });
    let raised = world.operator().post("/v1/alerts", raise).await.expect(201);
    expand(world, &raised).await;
    raised["number"].as_str().unwrap().to_owned()
}

/// The letters of an invitation among texts that leave.
fn invitation_in(texts: &[String]) -> String {
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    let mut codes = words.map(|word| word.trim_end_matches('.'));
    let code = codes.find(|word| word.len() == 29 && word.matches('-').count() == 4);
    code.unwrap().to_owned()
}

/// What is shown is as of the last entry: here is one of now.
async fn time_passes(world: &World, room: &str) {
    let said = json!({ "text": "it is late" });
    let path = format!("/v1/rooms/{room}/messages");
    world.operator().post(&path, said).await.expect(201);
}

const KAI: &str = "+358509998877";

#[tokio::test]
async fn a_guest_sees_and_speaks_in_one_room_and_nowhere_else() {
    let world = with_modem().await;
    let (ours, other) = (alert(&world, "Fire").await, alert(&world, "Flood").await);
    let manager = world
        .signed_in("manager", None, &["incident-manager"])
        .await;
    let officer = world.signed_in("officer", None, &["duty-officer"]).await;
    let path = format!("/v1/rooms/{ours}/guests");
    let kai = || json!({ "name": "Kai Laine", "number": "+358 50 999 8877" });
    officer.post(&path, kai()).await.refusal(403, "not-allowed");
    leaving(&world).await;
    let added = manager.post(&path, kai()).await.expect(201);
    let guest = &added["guest"];
    assert_eq!(guest["name"], "Kai Laine (guest)");
    assert_eq!(
        (&guest["number"], &guest["guest"]),
        (&json!(KAI), &json!(true))
    );
    assert_eq!(
        (&guest["code"], &guest["proven_at"]),
        (&json!("pending"), &Value::Null)
    );
    let code = invitation_in(&leaving(&world).await);
    let mut phone = Device::new(&world);
    let opened = phone.accept(&code, None).await.expect(201);
    let listed = officer.get(&path).await.expect(200);
    assert!(listed["guests"][0]["proven_at"].is_string(), "{listed}");
    assert_eq!(opened["session"]["roles"], json!(["guest"]));
    assert_eq!(opened["session"]["guest"]["room"], json!(ours));
    // Every list and everything else, operation by operation.
    let document: Value = serde_json::from_str(&::api::openapi()).unwrap();
    let allowed = [
        "get /v1/about",
        "get /v1/rooms",
        "get /v1/rooms/{room}",
        "get /v1/rooms/{room}/messages",
        "post /v1/rooms/{room}/messages",
        "get /v1/rooms/{room}/files",
        "post /v1/rooms/{room}/files",
    ];
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let name = format!("{method} {path}");
            let own = path.starts_with("/v1/session") || path.starts_with("/v1/sign-in");
            // The stream goes on; it names what may be looked at anew, and nothing more.
            let own = own || path == "/v1/events";
            if own || !path.starts_with("/v1/") || path.contains("/calendars/") {
                continue;
            }
            let method: hyper::Method = method.to_uppercase().parse().unwrap();
            for room in [&ours, &other] {
                let at = path.replace("{room}", room).replace("{alert}", &other);
                let at = at.replace("{key}", "bela").replace(['{', '}'], "");
                if at.contains("/in") && path.contains("/sources/") || path.contains("accept") {
                    continue;
                }
                let answer = phone.send(method.clone(), &at, None).await;
                let may =
                    allowed.contains(&name.as_str()) && (room == &ours || !path.contains("{room}"));
                let refused = matches!(answer.status.as_u16(), 401 | 403 | 404);
                assert_eq!(
                    !refused, may,
                    "{name} {room}: {} {}",
                    answer.status, answer.text
                );
                assert!(!answer.text.contains("Flood"), "{name}: {}", answer.text);
                asked += 1;
            }
        }
    }
    assert!(asked > 200, "{asked}");
    let listed = phone.get("/v1/rooms").await.expect(200);
    assert_eq!(listed["rooms"].as_array().unwrap().len(), 1, "{listed}");
    let room = format!("/v1/rooms/{ours}/messages");
    let said = json!({ "text": "at the gate", "author": "Fire chief", "person": "bela" });
    phone.post(&room, said).await.expect(201);
    let marked = json!({ "text": "stop the line", "mark": "decision" });
    phone.post(&room, marked).await.refusal(403, "not-allowed");
    let messages = manager.get(&room).await.expect(200);
    let last = messages["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["author"], "Kai Laine (guest)");
    assert_eq!(
        (&last["guest"], &last["person"]),
        (&json!(true), &Value::Null)
    );
    // Some photos, and not a flood of them.
    let files = format!("/v1/rooms/{ours}/files");
    let photo = |number: u32| json!({ "name": "gate.jpg", "size": 1_000, "sha256": format!("{number:064x}") });
    for number in 0..20 {
        phone.post(&files, photo(number)).await.expect(201);
    }
    let refused = phone.post(&files, photo(20)).await;
    let refused = refused.refusal(429, "too-many");
    assert!(
        refused["detail"].as_str().unwrap().contains("by one guest"),
        "{refused}"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_guest_is_out_when_the_time_is_over_or_at_once_by_hand() {
    let world = with_modem().await;
    let ours = alert(&world, "Fire").await;
    let manager = world
        .signed_in("manager", None, &["incident-manager"])
        .await;
    let operator = world.operator();
    let path = format!("/v1/rooms/{ours}/guests");
    for bad in [
        json!({ "name": "Kai", "number": KAI, "hours": 169 }),
        json!({ "name": "Kai", "number": KAI, "hours": 0 }),
        json!({ "name": " ", "number": KAI }),
        json!({ "name": "Kai", "number": "112" }),
    ] {
        operator
            .post(&path, bad)
            .await
            .refusal(422, "invalid-input");
    }
    leaving(&world).await;
    let mut phones = Vec::new();
    let mut before = leaving(&world).await;
    for number in 1..=2 {
        let kai = json!({ "name": "Kai", "number": format!("+35850999887{number}"), "hours": 2 });
        let added = operator.post(&path, kai).await.expect(201);
        let mut texts = leaving(&world).await;
        texts.retain(|text| !before.contains(text));
        let code = invitation_in(&texts);
        before.append(&mut texts);
        let mut phone = Device::new(&world);
        phone.accept(&code, None).await.expect(201);
        phones.push((
            phone,
            added["guest"]["account"].as_str().unwrap().to_owned(),
        ));
    }
    let (mut first, account) = phones.remove(0);
    let (mut second, _) = phones.remove(0);
    // What a guest is cannot be changed by hand.
    let roles = json!({ "roles": ["incident-manager"] });
    operator
        .put(&format!("/v1/accounts/{account}/roles"), roles)
        .await
        .refusal(409, "conflict");
    let person = json!({ "person": "bela" });
    operator
        .put(&format!("/v1/accounts/{account}"), person)
        .await
        .refusal(409, "conflict");
    manager
        .delete(&format!("{path}/{account}"))
        .await
        .expect(200);
    first.get("/v1/rooms").await.refusal(401, "session-over");
    second.get("/v1/rooms").await.expect(200);
    world.replica.advance(Duration::from_secs(2 * 3_600));
    (first.clock, second.clock) = (world.now_s(), world.now_s());
    second.get("/v1/rooms").await.refusal(401, "session-over");
    time_passes(&world, &ours).await;
    let listed = operator.get(&path).await.expect(200);
    let guests = listed["guests"].as_array().unwrap();
    assert_eq!(guests.len(), 2);
    assert!(
        guests.iter().all(|guest| guest["live"] == false),
        "{listed}"
    );
    let by_hand = guests.iter().find(|guest| guest["account"] == account);
    assert_eq!(by_hand.unwrap()["ended_by"], "account:manager");
    let room = format!("/v1/rooms/{ours}/messages");
    let said = operator.get(&room).await;
    assert!(
        said.text.contains("was let into this room"),
        "{}",
        said.text
    );
    // Over means over: no new guest once the alert is.
    let why = json!({ "reason": "out" });
    operator
        .post(&format!("/v1/alerts/{ours}/call-off"), why)
        .await
        .expect(200);
    let kai = json!({ "name": "Kai", "number": KAI });
    let refused = operator.post(&path, kai).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    world.stop().await;
}

#[tokio::test]
async fn a_number_changed_in_the_night_is_marked_with_who_vouched_for_it() {
    let world = with_modem().await;
    let ours = alert(&world, "Fire").await;
    let manager = world.signed_in("olga", None, &["incident-manager"]).await;
    let other = world.signed_in("kai", None, &["incident-manager"]).await;
    let anna = json!({ "name": "Anna Virtanen", "methods": [{ "kind": "sms", "address": "+358407777777" }] });
    manager
        .put("/v1/people/anna", anna)
        .await
        .refusal(409, "conflict");
    let path = "/v1/people/anna/number-change";
    let ask = json!({ "to": "+358 40 777 7777", "by": "the crisis leader" });
    manager.post(path, ask).await.expect(201);
    let waits = other.get(path).await.expect(200);
    assert_eq!(waits["waiting"]["from"], ANNA);
    // Whoever is signed in signs with their own name.
    assert_eq!(waits["waiting"]["asked_by"], "olga");
    assert_eq!(waits["waiting"]["mine"], false);
    let own = manager.get(path).await.expect(200);
    assert_eq!(own["waiting"]["mine"], true);
    let vouch = format!("{path}/vouch");
    manager
        .post(&vouch, json!({}))
        .await
        .refusal(409, "conflict");
    leaving(&world).await;
    other.post(&vouch, json!({})).await.expect(200);
    let shown = manager.get("/v1/people/anna").await.expect(200);
    assert_eq!(shown["methods"][0]["address"], "+358407777777");
    assert_eq!(shown["vouched_by"], "kai");
    assert!(shown["number_changed_at"].is_string());
    assert!(shown["methods"][0]["changed_at"].is_string());
    let told = leaving(&world).await.join("\n");
    assert!(told.contains("77") && told.contains("kai"), "{told}");
    world.replica.advance(Duration::from_secs(24 * 3_600));
    time_passes(&world, &ours).await;
    let shown = world.operator().get("/v1/people/anna").await.expect(200);
    assert_eq!(
        (&shown["number_changed_at"], &shown["vouched_by"]),
        (&Value::Null, &Value::Null)
    );
    world.stop().await;
}
