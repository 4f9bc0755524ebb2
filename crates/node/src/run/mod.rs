//! Puts a node together: files, cluster, channels, loops, listeners; runs it; takes it apart in order.
//!
//! Two runtimes: what must not be starved (consensus, modems, sending) runs on the core one, what strangers can flood
//! (the API) on the edge one.

mod audit;
pub(crate) mod backups;
pub(crate) mod clock;
pub(crate) mod data_dir;
pub(crate) mod disk;
pub(crate) mod logging;
mod machine;
mod manager;
mod membership;
mod modem_memory;
mod node;
mod power;
mod seals;
mod site_dns;
mod snmp;
mod tls;
mod vitals;
pub(crate) mod zones;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use api::ApiKey;
use cluster::{
    Carriers, Cluster, ClusterConfig, Founding, JoinConfig, JoinError, LocalPath, Tuning,
};
use domain::access::{self, CreateKey, Role, Scope, accounts};
use domain::ports::{Proposal, Replica as _};
use domain::{Command, Outcome, RequestId};
use rand::SeedableRng as _;
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use self::clock::SystemClock;
use self::data_dir::DataDir;
pub(crate) use self::node::modem_settings;
use crate::cli::Context;
use crate::config::{self, Config};
use crate::output::{Done, Exit, Failure};

/// Threads that answer requests. Enough to keep TLS off the core's threads, few enough to leave it the processors.
const EDGE_THREADS: usize = 2;

/// Connections of the API, with room for files, databases and peers.
const DESCRIPTORS: u64 = 16_384;

/// Stacks of deep futures in unoptimised builds outgrow the default of 2 MiB.
const STACK_LEN: usize = 4 << 20;

/// Runs a node until it is told to stop or something it needs breaks.
pub(crate) fn run(config: &Config, stop_with_parent: bool) -> Done {
    logging::start(&config.log)?;
    if stop_with_parent {
        // However the parent ends, no node of its own is left behind.
        set_parent_process_death_signal(Some(Signal::TERM))
            .context("cannot follow the parent process")?;
    }
    raise_descriptors();
    let _held = DataDir::take(&config.node.data_dir).map_err(anyhow::Error::from)?;
    let threads = std::thread::available_parallelism()
        .map_or(2, std::num::NonZero::get)
        .max(2);
    let core = runtime("core", threads)?;
    let edge = runtime("edge", EDGE_THREADS)?;
    let done = core.block_on(Box::pin(node::serve(config, edge.handle())));
    edge.shutdown_background();
    done.map_err(Failure::from)
}

/// Takes as many descriptors as it may: every app that listens holds two connections, and the usual 1,024 are soon gone.
fn raise_descriptors() {
    let allowed = getrlimit(Resource::Nofile);
    let wanted = allowed.maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    if allowed.current.is_some_and(|current| current >= wanted) {
        return;
    }
    let limit = Rlimit {
        current: Some(wanted),
        maximum: allowed.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "few apps can listen to this node: it may not open more files");
    }
}

/// Founds a cluster and prints the key that may do everything.
pub(crate) async fn init(context: &Context, organisation: Option<String>) -> Done {
    let config = context.config()?;
    let hint = "how is the organisation called? Say --organisation \"Aurora Energy\", or set node.organisation";
    let organisation = organisation
        .or_else(|| config.node.organisation.clone())
        .ok_or_else(|| Failure::new(Exit::Usage, hint))?;
    let _held = DataDir::take(&config.node.data_dir).map_err(anyhow::Error::from)?;
    if identity_exists(&config) {
        let text = format!(
            "{} already belongs to a cluster; start it with `holdfast run`",
            config.node.data_dir.display()
        );
        return Err(Failure::new(Exit::Conflict, text));
    }
    let founding = Founding {
        organisation,
        https_names: config.api.names.clone(),
    };
    let cluster = Cluster::init(cluster_config(&config)?, &founding)
        .await
        .context("cannot found the cluster")?;
    let created = create_first_key(&cluster).await;
    let invited = invite_first_admin(&cluster).await;
    let node = cluster.node();
    cluster
        .shutdown()
        .await
        .context("cannot close the new cluster's files")?;
    let (key, setup_code) = (created?, invited?);
    let ca_file = ca_file(&config);
    let answer = json!({ "ok": true, "node": node.0, "key": key.to_string(), "key_id": key.id(), "ca_file": ca_file,
        "admin": FIRST_ADMIN, "setup_code": setup_code });
    context.output.data(&answer, || key.to_string());
    context.output.note("This key may do everything and is shown once: keep it in a safe, make others with `holdfast key create`.");
    context.output.note(format!(
        "Setup code of the first admin's account, {FIRST_ADMIN}: {setup_code}. It lets one device in within 24 hours: \
         open the app at this node, choose \"I have an invitation\", and Setup leads on. \
         `holdfast account invite {FIRST_ADMIN}` at this node makes another."
    ));
    context.output.note(format!(
        "Clients trust this cluster by {}. Start the node with `holdfast run`.",
        ca_file.display()
    ));
    Ok(())
}

/// Joins the cluster of an invitation.
pub(crate) async fn join(context: &Context, token: &str) -> Done {
    let config = context.config()?;
    let _held = DataDir::take(&config.node.data_dir).map_err(anyhow::Error::from)?;
    let asked = JoinConfig {
        data_dir: config.node.data_dir.clone(),
        token: token.to_owned(),
        name: config.node.name.clone(),
        advertise: config.cluster.advertise.clone(),
        https_names: config.api.names.clone(),
    };
    let joined = cluster::join(&asked).await.map_err(|error| {
        let first = matches!(
            error,
            JoinError::Refused { .. } | JoinError::Identity(_) | JoinError::Journal { .. }
        );
        let exit = if first { Exit::Conflict } else { Exit::Failure };
        Failure::of(
            exit,
            anyhow::Error::new(error).context("this node did not join"),
        )
    })?;
    let (node, digits) = (joined.node, joined.digits);
    let answer =
        json!({ "ok": true, "node": node.0, "digits": digits, "ca_file": ca_file(&config) });
    context
        .output
        .data(&answer, || format!("{node} joined, digits {digits}"));
    context.output.note("The same six digits must stand in `holdfast cluster joins` on the member that admitted it: compare them.");
    context.output.note(format!(
        "Start it with `holdfast run`, then on a member: holdfast cluster promote {node}"
    ));
    Ok(())
}

/// Certificate by which clients know the cluster's own HTTPS.
pub(crate) fn ca_file(config: &Config) -> PathBuf {
    config.node.data_dir.join("cluster-ca.pem")
}

fn runtime(name: &str, threads: usize) -> Result<Runtime, anyhow::Error> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(format!("holdfast-{name}"))
        .thread_stack_size(STACK_LEN)
        .enable_all()
        .build()
        .context("cannot start threads")
}

/// What the cluster needs to know of the settings.
pub(crate) fn cluster_config(config: &Config) -> Result<ClusterConfig, anyhow::Error> {
    let boot_id = Path::new("/proc/sys/kernel/random/boot_id");
    let boot_id = std::fs::read_to_string(boot_id)
        .with_context(|| format!("cannot read {}; is /proc mounted?", boot_id.display()))?;
    Ok(ClusterConfig {
        data_dir: config.node.data_dir.clone(),
        listen: config.cluster.listen,
        advertise: config.cluster.advertise.clone(),
        name: config.node.name.clone(),
        profile: config.cluster.profile.timing(),
        clock: Arc::new(SystemClock),
        boot_id: boot_id.trim().to_owned(),
        tuning: Tuning {
            island_after: Some(Duration::from_secs(config.cluster.island_after_s.into())),
            files: config.files,
            ..Tuning::default()
        },
        carriers: carriers(&config.cluster.carriers),
    })
}

fn carriers(config: &config::Carriers) -> Carriers {
    let uplink = |uplink: &config::UplinkConfig| LocalPath {
        name: uplink.name.clone(),
        listen: uplink.listen,
        device: uplink.device.clone(),
    };
    Carriers {
        name: config.name.clone(),
        device: config.device.clone(),
        uplinks: config.uplinks.iter().map(uplink).collect(),
        tcp: config.tcp,
        udp_offload: config.udp_offload,
        mtu_max: config.mtu_max,
    }
}

/// What the first admin types to sign in.
const FIRST_ADMIN: &str = "admin";

fn identity_exists(config: &Config) -> bool {
    ca_file(config).exists()
}

async fn create_first_key(cluster: &Cluster) -> Result<ApiKey, anyhow::Error> {
    let key = ApiKey::generate(&mut rand::rngs::StdRng::from_seed(rand::random()));
    let create = CreateKey {
        id: key.id().to_owned(),
        name: "first key".to_owned(),
        secret_hash: key.secret_hash(),
        scopes: Scope::ALL.map(|scope| scope.name().to_owned()).to_vec(),
        expires_at: None,
    };
    let request = RequestId::derive(&[b"first key", &key.secret_hash()]);
    store(cluster, request, access::Command::CreateKey(create))
        .await
        .context("cannot store the first API key")?;
    Ok(key)
}

/// Adds the first admin's account, which nobody can sign in to but by the code this returns.
async fn invite_first_admin(cluster: &Cluster) -> Result<String, anyhow::Error> {
    let code = api::new_code(&mut rand::rngs::StdRng::from_seed(rand::random()));
    let code_hash = api::code_hash(&code).context("a code just made cannot be read")?;
    let name = || FIRST_ADMIN.to_owned();
    let steps = [
        accounts::Command::Put {
            name: name(),
            shown: "Administrator".to_owned(),
            person: None,
        },
        accounts::Command::SetRoles {
            name: name(),
            roles: vec![Role::Admin.name().to_owned()],
        },
        accounts::Command::Invite {
            name: name(),
            code_hash,
        },
    ];
    for (step, command) in (0_u8..).zip(steps) {
        let request = RequestId::derive(&[b"first admin", &code_hash, &[step]]);
        store(cluster, request, access::Command::Accounts(command))
            .await
            .context("cannot store the first admin's account")?;
    }
    Ok(code)
}

async fn store(
    cluster: &Cluster,
    request: RequestId,
    command: access::Command,
) -> Result<(), anyhow::Error> {
    let command = Command::Access(command);
    let proposal = Proposal::by_operator(cluster.node(), request, command);
    let committed = cluster.replica().propose(proposal).await?;
    match committed.outcome {
        Outcome::Applied(_) => Ok(()),
        other @ (Outcome::Unchanged
        | Outcome::Refused(_)
        | Outcome::Conflict
        | Outcome::Defect(_)) => Err(anyhow!("the new cluster did not take it: {other:?}")),
    }
}
