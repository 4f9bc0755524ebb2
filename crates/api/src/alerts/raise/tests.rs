use domain::NodeId;
use serde_json::json;

use super::*;

fn parsed(body: serde_json::Value) -> Result<Wanted, String> {
    let body: RaiseBody = serde_json::from_value(body).map_err(|error| error.to_string())?;
    parse(body, &Actor::Operator { node: NodeId(1) }).map_err(|problem| format!("{problem:?}"))
}

#[test]
fn a_short_raise_takes_its_defaults() {
    let Wanted { raise, steps, .. } =
        parsed(json!({"severity": "high", "text": "Fire", "to": {"people": ["anna"], "groups": ["duty"], "schedules": ["net"]}})).unwrap();
    assert_eq!(raise.texts, [("und".to_owned(), "Fire".to_owned())]);
    assert_eq!(
        (raise.status, raise.needed, raise.source.as_str()),
        (Status::Actual, 1, "operator:n1")
    );
    assert_eq!(
        steps.unwrap(),
        [WantedStep {
            delay_ms: 0,
            whom: vec![
                Called::Named(Named::Person("anna".to_owned())),
                Called::Named(Named::Group("duty".to_owned())),
                Called::OnCall("net".to_owned()),
            ],
            enough: vec![],
        }]
    );
}

#[test]
fn english_serves_missing_languages_unless_an_unmarked_text_does() {
    let order = |body| {
        parsed(body)
            .unwrap()
            .raise
            .texts
            .into_iter()
            .map(|(l, _)| l)
            .collect::<Vec<_>>()
    };
    let to = json!({"people": ["anna"]});
    assert_eq!(
        order(json!({"severity": "low", "texts": {"fi": "x", "en": "y", "sv": "z"}, "to": to})),
        ["en", "fi", "sv"]
    );
    assert_eq!(
        order(json!({"severity": "low", "text": "w", "texts": {"fi": "x", "en": "y"}, "to": to})),
        ["und", "en", "fi"]
    );
}

#[test]
fn every_mistake_is_named_at_its_place() {
    let problem = parsed(json!({
        "severity": "urgent", "status": "real", "text": "x".repeat(5_000), "texts": {"finnish": ""},
        "aware_at": "yesterday",
    }))
    .unwrap_err();
    for expected in [
        "#/severity",
        "#/status",
        "5000 characters; at most 2000",
        "#/texts/finnish",
        "#/aware_at",
        "#/to",
    ] {
        assert!(problem.contains(expected), "{expected} in {problem}");
    }
}

#[test]
fn what_is_enough_is_said_in_one_way() {
    let step = |enough| json!({"severity": "low", "text": "x", "steps": [{"people": ["anna"], "enough": enough}]});
    let wanted = parsed(step(json!([
        {"count": 2},
        {"all": true},
        {"count": 1, "groups": ["medics"], "what": "medic"},
        {"count": 2, "skill": "first-aid"},
        {"count": 1, "site": "Turku"},
        {"count": 1, "each_site": true},
    ])))
    .unwrap();
    let quota = |count, what: &str, of| WantedQuota {
        what: what.to_owned(),
        count,
        of,
    };
    let medics = Called::Named(Named::Group("medics".to_owned()));
    assert_eq!(
        wanted.steps.as_ref().unwrap()[0].enough,
        [
            quota(2, "", Of::Anyone),
            quota(u32::MAX, "", Of::Step),
            quota(1, "medic", Of::Called(vec![medics])),
            quota(2, "", Of::Skill("first-aid".to_owned())),
            quota(1, "", Of::Site("Turku".to_owned())),
            quota(1, "", Of::EachSite),
        ]
    );
    for (bad, words) in [
        (json!([{}]), "#/steps/0/enough/0: says not how many"),
        (json!([{"count": 0}]), "says not how many"),
        (json!([{"count": 1, "all": true}]), "beside `all`"),
        (
            json!([{"count": 1, "site": "Turku", "each_site": true}]),
            "in one way",
        ),
        (
            json!([{"count": 1, "skill": "medic", "people": ["anna"]}]),
            "in one way",
        ),
    ] {
        let problem = parsed(step(bad)).unwrap_err();
        assert!(problem.contains(words), "{words} in {problem}");
    }
}

#[test]
fn a_safety_check_and_what_is_asked_again_are_said_in_the_raise() {
    let to = json!({"people": ["anna"]});
    let Wanted {
        mut raise,
        over,
        lead,
        ..
    } = parsed(
        json!({"severity": "high", "text": "Fire", "to": to, "kind": "safety_check",
        "lead": {"groups": ["wardens"]}, "follow_up": {"remind_every_s": 120, "reminders": 3}}),
    )
    .unwrap();
    over.apply(&mut raise);
    let conduct = &raise.conduct;
    assert_eq!(conduct.kind, AlertKind::SafetyCheck);
    assert_eq!((conduct.remind_every_ms, conduct.reminders), (120_000, 3));
    assert_eq!((conduct.confirm_ms, conduct.quiet), (0, false));
    let wardens = Called::Named(Named::Group("wardens".to_owned()));
    assert_eq!(lead, Some(vec![wardens]));
    let test = json!({"severity": "low", "status": "test", "text": "x", "to": to, "quiet": false});
    let Wanted {
        mut raise, over, ..
    } = parsed(test).unwrap();
    over.apply(&mut raise);
    assert!(!raise.conduct.quiet, "as wished");
    let odd = parsed(json!({"severity": "low", "text": "x", "to": to, "kind": "drill"}));
    assert!(odd.unwrap_err().contains("#/kind"));
}

#[test]
fn a_raise_from_a_template_needs_nothing_else_and_takes_no_second_text() {
    let Wanted {
        template, steps, ..
    } = parsed(json!({"template": "mail", "placeholders": {"what": "Mail"}})).unwrap();
    assert_eq!(template.unwrap().1.values["what"], "Mail");
    assert_eq!(steps, None);
    for (body, place) in [
        (json!({"template": "mail", "text": "Fire"}), "#/text"),
        (
            json!({"severity": "low", "text": "Fire", "placeholders": {"a": "b"}, "to": {}}),
            "#/placeholders",
        ),
        (
            json!({"template": "mail", "extra": "x".repeat(201)}),
            "#/extra",
        ),
    ] {
        let problem = parsed(body).unwrap_err();
        assert!(problem.contains(place), "{problem}");
    }
}

#[test]
fn a_trial_goes_to_one_person_as_a_test() {
    let Wanted {
        raise, steps, over, ..
    } = parsed(json!({"severity": "critical", "text": "Fire", "only": "person:anna"})).unwrap();
    assert_eq!((raise.status, over.repeats), (Status::Test, Some(0)));
    let mut quiet = raise.clone();
    over.apply(&mut quiet);
    assert!(quiet.conduct.quiet, "a test has no loud round");
    assert_eq!(raise.source, "operator:n1, only to anna");
    assert_eq!(
        steps.unwrap(),
        [WantedStep {
            delay_ms: 0,
            whom: vec![Called::Named(Named::Person("anna".to_owned()))],
            enough: vec![],
        }]
    );
    for (body, place) in [
        (json!({"template": "mail", "only": "group:duty"}), "#/only"),
        (json!({"template": "mail", "only": "anna"}), "#/only"),
        (
            json!({"template": "mail", "only": "person:anna", "status": "actual"}),
            "#/status",
        ),
        (
            json!({"template": "mail", "only": "person:anna", "to": {"groups": ["duty"]}}),
            "#/to",
        ),
    ] {
        let problem = parsed(body).unwrap_err();
        assert!(problem.contains(place), "{problem}");
    }
}

#[test]
fn control_characters_are_taken_as_they_are() {
    let text = "Pump\r\nAT+CMGD=1,4\u{1a}\u{1b}";
    let Wanted { raise, .. } =
        parsed(json!({"severity": "low", "text": text, "to": {"people": ["a"]}})).unwrap();
    assert_eq!(raise.texts[0].1, text);
}

#[test]
fn a_misspelt_field_is_refused() {
    assert!(parsed(json!({"severity": "low", "txet": "Fire", "to": {"people": ["a"]}})).is_err());
}
