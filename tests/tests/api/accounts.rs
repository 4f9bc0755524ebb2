//! People sign in, and their sessions hold as long and as far as they should (SECURITY T-13, T-14, T-15, T-21).

use std::time::{Duration, Instant};

use domain::access::Scope;
use domain::ports::Replica as _;
use hyper::Method;
use ring::hmac;
use serde_json::{Value, json};

use super::World;
use super::alerts::expand;
use super::client::Answer;
use super::device::{Claims, Device};

pub(super) const PASSWORD: &str = "tuuli kettu 9 lanka";

impl World {
    /// An account with these roles, and the code that lets a device in.
    pub(super) async fn invited(&self, name: &str, person: Option<&str>, roles: &[&str]) -> String {
        let operator = self.operator();
        let at = format!("/v1/accounts/{name}");
        operator
            .put(&at, json!({ "person": person }))
            .await
            .expect(200);
        let body = json!({ "roles": roles });
        operator.put(&format!("{at}/roles"), body).await.expect(200);
        let made = operator.post(&format!("{at}/invitation"), json!({})).await;
        made.expect(201)["code"].as_str().unwrap().to_owned()
    }

    /// A device on which an account of these roles is signed in, with every factor they ask for.
    pub(super) async fn signed_in(
        &self,
        name: &str,
        person: Option<&str>,
        roles: &[&str],
    ) -> Device {
        let code = self.invited(name, person, roles).await;
        let mut device = Device::new(self);
        let opened = device.accept(&code, Some(PASSWORD)).await.expect(201);
        if opened["session"]["must_enrol"] == true {
            enrol(self, &device).await;
        }
        device
    }
}

/// Sets up an app; its seed.
async fn enrol(world: &World, device: &Device) -> Vec<u8> {
    let made = device.post("/v1/session/totp", json!({})).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    assert!(made["uri"].as_str().unwrap().contains(secret), "{made}");
    let seed = data_encoding::BASE32_NOPAD
        .decode(secret.as_bytes())
        .unwrap();
    let body = json!({ "code": totp(&seed, world.now_s()) });
    device
        .post("/v1/session/totp/confirm", body)
        .await
        .expect(200);
    seed
}

/// What an app shows (RFC 6238).
fn totp(seed: &[u8], at_s: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &(at_s / 30).to_be_bytes());
    let offset = usize::from(tag.as_ref()[19] & 15);
    let word: [u8; 4] = tag.as_ref()[offset..offset + 4].try_into().unwrap();
    format!(
        "{:06}",
        (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
    )
}

pub(super) async fn begin(world: &World, device: &Device, account: &str, password: &str) -> Answer {
    let body = json!({ "account": account, "password": password, "device": device.described() });
    world.caller(None).post("/v1/sign-in", body).await
}

pub(super) async fn finish(
    world: &World,
    device: &mut Device,
    attempt: &Value,
    factor: &str,
    code: &str,
) -> Answer {
    let path = format!("/v1/sign-in/{}", attempt["attempt"].as_str().unwrap());
    let body = json!({ "factor": factor, "code": code });
    let answer = world.caller(None).post(&path, body).await;
    device.take_token(&answer);
    answer
}

#[tokio::test]
async fn somebody_invited_signs_in_and_out_and_in_again_with_each_factor() {
    let world = World::start().await;
    world.add_people().await;
    let code = world.invited("anna", Some("anna"), &["duty-officer"]).await;
    let mut phone = Device::new(&world);
    let weak = phone.accept(&code, Some("password1234")).await;
    weak.refusal(422, "invalid-input");
    phone
        .accept(&code, None)
        .await
        .refusal(422, "invalid-input");
    let opened = phone.accept(&code.to_lowercase(), Some(PASSWORD)).await;
    assert_eq!(opened.headers["cache-control"], "no-store");
    assert!(!opened.headers.contains_key("set-cookie"));
    let opened = opened.expect(201);
    let session = &opened["session"];
    assert_eq!(session["account"], "anna");
    assert_eq!(
        session["person"],
        json!({ "key": "anna", "name": "Anna Virtanen" })
    );
    assert_eq!(session["roles"], json!(["duty-officer"]));
    assert_eq!(session["must_enrol"], false);
    let again = Device::new(&world).accept(&code, Some(PASSWORD)).await;
    again.refusal(409, "conflict");

    let seed = enrol(&world, &phone).await;
    let printed = phone
        .post("/v1/session/recovery-codes", json!({}))
        .await
        .expect(201);
    let printed = printed["codes"].as_array().unwrap().clone();
    assert_eq!(printed.len(), 10);
    let left = phone.delete("/v1/session").await;
    assert!(
        left.headers["clear-site-data"]
            .to_str()
            .unwrap()
            .contains("storage")
    );
    left.expect(200);
    phone.get("/v1/session").await.refusal(401, "session-over");

    // With the app. The step that confirmed it opens nothing; the next does, once.
    let mut laptop = Device::new(&world);
    let attempt = begin(&world, &laptop, "anna", PASSWORD).await.expect(200);
    assert_eq!(attempt["next"], json!(["totp", "recovery"]));
    let now = world.now_s();
    let spent = finish(&world, &mut laptop, &attempt, "totp", &totp(&seed, now)).await;
    spent.refusal(401, "sign-in-refused");
    world.replica.advance(Duration::from_secs(30));
    let code = totp(&seed, now + 30);
    finish(&world, &mut laptop, &attempt, "totp", &code)
        .await
        .expect(201);
    laptop.clock = world.now_s();
    laptop.get("/v1/session").await.expect(200);
    let attempt = begin(&world, &laptop, "anna", PASSWORD).await.expect(200);
    let replayed = finish(&world, &mut laptop, &attempt, "totp", &code).await;
    replayed.refusal(401, "sign-in-refused");

    // With a printed code, once.
    let code = printed[3].as_str().unwrap();
    let mut tablet = Device::new(&world);
    tablet.clock = world.now_s();
    let attempt = begin(&world, &tablet, "anna", PASSWORD).await.expect(200);
    finish(&world, &mut tablet, &attempt, "recovery", code)
        .await
        .expect(201);
    let shown = tablet.get("/v1/session").await.expect(200);
    assert_eq!(shown["factors"]["recovery_codes"], 9);
    let attempt = begin(&world, &tablet, "anna", PASSWORD).await.expect(200);
    let replayed = finish(&world, &mut tablet, &attempt, "recovery", code).await;
    replayed.refusal(401, "sign-in-refused");
    world.stop().await;
}

#[tokio::test]
async fn a_stolen_token_or_a_proof_of_something_else_opens_nothing() {
    let world = World::start().await;
    world.add_people().await;
    let anna = world
        .signed_in("anna", Some("anna"), &["incident-manager"])
        .await;
    let get = Method::GET;
    let good = anna.claims(&get, "/v1/alerts");
    anna.with_proof(&anna.proof(&good))
        .get("/v1/alerts")
        .await
        .expect(200);
    // The same proof again: the same jti.
    let replayed = anna.with_proof(&anna.proof(&good)).get("/v1/alerts").await;
    let challenge = replayed.headers["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(challenge.contains("invalid_dpop_proof"), "{challenge}");
    replayed.refusal(401, "proof-refused");
    let wrong = [
        (
            "another method",
            Box::new(|c: &mut Claims| c.htm = "POST".into()) as Box<dyn Fn(&mut Claims)>,
        ),
        (
            "another path",
            Box::new(|c| c.htu = "https://127.0.0.1/v1/people".into()),
        ),
        (
            "another host",
            Box::new(|c| c.htu = "https://n2.example.org/v1/alerts".into()),
        ),
        (
            "without TLS",
            Box::new(|c| c.htu = "http://127.0.0.1/v1/alerts".into()),
        ),
        ("too old", Box::new(|c| c.iat -= 62)),
        ("too new", Box::new(|c| c.iat += 62)),
        ("absurdly new", Box::new(|c| c.iat = i64::MAX)),
        ("another token", Box::new(|c| c.ath = "AAAA".into())),
        ("no id to speak of", Box::new(|c| c.jti = "1".into())),
    ];
    for (what, change) in wrong {
        let mut claims = anna.claims(&get, "/v1/alerts");
        change(&mut claims);
        let answer = anna
            .with_proof(&anna.proof(&claims))
            .get("/v1/alerts")
            .await;
        assert!(answer.headers.contains_key("holdfast-time"), "{what}");
        assert_eq!(answer.status, 401, "{what}");
        answer.refusal(401, "proof-refused");
    }
    // A thief has the token and a key of their own.
    let mut thief = Device::new(&world);
    thief.token.clone_from(&anna.token);
    thief.get("/v1/alerts").await.refusal(401, "proof-refused");
    // An altered signature; one that is of another part; none at all.
    let proof = anna.proof(&anna.claims(&get, "/v1/alerts"));
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for bad in [
        format!("{signed}.{flipped}{}", &signature[1..]),
        signed.to_owned(),
        format!("{signed}."),
        String::new(),
        "x".repeat(3_000),
    ] {
        anna.with_proof(&bad)
            .get("/v1/alerts")
            .await
            .refusal(401, "proof-refused");
    }
    let twice = anna.with_proof(&proof).with("dpop", &proof);
    twice.get("/v1/alerts").await.refusal(401, "proof-refused");
    // As a bearer, the token is nothing.
    let bearer = world.caller(Some(&anna.token));
    bearer
        .get("/v1/alerts")
        .await
        .refusal(401, "not-authenticated");
    anna.get("/v1/alerts?limit=1").await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn a_request_caught_and_sent_again_has_one_effect() {
    let world = World::start().await;
    world.add_people().await;
    let anna = world
        .signed_in("anna", Some("anna"), &["incident-manager"])
        .await;
    let raise = || json!({ "text": "Pump 3", "severity": "high", "to": { "people": ["bela"] } });
    let path = "/v1/alerts";
    let proof = anna.proof(&anna.claims(&Method::POST, path));
    anna.with_proof(&proof)
        .post(path, raise())
        .await
        .expect(201);
    // Here the proof is known. Another node does not know it, and applies what has the same proof once.
    anna.with_proof(&proof)
        .post(path, raise())
        .await
        .refusal(401, "proof-refused");
    let other = world.beside().await;
    let sent = other
        .caller(None)
        .with("authorization", &format!("DPoP {}", anna.token))
        .with("dpop", &proof)
        .post(path, raise())
        .await;
    sent.expect(201);
    let listed = anna.get("/v1/alerts").await.expect(200);
    assert_eq!(listed["alerts"].as_array().unwrap().len(), 1);
    other.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn ten_wrong_passwords_close_the_way_in_for_names_that_exist_and_names_that_do_not() {
    let world = World::start().await;
    world.add_people().await;
    let mut anna = world
        .signed_in("anna", Some("anna"), &["duty-officer"])
        .await;
    let device = Device::new(&world);
    let mut answers = Vec::new();
    for name in ["anna", "nobody"] {
        for _ in 0..10 {
            let refused = begin(&world, &device, name, "not this one at all").await;
            answers.push(refused.refusal(401, "sign-in-refused").to_string());
        }
        // This place had its starts; half a minute later the account has had its tries: the right one is not looked at.
        let early = begin(&world, &device, name, PASSWORD).await;
        assert_eq!(early.headers["retry-after"], "30");
        early.refusal(429, "too-many");
        world.replica.advance(Duration::from_secs(30));
        let closed = begin(&world, &device, name, PASSWORD).await;
        assert_eq!(closed.headers["retry-after"], "900");
        closed.refusal(429, "too-many");
    }
    let limits = world.operator().get("/v1/limits").await.expect(200);
    for name in ["sign-in-starts", "passwords"] {
        let limit = limits["limits"].as_array().unwrap().iter();
        let limit = limit.clone().find(|limit| limit["name"] == name).unwrap();
        assert_eq!(limit["turned_away"], 2, "{limit}");
    }
    let metrics = world.admin().get("/metrics").await.text;
    let counted = "holdfast_sign_in_turned_away{limit=\"passwords\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Whoever is signed in stays so.
    anna.clock = world.now_s();
    anna.get("/v1/session").await.expect(200);
    let listed = world.operator().get("/v1/accounts/anna").await.expect(200);
    assert!(listed["password_closed_until"].is_string());
    world.replica.advance(Duration::from_secs(900));
    let attempt = begin(&world, &device, "anna", PASSWORD).await.expect(200);
    // No second factor was ever set up: an invitation is the way.
    assert_eq!(attempt["next"], json!([]));
    world.stop().await;
}

#[tokio::test]
async fn five_codes_are_looked_at_in_a_sign_in() {
    let world = World::start().await;
    let device = world.signed_in("root", None, &["admin"]).await;
    let mut other = Device::new(&world);
    let attempt = begin(&world, &device, "root", PASSWORD).await.expect(200);
    assert_eq!(attempt["next"], json!(["totp"]));
    for _ in 0..5 {
        let refused = finish(&world, &mut other, &attempt, "totp", "000000").await;
        refused.refusal(401, "sign-in-refused");
    }
    let refused = finish(&world, &mut other, &attempt, "totp", "000000").await;
    refused.refusal(409, "conflict");
    let made_up = json!({ "attempt": "0".repeat(32) });
    let refused = finish(&world, &mut other, &made_up, "totp", "000000").await;
    refused.refusal(409, "conflict");
    world.stop().await;
}

#[tokio::test]
async fn an_unknown_account_takes_as_long_to_refuse_as_a_known_one() {
    let world = World::start().await;
    world.add_people().await;
    world
        .signed_in("anna", Some("anna"), &["duty-officer"])
        .await;
    let device = Device::new(&world);
    let mut medians = Vec::new();
    for name in ["anna", "nobody"] {
        let mut took = Vec::new();
        for _ in 0..7 {
            let started = Instant::now();
            begin(&world, &device, name, "not this one at all")
                .await
                .refusal(401, "sign-in-refused");
            took.push(started.elapsed());
        }
        took.sort_unstable();
        medians.push(took[3].as_secs_f64());
    }
    // Without the same work they differ a hundredfold; what else this machine does is not measured here.
    let ratio = medians[0] / medians[1];
    assert!((0.5..2.0).contains(&ratio), "{medians:?}");
    world.stop().await;
}

#[tokio::test]
async fn an_admin_does_nothing_before_the_app_is_set_up_and_is_signed_out_soon() {
    let world = World::start().await;
    let code = world.invited("root", None, &["admin"]).await;
    let mut device = Device::new(&world);
    let opened = device.accept(&code, Some(PASSWORD)).await.expect(201);
    assert_eq!(opened["session"]["must_enrol"], true);
    device.get("/v1/accounts").await.refusal(403, "must-enrol");
    device.get("/v1/session").await.expect(200);
    enrol(&world, &device).await;
    device.get("/v1/accounts").await.expect(200);
    for _ in 0..3 {
        world.replica.advance(Duration::from_secs(14 * 60));
        device.clock = world.now_s();
        device.get("/v1/accounts").await.expect(200);
    }
    world.replica.advance(Duration::from_secs(16 * 60));
    device.clock = world.now_s();
    device
        .get("/v1/accounts")
        .await
        .refusal(401, "session-over");
    world.stop().await;
}

#[tokio::test]
async fn a_session_ended_anywhere_is_over_with_the_next_request() {
    let world = World::start().await;
    world.add_people().await;
    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    let code = world
        .operator()
        .post("/v1/accounts/anna/invitation", json!({}))
        .await
        .expect(201);
    let mut tablet = Device::new(&world);
    tablet
        .accept(code["code"].as_str().unwrap(), None)
        .await
        .expect(201);
    let listed = anna.get("/v1/sessions").await.expect(200);
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let other = sessions
        .iter()
        .find(|session| session["this"] == false)
        .unwrap();
    let path = format!("/v1/sessions/{}", other["id"].as_str().unwrap());
    // Somebody else's session is not there to be ended.
    let bela = world.signed_in("bela", Some("bela"), &["responder"]).await;
    bela.delete(&path).await.refusal(404, "not-found");
    anna.delete(&path).await.expect(200);
    tablet.get("/v1/session").await.refusal(401, "session-over");
    anna.get("/v1/session").await.expect(200);
    world
        .operator()
        .delete("/v1/accounts/anna/sessions")
        .await
        .expect(200);
    anna.get("/v1/session").await.refusal(401, "session-over");
    let disabled = json!({ "disabled": true });
    world
        .operator()
        .put("/v1/accounts/bela/disabled", disabled)
        .await
        .expect(200);
    bela.get("/v1/session").await.refusal(401, "session-over");
    world.stop().await;
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_the_other_devices() {
    let world = World::start().await;
    world.add_people().await;
    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    let invited = world
        .operator()
        .post("/v1/accounts/anna/invitation", json!({}))
        .await
        .expect(201);
    let mut tablet = Device::new(&world);
    tablet
        .accept(invited["code"].as_str().unwrap(), None)
        .await
        .expect(201);
    let body = |current: &str| json!({ "current": current, "password": "kolme meloa ja hanhi" });
    let refused = anna
        .put("/v1/session/password", body("not the old one"))
        .await;
    refused.refusal(422, "invalid-input");
    anna.put("/v1/session/password", body(PASSWORD))
        .await
        .expect(200);
    anna.get("/v1/session").await.expect(200);
    tablet.get("/v1/session").await.refusal(401, "session-over");
    begin(&world, &tablet, "anna", PASSWORD)
        .await
        .refusal(401, "sign-in-refused");
    begin(&world, &tablet, "anna", "kolme meloa ja hanhi")
        .await
        .expect(200);
    // Not even the quick hash by which repeats of other requests are known.
    let sent = body(PASSWORD).to_string();
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    for part in ["PUT", "/v1/session/password", &sent] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finish();
    let log = world.replica.all_bytes();
    assert!(!log.windows(32).any(|part| part == hash.as_ref()));
    world.stop().await;
}

#[tokio::test]
async fn responders_see_and_answer_what_they_were_called_for() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    for who in ["anna", "bela"] {
        let raise =
            json!({ "text": format!("for {who}"), "severity": "high", "to": { "people": [who] } });
        let raised = operator.post("/v1/alerts", raise).await.expect(201);
        expand(&world, &raised).await;
    }
    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    let listed = anna.get("/v1/alerts").await.expect(200);
    let alerts = listed["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{listed}");
    let own = alerts[0]["number"]
        .as_str()
        .map_or_else(|| alerts[0]["number"].to_string(), str::to_owned);
    let others = if own == "1" { "2" } else { "1" };
    for path in ["", "/cap", "/missing"] {
        let status = anna.get(&format!("/v1/alerts/{others}{path}")).await.status;
        assert!(status == 404 || status == 403, "{path}: {status}");
    }
    let shown = anna.get(&format!("/v1/alerts/{own}")).await;
    assert!(!shown.text.contains("+3584"), "{}", shown.text);
    shown.expect(200);
    anna.get(&format!("/v1/rooms/{others}/messages"))
        .await
        .refusal(404, "unknown-alert");
    anna.get("/v1/rooms/inbox/messages")
        .await
        .refusal(404, "unknown-alert");
    anna.get(&format!("/v1/rooms/{own}/messages"))
        .await
        .expect(200);
    let answer = |who: &str| json!({ "person": who, "answer": "coming" });
    let path = format!("/v1/alerts/{own}/answer");
    anna.post(&path, answer("bela"))
        .await
        .refusal(403, "not-allowed");
    anna.post(&path, answer("anna")).await.expect(200);
    anna.post(&format!("/v1/alerts/{others}/answer"), answer("anna"))
        .await
        .refusal(404, "unknown-alert");
    // In a room they are who they are.
    let said = json!({ "text": "on my way", "author": "Crisis leader" });
    anna.post(&format!("/v1/rooms/{own}/messages"), said)
        .await
        .expect(201);
    let room = anna
        .get(&format!("/v1/rooms/{own}/messages"))
        .await
        .expect(200);
    let authors = room["messages"].to_string();
    assert!(
        authors.contains("Anna Virtanen") && !authors.contains("Crisis leader"),
        "{authors}"
    );
    world.stop().await;
}

#[tokio::test]
async fn who_may_not_see_numbers_sees_none_in_any_answer() {
    let world = World::start().await;
    let canaries = ["+358457770011", "+358457770022", "canary@planted.example"];
    let people = json!({ "people": [
        { "key": "anna", "name": "Anna", "methods": [{ "kind": "sms", "address": canaries[0] }] },
        { "key": "bela", "name": "Bela", "note": format!("at home {}", canaries[1]), "methods": [
            { "kind": "sms", "address": canaries[1] }, { "kind": "email", "address": canaries[2] }] },
    ]});
    let operator = world.operator();
    operator.put("/v1/people", people).await.expect(200);
    let group = json!({ "name": "Both", "members": ["anna", "bela"] });
    operator.put("/v1/groups/duty", group).await.expect(200);
    let raise = json!({ "text": "Pump 3", "severity": "high", "to": { "groups": ["duty"] } });
    let raised = operator.post("/v1/alerts", raise).await.expect(201);
    expand(&world, &raised).await;
    let seen = |text: &str| canaries.iter().any(|canary| text.contains(canary));
    let document: Value = serde_json::from_str(&::api::openapi()).unwrap();
    let mut seen_by_manager = 0;
    let manager = world
        .signed_in("manager", None, &["incident-manager"])
        .await;
    for (name, role) in [
        ("root", "admin"),
        ("look", "auditor"),
        ("duty", "duty-officer"),
        ("anna", "responder"),
    ] {
        let device = world.signed_in(name, Some("anna"), &[role]).await;
        for path in document["paths"]
            .as_object()
            .unwrap()
            .iter()
            // A stream has no end; it names topics and carries nothing else.
            .filter(|(path, item)| item["get"].is_object() && *path != "/v1/events")
        {
            let path = path
                .0
                .replace("{alert}", "1")
                .replace("{room}", "1")
                .replace("{key}", "bela")
                .replace("{name}", "anna");
            let answer = device.get(&path).await;
            assert!(
                !seen(&answer.text),
                "{role} sees by {path}: {}",
                answer.text
            );
            assert!(answer.status != 500, "{role} {path}: {}", answer.text);
            if role == "admin" {
                seen_by_manager += usize::from(seen(&manager.get(&path).await.text));
            }
        }
    }
    // The scan would have found them.
    assert!(seen_by_manager >= 3, "{seen_by_manager}");
    world.stop().await;
}

#[tokio::test]
async fn every_role_may_what_the_page_says_and_nothing_else() {
    let world = World::start().await;
    let page = ::api::permissions();
    let table: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(" /"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(table.len() > 120, "{}", table.len());
    let roles = [
        "admin",
        "incident-manager",
        "duty-officer",
        "responder",
        "auditor",
    ];
    let nobody = world.caller(None);
    for (place, role) in roles.iter().enumerate() {
        let device = world.signed_in(&format!("of-{role}"), None, &[role]).await;
        for row in &table {
            let (method, path) = row[0].split_once(' ').unwrap();
            // Nothing is there by these names, so nothing is changed, and no body is what is expected.
            let path = path.replace(['{', '}'], "");
            let method: Method = method.parse().unwrap();
            let answer = device.send(method.clone(), &path, None).await;
            let refused = answer.status == 403 && !answer.text.contains("belongs to nobody");
            match row[place + 2] {
                "–" => assert!(
                    refused,
                    "{role} {method} {path}: {} {}",
                    answer.status, answer.text
                ),
                "✓" | "own" => assert!(
                    !refused && answer.status != 401,
                    "{role} {method} {path}: {}",
                    answer.text
                ),
                other => panic!("{other:?} in the page"),
            }
            if place == 0 && row[1] != "open" {
                let answer = nobody.send(method.clone(), &path, None).await;
                assert_eq!(answer.status, 401, "{method} {path}");
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn no_secret_enters_the_log_in_clear() {
    let world = World::start().await;
    world.add_people().await;
    let code = world.invited("anna", Some("anna"), &["duty-officer"]).await;
    let mut device = Device::new(&world);
    device.accept(&code, Some(PASSWORD)).await.expect(201);
    let seed = enrol(&world, &device).await;
    let printed = device
        .post("/v1/session/recovery-codes", json!({}))
        .await
        .expect(201);
    let attempt = begin(&world, &device, "anna", PASSWORD).await.expect(200);
    let mut secrets = vec![
        PASSWORD.as_bytes().to_vec(),
        device.token.clone().into_bytes(),
        code.clone().into_bytes(),
        code.replace('-', "").into_bytes(),
        attempt["attempt"].as_str().unwrap().as_bytes().to_vec(),
        seed.clone(),
        data_encoding::BASE32_NOPAD.encode(&seed).into_bytes(),
    ];
    for code in printed["codes"].as_array().unwrap() {
        secrets.push(code.as_str().unwrap().replace('-', "").into_bytes());
        secrets.push(code.as_str().unwrap().as_bytes().to_vec());
    }
    let state = world.replica.all_bytes();
    assert!(state.len() > 10_000);
    let holds = |what: &[u8]| state.windows(what.len()).any(|part| part == what);
    assert!(holds(b"Anna Virtanen"), "what is not secret is found");
    for secret in secrets {
        assert!(!holds(&secret), "{}", String::from_utf8_lossy(&secret));
    }
    world.stop().await;
}

#[tokio::test]
async fn another_sites_page_changes_nothing_for_whoever_is_signed_in() {
    let world = World::start().await;
    world.add_people().await;
    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let proof = anna.proof(&anna.claims(&Method::DELETE, "/v1/session"));
        let foreign = anna.with_proof(&proof).with(name, value);
        foreign
            .delete("/v1/session")
            .await
            .refusal(403, "cross-site");
        let body = json!({ "account": "anna", "password": PASSWORD, "device": anna.described() });
        let foreign = world.caller(None).with(name, value);
        foreign
            .post("/v1/sign-in", body)
            .await
            .refusal(403, "cross-site");
    }
    anna.get("/v1/session").await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn keys_and_the_socket_have_no_session_of_their_own() {
    let world = World::start().await;
    let key = world.key(&Scope::ALL, None).await;
    world
        .caller(Some(&key))
        .get("/v1/session")
        .await
        .refusal(403, "not-allowed");
    world
        .operator()
        .get("/v1/session")
        .await
        .refusal(403, "not-allowed");
    world
        .caller(None)
        .get("/v1/session")
        .await
        .refusal(401, "not-authenticated");
    // Whatever cluster:admin could do, it still can.
    let key = world.key(&[Scope::ClusterAdmin], None).await;
    let status = world
        .caller(Some(&key))
        .post("/v1/outbox/pause", json!({}))
        .await
        .status;
    assert!(status != 401 && status != 403, "{status}");
    assert!(world.replica.now().0 > 0);
    world.stop().await;
}
