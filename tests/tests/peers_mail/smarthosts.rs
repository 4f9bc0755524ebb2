//! Every way a smarthost can fail, and what becomes of the mail.

use std::time::{Duration, Instant};

use channels::{Smtp, SmtpError, SmtpTls};
use domain::deliveries::SendOutcome;
use domain::ports::{Channel, Outgoing};
use tempfile::TempDir;

use super::scripted::{Act, Authority, Cover, Script, ScriptedServer};
use super::{MailChannel, StoppedClock, file, mail, settings, smarthost};

/// What a first smarthost with `script` and a willing second one make of one mail.
struct Played {
    outcome: SendOutcome,
    first: super::scripted::Seen,
    second: super::scripted::Seen,
    channel: MailChannel,
}

async fn play(script: Script) -> Played {
    play_both(script, Script::willing()).await
}

async fn play_both(first: Script, second: Script) -> Played {
    let authority = Authority::new(&["127.0.0.1"], false);
    let dir = TempDir::new().unwrap();
    let tls = match first.cover {
        Cover::Plain => SmtpTls::LoopbackPlain,
        Cover::StartTls => SmtpTls::StartTls,
        Cover::Implicit => SmtpTls::Implicit,
    };
    let (a, b) = (
        ScriptedServer::start(first, &authority).await,
        ScriptedServer::start(second, &authority).await,
    );
    let mut host_a = smarthost("a", a.address.port(), tls);
    host_a.roots = Some(file(&dir, "roots.pem", &authority.root_pem));
    host_a.credentials = Some(file(&dir, "login", "holdfast\nsecret word\n"));
    let host_b = smarthost("b", b.address.port(), SmtpTls::LoopbackPlain);
    let mut channel = MailChannel::start(settings(vec![host_a, host_b]));
    let outcome = channel.send(mail(1)).await;
    Played {
        outcome,
        first: a.seen(),
        second: b.seen(),
        channel,
    }
}

fn accepted_by(outcome: &SendOutcome, smarthost: &str) -> bool {
    matches!(outcome, SendOutcome::Accepted { detail } if detail.starts_with(&format!("{smarthost}: ")))
}

#[tokio::test]
async fn a_willing_smarthost_takes_the_mail_over_every_cover() {
    for cover in [Cover::Plain, Cover::StartTls, Cover::Implicit] {
        let played = play(Script::willing().over(cover)).await;
        assert!(
            accepted_by(&played.outcome, "a"),
            "{cover:?}: {:?}",
            played.outcome
        );
        assert_eq!(played.first.mails.len(), 1, "{cover:?}");
        assert!(played.first.mails[0].contains("Gather at gate B."));
        assert!(played.first.verbs.contains(&"AUTH".to_owned()));
        assert!(played.second.verbs.is_empty());
    }
}

#[tokio::test]
async fn not_now_at_any_stage_brings_in_the_second_smarthost() {
    for (stage, words) in [
        ("connect", "421 4.3.2 closing"),
        ("EHLO", "421 4.3.2 closing"),
        ("AUTH", "454 4.7.0 try later"),
        ("MAIL", "451 4.3.0 try later"),
        ("RCPT", "450 4.2.1 greylisted"),
        ("DATA", "451 4.3.0 try later"),
        ("dot", "452 4.3.1 disk full"),
    ] {
        let mut played = play(Script::willing().at(stage, Act::Say(words))).await;
        assert!(
            accepted_by(&played.outcome, "b"),
            "{stage}: {:?}",
            played.outcome
        );
        assert_eq!(played.second.mails.len(), 1, "{stage}");
        assert_eq!(
            played.channel.health().await.reason,
            "",
            "{stage}: 4xx is nothing to alarm anybody about"
        );
    }
}

#[tokio::test]
async fn not_now_everywhere_is_a_temporary_refusal() {
    let busy = || Script::willing().at("RCPT", Act::Say("450 4.2.0 busy"));
    let played = play_both(busy(), busy()).await;
    let SendOutcome::Refused {
        permanent: false,
        detail,
    } = played.outcome
    else {
        panic!("{:?}", played.outcome)
    };
    assert_eq!(
        detail,
        "a: it said 450 4.2.0 busy; b: it said 450 4.2.0 busy"
    );
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_final_and_the_second_is_not_asked() {
    for words in [
        "550 5.1.1 <anna@home.example>: no such user",
        "550 no such user",
        "553 5.1.3 bad address",
    ] {
        let played = play(Script::willing().at("RCPT", Act::Say(words))).await;
        assert!(
            matches!(
                played.outcome,
                SendOutcome::Refused {
                    permanent: true,
                    ..
                }
            ),
            "{words}: {:?}",
            played.outcome
        );
        assert!(played.second.verbs.is_empty(), "{words}");
        assert!(
            !format!("{:?}", played.outcome).contains("anna@"),
            "the address does not belong in the outcome's words"
        );
    }
}

#[tokio::test]
async fn a_refusal_of_ourselves_brings_in_the_second_and_shows_in_the_health() {
    for (stage, words) in [
        ("connect", "554 5.7.1 your address is listed"),
        ("EHLO", "550 who are you"),
        ("AUTH", "535 5.7.8 wrong password"),
        ("MAIL", "530 5.7.0 log in first"),
        ("MAIL", "550 5.1.8 sender not welcome"),
        ("RCPT", "554 5.7.1 relay access denied"),
        ("RCPT", "550 5.7.26 not authenticated"),
        ("DATA", "554 5.5.1 no"),
        ("dot", "550 5.7.1 this is spam"),
    ] {
        let mut played = play(Script::willing().at(stage, Act::Say(words))).await;
        assert!(
            accepted_by(&played.outcome, "b"),
            "{stage} {words}: {:?}",
            played.outcome
        );
        let health = played.channel.health().await;
        assert!(health.up, "{stage} {words}: one of two is left");
        assert_eq!(health.reason, format!("a: it said {words}"));
    }
}

#[tokio::test]
async fn a_smarthost_that_refuses_us_is_asked_last_from_then_on() {
    let authority = Authority::new(&["127.0.0.1"], false);
    let a = ScriptedServer::start(
        Script::willing().at("MAIL", Act::Say("550 5.7.1 blocked")),
        &authority,
    )
    .await;
    let b = ScriptedServer::start(Script::willing(), &authority).await;
    let hosts = [("a", &a), ("b", &b)]
        .map(|(name, s)| smarthost(name, s.address.port(), SmtpTls::LoopbackPlain));
    let mut channel = MailChannel::start(settings(hosts.to_vec()));
    for number in 1..=3 {
        assert!(accepted_by(&channel.send(mail(number)).await, "b"));
    }
    assert_eq!(a.seen().verbs.iter().filter(|v| *v == "MAIL").count(), 1);
}

#[tokio::test]
async fn content_one_will_not_have_may_please_the_other() {
    let refuses = || Script::willing().at("dot", Act::Say("552 5.3.4 too big for us"));
    let played = play(refuses()).await;
    assert!(accepted_by(&played.outcome, "b"), "{:?}", played.outcome);
    let played = play_both(refuses(), refuses()).await;
    assert!(
        matches!(
            played.outcome,
            SendOutcome::Refused {
                permanent: true,
                ..
            }
        ),
        "{:?}",
        played.outcome
    );
}

#[tokio::test]
async fn silence_or_a_closed_connection_before_the_content_is_only_a_detour() {
    for stage in ["connect", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        for act in [Act::Silence, Act::Close] {
            let started = Instant::now();
            let mut played = play(Script::willing().at(stage, act)).await;
            assert!(
                accepted_by(&played.outcome, "b"),
                "{stage} {act:?}: {:?}",
                played.outcome
            );
            assert!(
                !format!("{:?}", played.outcome).contains("twice"),
                "{stage} {act:?}"
            );
            assert!(
                started.elapsed() < Duration::from_secs(9),
                "{stage} {act:?}: took {:?}",
                started.elapsed()
            );
            assert!(
                played.channel.health().await.reason.starts_with("a: "),
                "{stage} {act:?}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_that_answers_is_a_temporary_refusal() {
    let silent = || Script::willing().at("MAIL", Act::Silence);
    let mut played = play_both(silent(), silent()).await;
    assert!(
        matches!(
            played.outcome,
            SendOutcome::Refused {
                permanent: false,
                ..
            }
        ),
        "{:?}",
        played.outcome
    );
    let health = played.channel.health().await;
    assert!(!health.up, "{health:?}");
}

#[tokio::test]
async fn after_the_dot_the_other_smarthost_gets_the_same_mail_and_the_outcome_says_so() {
    for act in [Act::Silence, Act::Close] {
        let played = play(Script::willing().at("dot", act)).await;
        let SendOutcome::Accepted { detail } = &played.outcome else {
            panic!("{act:?}: {:?}", played.outcome)
        };
        assert!(
            detail.starts_with("b: ") && detail.contains("may arrive twice"),
            "{detail}"
        );
        assert_eq!(played.first.dots, 1);
        let id = |text: &str| {
            text.lines()
                .find(|l| l.starts_with("Message-ID:"))
                .map(str::to_owned)
        };
        assert_eq!(
            id(&played.second.mails[0]),
            Some("Message-ID: <01010101010101010101010101010101.1@aurora.example>".to_owned())
        );
    }
}

#[tokio::test]
async fn after_the_dot_with_no_other_to_take_it_nobody_knows() {
    for second in [
        Script::willing().at("RCPT", Act::Say("450 busy")),
        Script::willing().at("RCPT", Act::Say("550 unknown")),
    ] {
        let played = play_both(Script::willing().at("dot", Act::Close), second).await;
        assert!(
            matches!(played.outcome, SendOutcome::Unknown { .. }),
            "{:?}",
            played.outcome
        );
    }
}

#[tokio::test]
async fn a_certificate_we_cannot_trust_ends_the_conversation_before_the_login() {
    let ours = Authority::new(&["127.0.0.1"], false);
    for (server, cover) in [
        (Authority::new(&["127.0.0.1"], false), Cover::StartTls), // by somebody else
        (Authority::new(&["127.0.0.1"], false), Cover::Implicit),
        (
            Authority::new(&["elsewhere.example"], false),
            Cover::StartTls,
        ),
        (Authority::new(&["127.0.0.1"], true), Cover::Implicit),
    ] {
        let dir = TempDir::new().unwrap();
        let a = ScriptedServer::start(Script::willing().over(cover), &server).await;
        let b = ScriptedServer::start(Script::willing(), &ours).await;
        let tls = if cover == Cover::StartTls {
            SmtpTls::StartTls
        } else {
            SmtpTls::Implicit
        };
        let mut host_a = smarthost("a", a.address.port(), tls);
        host_a.roots = Some(file(&dir, "roots.pem", &ours.root_pem));
        host_a.credentials = Some(file(&dir, "login", "holdfast\nsecret\n"));
        let mut channel = MailChannel::start(settings(vec![
            host_a,
            smarthost("b", b.address.port(), SmtpTls::LoopbackPlain),
        ]));
        assert!(accepted_by(&channel.send(mail(1)).await, "b"));
        assert!(!a.seen().verbs.contains(&"AUTH".to_owned()));
        let health = channel.health().await;
        assert!(
            health
                .reason
                .contains("a: TLS failed: invalid peer certificate")
                && health.reason.contains("roots"),
            "{health:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_fine_when_that_name_is_expected() {
    let authority = Authority::new(&["mail.provider.example"], false);
    let dir = TempDir::new().unwrap();
    let server = ScriptedServer::start(Script::willing().over(Cover::StartTls), &authority).await;
    let mut host = smarthost("a", server.address.port(), SmtpTls::StartTls);
    host.roots = Some(file(&dir, "roots.pem", &authority.root_pem));
    host.tls_name = Some("mail.provider.example".to_owned());
    let mut channel = MailChannel::start(settings(vec![host]));
    assert!(accepted_by(&channel.send(mail(1)).await, "a"));
}

#[tokio::test]
async fn a_server_that_offers_no_tls_where_it_must_gets_no_mail() {
    let authority = Authority::new(&["127.0.0.1"], false);
    let dir = TempDir::new().unwrap();
    let server = ScriptedServer::start(Script::willing(), &authority).await;
    let mut host = smarthost("a", server.address.port(), SmtpTls::StartTls);
    host.roots = Some(file(&dir, "roots.pem", &authority.root_pem));
    let mut channel = MailChannel::start(settings(vec![host]));
    let outcome = channel.send(mail(1)).await;
    assert!(
        matches!(&outcome, SendOutcome::Refused { permanent: false, detail } if detail.contains("no STARTTLS")),
        "{outcome:?}"
    );
    assert!(!server.seen().verbs.contains(&"MAIL".to_owned()));
}

#[tokio::test]
async fn answers_slipped_in_before_the_handshake_are_not_believed() {
    let played = play(Script::willing().over(Cover::StartTls).at(
        "STARTTLS",
        Act::Say("220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n235 in\r\n250 ok"),
    ))
    .await;
    assert!(accepted_by(&played.outcome, "b"), "{:?}", played.outcome);
    assert!(!played.first.verbs.contains(&"AUTH".to_owned()));
}

#[tokio::test]
async fn nothing_in_a_message_becomes_a_command_or_a_header() {
    let authority = Authority::new(&["127.0.0.1"], false);
    let server = ScriptedServer::start(Script::willing(), &authority).await;
    let mut channel = MailChannel::start(settings(vec![smarthost(
        "a",
        server.address.port(),
        SmtpTls::LoopbackPlain,
    )]));
    let nasty = Outgoing {
        ring: false,
        subject: "x\r\nBcc: all@aurora.example\r\n\r\nhello".to_owned(),
        body: "one\r\n.\r\nMAIL FROM:<evil@x>\r\nRCPT TO:<y@z>\r\nDATA\r\n".to_owned(),
        ..mail(1)
    };
    assert!(accepted_by(&channel.send(nasty).await, "a"));
    let seen = server.seen();
    // The goodbye may come after the outcome.
    assert_eq!(
        seen.verbs[..4],
        ["EHLO", "MAIL", "RCPT", "DATA"].map(str::to_owned)
    );
    assert!(
        seen.verbs[4..].iter().all(|v| v == "QUIT"),
        "{:?}",
        seen.verbs
    );
    let (head, body) = seen.mails[0].split_once("\r\n\r\n").unwrap();
    assert!(!head.lines().any(|l| l.starts_with("Bcc")));
    assert!(body.starts_with("one\r\n.\r\nMAIL FROM:<evil@x>\r\n"));

    let nasty = Outgoing {
        address: "a@home.example>\r\nRCPT TO:<b@home.example".to_owned(),
        ..mail(2)
    };
    let outcome = channel.send(nasty).await;
    assert!(
        matches!(
            outcome,
            SendOutcome::Refused {
                permanent: true,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn no_more_than_asked_are_under_way_and_every_message_ends() {
    let authority = Authority::new(&["127.0.0.1"], false);
    let server = ScriptedServer::start(Script::willing(), &authority).await;
    let mut channel = MailChannel::start(settings(vec![smarthost(
        "a",
        server.address.port(),
        SmtpTls::LoopbackPlain,
    )]));
    let mut taken = 0;
    for number in 0..60 {
        taken += usize::from(channel.smtp.submit(mail(number)).is_ok());
    }
    assert_eq!((taken, channel.smtp.free()), (50, 0));
    for _ in 0..taken {
        assert!(accepted_by(&channel.next_end().await.1, "a"));
    }
    assert_eq!(channel.smtp.free(), 50);
    assert_eq!(server.seen().mails.len(), 50);
}

#[tokio::test]
async fn stopping_ends_every_message_truthfully() {
    let authority = Authority::new(&["127.0.0.1"], false);
    let server = ScriptedServer::start(Script::willing().at("dot", Act::Silence), &authority).await;
    let mut settings = settings(vec![smarthost(
        "a",
        server.address.port(),
        SmtpTls::LoopbackPlain,
    )]);
    settings.in_flight_max = 1;
    settings.timeouts.content = Duration::from_secs(60);
    settings.timeouts.whole = Duration::from_secs(60);
    let mut channel = MailChannel::start(settings);
    channel.smtp.submit(mail(1)).unwrap();
    channel.smtp.submit(mail(2)).unwrap();
    while server.seen().dots == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    channel.stop().await;
    let mut ends = [channel.next_end().await, channel.next_end().await];
    ends.sort_by_key(|(attempt, _)| *attempt);
    assert!(
        matches!(ends[0].1, SendOutcome::Unknown { .. }),
        "{:?}",
        ends[0]
    );
    assert!(
        matches!(
            ends[1].1,
            SendOutcome::Refused {
                permanent: false,
                ..
            }
        ),
        "{:?}",
        ends[1]
    );
    assert_eq!(channel.smtp.free(), 0, "a stopped channel takes nothing");
    assert!(channel.smtp.submit(mail(3)).is_err());
}

#[tokio::test]
async fn a_probe_finds_refused_credentials_before_an_alert_does() {
    let authority = Authority::new(&["127.0.0.1"], false);
    let dir = TempDir::new().unwrap();
    let server = ScriptedServer::start(
        Script::willing().at("AUTH", Act::Say("535 5.7.8 wrong password")),
        &authority,
    )
    .await;
    let mut host = smarthost("a", server.address.port(), SmtpTls::LoopbackPlain);
    host.credentials = Some(file(&dir, "login", "holdfast\nwrong\n"));
    let mut settings = settings(vec![host]);
    settings.probe_every = Some(Duration::from_secs(300));
    let mut channel = MailChannel::start(settings);
    let mut health = channel.health().await;
    while health.up {
        channel.woken().await;
        health = channel.health().await;
    }
    assert_eq!(health.reason, "a: it said 535 5.7.8 wrong password");
}

#[test]
fn settings_that_cannot_work_are_refused_with_what_to_do() {
    let dir = TempDir::new().unwrap();
    let refused = |change: &dyn Fn(&mut channels::SmtpSettings)| -> SmtpError {
        let mut settings = settings(vec![smarthost("a", 25, SmtpTls::LoopbackPlain)]);
        change(&mut settings);
        Smtp::new(settings, std::sync::Arc::new(StoppedClock))
            .expect_err("these settings cannot work")
    };
    assert!(matches!(
        refused(&|s| s.smarthosts.clear()),
        SmtpError::NoSmarthost { .. }
    ));
    assert!(matches!(
        refused(&|s| s.from = "alerts".to_owned()),
        SmtpError::From { .. }
    ));
    assert!(matches!(
        refused(&|s| s.hello_name = "a b\r\nMAIL".to_owned()),
        SmtpError::HelloName { .. }
    ));
    assert!(matches!(
        refused(&|s| s.in_flight_max = 0),
        SmtpError::Zero { .. }
    ));
    assert!(matches!(
        refused(&|s| s.smarthosts[0].host = "mail.example".to_owned()),
        SmtpError::PlainToRemote { .. }
    ));
    assert!(matches!(
        refused(&|s| s.smarthosts[0].credentials = Some(dir.path().join("none"))),
        SmtpError::Unreadable { .. }
    ));
    let one_line = file(&dir, "one", "only a user\n");
    assert!(matches!(
        refused(&|s| s.smarthosts[0].credentials = Some(one_line.clone())),
        SmtpError::Credentials { .. }
    ));
    let no_pem = file(&dir, "pem", "hello");
    let roots = refused(&|s| {
        s.smarthosts[0].tls = SmtpTls::StartTls;
        s.smarthosts[0].roots = Some(no_pem.clone());
    });
    assert!(matches!(roots, SmtpError::Roots { .. }));
}
