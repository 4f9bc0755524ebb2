//! Three nodes as processes of their own, founded, joined and promoted the way an operator would do it.

use std::fs::{DirBuilder, OpenOptions};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::client::{Endpoint, trust};
use crate::outside::Sim;
use crate::usage::processor_ms;
use crate::{report, workload};

/// How many nodes a cluster here has.
pub(crate) const NODES: usize = 3;

/// How long one command such as `init` or `join` may take.
const COMMAND_TIME: Duration = Duration::from_secs(60);

/// How long the nodes may take to agree after a change.
const SETTLE_TIME: Duration = Duration::from_secs(60);

/// One question to one node about its cluster.
const ASK_TIME: Duration = Duration::from_secs(2);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Entries that loops may have in flight in a cluster that counts as settled.
const LAG_MAX: u64 = 3;

/// How often a killed process is looked at before it is left alone.
const END_TRIES: u32 = 250;

/// Lines shown of every node's log when something went wrong.
const LOG_LINES: usize = 8;

/// A cluster of three. Its processes end and its files go when this is dropped.
pub(crate) struct Fleet {
    nodes: Vec<Node>,
    endpoints: Vec<Endpoint>,
    /// Dropped last: the nodes write in it.
    _dir: TemporaryDir,
}

struct Node {
    /// 1, 2 or 3; also its id in the cluster.
    id: u64,
    config: PathBuf,
    https: SocketAddr,
    log: PathBuf,
    holdfast: PathBuf,
    process: Option<Child>,
}

/// How long a node that was started again took.
pub(crate) struct Back {
    /// Until it answered over HTTPS.
    pub(crate) ready: Duration,
    /// Until it had applied what the others had when it started.
    pub(crate) caught_up: Duration,
}

/// What one node says of its cluster; the other fields are not looked at.
#[derive(Clone, Debug, Deserialize)]
struct View {
    leader: Option<u64>,
    applied: u64,
    last_log: u64,
    members: Vec<Member>,
}

/// One member of a cluster.
#[derive(Clone, Debug, Deserialize)]
struct Member {
    node: u64,
    role: String,
}

impl Fleet {
    /// Founds a cluster on the first node and lets the others join it, all on loopback, with files below `disk`.
    /// `sims` are the nodes' modems in their order; there may be none.
    pub(crate) async fn start(holdfast: &Path, disk: &Path, sims: &[Sim]) -> Result<Self> {
        let dir = TemporaryDir::new(disk)?;
        let mut nodes = Vec::new();
        for ((id, ports), index) in (1..).zip(free_ports()?).zip(0..) {
            nodes.push(Node::write(&dir.0, holdfast, id, &ports, sims.get(index))?);
        }
        let founded = nodes[0].command(&["init"], "").await?;
        let text = |field: &str| {
            let value = founded[field].as_str();
            value.with_context(|| format!("init printed no {field}"))
        };
        let tls = trust(Path::new(text("ca_file")?))?;
        let endpoints = nodes
            .iter()
            .map(|n| Endpoint::new(n.https, text("key")?, tls.clone()));
        let endpoints = endpoints.collect::<Result<_>>()?;
        let mut fleet = Self {
            nodes,
            endpoints,
            _dir: dir,
        };
        let done = fleet.gather().await;
        fleet.explained(done)?;
        Ok(fleet)
    }

    /// The node at this place, 0 to 2.
    pub(crate) fn endpoint(&self, index: usize) -> &Endpoint {
        &self.endpoints[index]
    }

    /// Ids and processes of the nodes that run.
    pub(crate) fn processes(&self) -> Vec<(u64, u32)> {
        let pid = |node: &Node| Some((node.id, node.process.as_ref()?.id()?));
        self.nodes.iter().filter_map(pid).collect()
    }

    /// Processor time of all nodes so far, milliseconds.
    pub(crate) fn processor_ms(&self) -> Result<f64> {
        let processes = self.processes().into_iter();
        processes.map(|(_, pid)| processor_ms(pid)).sum()
    }

    /// Waits until all nodes name the same leader, all vote, and none is behind. Gives the leader's id.
    pub(crate) async fn settled(&self) -> Result<u64> {
        let until = Instant::now() + SETTLE_TIME;
        loop {
            let looked = self.agreed_leader().await;
            match looked {
                Ok(Some(leader)) => return Ok(leader),
                Ok(None) | Err(_) if Instant::now() < until => sleep(LOOK_EVERY).await,
                Ok(None) => bail!(
                    "the nodes did not settle within {} s",
                    SETTLE_TIME.as_secs()
                ),
                Err(error) => return Err(error.context("a node does not answer")),
            }
        }
    }

    /// Ends a node the way a pulled plug does; returns the moment of the kill once the process is gone.
    pub(crate) async fn kill(&mut self, id: u64) -> Result<Instant> {
        let node = self.node(id)?;
        let mut process = node.process.take().context("the node does not run")?;
        process
            .start_kill()
            .with_context(|| format!("cannot kill node {id}"))?;
        let killed = Instant::now();
        timeout(COMMAND_TIME, process.wait())
            .await
            .with_context(|| format!("node {id} survived its kill"))??;
        Ok(killed)
    }

    /// Starts a killed node again and waits until it has what the others had when it started.
    pub(crate) async fn bring_back(&mut self, id: u64) -> Result<Back> {
        let index = usize::try_from(id)? - 1;
        let mut others = self.endpoints.clone();
        others.remove(index);
        let mut goal = 0;
        for other in &others {
            goal = goal.max(view(other).await?.last_log);
        }
        let started = Instant::now();
        self.node(id)?.run()?;
        let endpoint = &self.endpoints[index];
        wait(&format!("node {id} answers"), SETTLE_TIME, || async move {
            Ok(view(endpoint).await.is_ok())
        })
        .await?;
        let ready = started.elapsed();
        wait(
            &format!("node {id} has caught up"),
            SETTLE_TIME,
            || async move { Ok(view(endpoint).await?.applied >= goal) },
        )
        .await?;
        Ok(Back {
            ready,
            caught_up: started.elapsed(),
        })
    }

    /// Index of the last entry in a node's log.
    pub(crate) async fn last_log(&self, index: usize) -> Result<u64> {
        Ok(view(&self.endpoints[index]).await?.last_log)
    }

    /// Shows the ends of the nodes' logs when `done` is an error: the files are about to go.
    pub(crate) fn explained<T>(&self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            for node in &self.nodes {
                let log = std::fs::read_to_string(&node.log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().rev().take(LOG_LINES).collect();
                for line in lines.into_iter().rev() {
                    report::note(&format!("node {}: {line}", node.id));
                }
            }
        }
        done
    }

    async fn gather(&mut self) -> Result<()> {
        self.nodes[0].run()?;
        let first = self.endpoints[0].clone();
        wait("the first node leads", SETTLE_TIME, || async {
            Ok(view(&first).await?.leader == Some(1))
        })
        .await?;
        let nothing = json!({});
        for index in 1..NODES {
            let invitation = first.change(Method::POST, "/v1/cluster/invitations", &nothing);
            let invitation = timeout(COMMAND_TIME, invitation)
                .await
                .context("no answer to an invitation")??;
            let token = invitation["token"]
                .as_str()
                .context("the invitation has no token")?;
            let node = &mut self.nodes[index];
            node.command(&["join", "-"], token).await?;
            node.run()?;
            let id = node.id;
            let body = json!({ "node": id });
            wait(&format!("node {id} is a voter"), SETTLE_TIME, || async {
                // Refused until the newcomer has caught up.
                let promote = first.change(Method::POST, "/v1/cluster/promote", &body);
                _ = timeout(COMMAND_TIME, promote).await;
                Ok(view(&first).await?.votes(id))
            })
            .await?;
        }
        self.settled().await.map(|_| ())
    }

    async fn agreed_leader(&self) -> Result<Option<u64>> {
        let mut views = Vec::new();
        for endpoint in &self.endpoints {
            views.push(view(endpoint).await?);
        }
        let leader = views[0].leader;
        let applied = views.iter().map(|v| v.applied).min().unwrap_or(0);
        let last_log = views.iter().map(|v| v.last_log).max().unwrap_or(0);
        let same = views.iter().all(|v| v.leader == leader);
        let voters = self
            .nodes
            .iter()
            .all(|n| views.iter().all(|v| v.votes(n.id)));
        let settled = same && voters && applied + LAG_MAX >= last_log;
        Ok(leader.filter(|_| settled))
    }

    fn node(&mut self, id: u64) -> Result<&mut Node> {
        let node = self.nodes.iter_mut().find(|n| n.id == id);
        node.with_context(|| format!("there is no node {id}"))
    }
}

impl View {
    fn votes(&self, id: u64) -> bool {
        self.members
            .iter()
            .any(|m| m.node == id && m.role != "learner")
    }
}

/// How many alerts every node has: they are numbered from 1 without gaps.
pub(crate) async fn stored_everywhere(fleet: &Fleet) -> Result<u64> {
    let mut stored = u64::MAX;
    for endpoint in &fleet.endpoints {
        let list = timeout(ASK_TIME, endpoint.get("/v1/alerts?limit=1")).await;
        let list = list.context("no answer to the list of alerts")??;
        stored = stored.min(number_of(&list["alerts"][0]).unwrap_or(0));
    }
    Ok(stored)
}

/// The number of an alert as the API gives it; `None` for one of an island, which is no plain number.
pub(crate) fn number_of(alert: &Value) -> Option<u64> {
    alert["number"].as_str()?.parse().ok()
}

/// Asks one node how it sees its cluster.
async fn view(endpoint: &Endpoint) -> Result<View> {
    let answer = timeout(ASK_TIME, endpoint.get("/v1/cluster"))
        .await
        .context("a node gave no answer in time")??;
    serde_json::from_value(answer).context("a node's view of the cluster is not as expected")
}

impl Node {
    fn write(
        dir: &Path,
        holdfast: &Path,
        id: u64,
        ports: &Ports,
        sim: Option<&Sim>,
    ) -> Result<Self> {
        let home = dir.join(format!("n{id}"));
        std::fs::create_dir(&home).with_context(|| format!("cannot make {}", home.display()))?;
        // Production settings throughout; no smarthost, and mostly no modem, so that what is to be sent just waits.
        let modem = sim.map_or_else(String::new, |sim| {
            format!(
                "\n[[modem]]\nname = \"m\"\ndevice = {:?}\nnumber = {:?}\n",
                sim.port, sim.number
            )
        });
        let text = format!(
            "[node]\nname = \"n{id}\"\ndata_dir = {:?}\norganisation = \"Aurora Energy\"\n\n\
             [cluster]\nlisten = \"127.0.0.1:{}\"\n\n\
             [api]\nhttps = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\nraises_per_min = 60000\n\n\
             [log]\nformat = \"json\"\n{modem}",
            home.join("data"),
            ports.cluster,
            ports.https,
            ports.admin,
        );
        let config = home.join("holdfast.toml");
        std::fs::write(&config, text)
            .with_context(|| format!("cannot write {}", config.display()))?;
        Ok(Self {
            id,
            config,
            https: SocketAddr::from(([127, 0, 0, 1], ports.https)),
            log: home.join("log"),
            holdfast: holdfast.to_owned(),
            process: None,
        })
    }

    fn run(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut program = self.program();
        program
            .args(["run", "--stop-with-parent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let process = program
            .spawn()
            .with_context(|| format!("cannot start {}", self.holdfast.display()))?;
        self.process = Some(process);
        Ok(())
    }

    /// Runs one command of the program with this node's settings and gives its JSON answer.
    async fn command(&self, arguments: &[&str], input: &str) -> Result<Value> {
        let mut program = self.program();
        program
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = program
            .spawn()
            .with_context(|| format!("cannot start {}", self.holdfast.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        let done = timeout(COMMAND_TIME, child.wait_with_output()).await;
        let done = done.with_context(|| format!("holdfast {} did not end", arguments[0]))??;
        if !done.status.success() {
            let words = String::from_utf8_lossy(&done.stderr);
            bail!("holdfast {}: {}", arguments[0], words.trim());
        }
        serde_json::from_slice(&done.stdout).context("the program's answer is not JSON")
    }

    /// The program with this node's settings; nothing in the environment may change them.
    fn program(&self) -> Command {
        let mut program = Command::new(&self.holdfast);
        program
            .arg("--config")
            .arg(&self.config)
            .process_group(0)
            .kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOLDFAST") {
                program.env_remove(name);
            }
        }
        program
    }
}

impl Drop for Node {
    /// Ends it and waits until it is gone, so that its files can go, too.
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        _ = process.start_kill(); // one that ended by itself needs no kill
        for _ in 0..END_TRIES {
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        report::note(&format!("node {} did not end", self.id));
    }
}

/// Looks until something is so.
async fn wait<F: Future<Output = Result<bool>>>(
    what: &str,
    limit: Duration,
    mut is_so: impl FnMut() -> F,
) -> Result<()> {
    let until = Instant::now() + limit;
    loop {
        let last = is_so().await;
        if matches!(last, Ok(true)) {
            return Ok(());
        }
        if Instant::now() >= until {
            let error = anyhow!("waited {} s in vain until {what}", limit.as_secs());
            return Err(last
                .err()
                .map_or_else(|| error, |why| why.context(what.to_owned())));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Ports of one node.
struct Ports {
    cluster: u16,
    https: u16,
    admin: u16,
}

/// Loopback ports nobody uses now. All are held until the last is found, so that none is given out twice.
fn free_ports() -> Result<Vec<Ports>> {
    let mut held = Vec::new();
    for _ in 0..NODES {
        let loopback = ("127.0.0.1", 0);
        held.push((
            UdpSocket::bind(loopback)?,
            TcpListener::bind(loopback)?,
            TcpListener::bind(loopback)?,
        ));
    }
    let ports = held.iter().map(|(cluster, https, admin)| {
        Ok(Ports {
            cluster: cluster.local_addr()?.port(),
            https: https.local_addr()?.port(),
            admin: admin.local_addr()?.port(),
        })
    });
    ports.collect()
}

/// A folder that goes with its owner.
pub(crate) struct TemporaryDir(PathBuf);

impl TemporaryDir {
    pub(crate) fn new(below: &Path) -> Result<Self> {
        let path = below.join(format!(
            "holdfast-bench-{}-{}",
            std::process::id(),
            workload::run_id()
        ));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            report::note(&format!("could not remove {}: {error}", self.0.display()));
        }
    }
}
