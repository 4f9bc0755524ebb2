//! Prepared alerts over HTTP: put, checked, raised from, frozen; and what an alert would take before it is raised.

use domain::Command;
use domain::NodeId;
use domain::access::Scope;
use domain::nodes::{ChannelReport, Command as Nodes, Found};
use serde_json::{Value, json};

use super::World;

pub(super) fn mail() -> Value {
    json!({
        "name": "Mail down", "severity": "high",
        "texts": {"en": "{what} is down at {where}", "fi": "{what} ei toimi: {where}"},
        "placeholders": [
            {"name": "what", "required": true, "example": {"en": "Mail", "fi": "Posti"}},
            {"name": "where", "example": {"en": "Oulu"}, "default": {"en": "all sites", "fi": "joka paikka"}},
        ],
        "steps": [{"to": ["group:duty"]}, {"after_s": 600, "to": ["person:bela"]}],
        "answers": ["coming", "cannot"],
        "gather": {"en": {"place": "Gate 3", "bridge": "+358 9 1234", "pin": "77"}},
        "checklist": [{"owner": {"en": "IT on duty"}, "text": {"en": "Restart {what}"}}],
        "notes": "Call the provider first.",
    })
}

#[tokio::test]
async fn a_template_is_put_versioned_archived_and_restored() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let put = operator.put("/v1/templates/mail", mail()).await.expect(200);
    assert_eq!(
        (&put["version"], &put["changed"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(put["warnings"][0]["pointer"], "#/texts/sv", "{put}");
    let again = operator.put("/v1/templates/mail", mail()).await.expect(200);
    assert_eq!(
        (&again["version"], &again["changed"]),
        (&json!(1), &json!(false))
    );

    let shown = operator.get("/v1/templates/mail").await.expect(200);
    assert_eq!(shown["author"], "operator:n1");
    let same = operator
        .put("/v1/templates/mail", shown["template"].clone())
        .await
        .expect(200);
    assert_eq!(
        same["changed"], false,
        "what is shown can be put again unchanged"
    );

    let mut renamed = mail();
    renamed["name"] = json!("E-mail down");
    operator
        .put("/v1/templates/mail", renamed)
        .await
        .expect(200);
    let first = operator
        .get("/v1/templates/mail?version=1")
        .await
        .expect(200);
    assert_eq!(first["template"]["name"], "Mail down");
    let versions = operator
        .get("/v1/templates/mail/versions")
        .await
        .expect(200);
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    let restored = operator
        .post("/v1/templates/mail/restore", json!({"version": 1}))
        .await
        .expect(200);
    assert_eq!(restored["version"], 3);

    operator
        .post("/v1/templates/mail/archive", json!({}))
        .await
        .expect(200);
    let listed = operator.get("/v1/templates").await.expect(200);
    assert_eq!(listed["templates"], json!([]));
    let listed = operator
        .get("/v1/templates?archived=true")
        .await
        .expect(200);
    assert_eq!(
        listed["templates"][0]["placeholders"],
        json!(["what", "where"])
    );
    operator
        .put("/v1/templates/mail", mail())
        .await
        .refusal(409, "conflict");
    let raise = json!({"template": "mail", "placeholders": {"what": "Mail"}});
    operator
        .post("/v1/alerts", raise)
        .await
        .refusal(409, "conflict");
    operator
        .post("/v1/templates/none/archive", json!({}))
        .await
        .refusal(404, "not-found");
    operator
        .get("/v1/templates/mail?version=9")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn every_mistake_in_a_template_is_named_with_its_language_and_place() {
    let world = World::start().await;
    let operator = world.operator();
    let mut bad = mail();
    bad["texts"]["fi"] = json!("{waht} ei toimi\u{7}");
    bad["texts"]["sv"] = json!("Se https://evil.example/x nu");
    bad["checklist"][0]["owner"] = json!({});
    let problem = operator
        .put("/v1/templates/mail", bad)
        .await
        .refusal(422, "invalid-input");
    let errors: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        errors,
        [
            "#/texts/fi",
            "#/texts/fi",
            "#/texts/sv",
            "#/checklist/0/owner/en"
        ]
    );
    let mut bad = mail();
    bad["answers"] = json!(["maybe"]);
    let body = json!({"key": "mail", "template": bad});
    let problem = operator.post("/v1/templates/check", body).await;
    let problem = problem.refusal(422, "invalid-input");
    assert!(
        problem["detail"].as_str().unwrap().contains("need_help"),
        "{problem}"
    );
    world.stop().await;
}

#[tokio::test]
async fn texts_are_shown_as_they_would_leave_with_parts_and_alphabet() {
    let world = World::start().await;
    let operator = world.operator();
    let mut template = mail();
    template["texts"]["sv"] = json!("{what} ж ligger nere");
    let body = json!({"key": "mail", "template": template});
    let shown = operator.post("/v1/templates/check", body).await.expect(200);
    let sms = |language: &str| {
        let all = shown["texts"].as_array().unwrap().iter();
        let mut own = all.filter(|text| text["language"] == language && text["channel"] == "sms");
        own.next().unwrap().clone()
    };
    assert_eq!(
        (&sms("fi")["alphabet"], &sms("fi")["parts"]),
        (&json!("gsm7"), &json!(1))
    );
    let text = sms("fi")["text"].as_str().unwrap().to_owned();
    assert!(text.contains("Posti ei toimi: Oulu"), "{text}");
    assert!(
        text.contains("Kokoontuminen: Gate 3, puhelinkokous: +358 9 1234 PIN 77"),
        "{text}"
    );
    assert!(
        text.ends_with("Vastaa 4711 1=tulossa 2=en pääse ?=aito?"),
        "{text}"
    );
    assert_eq!(sms("sv")["forcing_ucs2"], json!(["ж"]));
    assert!(
        shown["warnings"].to_string().contains("because of ж"),
        "{shown}"
    );
    operator
        .get("/v1/templates/mail")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn an_alert_from_a_template_freezes_it() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.put("/v1/templates/mail", mail()).await.expect(200);
    let missing = operator
        .post("/v1/alerts", json!({"template": "mail"}))
        .await;
    let missing = missing.refusal(422, "invalid-input");
    assert_eq!(missing["errors"][0]["pointer"], "#/placeholders/what");
    operator
        .post("/v1/alerts", json!({"template": "nothing"}))
        .await
        .refusal(422, "invalid-input");

    let key = world
        .key(&[Scope::AlertCreate, Scope::AlertRead], None)
        .await;
    let caller = world.caller(Some(&key));
    let raise = json!({
        "template": "mail", "placeholders": {"what": "Mail server 2"}, "severity": "critical", "extra": "Ask Bo.",
    });
    caller.post("/v1/alerts", raise).await.expect(201);
    let mut changed = mail();
    changed["checklist"] = json!([]);
    changed["texts"] = json!({"en": "{what} {where}"});
    operator
        .put("/v1/templates/mail", changed)
        .await
        .expect(200);

    let shown = caller.get("/v1/alerts/1").await.expect(200);
    assert_eq!(shown["text"], "Mail server 2 is down at all sites. Ask Bo.");
    assert_eq!(
        shown["texts"]["fi"],
        "Mail server 2 ei toimi: joka paikka. Ask Bo."
    );
    assert_eq!(
        (&shown["severity"], &shown["people"]),
        (&json!("critical"), &json!(2))
    );
    let template = &shown["template"];
    assert_eq!(
        (&template["key"], &template["version"]),
        (&json!("mail"), &json!(1))
    );
    assert_eq!(
        template["checklist"][0]["text"]["en"],
        "Restart Mail server 2"
    );
    assert_eq!(template["gather"]["en"]["pin"], "77");
    caller
        .put("/v1/templates/mail", mail())
        .await
        .refusal(403, "not-allowed");

    let to = json!({"template": "mail", "placeholders": {"what": "X"}, "to": {"people": ["bela"]}, "needed": 2});
    operator.post("/v1/alerts", to).await.expect(201);
    let shown = operator.get("/v1/alerts/2").await.expect(200);
    assert_eq!(
        (&shown["people"], &shown["plan"]["needed"]),
        (&json!(1), &json!(2))
    );
    world.stop().await;
}

#[tokio::test]
async fn a_trial_goes_to_one_person_as_a_test() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.put("/v1/templates/mail", mail()).await.expect(200);
    let only = json!({"template": "mail", "placeholders": {"what": "X"}, "only": "person:anna"});
    operator.post("/v1/alerts", only).await.expect(201);
    let shown = operator.get("/v1/alerts/1").await.expect(200);
    assert_eq!(
        (&shown["status"], &shown["people"]),
        (&json!("test"), &json!(1))
    );
    assert_eq!(shown["source"], "operator:n1, only to anna");
    assert_eq!(shown["plan"]["repeats"], 0);
    world.stop().await;
}

fn channel(name: &str, kind: &str, operator: &str, rate_per_min: u32) -> ChannelReport {
    ChannelReport {
        name: name.to_owned(),
        kind: kind.to_owned(),
        up: true,
        reason: String::new(),
        operator: operator.to_owned(),
        number: String::new(),
        signal_dbm: None,
        rate_per_min,
    }
}

#[tokio::test]
async fn what_an_alert_would_take_is_said_before_it_is_raised() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.put("/v1/templates/mail", mail()).await.expect(200);
    let raise = json!({"template": "mail", "placeholders": {"what": "Mail"}});
    let preview = operator
        .post("/v1/alerts/preview", raise.clone())
        .await
        .expect(200);
    assert_eq!(
        (&preview["people"], &preview["sms_parts"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&preview["reached_after_s"], &preview["cost"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        preview["warnings"],
        json!(["no modem is up: 2 SMS would wait"])
    );

    let policy =
        json!({"link_hosts": [], "price_per_part": {"amount": "0.045", "currency": "EUR"}});
    operator
        .put("/v1/cluster/texts", policy.clone())
        .await
        .expect(200);
    let held = operator.get("/v1/cluster/texts").await.expect(200);
    assert_eq!(held, policy);
    world
        .apply(Command::Nodes(Nodes::Found(Found {
            cluster_id: [7; 16],
            organisation: "Aurora Energy".to_owned(),
            node_name: "alpha".to_owned(),
            pin: [1; 32],
            addresses: vec![],
        })))
        .await;
    let node = NodeId(1);
    let channels = vec![
        channel("modem", "sms", "Elisa", 6),
        channel("mail", "email", "", 60),
    ];
    world
        .apply(Command::Nodes(Nodes::ReportChannels { node, channels }))
        .await;
    let preview = operator.post("/v1/alerts/preview", raise).await.expect(200);
    assert_eq!(preview["steps"][0]["reached_after_s"], 10, "{preview}");
    assert_eq!(preview["reached_after_s"], 610);
    assert_eq!(
        preview["cost"],
        json!({"amount": "0.09", "amount_max": "0.27", "currency": "EUR"})
    );
    assert_eq!(
        (&preview["template"], &preview["template_version"]),
        (&json!("mail"), &json!(1))
    );
    assert!(
        preview["warnings"][0]
            .as_str()
            .unwrap()
            .contains("one operator, Elisa")
    );

    let nobody = json!({"severity": "low", "text": "Fire", "steps": [{"people": ["anna"]}, {"after_s": 60, "people": ["anna"]}]});
    let preview = operator
        .post("/v1/alerts/preview", nobody)
        .await
        .expect(200);
    assert!(
        preview["warnings"]
            .to_string()
            .contains("step 2 calls nobody"),
        "{preview}"
    );
    let listed = operator.get("/v1/alerts").await.expect(200);
    assert_eq!(listed["alerts"], json!([]), "a preview raises nothing");
    let bad = json!({"link_hosts": ["Not a host"], "price_per_part": {"amount": "1,5", "currency": "euro"}});
    operator
        .put("/v1/cluster/texts", bad)
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

#[tokio::test]
async fn the_starter_pack_is_installed_once_and_keeps_what_was_edited() {
    let world = World::start().await;
    let operator = world.operator();
    let install = |languages: Value| {
        let operator = &operator;
        async move {
            let body = json!({"languages": languages});
            operator
                .post("/v1/templates/starter", body)
                .await
                .expect(200)["installed"]
                .clone()
        }
    };
    assert_eq!(install(json!([])).await, 10);
    assert_eq!(install(json!([])).await, 0);
    let power = operator.get("/v1/templates/power").await.expect(200);
    let mut edited = power["template"].clone();
    edited["name"] = json!("Our power");
    operator
        .put("/v1/templates/power", edited)
        .await
        .expect(200);
    assert_eq!(install(json!(["fi"])).await, 9);
    let power = operator.get("/v1/templates/power").await.expect(200);
    assert_eq!(
        (&power["template"]["name"], &power["starter"]),
        (&json!("Our power"), &json!(false))
    );
    let listed = operator.get("/v1/templates").await.expect(200);
    assert_eq!(listed["templates"].as_array().unwrap().len(), 10);
    operator
        .post("/v1/templates/starter", json!({"languages": ["de"]}))
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}
