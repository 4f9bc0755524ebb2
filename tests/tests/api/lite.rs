//! The pages without script, as an old phone meets them: a cookie, forms, and no key.

use domain::access::Scope;
use hyper::Method;
use serde_json::{Value, json};

use super::World;
use super::alerts::expand;
use super::client::{Answer, Client};

const PASSWORD: &str = "tuuli kettu 9 lanka";

/// Some phone's browser.
pub(super) struct Phone {
    client: Client,
    cookie: String,
    page: String,
}

impl Phone {
    pub(super) fn new(world: &World) -> Self {
        Self {
            client: world.caller(None),
            cookie: String::new(),
            page: String::new(),
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let client = self.client.with("cookie", &self.cookie);
        let answer = client.get(path).await;
        self.take(&answer);
        answer
    }

    /// Sends the form for `action` of the page before, without following where it leads.
    pub(super) async fn send(&mut self, action: &str, fields: &[(&str, &str)]) -> Answer {
        let body = self.filled(action, fields);
        self.send_body(action, body).await
    }

    async fn send_body(&mut self, action: &str, body: String) -> Answer {
        let client = self.client.with("cookie", &self.cookie);
        let body = ("application/x-www-form-urlencoded", body.into_bytes());
        let answer = client.send(Method::POST, action, Some(body)).await;
        self.take(&answer);
        answer
    }

    /// Sends it and follows.
    pub(super) async fn submit(&mut self, action: &str, fields: &[(&str, &str)]) -> Answer {
        let sent = self.send(action, fields).await;
        assert_eq!(sent.status, 303, "{action}: {}", sent.text);
        let to = sent.headers["location"].to_str().unwrap().to_owned();
        self.get(&to).await
    }

    fn filled(&self, action: &str, fields: &[(&str, &str)]) -> String {
        let marks = [format!("action={action}>"), format!("action=\"{action}\">")];
        let mark = marks.iter().find_map(|mark| self.page.find(mark.as_str()));
        let form = &self.page[mark.unwrap_or_else(|| panic!("no form {action}: {}", self.page))..];
        let hidden = |name: &str| {
            let mark = format!("name={name} value=");
            let rest = &form[form.find(&mark).unwrap() + mark.len()..];
            rest[..rest.find('>').unwrap()].trim_matches('"').to_owned()
        };
        let (token, once) = (hidden("token"), hidden("once"));
        let own = [("token", token.as_str()), ("once", once.as_str())];
        let pairs = own.iter().chain(fields);
        let pairs = pairs.map(|(name, value)| format!("{name}={}", encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    fn take(&mut self, answer: &Answer) {
        if let Some(cookie) = answer.headers.get("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            pair.clone_into(&mut self.cookie);
        }
        if !answer.text.is_empty() {
            self.page.clone_from(&answer.text);
            check(answer);
        }
    }

    /// Password and a printed code.
    async fn sign_in(&mut self, account: &str, code: &str) -> Answer {
        self.get("/lite?lang=en").await;
        let fields = [("account", account), ("password", PASSWORD)];
        self.submit("/lite/sign-in", &fields).await;
        let fields = [("factor", "recovery"), ("code", code)];
        self.submit("/lite/code", &fields).await
    }
}

/// What holds of every page.
#[track_caller]
fn check(answer: &Answer) {
    let kind = answer.headers["content-type"].to_str().unwrap();
    if !kind.starts_with("text/html") {
        return;
    }
    assert!(answer.bytes.len() < 10_000, "{} bytes", answer.bytes.len());
    assert!(!answer.text.contains("<script"), "{}", answer.text);
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"),
        "{policy}"
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-lite="), "{cookie}");
    for flag in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl World {
    /// An account with a password, and its printed codes.
    async fn printed(&self, name: &str, person: Option<&str>, role: &str) -> Vec<String> {
        let device = self.signed_in(name, person, &[role]).await;
        let made = device
            .post("/v1/session/recovery-codes", json!({}))
            .await
            .expect(201);
        let codes = made["codes"].as_array().unwrap().iter();
        codes
            .map(|code| code.as_str().unwrap().to_owned())
            .collect()
    }

    async fn raised(&self, text: &str) -> Value {
        let raise = json!({ "text": text, "severity": "critical", "to": { "people": ["anna"] } });
        let raised = self.operator().post("/v1/alerts", raise).await.expect(201);
        expand(self, &raised).await;
        raised
    }

    async fn answer_of_anna(&self, alert: &str) -> Value {
        let shown = self.operator().get(&format!("/v1/alerts/{alert}")).await;
        shown.expect(200)["called"][0].clone()
    }
}

#[tokio::test]
async fn somebody_without_script_signs_in_answers_speaks_and_signs_out() {
    let world = World::start().await;
    world.add_people().await;
    let codes = world.printed("anna", Some("anna"), "responder").await;
    world.raised("Pump 3 has tripped").await;
    let mut phone = Phone::new(&world);
    let list = phone.sign_in("anna", &codes[0]).await;
    assert!(list.text.contains("You are asked"), "{}", list.text);
    assert!(list.text.contains("Pump 3 has tripped"));

    phone.get("/lite/alert/1").await;
    let fields = [("answer", "coming"), ("eta", "20")];
    let said = phone.submit("/lite/alert/1/answer", &fields).await;
    assert!(said.text.contains("Stored by the cluster"), "{}", said.text);
    assert!(said.text.contains("Coming (20 min)"));
    let call = world.answer_of_anna("1").await;
    assert_eq!(call["answer"], "coming");
    assert_eq!(call["eta_minutes"], 20);

    let fields = [("text", "On my way, ä & ö")];
    let room = phone.submit("/lite/alert/1/say", &fields).await;
    assert!(room.text.contains("On my way, ä &amp; ö"), "{}", room.text);
    let fields = [("text", "  ")];
    phone.submit("/lite/alert/1/say", &fields).await;
    let said = world
        .operator()
        .get("/v1/rooms/1/messages")
        .await
        .expect(200);
    let said = said["messages"].as_array().unwrap().clone();
    let own: Vec<_> = said
        .iter()
        .filter(|message| message["author"] == "Anna Virtanen")
        .collect();
    assert_eq!(own.len(), 1, "nothing is said with no words");

    let out = phone.submit("/lite/out", &[]).await;
    assert!(out.text.contains("name=password"), "{}", out.text);
    world.stop().await;
}

#[tokio::test]
async fn a_form_pressed_twice_applies_once_and_going_back_may_say_something_else() {
    let world = World::start().await;
    world.add_people().await;
    let codes = world.printed("anna", Some("anna"), "responder").await;
    world.raised("Pump 3").await;
    let mut phone = Phone::new(&world);
    phone.sign_in("anna", &codes[0]).await;
    phone.get("/lite/alert/1").await;
    let body = phone.filled("/lite/alert/1/say", &[("text", "twice")]);
    for _ in 0..2 {
        let sent = phone.send_body("/lite/alert/1/say", body.clone()).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
    }
    let said = world.operator().get("/v1/rooms/1/messages").await;
    assert_eq!(said.text.matches("\"text\":\"twice\"").count(), 1);
    // The page before is shown again from the phone's memory, with the same form in it.
    for answer in ["coming", "cannot"] {
        let sent = phone
            .send("/lite/alert/1/answer", &[("answer", answer)])
            .await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        assert_eq!(world.answer_of_anna("1").await["answer"], answer);
    }
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_done_for_a_form_that_is_not_from_here() {
    let world = World::start().await;
    world.add_people().await;
    let codes = world.printed("anna", Some("anna"), "responder").await;
    world.raised("Pump 3").await;
    let mut phone = Phone::new(&world);
    phone.sign_in("anna", &codes[0]).await;
    phone.get("/lite/alert/1").await;
    let good = phone.filled("/lite/alert/1/answer", &[("answer", "coming")]);
    let of_room = phone.filled("/lite/alert/1/say", &[("answer", "coming")]);
    let path = "/lite/alert/1/answer";
    let kind = "application/x-www-form-urlencoded";
    let post = |client: Client, body: &str| {
        let body = body.as_bytes().to_vec();
        async move { client.send(Method::POST, path, Some((kind, body))).await }
    };
    let own = phone.client.with("cookie", &phone.cookie);
    for (client, body) in [
        (own.clone(), "answer=coming"),
        (own.clone(), of_room.as_str()),
        (own.with("origin", "https://evil.example"), good.as_str()),
        (own.with("origin", "null"), good.as_str()),
        (own.with("sec-fetch-site", "cross-site"), good.as_str()),
        (phone.client.clone(), good.as_str()),
        (
            phone.client.with("cookie", "__Host-lite=AAAA"),
            good.as_str(),
        ),
    ] {
        let refused = post(client, body).await;
        assert_eq!(refused.status, 403, "{body}: {}", refused.text);
    }
    assert_eq!(world.answer_of_anna("1").await["answer"], Value::Null);
    // And nothing changes by a plain question.
    let asked = own.get(&format!("{path}?{good}")).await;
    assert_eq!(asked.status, 405);
    let from_here = own.with("origin", "https://127.0.0.1");
    assert_eq!(post(from_here, &good).await.status, 303);
    world.stop().await;
}

#[tokio::test]
async fn the_cookie_opens_nothing_but_these_pages_and_ends_with_the_session() {
    let world = World::start().await;
    world.add_people().await;
    let codes = world
        .printed("anna", Some("anna"), "incident-manager")
        .await;
    world.raised("Pump 3").await;
    let mut phone = Phone::new(&world);
    phone.sign_in("anna", &codes[0]).await;
    let cookie = world.caller(None).with("cookie", &phone.cookie);
    for path in ["/v1/session", "/v1/alerts", "/v1/people"] {
        cookie.get(path).await.refusal(401, "not-authenticated");
    }
    // Another node serves the next page: nothing of it is kept here.
    let beside = world.beside().await;
    let other = beside.caller(None).with("cookie", &phone.cookie);
    let list = other.get("/lite").await;
    assert!(list.text.contains("Pump 3"), "{}", list.text);
    beside.stop().await;
    // It stands among the devices, and ends from anywhere.
    let operator = world.operator();
    let sessions = operator.get("/v1/accounts/anna/sessions").await.expect(200);
    let sessions = sessions["sessions"].as_array().unwrap();
    assert!(sessions.iter().any(|session| session["device"] == "/lite"));
    operator
        .delete("/v1/accounts/anna/sessions")
        .await
        .expect(200);
    let over = phone.get("/lite").await;
    assert_eq!(over.status, 401);
    assert!(
        over.text.contains("Your session has ended"),
        "{}",
        over.text
    );
    let still = phone.get("/lite").await;
    assert_eq!(still.status, 200, "the old cookie is replaced");
    world.stop().await;
}

#[tokio::test]
async fn roles_and_limits_are_those_of_the_api() {
    let world = World::start().await;
    world.add_people().await;
    world.raised("Pump 3").await;
    // Bela was not called to it; an account of nobody is asked nothing.
    let codes = world.printed("bela", Some("bela"), "responder").await;
    let mut phone = Phone::new(&world);
    let list = phone.sign_in("bela", &codes[0]).await;
    assert!(
        list.text.contains("Nothing is asked of you"),
        "{}",
        list.text
    );
    assert_eq!(phone.get("/lite/alert/1").await.status, 404);
    let codes = world.printed("guest", None, "responder").await;
    let mut guest = Phone::new(&world);
    let refused = guest.sign_in("guest", &codes[0]).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text.contains("belongs to nobody"),
        "{}",
        refused.text
    );
    // Wrong passwords are counted with those of the API, and are told alike of accounts there are not.
    let mut thief = Phone::new(&world);
    for account in ["bela", "nobody-there"] {
        thief.get("/lite?lang=en").await;
        let fields = [("account", account), ("password", "wrong password")];
        let refused = thief.send("/lite/sign-in", &fields).await;
        assert_eq!(refused.status, 401);
        assert!(
            refused.text.contains("That is not right"),
            "{}",
            refused.text
        );
    }
    for _ in 0..9 {
        let fields = [("account", "bela"), ("password", "wrong password")];
        thief.send("/lite/sign-in", &fields).await;
    }
    let fields = [("account", "bela"), ("password", PASSWORD)];
    let closed = thief.send("/lite/sign-in", &fields).await;
    assert!(closed.status.is_client_error(), "{}", closed.text);
    let device = super::device::Device::new(&world);
    let body = json!({ "account": "bela", "password": PASSWORD, "device": device.described() });
    let api = world.caller(None).post("/v1/sign-in", body).await;
    assert_eq!(api.status, closed.status, "one limit for both ways in");
    world.stop().await;
}

#[tokio::test]
async fn what_people_wrote_stays_text_and_pages_stay_small() {
    let world = World::start().await;
    world.add_people().await;
    let people = json!({ "people": [{ "key": "anna", "name": "\u{202e}<b onmouseover=\"x\">Anna</b>", "language": "fi",
        "methods": [{ "kind": "sms", "address": "+358401234567" }] }] });
    let operator = world.operator();
    operator.put("/v1/people", people).await.expect(200);
    let codes = world.printed("anna", Some("anna"), "responder").await;
    for _ in 0..30 {
        world
            .raised(&"<script>alert('漢')</script>".repeat(12))
            .await;
    }
    for _ in 0..20 {
        let say = json!({ "text": "\u{2067}<img src=x onerror=y>&".repeat(100), "author": "<i>" });
        operator.post("/v1/rooms/1/messages", say).await.expect(201);
    }
    let mut phone = Phone::new(&world);
    phone.sign_in("anna", &codes[0]).await;
    for language in ["en", "fi", "sv", "fr", "ja"] {
        let list = phone.get(&format!("/lite?lang={language}")).await;
        assert!(list.text.contains(&format!("<html lang={language}>")));
        assert!(list.text.contains("&lt;script&gt;"));
        let alert = phone.get("/lite/alert/1").await;
        for page in [list, alert] {
            for bad in ["<img", "<b onm", "<i>", "\u{202e}", "\u{2067}", "lite."] {
                assert!(!page.text.contains(bad), "{bad}: {}", page.text);
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn every_language_has_the_pages_before_anybody_signed_in() {
    let world = World::start().await;
    for (sent, language, word) in [
        ("fi-FI", "fi", "Tunnus"),
        ("sv", "sv", "Konto"),
        ("fr", "fr", "Compte"),
        ("ja", "ja", "アカウント"),
        ("de", "en", "Account"),
    ] {
        let client = world.caller(None).with("accept-language", sent);
        let page = client.get("/lite").await;
        assert_eq!(page.status, 200);
        check(&page);
        assert!(page.text.contains(&format!("<html lang={language}>")));
        assert!(page.text.contains(word), "{}", page.text);
    }
    let key = world.key(&[Scope::AlertRead], None).await;
    let by_key = world.caller(Some(&key)).get("/lite").await;
    assert!(
        by_key.text.contains("name=password"),
        "a key signs nobody in here"
    );
    world.stop().await;
}

#[tokio::test]
async fn after_a_pause_the_room_asks_for_the_password_and_answers_do_not() {
    let world = World::start().await;
    world.add_people().await;
    let codes = world.printed("anna", Some("anna"), "responder").await;
    world.raised("Pump 3").await;
    let mut phone = Phone::new(&world);
    phone.sign_in("anna", &codes[0]).await;
    let shown = phone.get("/lite/alert/1").await;
    assert!(shown.text.contains("/lite/alert/1/say"));
    world
        .replica
        .advance(std::time::Duration::from_secs(16 * 60));
    let shown = phone.get("/lite/alert/1").await;
    assert!(!shown.text.contains("/lite/alert/1/say"), "{}", shown.text);
    let fields = [("answer", "coming"), ("eta", "")];
    let said = phone.submit("/lite/alert/1/answer", &fields).await;
    assert!(said.text.contains("Stored by the cluster"), "{}", said.text);
    let proof = "/lite/alert/1/proof";
    let wrong = [("password", "not this one at all")];
    let refused = phone.send(proof, &wrong).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let open = phone.submit(proof, &[("password", PASSWORD)]).await;
    assert!(open.text.contains("/lite/alert/1/say"), "{}", open.text);
    world.stop().await;
}
