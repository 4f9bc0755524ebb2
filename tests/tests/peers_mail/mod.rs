//! Mail against servers that are not ours: one that misbehaves on demand, and Postfix.

#![expect(
    clippy::unwrap_used,
    reason = "tests may, and so may what only tests call"
)]

mod incoming;
mod modem;
mod postfix;
mod scripted;
mod smarthosts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use channels::{Smarthost, Smtp, SmtpService, SmtpSettings, SmtpTimeouts, SmtpTls};
use domain::deliveries::{AttemptRef, SendOutcome};
use domain::ids::DeliveryId;
use domain::nodes::ChannelReport;
use domain::ports::{Channel, ChannelEvent, Clock, Outgoing, Permit};
use domain::time::Timestamp;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A wall clock that stands at 2026-11-21 17:32:05 UTC.
struct StoppedClock;

impl Clock for StoppedClock {
    fn boot(&self) -> Duration {
        Duration::ZERO
    }

    fn wall(&self) -> Timestamp {
        Timestamp(1_795_282_325_250)
    }
}

/// A mail channel at work, with files of its own.
struct MailChannel {
    smtp: Smtp,
    stop: CancellationToken,
    service: Option<JoinHandle<()>>,
    health: Vec<ChannelReport>,
}

impl MailChannel {
    fn start(settings: SmtpSettings) -> Self {
        let (smtp, service): (Smtp, SmtpService) =
            Smtp::new(settings, Arc::new(StoppedClock)).unwrap();
        let stop = CancellationToken::new();
        let service = tokio::spawn(service.run(stop.clone()));
        Self {
            smtp,
            stop,
            service: Some(service),
            health: Vec::new(),
        }
    }

    /// Hands in one mail and waits for its end.
    async fn send(&mut self, message: Outgoing) -> SendOutcome {
        let attempt = message.attempt;
        self.smtp.submit(message).unwrap();
        let (ended, outcome) = self.next_end().await;
        assert_eq!(ended, attempt);
        outcome
    }

    async fn next_end(&mut self) -> (AttemptRef, SendOutcome) {
        loop {
            match self.next_event().await {
                ChannelEvent::Ended { attempt, outcome } => return (attempt, outcome),
                ChannelEvent::Health(state) => self.health.push(state),
                other @ (ChannelEvent::Report { .. } | ChannelEvent::Received(_)) => {
                    panic!("mail does not say {other:?}")
                }
            }
        }
    }

    /// The state last told; waits for the first.
    async fn health(&mut self) -> ChannelReport {
        loop {
            match self.smtp.poll_event() {
                Some(ChannelEvent::Health(state)) => self.health.push(state),
                Some(other) => panic!("unexpected {other:?}"),
                None => match self.health.last() {
                    Some(state) => return state.clone(),
                    None => self.woken().await,
                },
            }
        }
    }

    async fn next_event(&self) -> ChannelEvent {
        loop {
            if let Some(event) = self.smtp.poll_event() {
                return event;
            }
            self.woken().await;
        }
    }

    async fn woken(&self) {
        timeout(Duration::from_secs(30), self.smtp.wake().notified())
            .await
            .expect("the channel says something in time");
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        self.service.take().unwrap().await.unwrap();
    }
}

/// Quick to give up, and never probing, so that a script sees only what the test sends.
fn settings(smarthosts: Vec<Smarthost>) -> SmtpSettings {
    SmtpSettings {
        name: "mail".to_owned(),
        from: "Aurora alerts <alerts@aurora.example>".to_owned(),
        hello_name: "node1.aurora.example".to_owned(),
        smarthosts,
        in_flight_max: 4,
        queue_len_max: 50,
        timeouts: SmtpTimeouts {
            connect: Duration::from_secs(2),
            command: Duration::from_millis(1_500),
            content: Duration::from_millis(1_500),
            whole: Duration::from_secs(9),
        },
        probe_every: None,
        answers_at: None,
    }
}

fn smarthost(name: &str, port: u16, tls: SmtpTls) -> Smarthost {
    Smarthost {
        name: name.to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        tls_name: None,
        roots: None,
        credentials: None,
    }
}

fn mail(number: u8) -> Outgoing {
    Outgoing {
        permit: Permit::always(),
        attempt: AttemptRef {
            delivery: DeliveryId([number; 16]),
            attempt: 1,
        },
        address: "anna@home.example".to_owned(),
        ring: false,
        subject: "4711 Water in hall 2".to_owned(),
        body: "4711 Aurora: water in hall 2. Gather at gate B. Answer 4711 1.\n".to_owned(),
        validity: Duration::from_secs(3600),
        urgent: true,
        reply: None,
    }
}

fn file(dir: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}
