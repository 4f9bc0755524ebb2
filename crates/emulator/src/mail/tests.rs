use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use super::*;

struct Bench {
    mailbox: Mailbox,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Bench {
    async fn new(config: MailConfig) -> Self {
        let (events, _) = broadcast::channel(16);
        let catcher = Catcher::listen(config, events).await.unwrap();
        let (mailbox, stop) = (catcher.mailbox(), CancellationToken::new());
        let task = tokio::spawn(catcher.run(stop.clone()));
        Self {
            mailbox,
            stop,
            task,
        }
    }

    async fn with(rules: Vec<MailRule>) -> Self {
        Self::new(MailConfig {
            rules,
            ..MailConfig::default()
        })
        .await
    }

    /// Says everything at once, as a pipelining client may, and gives the reply codes until the server closes or is
    /// silent for a while.
    async fn say(&self, lines: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(self.mailbox.address()).await.unwrap();
        stream
            .write_all(lines.replace('|', "\r\n").as_bytes())
            .await
            .unwrap();
        let mut said = Vec::new();
        let closed = timeout(Duration::from_millis(300), stream.read_to_end(&mut said))
            .await
            .is_ok();
        let text = String::from_utf8(said).unwrap();
        let mut codes: Vec<String> = text
            .lines()
            .filter(|line| line.as_bytes()[3] == b' ')
            .map(|line| line[..3].to_owned())
            .collect();
        codes.push(if closed { "closed" } else { "open" }.to_owned());
        codes
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

const MAIL: &str = "EHLO me|MAIL FROM:<a@x.test> BODY=8BITMIME|RCPT TO:<b@y.test>|RCPT TO:<c@y.test>|DATA|\
    Subject: long|\tone||..dot|last|.|QUIT|";

#[tokio::test]
async fn a_mail_is_kept_with_its_envelope_and_without_its_extra_dots() {
    let directory = tempfile::tempdir().unwrap();
    let config = MailConfig {
        directory: Some(directory.path().join("mail")),
        ..MailConfig::default()
    };
    let bench = Bench::new(config).await;
    assert_eq!(
        bench.say(MAIL).await,
        [
            "220", "250", "250", "250", "250", "354", "250", "221", "closed"
        ]
    );
    let mails = bench.mailbox.mails(0);
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        (
            "a@x.test",
            ["b@y.test", "c@y.test"].map(String::from).as_slice()
        )
    );
    assert_eq!(mails[0].header("subject").unwrap(), "long\tone");
    assert_eq!(mails[0].body(), ".dot\r\nlast\r\n");
    let file = std::fs::read_to_string(directory.path().join("mail/1.eml")).unwrap();
    assert_eq!(file, mails[0].data);
    bench.end().await;
}

#[tokio::test]
async fn commands_out_of_order_are_refused_and_reset_forgets() {
    let bench = Bench::with(Vec::new()).await;
    let said = bench.say("HELO me|RCPT TO:<b@y>|DATA|MAIL FROM:<>|RSET|RCPT TO:<b@y>|MAIL x|WHAT|MAIL FROM:<a> SIZE=99999999|").await;
    assert_eq!(
        said,
        [
            "220", "250", "503", "503", "250", "250", "503", "501", "500", "552", "open"
        ]
    );
    bench.end().await;
}

#[tokio::test]
async fn every_stage_fails_as_its_rule_says() {
    use MailStage::{Body, Connect, Data, Ehlo, Mail, Rcpt};
    let cases: [(MailRule, &[&str], usize); 9] = [
        (
            MailRule::reply(Connect, 421, "4.3.2 later"),
            &["421", "closed"],
            0,
        ),
        (MailRule::always(Connect, MailAction::Silence), &["open"], 0),
        (
            MailRule::reply(Mail, 550, "5.7.1 no"),
            &["220", "250", "550", "503", "503", "503", "500"],
            0,
        ),
        (
            MailRule {
                only: Some("b@".to_owned()),
                ..MailRule::reply(Rcpt, 451, "4.2.1 later")
            },
            &[
                "220", "250", "250", "451", "250", "354", "250", "221", "closed",
            ],
            1,
        ),
        (
            MailRule::reply(Data, 452, "4.3.1 full"),
            &["220", "250", "250", "250", "250", "452", "500"],
            0,
        ),
        (
            MailRule::reply(Body, 554, "5.6.0 spam"),
            &[
                "220", "250", "250", "250", "250", "354", "554", "221", "closed",
            ],
            0,
        ),
        (
            MailRule::always(Body, MailAction::AcceptThenClose),
            &["220", "250", "250", "250", "250", "354", "closed"],
            1,
        ),
        (
            MailRule::always(Body, MailAction::Silence),
            &["220", "250", "250", "250", "250", "354", "open"],
            0,
        ),
        (
            MailRule::always(Ehlo, MailAction::Close),
            &["220", "closed"],
            0,
        ),
    ];
    for (rule, expected, kept) in cases {
        let bench = Bench::with(vec![rule.clone()]).await;
        let said = bench.say(MAIL).await;
        assert_eq!(said[..expected.len()], *expected, "{rule:?}");
        assert_eq!(bench.mailbox.mails(0).len(), kept, "{rule:?}");
        bench.end().await;
    }
}

#[tokio::test]
async fn a_rule_can_be_used_up_and_rules_can_be_replaced() {
    let rule = MailRule {
        times: Some(1),
        ..MailRule::reply(MailStage::Rcpt, 451, "later")
    };
    let bench = Bench::with(vec![rule]).await;
    assert_eq!(bench.say(MAIL).await[3..5], ["451", "250"]);
    assert_eq!(bench.say(MAIL).await[3..5], ["250", "250"]);
    bench
        .mailbox
        .set_rules(vec![MailRule::reply(MailStage::Rcpt, 550, "never")]);
    assert_eq!(bench.say(MAIL).await[3..5], ["550", "550"]);
    bench.end().await;
}

#[tokio::test]
async fn auth_is_offered_and_refused_as_told() {
    let config = MailConfig {
        offers_auth: true,
        rules: vec![MailRule {
            only: Some("bad".to_owned()),
            ..MailRule::reply(MailStage::Auth, 535, "5.7.8 no")
        }],
        ..MailConfig::default()
    };
    let bench = Bench::new(config).await;
    let said = bench
        .say("EHLO me|AUTH PLAIN bad|AUTH PLAIN Z29vZA==|AUTH LOGIN|dQ==|cA==|AUTH X|")
        .await;
    assert_eq!(
        said,
        [
            "220", "250", "535", "235", "334", "334", "235", "504", "open"
        ]
    );
    bench.end().await;
}

#[tokio::test]
async fn stopping_ends_open_sessions() {
    let bench = Bench::with(Vec::new()).await;
    let mut stream = TcpStream::connect(bench.mailbox.address()).await.unwrap();
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(
        Arc::strong_count(&bench.mailbox.0),
        3,
        "here, in the catcher, in the session"
    );
    bench.end().await;
    let mut rest = Vec::new();
    timeout(Duration::from_secs(1), stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
}
