//! The nodes together: founded, joined and promoted the way an operator would do it, then asked how they are.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use hyper::Method;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::client::{Door, trust};
use crate::node::Node;
use crate::world::{PEOPLE, World, phone};

/// How long the nodes may take to agree after a change.
const SETTLE_TIME: Duration = Duration::from_secs(60);

/// How long a newcomer asks to be let in.
const JOIN_TIME: Duration = Duration::from_secs(10);

/// One question to one node about its cluster.
const ASK_TIME: Duration = Duration::from_secs(3);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Entries that loops may have in flight in a cluster that counts as settled.
const LAG_MAX: u64 = 8;

/// The cluster under test.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    key: String,
    tls: TlsConnector,
}

impl Cluster {
    /// Founds a cluster at the first site, lets the others join, and enters the people.
    pub(crate) async fn start(
        dir: &Path,
        sites: u8,
        program: &Path,
        profile: &str,
        world: &World,
    ) -> Result<Self> {
        let mut nodes = Vec::new();
        for site in 1..=sites {
            nodes.push(Node::write(dir, site, program, profile, &world.port(site))?);
        }
        let founded = nodes[0].run(&["init"], "").await?;
        let text = |field: &str| {
            let value = founded[field].as_str();
            value.with_context(|| format!("init printed no {field}"))
        };
        let tls = trust(Path::new(text("ca_file")?))?;
        let mut cluster = Self {
            key: text("key")?.to_owned(),
            tls,
            nodes,
        };
        cluster.nodes[0].start()?;
        wait("the first node leads", SETTLE_TIME, async || {
            Ok(cluster.view(0).await?["leader"] == 1)
        })
        .await?;
        for index in 1..cluster.nodes.len() {
            cluster.join(index, 0).await?;
        }
        cluster.settled(SETTLE_TIME).await?;
        cluster.enter_people().await?;
        Ok(cluster)
    }

    /// A way for a program outside to ask a node.
    pub(crate) fn door(&self, index: usize) -> Door {
        Door::https(self.nodes[index].https(), &self.key, self.tls.clone())
    }

    pub(crate) fn node(&mut self, site: u8) -> &mut Node {
        &mut self.nodes[usize::from(site) - 1]
    }

    /// How a node sees its cluster.
    pub(crate) async fn view(&self, index: usize) -> Result<Value> {
        self.nodes[index].local().get("/v1/cluster", ASK_TIME).await
    }

    /// Lets the node at `index`, which has no files, join through the one at `through`, and makes it a voter.
    pub(crate) async fn join(&mut self, index: usize, through: usize) -> Result<()> {
        let mut first = self.nodes[through].local();
        let invitation = first
            .change(
                Method::POST,
                "/v1/cluster/invitations",
                &json!({}),
                ASK_TIME,
            )
            .await?;
        let token = invitation["token"].as_str();
        let token = token.context("the invitation has no token")?;
        let node = &mut self.nodes[index];
        let until = Instant::now() + JOIN_TIME;
        let joined = loop {
            match node.run(&["join", "-"], token).await {
                Ok(joined) => break joined,
                // The network may be cut just now.
                Err(_) if Instant::now() < until => sleep(LOOK_EVERY).await,
                Err(error) => return Err(error),
            }
        };
        node.id = joined["node"].as_u64().context("join named no node")?;
        node.start()?;
        let id = node.id;
        self.promote(id, through).await
    }

    /// Makes a learner a voter once it has caught up.
    async fn promote(&self, id: u64, through: usize) -> Result<()> {
        let body = json!({ "node": id });
        wait(&format!("node {id} is a voter"), SETTLE_TIME, async || {
            let mut door = self.nodes[through].local();
            // Refused until the newcomer has caught up.
            _ = door
                .change(Method::POST, "/v1/cluster/promote", &body, ASK_TIME)
                .await;
            Ok(votes(&self.view(through).await?, id))
        })
        .await
    }

    /// Waits until every running node names the same leader, all vote, and none is behind.
    pub(crate) async fn settled(&self, limit: Duration) -> Result<()> {
        wait("the nodes settle", limit, async || self.agree().await).await
    }

    async fn agree(&self) -> Result<bool> {
        let mut views = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if !node.is_running() {
                bail!("the node at site {} does not run", node.site);
            }
            let view = self.view(index).await;
            views.push(view.with_context(|| format!("site {}", node.site))?);
        }
        let applied = views
            .iter()
            .filter_map(|view| view["applied"].as_u64())
            .min();
        let last_log = views
            .iter()
            .filter_map(|view| view["last_log"].as_u64())
            .max();
        let leader = &views[0]["leader"];
        let voting = |node: &Node| views.iter().all(|view| votes(view, node.id));
        Ok(!leader.is_null()
            && views.iter().all(|view| &view["leader"] == leader)
            && self.nodes.iter().all(voting)
            && applied.unwrap_or(0) + LAG_MAX >= last_log.unwrap_or(u64::MAX))
    }

    async fn enter_people(&self) -> Result<()> {
        let mut door = self.nodes[0].local();
        for person in 0..PEOPLE {
            let key = person_key(person);
            let body = json!({
                "name": format!("Person {person}"),
                "language": "en",
                "methods": [
                    { "kind": "sms", "address": phone(person) },
                    { "kind": "email", "address": format!("{key}@aurora.example") },
                ],
            });
            let path = format!("/v1/people/{key}");
            door.change(Method::PUT, &path, &body, SETTLE_TIME).await?;
        }
        Ok(())
    }
}

/// The key of a person in the API.
pub(crate) fn person_key(person: usize) -> String {
    format!("p{person}")
}

fn votes(view: &Value, id: u64) -> bool {
    let members = view["members"].as_array().map_or(&[][..], Vec::as_slice);
    members
        .iter()
        .any(|member| member["node"] == id && member["role"] != "learner")
}

/// Looks until something is so.
pub(crate) async fn wait(
    what: &str,
    limit: Duration,
    is_so: impl AsyncFn() -> Result<bool>,
) -> Result<()> {
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
                Err(why) => why.context(error),
            });
        }
        sleep(LOOK_EVERY).await;
    }
}
