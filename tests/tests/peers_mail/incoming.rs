//! Mail that raises alerts, from senders that are not ours: swaks and Postfix.

use std::net::SocketAddr;
use std::process::{Command as Program, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use channels::{MailIn, MailInSettings, SmtpTls};
use domain::oncall::Called;
use domain::ports::{Freshness, Proposal, Replica};
use domain::recipients::{Command as Recipients, ContactMethod, Details, Named, Person};
use domain::sources::{Brake, Command as Sources, Kind, Mapping, OnResolve, Source};
use domain::vocabulary::{Answer, Severity};
use domain::{
    AlertId, Command, DeliveryId, Outcome, RecipientId, RequestId, alerts, deliveries, escalation,
    reports,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tests::fake_replica::{FakeReplica, Fault, ReplicaClock};
use tests::require::require_program;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::postfix::Postfix;
use super::{MailChannel, mail, settings, smarthost};

const PATIENCE: Duration = Duration::from_secs(60);
const ANNA: &str = "anna@home.example";

/// A listener over a log of one, with the source `pumps` that calls Anna.
struct Listener {
    replica: Arc<FakeReplica>,
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Listener {
    async fn start() -> Self {
        let replica = FakeReplica::open().await;
        let anna = Person {
            key: "anna".to_owned(),
            name: "Anna".to_owned(),
            language: "en".to_owned(),
            methods: vec![
                ContactMethod::Sms("+358401234567".to_owned()),
                ContactMethod::Email(ANNA.to_owned()),
            ],
            details: Details::default(),
        };
        let people = Recipients::PutPeople { people: vec![anna] };
        apply(&replica, Command::Recipients(people)).await;
        let source = Box::new(Source {
            key: "pumps".to_owned(),
            name: "Pumps".to_owned(),
            kind: Kind::Email,
            calls: vec![Called::Named(Named::Person("anna".to_owned()))],
            severity: Severity::High,
            severities: Vec::new(),
            gather: String::new(),
            mapping: Mapping::of(Kind::Email),
            on_resolve: OnResolve::Close,
            brake: Brake::default(),
            beat: None,
            enabled: true,
            answers: false,
        });
        apply(&replica, Command::Sources(Sources::Put { source })).await;
        let made = rcgen::generate_simple_self_signed(["alpha".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let settings = MailInSettings {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            name: "alpha".to_owned(),
            domain: "alarm.example.org".to_owned(),
            reports: Some("report".to_owned()),
            from: Vec::new(),
            tls: watch::channel(Arc::new(tls)).1,
        };
        let clock = Arc::new(ReplicaClock(Arc::clone(&replica)));
        let listener = MailIn::bind(settings, replica.clone(), clock)
            .await
            .unwrap();
        let address = listener.address().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(listener.run(stop.clone()));
        Self {
            replica,
            address,
            stop,
            running,
        }
    }

    /// State and English text of every alert, newest first, once there are so many.
    async fn alerts(&self, count: usize) -> Vec<(&'static str, String)> {
        let began = Instant::now();
        loop {
            let mut view = self.replica.read(Freshness::Local).await.unwrap();
            let rows = alerts::list(&mut view, None, None, 10).await.unwrap();
            if rows.len() >= count {
                let shown = |row: alerts::AlertRow| (row.state.name(), row.texts[0].1.clone());
                return rows.into_iter().map(shown).collect();
            }
            assert!(began.elapsed() < PATIENCE, "no mail became an alert");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

async fn apply(replica: &FakeReplica, command: Command) {
    let request = RequestId::derive(&[&replica.applied().to_be_bytes()]);
    let committed = replica.propose(Proposal::by_loop(request, command)).await;
    let outcome = committed.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

/// Sends with swaks and returns its exit code and what was said.
async fn swaks(to: SocketAddr, arguments: &[&str]) -> Option<(i32, String)> {
    let program = require_program("swaks", "swaks")?;
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let sent = tokio::task::spawn_blocking(move || {
        Program::new(program)
            .args(["--server", "127.0.0.1", "--port", &to.port().to_string()])
            .args(["--from", "nagios@example.org"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    let sent = sent.await.unwrap();
    let said = String::from_utf8_lossy(&sent.stdout).into_owned();
    Some((sent.status.code().unwrap_or(-1), said))
}

#[tokio::test]
async fn swaks_raises_and_closes_by_mail_and_relays_nothing() {
    let listener = Listener::start().await;
    let to = ["--to", "pumps@alarm.example.org"];
    let down = [
        "--header",
        "Subject: [PROBLEM] CRITICAL: pump 3 tripped",
        "--body",
        "Water rises.",
    ];
    let Some((code, said)) = swaks(
        listener.address,
        &[to, [down[0], down[1]], [down[2], down[3]]].concat(),
    )
    .await
    else {
        return;
    };
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("250-STARTTLS") || said.contains("250 STARTTLS"),
        "{said}"
    );
    let open = listener.alerts(1).await;
    assert_eq!(
        open[0],
        (
            "open",
            "[PROBLEM] CRITICAL: pump 3 tripped Water rises.".to_owned()
        )
    );
    let up = [
        "--header",
        "Subject: [RECOVERY] pump 3 tripped",
        "--body",
        "It runs again.",
    ];
    let (code, said) = swaks(
        listener.address,
        &[to, [up[0], up[1]], [up[2], up[3]]].concat(),
    )
    .await
    .unwrap();
    assert_eq!(code, 0, "{said}");
    assert_eq!(listener.alerts(1).await[0].0, "resolved");
    for stranger in ["nobody@alarm.example.org", "you@elsewhere.example"] {
        let (code, said) = swaks(listener.address, &["--to", stranger]).await.unwrap();
        assert!(code != 0 && said.contains("550 5."), "{said}");
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_person_reports_by_mail_is_told_and_told_again_when_it_is_over() {
    let listener = Listener::start().await;
    let duty = domain::sources::Settings {
        duty: vec![Called::Named(Named::Person("anna".to_owned()))],
        ..domain::sources::Settings::default()
    };
    apply(&listener.replica, Command::Sources(Sources::Set(duty))).await;
    let mail = [
        "--to",
        "report@alarm.example.org",
        "--h-From",
        "Matti <matti@example.org>",
        "--header",
        "Subject: Smoke",
        "--body",
        "From the transformer at gate 2.",
        "--header",
        "Date: Sun, 22 Nov 2026 18:00:00 +0000",
        "--header",
        "Message-Id: <1@example.org>",
    ];
    // Sent twice, as a relay does that missed the answer: one report.
    for _ in 0..2 {
        let Some((code, said)) = swaks(listener.address, &mail).await else {
            return;
        };
        assert_eq!(code, 0, "{said}");
    }
    let told = listener.alerts(1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("Smoke From the transformer"), "{told:?}");
    let over = reports::Command::Decide {
        number: 1,
        decision: reports::Decision::NoAction,
        reason: "steam".to_owned(),
    };
    apply(&listener.replica, Command::Reports(over)).await;
    let mut view = listener.replica.read(Freshness::Local).await.unwrap();
    let bodies: Vec<String> =
        sqlx::query_scalar("select body from delivery where address = ? order by delivery_id")
            .bind("matti@example.org")
            .fetch_all(&mut *view)
            .await
            .unwrap();
    assert_eq!(bodies.len(), 2, "taken, and what became of it: {bodies:?}");
    drop(view);
    listener.stop().await;
}

#[tokio::test]
async fn a_mail_that_cannot_be_recorded_stays_with_its_sender() {
    let listener = Listener::start().await;
    listener
        .replica
        .plan(Fault::Fail(domain::ports::ProposeError::Unknown));
    let to = [
        "--to",
        "pumps@alarm.example.org",
        "--header",
        "Subject: fire",
    ];
    let Some((code, said)) = swaks(listener.address, &to).await else {
        return;
    };
    assert!(code != 0 && said.contains("451 4.3.0"), "{said}");
    let (code, _) = swaks(listener.address, &to).await.unwrap();
    assert_eq!(code, 0);
    assert_eq!(listener.alerts(1).await.len(), 1);
    listener.stop().await;
}

#[tokio::test]
async fn postfix_hands_mail_on_under_tls() {
    let listener = Listener::start().await;
    let further = format!(
        "relay_domains = alarm.example.org\nrelay_recipient_maps =\nsmtp_tls_security_level = encrypt\n\
         transport_maps = inline:{{ alarm.example.org=smtp:[127.0.0.1]:{} }}\n",
        listener.address.port()
    );
    let Some(postfix) = Postfix::start_with(&further) else {
        return;
    };
    let host = smarthost("postfix", postfix.port, SmtpTls::LoopbackPlain);
    let mut settings = settings(vec![host]);
    settings.timeouts = channels::SmtpTimeouts::default();
    let mut channel = MailChannel::start(settings);
    let message = domain::ports::Outgoing {
        address: "pumps@alarm.example.org".to_owned(),
        ..mail(1)
    };
    channel.send(message).await;
    let raised = tokio::time::timeout(PATIENCE, listener.alerts(1)).await;
    let raised = raised.unwrap_or_else(|_| panic!("{}", postfix.log()));
    assert!(
        raised[0].1.starts_with("4711 Water in hall 2 4711 Aurora"),
        "{raised:?}"
    );
    channel.stop().await;
    listener.stop().await;
}

#[tokio::test]
async fn hostile_clients_are_cut_off_and_others_are_served() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = Listener::start().await;
    let mut hostile = tokio::net::TcpStream::connect(listener.address)
        .await
        .unwrap();
    hostile.write_all(&vec![b'x'; 5_000]).await.unwrap();
    let mut said = String::new();
    _ = hostile.read_to_string(&mut said).await;
    assert!(said.contains("500 5.5.2"), "{said}");
    let Some((code, _)) = swaks(listener.address, &["--to", "pumps@alarm.example.org"]).await
    else {
        return;
    };
    assert_eq!(code, 0);
    listener.stop().await;
}

/// The address that answers the mail by which Anna was called, and her answer so far.
async fn called_by_mail(listener: &Listener) -> (String, Option<Answer>) {
    let mut view = listener.replica.read(Freshness::Local).await.unwrap();
    let secret = deliveries::reply_secret(&mut view).await.unwrap().unwrap();
    let anna = RecipientId::of_key("anna");
    let (mail, alert): (Vec<u8>, Vec<u8>) = sqlx::query_as(
        "select delivery_id, alert_id from delivery where kind = 'email' and recipient_id = ? and purpose = 'page'",
    )
    .bind(anna.as_bytes())
    .fetch_one(&mut *view)
    .await
    .unwrap();
    let alert = AlertId::from_row(&alert).unwrap();
    let called = escalation::called(&mut view, alert, 0, 10).await.unwrap();
    let call = called.into_iter().find(|call| call.recipient == anna);
    let address = secret.address(DeliveryId::from_row(&mail).unwrap());
    (format!("{address}@alarm.example.org"), call.unwrap().answer)
}

#[tokio::test]
async fn whoever_was_mailed_answers_by_replying() {
    let listener = Listener::start().await;
    let draw = Command::Deliveries(deliveries::Command::DrawReplySecret);
    apply(&listener.replica, draw).await;
    let fire = [
        "--to",
        "pumps@alarm.example.org",
        "--header",
        "Subject: fire",
    ];
    let Some((0, _)) = swaks(listener.address, &fire).await else {
        return;
    };
    listener.alerts(1).await;
    let expand = Command::Escalation(escalation::Command::ExpandPage {
        alert: first_alert(&listener).await,
        page: 0,
    });
    apply(&listener.replica, expand).await;
    let (address, answer) = called_by_mail(&listener).await;
    assert_eq!(answer, None);
    let forged = address.replacen("reply+", "reply+aa", 1);
    let (code, said) = swaks(listener.address, &["--to", &forged]).await.unwrap();
    assert!(code != 0 && said.contains("550 5."), "{said}");
    let away = [
        "--to",
        &address,
        "--header",
        "Auto-Submitted: auto-replied",
        "--body",
        "1",
    ];
    let (code, said) = swaks(listener.address, &away).await.unwrap();
    assert_eq!(
        (code, called_by_mail(&listener).await.1),
        (0, None),
        "{said}"
    );
    let reply = [
        "--to",
        &address,
        "--h-From",
        "Anna <anna@home.example>",
        "--header",
        "Subject: Re: Aurora 1",
        "--body",
        "1\n\nOn Mon, 23 Nov 2026 Aurora <a@aurora.example> wrote:\n> 2=cannot come",
    ];
    let (code, said) = swaks(listener.address, &reply).await.unwrap();
    let answered = called_by_mail(&listener).await.1;
    assert_eq!((code, answered), (0, Some(Answer::Coming)), "{said}");
    listener.stop().await;
}

async fn first_alert(listener: &Listener) -> AlertId {
    let mut view = listener.replica.read(Freshness::Local).await.unwrap();
    let rows = alerts::list(&mut view, None, None, 1).await.unwrap();
    rows[0].id
}
