//! The node's settings: `holdfast.toml`, then `holdfast.d/*.toml`, then `HOLDFAST__SECTION__KEY`, each laid over the one
//! before. Keys are strict: an unknown one is an error that names its file and line.

mod read;
mod section;
#[cfg(test)]
mod tests;
mod tree;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub(crate) use self::section::Shown;
pub(crate) use self::tree::{Origin, Problem};

/// Where a packaged node keeps its settings.
pub(crate) const DEFAULT_PATH: &str = "/etc/holdfast/holdfast.toml";

/// Everything the operator says about one node, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) node: NodeConfig,
    pub(crate) cluster: ClusterConfig,
    pub(crate) api: ApiConfig,
    pub(crate) modems: Vec<ModemConfig>,
    pub(crate) smarthosts: Vec<SmarthostConfig>,
    pub(crate) mail: MailConfig,
    pub(crate) mail_in: Option<MailInConfig>,
    pub(crate) snmp_in: Option<SnmpInConfig>,
    pub(crate) site_dns: Option<SiteDnsConfig>,
    pub(crate) watch: WatchConfig,
    /// `[site]`: what this node hangs on.
    pub(crate) site: domain::nodes::Place,
    pub(crate) power: Option<PowerConfig>,
    pub(crate) log: LogConfig,
    pub(crate) backup: BackupConfig,
    /// `[files]`: what this node takes of files in rooms.
    pub(crate) files: domain::ports::FileLimits,
}

/// `[mail_in]`, where mail may raise alerts.
#[derive(Clone, Debug)]
pub(crate) struct MailInConfig {
    pub(crate) listen: SocketAddr,
    /// The part after the @ of addresses that are taken.
    pub(crate) domain: String,
    /// The part before the @ where anybody may report something.
    pub(crate) reports: Option<String>,
    /// Whence mail is taken; empty: from this machine only.
    pub(crate) from: Vec<(std::net::IpAddr, u8)>,
}

/// `[snmp_in]`, `[[snmp_community]]` and `[[snmp_user]]`: whose traps may raise alerts.
#[derive(Clone, Debug)]
pub(crate) struct SnmpInConfig {
    pub(crate) listen: SocketAddr,
    /// Whence anything is taken; empty: v3 from everywhere, v2c from this machine only.
    pub(crate) from: Vec<(std::net::IpAddr, u8)>,
    pub(crate) communities: Vec<channels::SnmpCommunity>,
    pub(crate) users: Vec<channels::SnmpUser>,
}

/// `[site_dns]`: the cluster's names for the site's network.
#[derive(Clone, Debug)]
pub(crate) struct SiteDnsConfig {
    pub(crate) listen: SocketAddr,
    /// What all nodes stand under: `oob.example.org`.
    pub(crate) name: String,
    /// Where the site's network reaches this node, if that is not `listen` itself.
    addresses: Vec<std::net::IpAddr>,
}

impl SiteDnsConfig {
    /// Where the site's network reaches this node; empty: at the addresses the other nodes know.
    pub(crate) fn addresses(&self) -> Vec<std::net::IpAddr> {
        let listen = self.listen.ip();
        match self.addresses.is_empty() && !listen.is_unspecified() {
            true => vec![listen],
            false => self.addresses.clone(),
        }
    }
}

/// `[watch]`
#[derive(Clone, Debug)]
pub(crate) struct WatchConfig {
    /// Key of the group that is told when Holdfast itself is in trouble.
    pub(crate) duty: Option<String>,
}

/// `[power]`, where there is an uninterruptible supply.
#[derive(Clone, Debug)]
pub(crate) struct PowerConfig {
    /// Where NUT's `upsd` listens.
    pub(crate) upsd: SocketAddr,
    /// The supply's name there.
    pub(crate) ups: String,
    /// User name in the first line, password in the second; not needed to read.
    pub(crate) credentials_file: Option<PathBuf>,
    /// Below so many minutes on battery, work goes to other nodes.
    pub(crate) hand_over_min: u32,
}

/// `[node]`
#[derive(Clone, Debug)]
pub(crate) struct NodeConfig {
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    /// Name shown in every text; used once, by `init`.
    pub(crate) organisation: Option<String>,
}

/// `[cluster]`
#[derive(Clone, Debug)]
pub(crate) struct ClusterConfig {
    pub(crate) listen: SocketAddr,
    /// `host:port` under which the other nodes reach this one, tried in this order.
    pub(crate) advertise: Vec<String>,
    pub(crate) profile: Profile,
    /// Uplinks and what travels over them.
    pub(crate) carriers: Carriers,
    /// Without a majority for this long the node works by itself.
    pub(crate) island_after_s: u32,
}

/// `[cluster]` and `[[uplink]]`: how bytes reach the other nodes.
#[derive(Clone, Debug)]
pub(crate) struct Carriers {
    /// Name and network device of the uplink at `listen`.
    pub(crate) name: String,
    pub(crate) device: Option<String>,
    pub(crate) uplinks: Vec<UplinkConfig>,
    /// TLS over TCP where UDP does not pass.
    pub(crate) tcp: bool,
    pub(crate) udp_offload: bool,
    pub(crate) mtu_max: u16,
}

/// `[[uplink]]`
#[derive(Clone, Debug)]
pub(crate) struct UplinkConfig {
    pub(crate) name: String,
    pub(crate) listen: SocketAddr,
    pub(crate) device: Option<String>,
    pub(crate) advertise: Vec<String>,
}

/// How far apart the nodes are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    Lan,
    Wan,
    Lte,
    Sat,
}

impl Profile {
    /// The cluster's own word for it.
    pub(crate) fn timing(self) -> cluster::Profile {
        match self {
            Self::Lan => cluster::Profile::Lan,
            Self::Wan => cluster::Profile::Wan,
            Self::Lte => cluster::Profile::Lte,
            Self::Sat => cluster::Profile::Sat,
        }
    }
}

/// `[api]`
#[derive(Clone, Debug)]
pub(crate) struct ApiConfig {
    /// Always TLS.
    pub(crate) https: SocketAddr,
    /// PEM files of a certificate and its key; without them the node makes its own.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    /// Host names and addresses the node's own certificate is for.
    pub(crate) names: Vec<String>,
    /// Where every node of the cluster serves HTTPS, `https://n1.example.org:7443`: the app tries them in turn.
    pub(crate) members: Vec<String>,
    /// The domain of every node's pages, or one above all of them, for which people's passkeys are made. Without it there
    /// are none.
    pub(crate) passkey_domain: Option<String>,
    /// Alerts one key raises in a minute, critical ones counted by themselves; as many at once.
    pub(crate) raises_per_min: u32,
    /// Metrics and API description. Loopback only.
    pub(crate) admin: SocketAddr,
    /// The local command line's way in, mode 0600.
    pub(crate) socket: PathBuf,
}

/// `[[modem]]`
#[derive(Clone, Debug)]
pub(crate) struct ModemConfig {
    pub(crate) name: String,
    pub(crate) device: PathBuf,
    /// Its own number in E.164 form: where answers go.
    pub(crate) number: String,
    pub(crate) pin_file: Option<PathBuf>,
    /// SMS parts per minute.
    pub(crate) rate_per_min: u32,
    /// How long a phone is rung to wake somebody.
    pub(crate) ring_seconds: u32,
    /// Service centre number, when the SIM's own is wrong.
    pub(crate) smsc: Option<String>,
}

/// `[[smarthost]]`
#[derive(Clone, Debug)]
pub(crate) struct SmarthostConfig {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    /// Name its certificate carries when that is not `host`.
    pub(crate) tls_name: Option<String>,
    /// User name in the first line, password in the second.
    pub(crate) credentials_file: Option<PathBuf>,
    /// PEM file of the certificates that may have issued its certificate.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How mail is protected on its way to a smarthost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tls {
    /// Asked for after a plain greeting.
    Upgrade,
    /// From the first byte.
    Implicit,
    /// Loopback only.
    None,
}

/// `[mail]`
#[derive(Clone, Debug)]
pub(crate) struct MailConfig {
    /// Sender of every mail.
    pub(crate) from: String,
    /// What the node calls itself in EHLO.
    pub(crate) hello_name: String,
    /// Mails one node sends at the same time.
    pub(crate) in_flight_max: u32,
}

/// `[backup]`
#[derive(Clone, Debug)]
pub(crate) struct BackupConfig {
    /// Public keys as `age-keygen` prints them; their secret halves belong into safes, not onto nodes.
    pub(crate) recipients: Vec<String>,
    /// Where backups go. Without it, this node makes none by itself.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) every_h: u32,
    /// How many are kept in the folder.
    pub(crate) keep: u32,
}

/// `[log]`
#[derive(Clone, Debug)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    pub(crate) level: LogLevel,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogFormat {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The settings, and every one of them with its origin.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) shown: Vec<Shown>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(.0))]
pub(crate) struct ConfigError(pub(crate) Vec<Problem>);

/// Reads and checks the settings in `path` and what lies over it. Without `path` the packaged place is used if it exists,
/// and defaults that reach no further than this machine if it does not.
///
/// # Errors
/// Every problem found, not just the first.
pub(crate) fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let default = Path::new(DEFAULT_PATH);
    let path = path.or_else(|| default.exists().then_some(default));
    let mut root = tree::Table::new();
    let mut problems = Vec::new();
    for file in path.map(layers).unwrap_or_default() {
        match std::fs::read_to_string(&file) {
            Ok(text) => match tree::parse(&file, &text) {
                Ok(table) => tree::overlay(&mut root, table),
                Err(problem) => problems.push(problem),
            },
            Err(error) => problems.push(Problem {
                origin: Origin::Default,
                key: String::new(),
                text: format!("cannot read {}: {error}", file.display()),
            }),
        }
    }
    match tree::from_environment(std::env::vars()) {
        Ok(table) => tree::overlay(&mut root, table),
        Err(problem) => problems.push(problem),
    }
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    read::read(root)
}

/// The file itself, then every `*.toml` in the folder named like it with `.d`, by name.
fn layers(path: &Path) -> Vec<PathBuf> {
    let mut over: Vec<PathBuf> = std::fs::read_dir(path.with_extension("d"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|e| e == "toml"))
        .collect();
    over.sort();
    over.insert(0, path.to_owned());
    over
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
