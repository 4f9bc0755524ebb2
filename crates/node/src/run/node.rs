//! A running node: its parts, who stops whom, and in which order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use api::{ApiState, HttpsConfig, Limits, Server};
use channels::{
    MailIn, MailInSettings, Smarthost, SmsModem, SmsModemSettings, Smtp, SmtpSettings,
    SmtpTimeouts, SmtpTls, SnmpIn,
};
use cluster::{AuditKey, Cluster, Stopped};
use delivery::{FileKeeper, Scheduler, Watcher, Worker};
use domain::ports::{Channel, Clock, ClusterAdmin, IntakeTally, Replica};
use domain::watch::Board;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::audit;
use super::backups;
use super::clock::SystemClock;
use super::disk::DiskWatch;
use super::machine::{CivilClock, HostMachine};
use super::manager::Manager;
use super::membership::Admin;
use super::modem_memory::ModemMemory;
use super::power::{PowerParts, PowerWatch, wait_for_power};
use super::site_dns::SiteDns;
use super::vitals::Vitals;
use super::{cluster_config, seals, snmp, tls, zones};
use crate::config::{Config, ModemConfig, SmarthostConfig, Tls};

/// SMS taken by a modem and not yet ended, at most (DESIGN C3).
const MODEM_QUEUE_LEN: usize = 4;

/// Mails taken and not yet ended, at most (DESIGN C3).
const MAIL_QUEUE_LEN: usize = 50;

/// SMS a SIM may send at once after a pause, beyond its rate.
const MODEM_BURST: u32 = 20;

/// Speed of a serial line that is one; USB modems ignore it.
const LINE_BITS_PER_S: u32 = 115_200;

/// How often a smarthost is tried without a mail, so that refused credentials show before an alert does.
const SMARTHOST_PROBE_EVERY: Duration = Duration::from_secs(300);

/// What channels and listeners may still take once told to stop.
const PARTS_STOP_TIME: Duration = Duration::from_secs(8);

/// For the worker to put the last outcomes into the log. What it misses is taken as unknown at the next start.
const LAST_OUTCOMES_TIME: Duration = Duration::from_millis(500);

/// Everything together; a manager that waits longer kills us.
const STOP_TIME: Duration = Duration::from_secs(18);

/// Starts every part, waits for a reason to stop, and stops them in order.
pub(super) async fn serve(config: &Config, edge: &Handle) -> Result<(), anyhow::Error> {
    let mut signals = Signals::new()?;
    let manager = Arc::new(Manager::from_env());
    if let Some(power) = &config.power {
        select! {
            () = wait_for_power(power, &manager) => {}
            signal = signals.next() => { info!(signal, "stopping"); return Ok(()) }
        }
    }
    let machine = HostMachine::default();
    machine.set_place(config.site.clone());
    let disk = DiskWatch::begin(&config.node.data_dir, machine.clone());
    let cluster = Cluster::start(cluster_config(config)?)
        .await
        .context("cannot start this member of the cluster")?;
    let cluster = Arc::new(cluster);
    info!(node = %cluster.node(), name = config.node.name, "node starting");
    let power_ended = CancellationToken::new();
    let host = Host {
        machine,
        disk,
        power_ended: power_ended.clone(),
        manager: Arc::clone(&manager),
    };
    let started = Parts::start(config, &cluster, edge, host);
    let mut parts = match started.await {
        Ok(parts) => parts,
        Err(error) => {
            close(cluster).await;
            return Err(error);
        }
    };
    manager.ready();
    let reason = select! {
        signal = signals.next() => { info!(signal, "stopping"); Ok(()) }
        () = power_ended.cancelled() => { warn!("stopping, because the power ends"); Ok(()) }
        ended = parts.first_end() => Err(ended),
        stopped = cluster.stopped() => Err(explain(&stopped)),
    };
    manager.stopping();
    if let Err(reason) = &reason {
        error!(error = %format!("{reason:#}"), "stopping, because this node cannot go on");
    }
    select! {
        done = timeout(STOP_TIME, async { parts.stop().await; close(cluster).await }) => {
            if done.is_err() {
                warn!("not everything stopped in time");
            }
        }
        signal = signals.next() => warn!(signal, "stopping at once"),
    }
    reason
}

/// Which part ended, and how.
type Ended = (&'static str, Result<(), anyhow::Error>);

/// A part that only ends when told to.
async fn endless(part: &'static str, work: impl Future<Output = ()>) -> Ended {
    work.await;
    (part, Ok(()))
}

/// What a node has of the machine under it.
struct Host {
    machine: HostMachine,
    disk: DiskWatch,
    /// Set when the power ends.
    power_ended: CancellationToken,
    manager: Arc<Manager>,
}

/// The tasks of a node.
struct Parts {
    /// Loops that make work, and listeners that bring it in.
    intake: JoinSet<Ended>,
    channels: JoinSet<Ended>,
    worker: JoinSet<Ended>,
    stop_intake: CancellationToken,
    stop_channels: CancellationToken,
    stop_worker: CancellationToken,
}

impl Parts {
    async fn start(
        config: &Config,
        cluster: &Arc<Cluster>,
        edge: &Handle,
        host: Host,
    ) -> Result<Self, anyhow::Error> {
        let Host {
            machine,
            disk,
            power_ended,
            manager,
        } = host;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let replica: Arc<dyn Replica> = Arc::new(cluster.replica());
        let mut parts = Self {
            intake: JoinSet::new(),
            channels: JoinSet::new(),
            worker: JoinSet::new(),
            stop_intake: CancellationToken::new(),
            stop_channels: CancellationToken::new(),
            stop_worker: CancellationToken::new(),
        };
        let stop = parts.stop_intake.clone();
        parts.intake.spawn(endless("disk watch", disk.run(stop)));
        let watching = machine
            .clone()
            .watch_clock(Arc::clone(&replica), parts.stop_intake.clone());
        parts.intake.spawn(endless("clock watch", watching));
        let civil: Arc<dyn Clock> = Arc::new(CivilClock {
            clock: Arc::clone(&clock),
            replica: Arc::clone(&replica),
            machine: machine.clone(),
        });
        let channels = parts.open_channels(config, cluster, &civil)?;
        let audit_key = AuditKey::open(&config.node.data_dir)?;
        let worker = Worker::new(
            Arc::clone(&replica),
            cluster.node_db().clone(),
            channels.clone(),
            Arc::clone(&clock),
        )
        .on(Arc::new(machine.clone()))
        .signing(Arc::new(audit_key));
        let board = Board::default();
        let watcher = Watcher::new(
            Arc::clone(&replica),
            channels.clone(),
            Arc::clone(&clock),
            config.watch.duty.clone(),
            board.clone(),
        );
        let scheduler = Scheduler::new(Arc::clone(&replica));
        let vitals = Vitals {
            cluster: Arc::clone(cluster),
            replica: Arc::clone(&replica),
            loops: vec![
                ("worker", worker.pulse()),
                ("scheduler", scheduler.pulse()),
                ("watcher", watcher.pulse()),
            ],
        };
        let stop = parts.stop_intake.clone();
        let watched = vitals.watch(manager, stop.clone());
        parts.intake.spawn(endless("sign of life", watched));
        parts.intake.spawn(endless("watcher", watcher.run(stop)));
        let stop = parts.stop_worker.clone();
        parts.worker.spawn(endless("worker", worker.run(stop)));
        let stop = parts.stop_intake.clone();
        parts
            .intake
            .spawn(endless("scheduler", scheduler.run(stop)));

        let files = cluster.files();
        let keeper = FileKeeper::new(Arc::clone(&replica), files.clone());
        let stop = parts.stop_intake.clone();
        parts.intake.spawn(endless("files", keeper.run(stop)));
        let installing = zones::keep_installed(Arc::clone(&replica), parts.stop_intake.clone());
        parts.intake.spawn(endless("time zones", installing));
        let making = backups::run(config.clone(), parts.stop_intake.clone());
        parts.intake.spawn(endless("backups", making));
        let (admin, refresh) =
            Admin::new(Arc::clone(cluster), config, parts.stop_intake.clone()).await;
        parts.intake.spawn(endless("view of the cluster", refresh));
        let admin: Arc<dyn ClusterAdmin> = Arc::new(admin);
        let sealing = seals::keep_current(
            Arc::clone(&replica),
            Arc::clone(&admin),
            parts.stop_intake.clone(),
        );
        parts.intake.spawn(endless("seals", sealing));
        let stop = parts.stop_intake.clone();
        let noting = audit::note_backups(Arc::clone(&replica), Arc::clone(&admin), stop);
        parts.intake.spawn(endless("audit of backups", noting));
        if let Some(power) = &config.power {
            let watched = PowerParts {
                site: config.node.name.clone(),
                duty: config.watch.duty.clone(),
                machine: machine.clone(),
                replica: Arc::clone(&replica),
                admin: Arc::clone(&admin),
                channels,
                ended: power_ended,
            };
            let watch = PowerWatch::new(power, watched);
            let stop = parts.stop_intake.clone();
            parts.intake.spawn(endless("power watch", watch.run(stop)));
        }
        let state = ApiState {
            replica,
            admin,
            clock,
            machine: Arc::new(machine),
            board,
            intake: IntakeTally::default(),
            members: config.api.members.clone(),
            passkey_domain: config.api.passkey_domain.clone(),
            raises_per_min: config.api.raises_per_min,
            files,
        };
        parts.open_intake(config, cluster, &state, edge).await?;
        let server = open_listeners(config, cluster, state, edge).await?;
        let stop = parts.stop_intake.clone();
        let serving = async move { ("API", server.run(stop).await.map_err(anyhow::Error::from)) };
        parts.intake.spawn_on(serving, edge);
        Ok(parts)
    }

    /// Opens the listeners through which sources raise alerts other than over HTTP.
    async fn open_intake(
        &mut self,
        config: &Config,
        cluster: &Cluster,
        state: &ApiState,
        edge: &Handle,
    ) -> Result<(), anyhow::Error> {
        if let Some(mail_in) = &config.mail_in {
            let tls = tls::server_config(&config.api, cluster.identity())?;
            let settings = MailInSettings {
                address: mail_in.listen,
                name: config.node.name.clone(),
                domain: mail_in.domain.clone(),
                reports: mail_in.reports.clone(),
                from: mail_in.from.clone(),
                tls: watch::channel(tls).1,
            };
            let listener = MailIn::bind(
                settings,
                Arc::clone(&state.replica),
                Arc::clone(&state.clock),
            )
            .await;
            let listener =
                listener.with_context(|| format!("cannot listen at {}", mail_in.listen))?;
            let stop = self.stop_intake.clone();
            self.intake.spawn(endless("mail in", listener.run(stop)));
        }
        if let Some(site_dns) = &config.site_dns {
            let (replica, admin) = (Arc::clone(&state.replica), Arc::clone(&state.admin));
            let site_dns = site_dns.clone();
            let binding = async move { SiteDns::bind(&site_dns, replica, admin).await };
            let listener = bound_on(edge, binding).await?;
            let stop = self.stop_intake.clone();
            self.intake
                .spawn_on(endless("site names", listener.run(stop)), edge);
        }
        if let Some(snmp_in) = &config.snmp_in {
            let binding = SnmpIn::bind(
                snmp::settings(snmp_in, cluster),
                Arc::clone(&state.replica),
                snmp::Memory::new(Arc::clone(cluster.node_db())),
                state.intake.clone(),
            );
            let listener = bound_on(edge, binding).await?;
            let stop = self.stop_intake.clone();
            self.intake
                .spawn_on(endless("SNMP in", listener.run(stop)), edge);
        }
        Ok(())
    }

    /// Sets up every modem and the mail path. A modem that is not there is tried again and again; a setting that cannot
    /// be right ends the start.
    fn open_channels(
        &mut self,
        config: &Config,
        cluster: &Cluster,
        clock: &Arc<dyn Clock>,
    ) -> Result<Vec<Arc<dyn Channel>>, anyhow::Error> {
        let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
        let memory = ModemMemory::new(cluster.node_db().clone());
        for modem in &config.modems {
            let (handle, service) = SmsModem::new(
                modem_settings(modem, pin_key(cluster)?),
                memory.clone(),
                memory.clone(),
            )?;
            let stop = self.stop_channels.clone();
            self.channels.spawn(endless("modem", service.run(stop)));
            channels.push(Arc::new(handle));
        }
        if !config.smarthosts.is_empty() {
            let (handle, service) = Smtp::new(mail_settings(config), Arc::clone(clock))?;
            let stop = self.stop_channels.clone();
            self.channels.spawn(endless("mail", service.run(stop)));
            channels.push(Arc::new(handle));
        }
        Ok(channels)
    }

    /// Waits for the first part that ends without being told to.
    async fn first_end(&mut self) -> anyhow::Error {
        let ended = select! {
            Some(ended) = self.intake.join_next() => ended,
            Some(ended) = self.channels.join_next() => ended,
            Some(ended) = self.worker.join_next() => ended,
        };
        match ended {
            Ok((part, Ok(()))) => anyhow!("the {part} ended by itself"),
            Ok((part, Err(error))) => error.context(format!("the {part} failed")),
            Err(error) => anyhow!("a part of this node failed: {error}"),
        }
    }

    /// First nothing new comes in, then what is under way ends, then its outcomes are recorded.
    async fn stop(&mut self) {
        self.stop_intake.cancel();
        self.stop_channels.cancel();
        let ended = async {
            while self.intake.join_next().await.is_some() {}
            while self.channels.join_next().await.is_some() {}
        };
        if timeout(PARTS_STOP_TIME, ended).await.is_err() {
            warn!("channels or listeners did not stop in time");
        }
        sleep(LAST_OUTCOMES_TIME).await;
        self.stop_worker.cancel();
        while self.worker.join_next().await.is_some() {}
        self.intake.shutdown().await;
        self.channels.shutdown().await;
    }
}

async fn open_listeners(
    config: &Config,
    cluster: &Cluster,
    state: ApiState,
    edge: &Handle,
) -> Result<Server, anyhow::Error> {
    let tls = tls::server_config(&config.api, cluster.identity())?;
    let listen = api::ApiConfig {
        // Nobody changes it yet: a new certificate takes a restart.
        https: Some(HttpsConfig {
            address: config.api.https,
            tls: watch::channel(tls).1,
        }),
        admin: Some(config.api.admin),
        socket: Some(config.api.socket.clone()),
        limits: Limits::default(),
    };
    bound_on(edge, Server::bind(listen, state)).await
}

/// Binds on the edge runtime, so that its reactor carries the connections.
async fn bound_on<T, E>(
    edge: &Handle,
    bind: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, anyhow::Error>
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut binding = JoinSet::new();
    binding.spawn_on(bind, edge);
    let bound = binding.join_next().await.expect("one task was spawned");
    Ok(bound.context("the listeners could not be opened")??)
}

/// Ends the membership in order: leadership first, files last.
async fn close(cluster: Arc<Cluster>) {
    match Arc::try_unwrap(cluster) {
        Ok(cluster) => match cluster.shutdown().await {
            Ok(()) => info!("stopped"),
            Err(error) => error!(
                error = &error as &dyn std::error::Error,
                "the files were not closed in order"
            ),
        },
        // A connection that would not end still looks at the cluster; the files are safe without a farewell.
        Err(_) => warn!("stopped without handing over"),
    }
}

fn explain(stopped: &Stopped) -> anyhow::Error {
    match stopped {
        Stopped::Retired(why) => anyhow!("{why}"),
        Stopped::Storage(why) => anyhow!("this node's disk failed: {why}"),
        Stopped::Engine(why) => anyhow!("consensus ended: {why}"),
    }
}

/// The secret that keys this node's memory of tried PINs.
fn pin_key(cluster: &Cluster) -> Result<[u8; 32], anyhow::Error> {
    let mut pin_key = Sha256::new();
    pin_key.update(b"holdfast memory of tried PINs");
    // Not the key itself, which may be rotated: a refused PIN must stay remembered.
    pin_key.update(cluster.identity().local_secret()?);
    Ok(pin_key.finalize().into())
}

/// What the driver of a configured modem needs to know.
pub(crate) fn modem_settings(modem: &ModemConfig, pin_key: [u8; 32]) -> SmsModemSettings {
    SmsModemSettings {
        name: modem.name.clone(),
        port: modem.device.clone(),
        bits_per_s: LINE_BITS_PER_S,
        number: modem.number.clone(),
        pin: modem.pin_file.clone(),
        pin_key,
        smsc: modem.smsc.clone(),
        parts_per_min: modem.rate_per_min,
        burst: MODEM_BURST,
        status_reports: true,
        ring_for: Duration::from_secs(u64::from(modem.ring_seconds)),
        queue_len_max: MODEM_QUEUE_LEN,
    }
}

fn mail_settings(config: &Config) -> SmtpSettings {
    let smarthost = |s: &SmarthostConfig| Smarthost {
        name: s.name.clone(),
        host: s.host.clone(),
        port: s.port,
        tls: match s.tls {
            Tls::Upgrade => SmtpTls::StartTls,
            Tls::Implicit => SmtpTls::Implicit,
            Tls::None => SmtpTls::LoopbackPlain,
        },
        tls_name: s.tls_name.clone(),
        roots: s.ca_file.clone(),
        credentials: s.credentials_file.clone(),
    };
    SmtpSettings {
        name: "mail".to_owned(),
        from: config.mail.from.clone(),
        hello_name: config.mail.hello_name.clone(),
        smarthosts: config.smarthosts.iter().map(smarthost).collect(),
        in_flight_max: usize::try_from(config.mail.in_flight_max).unwrap_or(1),
        queue_len_max: MAIL_QUEUE_LEN,
        timeouts: SmtpTimeouts::default(),
        probe_every: Some(SMARTHOST_PROBE_EVERY),
        answers_at: config.mail_in.as_ref().map(|mail| mail.domain.clone()),
    }
}

/// The signals that end a node.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, anyhow::Error> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
