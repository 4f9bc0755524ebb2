//! Whoever was away shows again who they are before they read what others said; answers never wait for it (SECURITY T-31).

use std::time::Duration;

use hyper::Method;
use serde_json::json;

use super::World;
use super::accounts::PASSWORD;
use super::alerts::expand;
use super::client::Answer;
use super::device::Device;

const MINUTE: Duration = Duration::from_secs(60);

impl Device {
    /// Time passes, and this device's clock goes with it.
    fn later(&mut self, world: &World, by: Duration) {
        world.replica.advance(by);
        self.clock = world.now_s();
    }

    pub(super) async fn show(&self, factor: &str, secret: &str) -> Answer {
        let body = json!({ "factor": factor, "secret": secret });
        self.post("/v1/session/proof", body).await
    }
}

/// An alert that calls Anna.
async fn alert(world: &World) {
    let raise = json!({ "text": "Pump 3", "severity": "high", "to": { "people": ["anna"] } });
    let operator = world.operator();
    let raised = operator.post("/v1/alerts", raise).await.expect(201);
    expand(world, &raised).await;
}

#[tokio::test]
async fn after_a_pause_one_answers_at_once_and_reads_the_room_after_showing_a_factor() {
    let world = World::start().await;
    world.add_people().await;
    alert(&world).await;
    let mut anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    anna.get("/v1/rooms/1/messages").await.expect(200);
    anna.later(&world, 15 * MINUTE);
    anna.get("/v1/rooms/1/messages").await.expect(200);
    anna.later(&world, 16 * MINUTE);

    // Three in the morning.
    anna.get("/v1/people/anna/alerts").await.expect(200);
    anna.get("/v1/alerts").await.expect(200);
    anna.get("/v1/alerts/1").await.expect(200);
    anna.get("/v1/on-call").await.expect(200);
    let coming = json!({ "person": "anna", "answer": "coming" });
    anna.post("/v1/alerts/1/answer", coming).await.expect(200);

    let said = json!({ "text": "all clear, go home" });
    for refused in [
        anna.get("/v1/rooms/1/messages").await,
        anna.get("/v1/rooms").await,
        anna.post("/v1/rooms/1/messages", said).await,
    ] {
        refused.refusal(403, "factor-wanted");
    }
    anna.get("/v1/session").await.expect(200);
    let ways = anna.get("/v1/session/proof").await.expect(200);
    assert_eq!(ways["factors"], json!(["password"]));
    for (factor, secret) in [
        ("password", "not this one at all"),
        ("totp", "000000"),
        ("luck", ""),
    ] {
        anna.show(factor, secret)
            .await
            .refusal(422, "invalid-input");
    }
    anna.get("/v1/rooms").await.refusal(403, "factor-wanted");
    anna.show("password", PASSWORD).await.expect(200);
    // As long as somebody reads, nobody is asked.
    for _ in 0..6 {
        anna.get("/v1/rooms/1/messages").await.expect(200);
        anna.later(&world, 14 * MINUTE);
    }
    anna.later(&world, 2 * MINUTE);
    anna.get("/v1/rooms").await.refusal(403, "factor-wanted");
    world.stop().await;
}

#[tokio::test]
async fn who_reads_goes_on_reading_at_another_node() {
    let world = World::start().await;
    world.add_people().await;
    alert(&world).await;
    let other = world.beside().await;
    let mut anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    anna.later(&world, 10 * MINUTE);
    anna.get("/v1/rooms/1/messages").await.expect(200);
    anna.later(&world, 14 * MINUTE);
    let proof = anna.proof(&anna.claims(&Method::GET, "/v1/rooms/1/messages"));
    let there = other
        .caller(None)
        .with("authorization", &format!("DPoP {}", anna.token))
        .with("dpop", &proof);
    there.get("/v1/rooms/1/messages").await.expect(200);
    other.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn guesses_at_a_password_in_a_session_are_counted_and_close_only_that_device() {
    let world = World::start().await;
    world.add_people().await;
    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    for _ in 0..10 {
        let wrong = anna.show("password", "not this one at all").await;
        wrong.refusal(422, "invalid-input");
    }
    let closed = anna.show("password", PASSWORD).await;
    assert!(closed.headers.contains_key("retry-after"));
    closed.refusal(429, "too-many");
    anna.get("/v1/session").await.expect(200);
    // Its owner still signs in elsewhere.
    let begun = super::accounts::begin(&world, &Device::new(&world), "anna", PASSWORD).await;
    begun.expect(200);
    let log = world.replica.all_bytes();
    let holds = |what: &[u8]| log.windows(what.len()).any(|part| part == what);
    assert!(!holds(PASSWORD.as_bytes()));
    world.stop().await;
}

#[tokio::test]
async fn who_has_nothing_to_show_is_not_asked() {
    let world = World::start().await;
    world.add_people().await;
    alert(&world).await;
    let code = world.invited("anna", Some("anna"), &["responder"]).await;
    let mut anna = Device::new(&world);
    anna.accept(&code, None).await.expect(201);
    anna.later(&world, 60 * MINUTE);
    let ways = anna.get("/v1/session/proof").await.expect(200);
    assert_eq!(ways["factors"], json!([]));
    anna.get("/v1/rooms/1/messages").await.expect(200);
    world.stop().await;
}

/// The rows of the page of permissions: operation, what it asks, and what each role may.
fn page() -> Vec<(Method, String, Vec<String>)> {
    let page = ::api::permissions();
    let rows = page.lines();
    let rows = rows.filter(|line| line.starts_with("| ") && line.contains(" /"));
    rows.map(|line| {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        let cells: Vec<String> = cells.map(str::to_owned).collect();
        let (method, path) = cells[0].split_once(' ').unwrap();
        let path = path.replace(['{', '}'], "");
        (method.parse().unwrap(), path, cells)
    })
    .collect()
}

#[tokio::test]
async fn every_operation_asks_what_the_page_says_and_no_more() {
    let world = World::start().await;
    let rows = page();
    assert!(rows.len() > 180, "{}", rows.len());
    let asked = |what: &str| {
        rows.iter()
            .filter(|row| row.2.last().unwrap() == what)
            .count()
    };
    assert!(asked("after a pause") > 30 && asked("just now") > 20);
    // The place of the role in a row, for how long it is away, and what it is then asked.
    for (place, role, away, wanted) in [
        (2, "admin", 11, "just now"),
        (4, "duty-officer", 16, "after a pause"),
        (5, "responder", 16, "after a pause"),
        (6, "auditor", 11, "just now"),
    ] {
        let mut device = world.signed_in(role, None, &[role]).await;
        device.later(&world, away * MINUTE);
        let mut refused_count = 0;
        for (method, path, cells) in &rows {
            let may = cells[place] == "✓";
            let answer = device.send(method.clone(), path, None).await;
            let refused = answer.text.contains("urn:holdfast:problem:factor-wanted");
            let expected = may && cells.last().unwrap() == wanted;
            assert_eq!(refused, expected, "{role} {method} {path}: {}", answer.text);
            refused_count += usize::from(refused);
        }
        // Responders have only what is their own, which is there or not before anything else is looked at.
        assert_eq!(refused_count > 0, role == "admin" || role == "duty-officer");
    }
    // Ways in are added by whoever showed one just now, whatever their roles.
    let mut device = world.signed_in("bela", None, &["responder"]).await;
    device.later(&world, 11 * MINUTE);
    let page = ::api::permissions();
    let ways = page.lines().filter_map(|line| {
        let line = line
            .strip_prefix("- ")?
            .strip_suffix(" (factor just now)")?;
        line.split_once(' ')
    });
    let ways: Vec<(&str, &str)> = ways.collect();
    assert_eq!(ways.len(), 5, "{ways:?}");
    for (method, path) in ways {
        let path = path.replace(['{', '}'], "");
        let answer = device.send(method.parse().unwrap(), &path, None).await;
        answer.refusal(403, "factor-wanted");
    }
    device.get("/v1/session").await.expect(200);
    device.get("/v1/session/passkeys").await.expect(200);
    world.stop().await;
}
