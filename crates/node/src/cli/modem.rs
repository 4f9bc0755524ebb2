//! `holdfast modem`: what the modems of all nodes say, and a look at this node's own while the node is stopped.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use channels::{MemoryError, PinMemory, ReferenceCounter, SmsModem};
use domain::DeliveryId;
use domain::deliveries::{AttemptRef, SendOutcome};
use domain::nodes::ChannelReport;
use domain::phone::PhoneNumber;
use domain::ports::{Channel as _, ChannelEvent, Outgoing, Permit};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::args::ModemCommand;
use super::cluster::channel_table;
use crate::config::ModemConfig;
use crate::output::{Done, Exit, Failure, each};
use crate::run::modem_settings;

/// How long a modem may take from opening its port to its network.
const READY_TIME: Duration = Duration::from_secs(40);

/// A network may take more than two minutes to answer; the modem's own limit is 150 s.
const SEND_TIME: Duration = Duration::from_secs(170);

/// A test that arrives later proves nothing.
const TEST_VALIDITY: Duration = Duration::from_secs(600);

pub(super) async fn modem(context: &Context, command: &ModemCommand) -> Done {
    match command {
        ModemCommand::List => list(context).await,
        ModemCommand::Probe { name } => probe(context, name.as_deref()).await,
        ModemCommand::Test { number, name } => test(context, number, name.as_deref()).await,
    }
}

async fn list(context: &Context) -> Done {
    let nodes = context.client()?.get("/v1/nodes").await?;
    let is_modem = |channel: &Value| channel["kind"] == "sms";
    let modems: Vec<Value> = each(&nodes["nodes"])
        .flat_map(|n| {
            let channels = n["channels"].as_array().cloned().unwrap_or_default();
            channels.into_iter().filter(is_modem).map(|mut channel| {
                channel["node"] = n["node"].clone();
                channel
            })
        })
        .collect();
    context.output.data(&json!({ "modems": modems }), || {
        channel_table(context, &nodes, is_modem)
    });
    Ok(())
}

/// Opens each configured modem and says what answers there.
async fn probe(context: &Context, name: Option<&str>) -> Done {
    let mut found = Vec::new();
    for modem in chosen(context, name)? {
        context
            .output
            .note(format!("opening {} ...", modem.device.display()));
        let mut attached = Attached::open(&modem)?;
        found.push((modem, attached.ready().await));
        attached.close().await;
    }
    let broken = found.iter().filter(|(_, report)| !report.up).count();
    let object: Vec<Value> = found
        .iter()
        .map(|(modem, report)| {
            json!({ "name": modem.name, "device": modem.device, "ok": report.up, "problem": report.reason,
                "operator": report.operator, "signal_dbm": report.signal_dbm })
        })
        .collect();
    context
        .output
        .data(&json!({ "ok": broken == 0, "modems": object }), || {
            let row = |(modem, report): &(ModemConfig, ChannelReport)| {
                let signal = report
                    .signal_dbm
                    .map(|dbm| dbm.to_string())
                    .unwrap_or_default();
                let ok = if report.up { "ok" } else { "BAD" }.to_owned();
                vec![
                    ok,
                    modem.name.clone(),
                    report.operator.clone(),
                    signal,
                    report.reason.clone(),
                ]
            };
            let rows: Vec<_> = found.iter().map(row).collect();
            context
                .output
                .table(&["", "modem", "operator", "signal", "what to do"], &rows)
        });
    if broken == 0 {
        return Ok(());
    }
    let text = "a modem cannot be used as it is";
    Err(Failure::new(Exit::Failure, text).reported(context.output.json))
}

/// Sends one text and says what became of it.
async fn test(context: &Context, number: &str, name: Option<&str>) -> Done {
    let number = PhoneNumber::parse(number).map_err(|e| Failure::new(Exit::Usage, e))?;
    let Some(modem) = chosen(context, name)?.into_iter().next() else {
        return Err(Failure::new(
            Exit::NotFound,
            "no modem is configured; add a [[modem]] section",
        ));
    };
    let mut attached = Attached::open(&modem)?;
    let report = attached.ready().await;
    let outcome = if report.up {
        attached.send(&modem, &number).await
    } else {
        SendOutcome::Refused {
            permanent: false,
            detail: report.reason,
        }
    };
    attached.close().await;
    match outcome {
        SendOutcome::Accepted { detail } => {
            let object =
                json!({ "ok": true, "modem": modem.name, "outcome": "accepted", "detail": detail });
            context.output.data(&object, || {
                format!(
                    "the network took the text from {}; look at the phone",
                    modem.name
                )
            });
            Ok(())
        }
        SendOutcome::Refused { detail, .. } => {
            Err(Failure::new(Exit::Failure, format!("not sent: {detail}")))
        }
        SendOutcome::Unknown { detail } => Err(Failure::new(
            Exit::TimedOut,
            format!("it may have been sent: {detail}"),
        )),
    }
}

/// The modem of this name, or all.
fn chosen(context: &Context, name: Option<&str>) -> Result<Vec<ModemConfig>, Failure> {
    let modems = context.config()?.modems;
    let Some(name) = name else { return Ok(modems) };
    let found: Vec<ModemConfig> = modems
        .into_iter()
        .filter(|modem| modem.name == name)
        .collect();
    if found.is_empty() {
        let text = format!("no modem {name:?} is configured; see the [[modem]] sections");
        return Err(Failure::new(Exit::NotFound, text));
    }
    Ok(found)
}

/// A modem opened for a moment, by the same driver that the running node uses.
struct Attached {
    handle: SmsModem,
    service: JoinSet<()>,
    stop: CancellationToken,
}

impl Attached {
    /// The SIM's PIN is not entered here: only a running node remembers which PINs were tried.
    fn open(modem: &ModemConfig) -> Result<Self, Failure> {
        let mut settings = modem_settings(modem, [0; 32]);
        settings.pin = None;
        let (handle, driver) = SmsModem::new(settings, Arc::new(NoMemory), Arc::new(NoMemory))
            .map_err(|e| Failure::of(Exit::Failure, e.into()))?;
        let stop = CancellationToken::new();
        let mut service = JoinSet::new();
        let stopped = stop.clone();
        service.spawn(async move { driver.run(stopped).await });
        Ok(Self {
            handle,
            service,
            stop,
        })
    }

    /// Its health once it is up, or what is wrong when it does not come up in time.
    async fn ready(&mut self) -> ChannelReport {
        let mut last = ChannelReport {
            name: self.handle.name().to_owned(),
            kind: "sms".to_owned(),
            up: false,
            reason: "nothing answers; check the device, its power and whether the node runs"
                .to_owned(),
            operator: String::new(),
            number: String::new(),
            signal_dbm: None,
            rate_per_min: 0,
        };
        let until = Instant::now() + READY_TIME;
        while !last.up {
            match self.next_event(until).await {
                Some(ChannelEvent::Health(report)) => last = report,
                Some(_) => {}
                None => break,
            }
        }
        last
    }

    async fn send(&mut self, modem: &ModemConfig, number: &PhoneNumber) -> SendOutcome {
        let attempt = AttemptRef {
            delivery: DeliveryId::derive(&[
                b"test",
                modem.name.as_bytes(),
                number.as_str().as_bytes(),
            ]),
            attempt: 1,
        };
        let message = Outgoing {
            permit: Permit::always(),
            attempt,
            address: number.as_str().to_owned(),
            ring: false,
            subject: String::new(),
            body: format!(
                "Holdfast test from modem {}. No answer is needed.",
                modem.name
            ),
            validity: TEST_VALIDITY,
            urgent: true,
            reply: None,
        };
        if self.handle.submit(message).is_err() {
            return SendOutcome::Refused {
                permanent: false,
                detail: "the modem is busy".to_owned(),
            };
        }
        let until = Instant::now() + SEND_TIME;
        loop {
            match self.next_event(until).await {
                Some(ChannelEvent::Ended { outcome, .. }) => return outcome,
                Some(_) => {}
                None => {
                    return SendOutcome::Unknown {
                        detail: "the modem gave no answer in time".to_owned(),
                    };
                }
            }
        }
    }

    async fn next_event(&mut self, until: Instant) -> Option<ChannelEvent> {
        let bell = self.handle.wake();
        loop {
            if let Some(event) = self.handle.poll_event() {
                return Some(event);
            }
            timeout_at(until, bell.notified()).await.ok()?;
        }
    }

    async fn close(mut self) {
        self.stop.cancel();
        while self.service.join_next().await.is_some() {}
    }
}

/// Nothing is remembered beyond one look: no PIN is ever entered, and one text needs no number of its own.
struct NoMemory;

#[async_trait]
impl PinMemory for NoMemory {
    async fn tried(&self, _iccid: &str, _hash: [u8; 32]) -> Result<bool, MemoryError> {
        Ok(true)
    }

    async fn record(&self, _iccid: &str, _hash: [u8; 32]) -> Result<(), MemoryError> {
        Ok(())
    }
}

#[async_trait]
impl ReferenceCounter for NoMemory {
    async fn next(&self, _modem: &str) -> Result<u8, MemoryError> {
        Ok(rand::random())
    }
}
