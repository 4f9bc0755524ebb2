//! Transcripts of templates.

use super::{
    Attachment, ByLanguage, Command as Templates, Document, Gather, Item, Mistake, Placeholder,
    Policy, Price, Step, Template, check, find, hints, list, pack, policy, starter_languages,
    unknown_recipients, version, versions,
};
use crate::alerts::{self, Answer, Said, Severity, from_template};
use crate::texts::Language;
use crate::transcript::World;
use crate::{Command, Outcome, Receipt, RecipientId, Refusal};

fn words(all: &[(&str, &str)]) -> ByLanguage {
    let owned = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
    all.iter().map(owned).collect()
}

fn mail() -> Template {
    Template {
        key: "mail".to_owned(),
        name: "Mail down".to_owned(),
        texts: words(&[("en", "{what} is down"), ("fi", "{what} ei toimi")]),
        placeholders: vec![Placeholder {
            name: "what".to_owned(),
            required: true,
            example: words(&[("en", "Mail"), ("fi", "Posti")]),
            default: ByLanguage::new(),
        }],
        steps: vec![Step {
            delay_ms: 0,
            to: vec!["group:night".to_owned()],
            enough: Vec::new(),
        }],
        checklist: vec![Item {
            owner: words(&[("en", "IT on duty")]),
            text: words(&[("en", "Restart {what}")]),
        }],
        ..Template::default()
    }
}

fn put(template: Template) -> Command {
    Command::Templates(Templates::Put(Box::new(template)))
}

fn renamed(name: &str) -> Template {
    Template {
        name: name.to_owned(),
        ..mail()
    }
}

fn restore(version: Option<u32>) -> Command {
    let key = "mail".to_owned();
    Command::Templates(Templates::Restore { key, version })
}

fn archive() -> Command {
    let key = "mail".to_owned();
    Command::Templates(Templates::Archive { key })
}

fn made(version: u32) -> Outcome {
    Outcome::Applied(Receipt::Number(u64::from(version)))
}

#[tokio::test]
async fn each_put_makes_a_version_and_earlier_ones_stay_readable() {
    let mut world = World::new().await;
    assert_eq!(world.ask(put(mail())).await, made(1));
    assert_eq!(world.ask(put(mail())).await, Outcome::Unchanged);
    world.pass(60);
    assert_eq!(world.ask(put(renamed("E-mail down"))).await, made(2));
    let newest = find(&mut world.conn, "mail").await.unwrap().unwrap();
    assert_eq!((newest.version, newest.author.as_str()), (2, "operator:n1"));
    assert_eq!((newest.put_at, newest.used), (world.now, false));
    let first = version(&mut world.conn, "mail", 1).await.unwrap().unwrap();
    assert_eq!(first.template, mail());
    assert_eq!(world.ask(restore(Some(1))).await, made(3));
    assert_eq!(world.ask(restore(Some(1))).await, Outcome::Unchanged);
    let newest = find(&mut world.conn, "mail").await.unwrap().unwrap();
    assert_eq!(newest.template, mail());
    assert_eq!(versions(&mut world.conn, "mail").await.unwrap().len(), 3);
    let unknown = world.ask(restore(Some(9))).await;
    let name = "mail version 9".to_owned();
    assert_eq!(unknown, Outcome::Refused(Refusal::UnknownTemplate(name)));
}

#[tokio::test]
async fn an_archived_template_is_out_of_the_list_and_comes_back_as_it_was() {
    let mut world = World::new().await;
    world.ask(put(mail())).await;
    assert_eq!(world.ask(archive()).await, made(1));
    assert_eq!(world.ask(archive()).await, Outcome::Unchanged);
    assert_eq!(list(&mut world.conn, false).await.unwrap(), []);
    assert_eq!(list(&mut world.conn, true).await.unwrap().len(), 1);
    let refused = world.ask(put(renamed("other"))).await;
    let archived = Refusal::TemplateArchived("mail".to_owned());
    assert_eq!(refused, Outcome::Refused(archived));
    assert_eq!(world.ask(restore(None)).await, made(1));
    let listed = list(&mut world.conn, false).await.unwrap();
    assert_eq!(listed[0].newest.template, mail());
}

#[tokio::test]
async fn versions_are_forgotten_beyond_fifty_but_not_those_an_alert_was_raised_from() {
    let mut world = World::new().await;
    world.ask(put(mail())).await;
    raise_from(&mut world, "Mail").await;
    for count in 2..=60 {
        assert_eq!(
            world.ask(put(renamed(&format!("name {count}")))).await,
            made(count)
        );
    }
    let kept = versions(&mut world.conn, "mail").await.unwrap();
    let numbers: Vec<u32> = kept.iter().map(|kept| kept.version).collect();
    let expected: Vec<u32> = (11..=60).rev().chain([1]).collect();
    assert_eq!(numbers, expected);
    assert!(kept.last().unwrap().used);
}

async fn raise_from(world: &mut World, what: &str) -> crate::AlertId {
    let newest = find(&mut world.conn, "mail").await.unwrap().unwrap();
    let said = Said {
        values: words(&[("what", what)]),
        ..Said::default()
    };
    let mut raise = from_template(&newest, &said).unwrap().raise;
    raise.source = "control room".to_owned();
    raise.steps = vec![alerts::Step {
        delay_ms: 0,
        recipients: vec![RecipientId::of_key("ana"), RecipientId::of_key("dora")],
        enough: Vec::new(),
    }];
    let raised = world
        .ask(Command::Alerts(alerts::Command::Raise(Box::new(raise))))
        .await;
    let Outcome::Applied(Receipt::Alert { id, .. }) = raised else {
        panic!("not raised: {raised:?}")
    };
    world.act().await;
    id
}

#[tokio::test]
async fn an_alert_keeps_what_its_template_was_when_it_was_raised() {
    let mut world = World::new().await;
    world.ask(put(mail())).await;
    let alert = raise_from(&mut world, "Mail server 2").await;
    let changed = Template {
        texts: words(&[("en", "{what} works"), ("fi", "{what} toimii")]),
        checklist: Vec::new(),
        ..mail()
    };
    world.ask(put(changed)).await;
    let row = alerts::find(&mut world.conn, alert).await.unwrap().unwrap();
    assert_eq!(row.texts[0].1, "Mail server 2 is down");
    assert_eq!(row.texts[1].1, "Mail server 2 ei toimi");
    let kept = alerts::template_of(&mut world.conn, alert).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!((kept.key.as_str(), kept.version), ("mail", 1));
    assert_eq!(kept.checklist[0].text["en"], "Restart Mail server 2");
    assert_eq!(kept.values, words(&[("what", "Mail server 2")]));
}

#[tokio::test]
async fn people_are_called_and_asked_as_the_template_wishes() {
    let mut world = World::new().await;
    let gather = Gather {
        place: "Gate 3".to_owned(),
        ..Gather::default()
    };
    world
        .ask(put(Template {
            channels: vec!["email".to_owned()],
            answers: vec![Answer::Received],
            gather: [("en".to_owned(), gather)].into(),
            ..mail()
        }))
        .await;
    let alert = raise_from(&mut world, "Mail").await;
    assert_eq!(
        world.deliveries(alert).await,
        "ana page 1.0 email pending\ndora page 1.0 email pending\n"
    );
    let body: String = sqlx::query_scalar(
        "select body from delivery_text where kind = 'sms' and language = 'fi' and alert_id = ?",
    )
    .bind(alert.as_bytes())
    .fetch_one(&mut world.conn)
    .await
    .unwrap();
    assert!(
        body.contains("Mail ei toimi\nKokoontuminen: Gate 3\n"),
        "{body}"
    );
    assert!(
        body.ends_with("3=saatu ?=aito?") && !body.contains("1="),
        "{body}"
    );
}

#[test]
fn what_a_raise_must_say_and_may_not_say_is_named() {
    let version = super::Version {
        template: mail(),
        version: 1,
        author: String::new(),
        put_at: crate::Timestamp(0),
        starter: false,
        used: false,
        archived_at: None,
    };
    let refused = |values: &[(&str, &str)]| -> Vec<String> {
        let said = Said {
            values: words(values),
            ..Said::default()
        };
        let mistakes = from_template(&version, &said).err().unwrap_or_default();
        let shown = |mistake: &Mistake| format!("{}: {}", mistake.at, mistake.problem);
        mistakes.iter().map(shown).collect()
    };
    let missing = "/placeholders/what: is missing; template mail needs it, such as \"Mail\"";
    assert_eq!(refused(&[]), [missing]);
    assert_eq!(refused(&[("what", " ")]), [missing]);
    assert!(refused(&[("what", "x"), ("waht", "y")])[0].contains("it has what"));
    assert!(refused(&[("what", &"x".repeat(201))])[0].contains("at most 200"));
    let said = Said {
        values: words(&[("what", "Mail")]),
        extra: " Ask Bo. ".to_owned(),
        severity: Some(Severity::Low),
        status: None,
    };
    let raise = from_template(&version, &said).unwrap().raise;
    assert_eq!(
        raise.texts[0],
        ("en".to_owned(), "Mail is down. Ask Bo.".to_owned())
    );
    assert_eq!(raise.severity, Severity::Low);
}

/// What is wrong when one thing of a sound template is changed, as `place: problem` lines.
fn mistakes(change: impl Fn(&mut Template)) -> String {
    let mut template = mail();
    change(&mut template);
    let policy = Policy {
        link_hosts: vec!["plans.example.org".to_owned()],
        price: None,
    };
    let shown = |mistake: Mistake| format!("{}: {}\n", mistake.at, mistake.problem);
    check(&template, &policy).into_iter().map(shown).collect()
}

#[test]
fn every_mistake_names_its_place_and_language() {
    let text = |language: &str, text: &str| {
        let entry = (language.to_owned(), text.to_owned());
        mistakes(|template| template.texts.extend([entry.clone()]))
    };
    for (found, expected) in [
        (
            text("fi", "{waht} ei toimi"),
            "/texts/fi: has {waht}, which is not declared",
        ),
        (
            text("fi", "{what ei toimi"),
            "/texts/fi: has a { without its }",
        ),
        (
            text("fi", "Posti\u{7}"),
            "/texts/fi: holds the control character U+0007",
        ),
        (
            text("fi", "\u{202e}Posti"),
            "/texts/fi: holds the control character U+202E",
        ),
        (text("fi", ""), "/texts/fi: is empty"),
        (
            text("sv", &"x".repeat(2_001)),
            "/texts/sv: has 2001 characters; at most 2000",
        ),
        (
            text("sv", "Se https://evil.example/x nu"),
            "/texts/sv: links to evil.example",
        ),
        (
            text("sv", "https://plans.example.org/x"),
            "/texts/sv: is nothing but a link",
        ),
        (
            text("finnish", "x"),
            "/texts: \"finnish\" is not a language",
        ),
        (
            mistakes(|t| drop(t.texts.remove("en"))),
            "/texts/en: is missing; en serves every language",
        ),
        (mistakes(|t| t.texts.clear()), "/texts/en: is missing"),
        (
            mistakes(|t| t.key = "a b".to_owned()),
            "/key: \"a b\" is not a key",
        ),
        (
            mistakes(|t| t.key = "starter".to_owned()),
            "/key: \"starter\" stands for something else",
        ),
        (
            mistakes(|t| t.placeholders.push(t.placeholders[0].clone())),
            "/placeholders: \"what\" stands there twice",
        ),
        (
            mistakes(|t| {
                t.placeholders.push(Placeholder {
                    name: "What".to_owned(),
                    ..t.placeholders[0].clone()
                });
            }),
            "/placeholders/1/name: is not a name",
        ),
        (
            mistakes(|t| t.placeholders[0].example.clear()),
            "/placeholders/0/example/en: is missing",
        ),
        (
            mistakes(|t| t.placeholders[0].default = words(&[("en", "x")])),
            "/placeholders/0/default: stands beside",
        ),
        (
            mistakes(|t| t.steps[0].to.push("anna".to_owned())),
            "/steps/0/to/1: \"anna\" names nobody",
        ),
        (
            mistakes(|t| t.steps[0].to.push("group:night".to_owned())),
            "/steps/0/to: \"group:night\" stands there twice",
        ),
        (
            mistakes(|t| t.steps[0].delay_ms = u64::MAX),
            "/steps/0/after_s: is more than",
        ),
        (
            mistakes(|t| t.validity_ms = 1),
            "/validity_s: is not between",
        ),
        (
            mistakes(|t| t.channels.push("fax".to_owned())),
            "/channels/0: \"fax\" is no kind of channel",
        ),
        (
            mistakes(|t| t.checklist[0].text = words(&[("en", "{x}")])),
            "/checklist/0/text/en: has {x}",
        ),
        (
            mistakes(|t| t.checklist[0].owner.clear()),
            "/checklist/0/owner/en: is missing",
        ),
        (
            mistakes(|t| t.notes = "a\u{1b}".to_owned()),
            "/notes: holds the control character U+001B",
        ),
    ] {
        assert!(
            found.starts_with(expected) && found.lines().count() == 1,
            "{expected}: {found}"
        );
    }
    assert_eq!(text("sv", "Se https://plans.example.org/x nu"), "");
    assert_eq!(mistakes(|t| t.notes = "two\nlines".to_owned()), "");
}

#[test]
fn documents_and_attachments_are_checked() {
    let document = |url: &str| Document {
        label: words(&[("en", "Plan")]),
        url: url.to_owned(),
    };
    let attachment = |name: &str, sha256: &str| Attachment {
        name: name.to_owned(),
        bytes: 5,
        sha256: sha256.to_owned(),
    };
    let sound = "ab".repeat(32);
    for (found, expected) in [
        (
            mistakes(|t| t.documents.push(document("https://plans.example.org/a"))),
            "",
        ),
        (
            mistakes(|t| t.documents.push(document("https://evil.example/a"))),
            "/documents/0/url: links to evil.example",
        ),
        (
            mistakes(|t| t.documents.push(document("file:///etc/passwd"))),
            "/documents/0/url: is not a web address",
        ),
        (
            mistakes(|t| t.attachments.push(attachment("plan.pdf", &sound))),
            "",
        ),
        (
            mistakes(|t| t.attachments.push(attachment("../plan.pdf", &sound))),
            "/attachments/0/name: is not the bare name",
        ),
        (
            mistakes(|t| t.attachments.push(attachment("plan.pdf", "AB"))),
            "/attachments/0/sha256: is not a SHA-256",
        ),
    ] {
        assert!(found.starts_with(expected), "{expected}: {found}");
        assert_eq!(found.is_empty(), expected.is_empty());
    }
}

#[tokio::test]
async fn what_may_not_be_meant_is_hinted_at() {
    let mut world = World::new().await;
    let template = Template {
        texts: words(&[("en", "Down"), ("nb", "Nede"), ("sv", "Nere")]),
        checklist: Vec::new(),
        steps: vec![Step {
            delay_ms: 0,
            to: ["person:ana", "person:zoe", "group:none"]
                .map(str::to_owned)
                .to_vec(),
            enough: Vec::new(),
        }],
        ..mail()
    };
    let mut all = hints(&template, &starter_languages());
    all.extend(
        unknown_recipients(&mut world.conn, &template)
            .await
            .unwrap(),
    );
    let places: Vec<&str> = all.iter().map(|hint| hint.at.as_str()).collect();
    assert_eq!(
        places,
        [
            "/texts/nb",
            "/texts/fi",
            "/placeholders/0",
            "/steps/0/to/1",
            "/steps/0/to/2"
        ]
    );
    assert!(matches!(
        world.ask(put(template)).await,
        Outcome::Applied(_)
    ));
}

#[tokio::test]
async fn a_host_must_be_allowed_before_a_template_may_link_to_it() {
    let mut world = World::new().await;
    let linking = Template {
        texts: words(&[("en", "{what} is down, see https://plans.example.org/")]),
        ..mail()
    };
    let refused = world.ask(put(linking.clone())).await;
    let Outcome::Refused(Refusal::Invalid(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        why.starts_with("/texts/en: links to plans.example.org"),
        "{why}"
    );
    let set = Policy {
        link_hosts: vec!["plans.example.org".to_owned()],
        price: Some(Price {
            micros: 45_000,
            currency: "EUR".to_owned(),
        }),
    };
    let command = || Command::Templates(Templates::SetPolicy(set.clone()));
    assert_eq!(world.ask(command()).await, Outcome::Applied(Receipt::None));
    assert_eq!(world.ask(command()).await, Outcome::Unchanged);
    assert_eq!(policy(&mut world.conn).await.unwrap(), set);
    assert_eq!(world.ask(put(linking)).await, made(1));
}

#[tokio::test]
async fn the_starter_pack_never_overwrites_what_somebody_edited_or_archived() {
    let mut world = World::new().await;
    let install = |languages: &[Language]| {
        Command::Templates(Templates::InstallStarter {
            templates: pack(languages),
        })
    };
    let count = |count| Outcome::Applied(Receipt::Count(count));
    assert_eq!(world.ask(install(&[Language::english()])).await, count(10));
    assert_eq!(
        world.ask(install(&[Language::english()])).await,
        Outcome::Unchanged
    );
    let power = find(&mut world.conn, "power").await.unwrap().unwrap();
    assert!(power.starter);
    let edited = Template {
        name: "Our power".to_owned(),
        ..power.template
    };
    world.ask(put(edited.clone())).await;
    let key = "mail-down".to_owned();
    world
        .ask(Command::Templates(Templates::Archive { key }))
        .await;
    assert_eq!(world.ask(install(&starter_languages())).await, count(8));
    let power = find(&mut world.conn, "power").await.unwrap().unwrap();
    assert_eq!(power.template, edited);
    let mail = find(&mut world.conn, "mail-down").await.unwrap().unwrap();
    assert!(mail.archived_at.is_some() && mail.version == 1);
}
