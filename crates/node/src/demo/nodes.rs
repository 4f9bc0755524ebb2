//! Three nodes as processes of their own, founded, joined and promoted the way an operator would do it.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::world::{Outside, PIN, SIMS, SMARTHOSTS, modem_name};
use crate::client::Client;

/// How long one command such as `init` or `join` may take.
const COMMAND_TIME: Duration = Duration::from_secs(40);

/// How long a change to the cluster may take to be seen.
const SETTLE_TIME: Duration = Duration::from_secs(30);

/// How long a node may take to stop when asked.
const STOP_TIME: Duration = Duration::from_secs(20);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The nodes of a demo.
pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
    pub(super) key_file: PathBuf,
    pub(super) ca_file: PathBuf,
}

/// One node: its files, addresses and process.
pub(super) struct Node {
    /// 1, 2 or 3; also its id in the cluster.
    pub(super) id: u64,
    pub(super) config: PathBuf,
    pub(super) https: SocketAddr,
    pub(super) socket: PathBuf,
    pub(super) modem: String,
    /// Number of its SIM.
    pub(super) number: &'static str,
    log: PathBuf,
    process: Option<Child>,
}

impl Fleet {
    /// Founds a cluster on the first node and lets the others join it.
    pub(super) async fn start(dir: &Path, outside: &Outside) -> Result<Self, anyhow::Error> {
        let ports = free_ports(SIMS.len())?;
        let members: Vec<String> = ports
            .iter()
            .map(|ports| format!("https://127.0.0.1:{}", ports.https))
            .collect();
        let mut nodes = Vec::new();
        for (index, ports) in ports.into_iter().enumerate() {
            nodes.push(write_node(dir, index, ports, &members, outside)?);
        }
        let founded = nodes[0].command(&["init"], "").await?;
        let key = founded["key"]
            .as_str()
            .ok_or_else(|| anyhow!("init printed no key"))?;
        let key_file = dir.join("api-key");
        write_private(&key_file, key)?;
        let ca_file = PathBuf::from(
            founded["ca_file"]
                .as_str()
                .ok_or_else(|| anyhow!("init named no certificate"))?,
        );
        let mut fleet = Self {
            nodes,
            key_file,
            ca_file,
        };
        fleet.nodes[0].run()?;
        let first = fleet.nodes[0].local();
        wait("the first node leads", SETTLE_TIME, || async {
            Ok(first
                .get("/v1/cluster")
                .await
                .is_ok_and(|c| c["leader"] == 1))
        })
        .await?;
        for index in 1..fleet.nodes.len() {
            fleet.join(index, &first).await?;
        }
        Ok(fleet)
    }

    /// A way to ask any node that answers.
    pub(super) fn client(&self, deadline: Duration) -> Result<Client, anyhow::Error> {
        let urls: Vec<String> = self.nodes.iter().map(Node::url).collect();
        Client::remote(&urls, &self.key_file, Some(&self.ca_file), deadline).map_err(|f| f.error)
    }

    /// A way to ask any node but one.
    pub(super) fn client_without(
        &self,
        id: u64,
        deadline: Duration,
    ) -> Result<Client, anyhow::Error> {
        let urls: Vec<String> = self
            .nodes
            .iter()
            .filter(|n| n.id != id)
            .map(Node::url)
            .collect();
        Client::remote(&urls, &self.key_file, Some(&self.ca_file), deadline).map_err(|f| f.error)
    }

    pub(super) fn node(&mut self, id: u64) -> Result<&mut Node, anyhow::Error> {
        self.nodes
            .iter_mut()
            .find(|n| n.id == id)
            .ok_or_else(|| anyhow!("there is no node {id}"))
    }

    /// Waits until every node's modem and mail path are known to be up.
    pub(super) async fn channels_up(&self, limit: Duration) -> Result<(), anyhow::Error> {
        let client = self.client(SETTLE_TIME)?;
        let (want, client) = (self.nodes.len() * 2, &client);
        wait("every modem and mail path is up", limit, || async move {
            let nodes = client.get("/v1/nodes").await.map_err(|f| f.error)?;
            let channels = crate::output::each(&nodes["nodes"])
                .flat_map(|n| crate::output::each(&n["channels"]));
            Ok(channels.filter(|c| c["usable"] == true).count() >= want)
        })
        .await
    }

    /// Stops all of them in order.
    pub(super) async fn stop(&mut self) {
        for node in &self.nodes {
            node.signal(Signal::TERM);
        }
        for node in &mut self.nodes {
            node.ended(STOP_TIME).await;
        }
    }

    async fn join(&mut self, index: usize, first: &Client) -> Result<(), anyhow::Error> {
        let invitation = first
            .change(Method::POST, "/v1/cluster/invitations", Some(&json!({})))
            .await
            .map_err(|f| f.error)?;
        let token = invitation["token"]
            .as_str()
            .ok_or_else(|| anyhow!("the invitation has no token"))?;
        let node = &mut self.nodes[index];
        let joined = node.command(&["join", "-"], token).await?;
        let joins = first.get("/v1/cluster/joins").await.map_err(|f| f.error)?;
        let same = crate::output::each(&joins["joins"])
            .any(|j| j["node"] == joined["node"] && j["digits"] == joined["digits"]);
        if joined["node"] != json!(node.id) || !same {
            return Err(anyhow!(
                "node {} and the member that admitted it show different digits",
                node.id
            ));
        }
        node.run()?;
        let id = node.id;
        let promote = json!({ "node": id });
        wait(&format!("node {id} is a voter"), SETTLE_TIME, || async {
            // Refused until the newcomer has caught up.
            _ = first
                .change(Method::POST, "/v1/cluster/promote", Some(&promote))
                .await;
            let cluster = first.get("/v1/cluster").await.map_err(|f| f.error)?;
            Ok(crate::output::each(&cluster["members"])
                .any(|m| m["node"] == id && m["role"] != "learner"))
        })
        .await
    }
}

impl Node {
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.https)
    }

    /// A way to ask this node through its own socket.
    pub(super) fn local(&self) -> Client {
        Client::local(&self.socket, COMMAND_TIME)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// Starts it, or starts it again.
    pub(super) fn run(&mut self) -> Result<(), anyhow::Error> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = holdfast(&self.config)?;
        command
            .args(["run", "--stop-with-parent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(command.spawn().context("cannot start a node")?);
        Ok(())
    }

    /// Ends it the way a pulled plug does.
    pub(super) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.ended(STOP_TIME).await;
    }

    /// Whether it ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|p| matches!(p.try_wait(), Ok(Some(_))))
    }

    fn signal(&self, signal: Signal) {
        let pid = self
            .pid()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            _ = kill_process(pid, signal); // one that has just ended needs no signal
        }
    }

    async fn ended(&mut self, limit: Duration) {
        if let Some(mut process) = self.process.take()
            && timeout(limit, process.wait()).await.is_err()
        {
            _ = process.kill().await; // waits, too; nothing more can be done about one that stays
        }
    }

    /// Runs one command of the program with this node's settings and gives its JSON answer.
    async fn command(&self, arguments: &[&str], input: &str) -> Result<Value, anyhow::Error> {
        let mut command = holdfast(&self.config)?;
        command
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start holdfast")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        let done = timeout(COMMAND_TIME, child.wait_with_output()).await;
        let done = done.with_context(|| format!("holdfast {} did not end", arguments[0]))??;
        if !done.status.success() {
            return Err(anyhow!(
                "holdfast {}: {}",
                arguments[0],
                String::from_utf8_lossy(&done.stderr).trim()
            ));
        }
        Ok(serde_json::from_slice(&done.stdout)?)
    }
}

/// Looks until something is so.
pub(super) async fn wait<F: Future<Output = Result<bool, anyhow::Error>>>(
    what: &str,
    limit: Duration,
    mut is_so: impl FnMut() -> F,
) -> Result<(), anyhow::Error> {
    let until = Instant::now() + limit;
    loop {
        let last = is_so().await;
        if matches!(last, Ok(true)) {
            return Ok(());
        }
        if Instant::now() >= until {
            let error = anyhow!("waited {} s in vain until {what}", limit.as_secs());
            return Err(match last {
                Ok(_) => error,
                Err(why) => error.context(why),
            });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// This very program with a node's settings. A terminal's Ctrl-C does not reach it: the demo stops it in order.
fn holdfast(config: &Path) -> Result<Command, anyhow::Error> {
    let mut command =
        Command::new(std::env::current_exe().context("cannot find this program's own file")?);
    command
        .arg("--config")
        .arg(config)
        .process_group(0)
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOLDFAST") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Ports of one node.
struct Ports {
    cluster: u16,
    https: u16,
    admin: u16,
}

/// Loopback ports nobody uses now. All are held until the last is found, so that none is given out twice.
fn free_ports(nodes: usize) -> Result<Vec<Ports>, anyhow::Error> {
    let mut held = Vec::new();
    for _ in 0..nodes {
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

fn write_node(
    dir: &Path,
    index: usize,
    ports: Ports,
    members: &[String],
    outside: &Outside,
) -> Result<Node, anyhow::Error> {
    let id = index as u64 + 1;
    let (home, modem) = (dir.join(format!("n{id}")), modem_name(index));
    std::fs::create_dir_all(&home)?;
    let (_, number) = SIMS[index];
    let pin = home.join("pin");
    write_private(&pin, PIN)?;
    let pin_line = if index == 1 {
        format!("pin_file = {pin:?}\n")
    } else {
        String::new()
    };
    let mut text = format!(
        "[node]\nname = \"n{id}\"\ndata_dir = {:?}\norganisation = \"Aurora Energy\"\n\n\
         [cluster]\nlisten = \"127.0.0.1:{}\"\n\n\
         [api]\nhttps = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\nmembers = {members:?}\npasskey_domain = \"localhost\"\n\n\
         [[modem]]\nname = \"{modem}\"\ndevice = {:?}\nnumber = \"{number}\"\nrate_per_min = 120\nring_seconds = 5\n{pin_line}\n\
         [mail]\nfrom = \"Aurora Energy <alerts@aurora.example>\"\n\n\
         [watch]\nduty = \"duty\"\n\n\
         [log]\nformat = \"json\"\n",
        home.join("data"),
        ports.cluster,
        ports.https,
        ports.admin,
        outside.port(&modem),
    );
    for smarthost in SMARTHOSTS {
        let port = outside.mail_port(smarthost)?;
        text.push_str(&format!("\n[[smarthost]]\nname = \"{smarthost}\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n"));
    }
    let config = home.join("holdfast.toml");
    std::fs::write(&config, text)?;
    Ok(Node {
        id,
        config,
        https: SocketAddr::from(([127, 0, 0, 1], ports.https)),
        socket: home.join("data/holdfast.sock"),
        modem,
        number,
        log: dir.join(format!("n{id}.log")),
        process: None,
    })
}

fn write_private(path: &Path, text: &str) -> Result<(), anyhow::Error> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    Ok(())
}
