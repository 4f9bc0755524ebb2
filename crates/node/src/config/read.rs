//! What each key means, its default and its limits.

mod files;
mod hosts;
mod site_dns;
mod snmp;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use domain::nodes::Place;
use domain::phone::{MailAddress, PhoneNumber};

use self::hosts::{is_host, is_host_and_port, is_origin, read_passkey_domain};
use super::section::{Notes, Section};
use super::tree::{Node, Problem, Table, Value};
use super::{
    ApiConfig, BackupConfig, Carriers, ClusterConfig, Config, ConfigError, Loaded, LogConfig,
    LogFormat, LogLevel, MailConfig, MailInConfig, ModemConfig, NodeConfig, PowerConfig, Profile,
    SmarthostConfig, Tls, UplinkConfig, WatchConfig,
};

/// Alerts of one API key in a minute (SECURITY §2.4).
const RAISES_PER_MIN: u32 = 60;

/// More than a node takes in, so a larger figure is a slip.
const RAISES_PER_MIN_MAX: u32 = 60_000;

/// SMS parts per minute that operators let through on an ordinary subscription without throttling.
const MODEM_RATE_PER_MIN: u32 = 12;

/// Long enough to wake, short enough that voice mail does not take the call.
const MODEM_RING_SECONDS: u32 = 22;
const MODEM_RING_SECONDS_MIN: u32 = 5;
const MODEM_RING_SECONDS_MAX: u32 = 30;

/// A day is what people expect to lose at most when everything burns.
const BACKUP_EVERY_H: u32 = 24;
const BACKUPS_KEPT: u32 = 14;
/// Enough to hand everything over and to tell people, whatever the batteries' age.
const HAND_OVER_MIN: u32 = 20;

/// More than any GSM line carries, so a larger figure is a slip.
const MODEM_RATE_PER_MIN_MAX: u32 = 600;

/// The longest name of what a site hangs on, in characters.
const SITE_NAME_LEN_MAX: usize = 100;

/// Turns the merged layers into settings, or into the list of everything wrong with them.
pub(super) fn read(root: Table) -> Result<Loaded, ConfigError> {
    let mut notes = Notes::default();
    let mut top = Section::new("", super::Origin::Default, root, &mut notes);
    let [
        node,
        cluster,
        api,
        mail,
        mail_in,
        snmp_in,
        names,
        watch,
        site,
        power,
        log,
        backup,
        file_limits,
    ] = [
        "node", "cluster", "api", "mail", "mail_in", "snmp_in", "site_dns", "watch", "site",
        "power", "log", "backup", "files",
    ]
    .map(|key| top.section(key));
    let [modems, smarthosts, uplinks] =
        ["modem", "smarthost", "uplink"].map(|key| top.sections(key));
    let [communities, users] = ["snmp_community", "snmp_user"].map(|key| top.sections(key));
    top.finish();

    let node = read_node(Section::new("node", node.0, node.1, &mut notes));
    let mut cluster = read_cluster(Section::new("cluster", cluster.0, cluster.1, &mut notes));
    let uplinks = named("uplink", uplinks, &mut notes, read_uplink);
    let further = uplinks.iter().flat_map(|uplink| uplink.advertise.clone());
    cluster.advertise.extend(further);
    cluster.carriers.uplinks = uplinks;
    let api = read_api(
        Section::new("api", api.0, api.1, &mut notes),
        &node.data_dir,
    );
    let modems = named("modem", modems, &mut notes, read_modem);
    let smarthosts = named("smarthost", smarthosts, &mut notes, read_smarthost);
    let mail = read_mail(
        Section::new("mail", mail.0, mail.1, &mut notes),
        !smarthosts.is_empty(),
    );
    let mail_in = (!mail_in.1.is_empty())
        .then(|| read_mail_in(Section::new("mail_in", mail_in.0, mail_in.1, &mut notes)));
    let communities = named(
        "snmp_community",
        communities,
        &mut notes,
        snmp::read_community,
    );
    let users = named("snmp_user", users, &mut notes, snmp::read_user);
    let snmp_in =
        (!snmp_in.1.is_empty() || !communities.is_empty() || !users.is_empty()).then(|| {
            let section = Section::new("snmp_in", snmp_in.0, snmp_in.1, &mut notes);
            snmp::read(section, communities, users)
        });
    let site_dns = (!names.1.is_empty()).then(|| {
        let section = Section::new("site_dns", names.0, names.1, &mut notes);
        site_dns::read(section)
    });
    let watch = read_watch(Section::new("watch", watch.0, watch.1, &mut notes));
    let site = read_site(Section::new("site", site.0, site.1, &mut notes));
    let power = (!power.1.is_empty())
        .then(|| read_power(Section::new("power", power.0, power.1, &mut notes)));
    let log = read_log(Section::new("log", log.0, log.1, &mut notes));
    let backup = read_backup(Section::new("backup", backup.0, backup.1, &mut notes));
    let files = files::read(Section::new(
        "files",
        file_limits.0,
        file_limits.1,
        &mut notes,
    ));
    let config = Config {
        node,
        cluster,
        api,
        modems,
        smarthosts,
        mail,
        mail_in,
        snmp_in,
        site_dns,
        watch,
        site,
        power,
        log,
        backup,
        files,
    };
    check_together(&config, &mut notes);

    if notes.problems.is_empty() {
        Ok(Loaded {
            config,
            shown: notes.shown,
        })
    } else {
        Err(ConfigError(notes.problems))
    }
}

fn read_node(mut section: Section<'_>) -> NodeConfig {
    let name = section.text_or("name", "holdfast");
    check_name(&mut section, "name", &name);
    let data_dir = PathBuf::from(section.text_or("data_dir", "/var/lib/holdfast"));
    if !data_dir.is_absolute() {
        section.problem("data_dir", "write the whole path, from /".to_owned());
    }
    let organisation = section.text("organisation");
    if organisation.as_ref().is_some_and(|o| {
        o.trim().is_empty() || o.chars().count() > 40 || o.chars().any(char::is_control)
    }) {
        section.problem(
            "organisation",
            "1 to 40 characters: it stands in every text".to_owned(),
        );
    }
    section.finish();
    NodeConfig {
        name,
        data_dir,
        organisation,
    }
}

/// A node that waits longer before it works by itself is silent for too long.
const ISLAND_AFTER_S_MAX: u32 = 600;

fn read_cluster(mut section: Section<'_>) -> ClusterConfig {
    let listen = address(&mut section, "listen", "127.0.0.1:7420");
    let advertise = advertised(&mut section, listen, "this one");
    let words = [
        ("lan", Profile::Lan),
        ("wan", Profile::Wan),
        ("lte", Profile::Lte),
        ("sat", Profile::Sat),
    ];
    let profile = section.choice("profile", Profile::Lan, &words);
    let carriers = read_carriers(&mut section);
    // Sooner would make an island of a node that only waits for the next leader.
    let least = profile.timing().island_after().as_millis().div_ceil(1_000);
    let least = u32::try_from(least).unwrap_or(ISLAND_AFTER_S_MAX);
    let island_after_s = section.number_or("island_after_s", least, least..=ISLAND_AFTER_S_MAX);
    section.finish();
    ClusterConfig {
        listen,
        advertise,
        profile,
        carriers,
        island_after_s,
    }
}

/// Datagrams every path must carry, and the largest that are tried.
const MTU: std::ops::RangeInclusive<u32> = 1_200..=1_452;

fn read_carriers(section: &mut Section<'_>) -> Carriers {
    let switch = [("on", true), ("off", false)];
    let name = section.text_or("uplink", "main");
    check_name(section, "uplink", &name);
    let device = section.text("device");
    check_device(section, device.as_deref());
    let mtu_max = section.number_or("mtu_max", *MTU.end(), MTU);
    Carriers {
        name,
        device,
        uplinks: Vec::new(),
        tcp: section.choice("tcp", true, &switch),
        udp_offload: section.choice("udp_offload", true, &switch),
        mtu_max: u16::try_from(mtu_max).unwrap_or(1_452),
    }
}

/// Where the other nodes reach `what`, listening there: as said, else under the same address.
fn advertised(section: &mut Section<'_>, listen: SocketAddr, what: &str) -> Vec<String> {
    let mut advertise = section.texts("advertise");
    for text in &advertise {
        if !is_host_and_port(text) {
            section.problem("advertise", format!("{text:?} is not host:port"));
        }
    }
    if advertise.is_empty() {
        if listen.ip().is_unspecified() {
            section.problem("advertise", format!("say under which host:port the other nodes reach {what}; {listen} names no address"));
        }
        advertise.push(listen.to_string());
    }
    advertise
}

fn read_uplink(mut section: Section<'_>) -> UplinkConfig {
    let name = section.required("name", "give every uplink a name such as \"lte\"");
    check_name(&mut section, "name", &name);
    let listen = address(&mut section, "listen", "127.0.0.1:7421");
    let device = section.text("device");
    check_device(&mut section, device.as_deref());
    let advertise = advertised(&mut section, listen, "this uplink");
    section.finish();
    UplinkConfig {
        name,
        listen,
        device,
        advertise,
    }
}

/// A network device has at most 15 bytes in its name, none of them a slash or a space.
fn check_device(section: &mut Section<'_>, device: Option<&str>) {
    let bad = |name: &str| {
        name.is_empty() || name.len() > 15 || name.contains(['/', ' ']) || !name.is_ascii()
    };
    if device.is_some_and(bad) {
        section.problem(
            "device",
            "not the name of a network device; see `ip link`".to_owned(),
        );
    }
}

fn read_backup(mut section: Section<'_>) -> BackupConfig {
    let recipients = section.texts("recipients");
    for text in &recipients {
        if !text.trim().starts_with("age1") {
            section.problem(
                "recipients",
                format!(
                    "{text:?} is no age recipient; `age-keygen` prints one that begins with age1"
                ),
            );
        }
    }
    let folder = section.text("folder").map(PathBuf::from);
    if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
        section.problem("folder", "write the whole path, from /".to_owned());
    }
    if folder.is_some() && recipients.is_empty() {
        section.problem(
            "folder",
            "backups are always encrypted; set recipients too, at least two".to_owned(),
        );
    }
    let every_h = section.number_or("every_h", BACKUP_EVERY_H, 1..=24 * 31);
    let keep = section.number_or("keep", BACKUPS_KEPT, 1..=10_000);
    section.finish();
    BackupConfig {
        recipients,
        folder,
        every_h,
        keep,
    }
}

fn read_api(mut section: Section<'_>, data_dir: &Path) -> ApiConfig {
    let https = address(&mut section, "https", "127.0.0.1:7443");
    let cert_file = section.text("cert_file").map(PathBuf::from);
    let key_file = section.text("key_file").map(PathBuf::from);
    for (key, file) in [("cert_file", &cert_file), ("key_file", &key_file)] {
        if let Some(file) = file {
            check_file(&mut section, key, file, key == "key_file");
        }
    }
    let certificate = match (cert_file, key_file) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            section.problem(
                "cert_file",
                "a certificate needs its key; set key_file too, or neither".to_owned(),
            );
            None
        }
        (None, Some(_)) => {
            section.problem(
                "key_file",
                "a key needs its certificate; set cert_file too, or neither".to_owned(),
            );
            None
        }
    };
    let mut names = section.texts("names");
    for name in &names {
        if name.parse::<IpAddr>().is_err() && !is_host(name) {
            section.problem(
                "names",
                format!("{name:?} is neither a host name nor an address"),
            );
        }
    }
    if names.is_empty() {
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        if !https.ip().is_unspecified() && !https.ip().is_loopback() {
            names.push(https.ip().to_string());
        }
    }
    let members = section.texts("members");
    for member in &members {
        if !is_origin(member) {
            section.problem(
                "members",
                format!("{member:?} is not where a node serves HTTPS; write for example https://n1.example.org:7443, and no path behind it"),
            );
        }
    }
    let passkey_domain = read_passkey_domain(&mut section, &members);
    let raises_per_min =
        section.number_or("raises_per_min", RAISES_PER_MIN, 1..=RAISES_PER_MIN_MAX);
    let admin = address(&mut section, "admin", "127.0.0.1:7480");
    if !admin.ip().is_loopback() {
        section.problem("admin", format!("{admin} is reachable from outside without TLS; use a loopback address such as 127.0.0.1:7480"));
    }
    let socket = section
        .text("socket")
        .map_or_else(|| data_dir.join("holdfast.sock"), PathBuf::from);
    if !socket.is_absolute() {
        section.problem("socket", "write the whole path, from /".to_owned());
    } else if socket.as_os_str().len() > 100 {
        section.problem(
            "socket",
            "a socket's path may have 100 bytes at most; choose a shorter one".to_owned(),
        );
    }
    section.finish();
    ApiConfig {
        https,
        certificate,
        names,
        members,
        passkey_domain,
        raises_per_min,
        admin,
        socket,
    }
}

fn read_modem(mut section: Section<'_>) -> ModemConfig {
    let name = section.required("name", "give every modem a name such as \"m1\"");
    check_name(&mut section, "name", &name);
    let device = PathBuf::from(section.required(
        "device",
        "the serial port, best by its fixed name under /dev/serial/by-id",
    ));
    if !device.as_os_str().is_empty() && !device.is_absolute() {
        section.problem("device", "write the whole path, from /".to_owned());
    }
    let number = section.required(
        "number",
        "the SIM's own number, where answers go: \"+358401234567\"",
    );
    let number = phone(&mut section, "number", number);
    let pin_file = section.text("pin_file").map(PathBuf::from);
    if let Some(file) = &pin_file {
        check_file(&mut section, "pin_file", file, true);
    }
    let rate_per_min = section.number_or(
        "rate_per_min",
        MODEM_RATE_PER_MIN,
        1..=MODEM_RATE_PER_MIN_MAX,
    );
    let ring_seconds = section.number_or(
        "ring_seconds",
        MODEM_RING_SECONDS,
        MODEM_RING_SECONDS_MIN..=MODEM_RING_SECONDS_MAX,
    );
    let smsc = section.text("smsc");
    let smsc = smsc.map(|text| phone(&mut section, "smsc", text));
    section.finish();
    ModemConfig {
        name,
        device,
        number,
        pin_file,
        rate_per_min,
        ring_seconds,
        smsc,
    }
}

fn read_smarthost(mut section: Section<'_>) -> SmarthostConfig {
    let name = section.required("name", "give every smarthost a name such as \"first\"");
    check_name(&mut section, "name", &name);
    let host = section.required(
        "host",
        "a host name or, better, an address that needs no DNS",
    );
    if !host.is_empty() && host.parse::<IpAddr>().is_err() && !is_host(&host) {
        section.problem(
            "host",
            format!("{host:?} is neither a host name nor an address"),
        );
    }
    let words = [
        ("starttls", Tls::Upgrade),
        ("implicit", Tls::Implicit),
        ("none", Tls::None),
    ];
    let tls = section.choice("tls", Tls::Upgrade, &words);
    if tls == Tls::None
        && host != "localhost"
        && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    {
        section.problem(
            "tls",
            format!(
                "{host} is not this machine, so mail to it needs TLS; use starttls or implicit"
            ),
        );
    }
    let default_port = if tls == Tls::Implicit { 465 } else { 587 };
    let port = section.number_or("port", default_port, 1..=65_535);
    let tls_name = section.text("tls_name");
    let credentials_file = section.text("credentials_file").map(PathBuf::from);
    if let Some(file) = &credentials_file {
        check_file(&mut section, "credentials_file", file, true);
        if tls == Tls::None {
            section.problem(
                "credentials_file",
                "credentials never travel without TLS; set tls or leave them out".to_owned(),
            );
        }
    }
    let ca_file = section.text("ca_file").map(PathBuf::from);
    if let Some(file) = &ca_file {
        check_file(&mut section, "ca_file", file, false);
    }
    section.finish();
    let port = u16::try_from(port).unwrap_or(default_port as u16);
    SmarthostConfig {
        name,
        host,
        port,
        tls,
        tls_name,
        credentials_file,
        ca_file,
    }
}

fn read_mail(mut section: Section<'_>, needed: bool) -> MailConfig {
    let from = if needed {
        section.required(
            "from",
            "with a smarthost there must be a sender, such as \"alerts@example.org\"",
        )
    } else {
        section.text_or("from", "")
    };
    let address = from
        .rsplit_once('<')
        .map_or(from.as_str(), |(_, a)| a.trim_end_matches('>'));
    if !from.is_empty()
        && let Err(error) = MailAddress::parse(address)
    {
        section.problem("from", error.to_string());
    }
    let hello_name = section.text_or("hello_name", "[127.0.0.1]");
    let literal = hello_name
        .strip_prefix('[')
        .and_then(|n| n.strip_suffix(']'));
    if !literal.map_or(is_host(&hello_name), |ip| ip.parse::<IpAddr>().is_ok()) {
        section.problem(
            "hello_name",
            "write the node's full host name, or its address in square brackets".to_owned(),
        );
    }
    let in_flight_max = section.number_or("in_flight_max", 4, 1..=50);
    section.finish();
    MailConfig {
        from,
        hello_name,
        in_flight_max,
    }
}

fn read_mail_in(mut section: Section<'_>) -> MailInConfig {
    let listen = address(&mut section, "listen", "127.0.0.1:2525");
    let domain = section.required(
        "domain",
        "the part after the @ of the sources' addresses, such as \"alarm.example.org\"",
    );
    let host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !domain.is_empty() && (!domain.chars().all(host) || domain.len() > 253) {
        section.problem("domain", "write a host name without the @".to_owned());
    }
    let reports = section.text("reports");
    let fits = |local: &str| {
        (1..=64).contains(&local.len())
            && local
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
    };
    if reports.as_ref().is_some_and(|local| !fits(local)) {
        section.problem(
            "reports",
            "write the part before the @ in small letters, such as \"report\"".to_owned(),
        );
    }
    let from = networks(&mut section, "from");
    if from.is_empty() && !listen.ip().is_loopback() {
        section.problem(
            "from",
            "missing; say which networks may raise alerts by mail".to_owned(),
        );
    }
    section.finish();
    MailInConfig {
        listen,
        domain,
        reports,
        from,
    }
}

fn networks(section: &mut Section<'_>, key: &'static str) -> Vec<(IpAddr, u8)> {
    let mut networks = Vec::new();
    for text in section.texts(key) {
        match network(&text) {
            Some(network) => networks.push(network),
            None => section.problem(
                key,
                format!("{text:?} is not a network; write 10.1.0.0/16 or 10.1.2.3"),
            ),
        }
    }
    networks
}

/// An address with the number of leading bits that count; all of them unless said otherwise.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(all), |bits| bits.parse().ok())?;
    (bits <= all).then_some((address, bits))
}

fn read_watch(mut section: Section<'_>) -> WatchConfig {
    let duty = section.text("duty");
    if duty.as_ref().is_some_and(|key| key.trim().is_empty()) {
        section.problem(
            "duty",
            "name the group that is told, or leave it out".to_owned(),
        );
    }
    section.finish();
    WatchConfig { duty }
}

/// What two nodes share fails for both.
fn read_site(mut section: Section<'_>) -> Place {
    let mut name = |key: &'static str| {
        let name = section.text(key).unwrap_or_default().trim().to_owned();
        if name.chars().count() > SITE_NAME_LEN_MAX {
            let problem = format!("has at most {SITE_NAME_LEN_MAX} characters");
            section.problem(key, problem);
        }
        name
    };
    let place = Place {
        provider: name("provider"),
        operator: name("operator"),
        feed: name("feed"),
        hypervisor: name("hypervisor"),
    };
    section.finish();
    place
}

fn read_power(mut section: Section<'_>) -> PowerConfig {
    let upsd = address(&mut section, "upsd", "127.0.0.1:3493");
    if !upsd.ip().is_loopback() {
        section.problem(
            "upsd",
            format!(
                "{upsd} is reachable from outside and speaks without TLS; run upsd on this machine"
            ),
        );
    }
    let ups = section.required("ups", "the supply's name in ups.conf, such as \"ups\"");
    check_name(&mut section, "ups", &ups);
    let credentials_file = section.text("credentials_file").map(PathBuf::from);
    if let Some(file) = &credentials_file {
        check_file(&mut section, "credentials_file", file, true);
    }
    let hand_over_min = section.number_or("hand_over_min", HAND_OVER_MIN, 1..=24 * 60);
    section.finish();
    PowerConfig {
        upsd,
        ups,
        credentials_file,
        hand_over_min,
    }
}

fn read_log(mut section: Section<'_>) -> LogConfig {
    let format = section.choice(
        "format",
        LogFormat::Human,
        &[("human", LogFormat::Human), ("json", LogFormat::Json)],
    );
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    let level = section.choice("level", LogLevel::Info, &levels);
    section.finish();
    LogConfig { format, level }
}

/// Reads every section of a list under its own name, `modem.m1`, and refuses a name that is used twice.
fn named<T>(
    kind: &str,
    values: Vec<Value>,
    notes: &mut Notes,
    read: fn(Section<'_>) -> T,
) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for Value { origin, node } in values {
        let Node::Table(table) = node else {
            notes.problems.push(Problem {
                origin,
                key: kind.to_owned(),
                text: format!("write it with two brackets, [[{kind}]]"),
            });
            continue;
        };
        let name = match table.get("name") {
            Some(Value {
                node: Node::Text(name),
                ..
            }) => name.clone(),
            Some(_) | None => "?".to_owned(),
        };
        let path = format!("{kind}.{name}");
        if !seen.insert(name) {
            notes.problems.push(Problem {
                origin: origin.clone(),
                key: path.clone(),
                text: "this name is used twice".to_owned(),
            });
        }
        all.push(read(Section::new(&path, origin, table, notes)));
    }
    all
}

/// What only shows when sections are seen side by side.
fn check_together(config: &Config, notes: &mut Notes) {
    let mut problem = |key: &str, text: String| {
        notes.problems.push(Problem {
            origin: super::Origin::Default,
            key: key.to_owned(),
            text,
        });
    };
    if config.api.https == config.api.admin && config.api.https.port() != 0 {
        problem(
            "api.admin",
            format!(
                "{} is already api.https; choose another port",
                config.api.admin
            ),
        );
    }
    let devices: BTreeSet<_> = config.modems.iter().map(|m| &m.device).collect();
    if devices.len() < config.modems.len() {
        problem("modem", "two modems name the same device".to_owned());
    }
    let numbers: BTreeSet<_> = config.modems.iter().map(|m| &m.number).collect();
    if numbers.len() < config.modems.len() {
        problem(
            "modem",
            "two modems name the same number; answers would be looked for in the wrong place"
                .to_owned(),
        );
    }
    if config
        .smarthosts
        .iter()
        .any(|s| config.modems.iter().any(|m| m.name == s.name))
    {
        problem(
            "smarthost",
            "a smarthost and a modem have the same name; they are shown side by side".to_owned(),
        );
    }
}

fn address(section: &mut Section<'_>, key: &'static str, default: &str) -> SocketAddr {
    let text = section.text_or(key, default);
    text.parse().unwrap_or_else(|_| {
        section.problem(
            key,
            format!("{text:?} is not address:port; write for example {default}"),
        );
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn phone(section: &mut Section<'_>, key: &'static str, text: String) -> String {
    match PhoneNumber::parse(&text) {
        Ok(number) => number.as_str().to_owned(),
        Err(_) if text.is_empty() => text,
        Err(error) => {
            section.problem(key, error.to_string());
            text
        }
    }
}

fn check_name(section: &mut Section<'_>, key: &'static str, name: &str) {
    let fits = (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !fits && !name.is_empty() {
        section.problem(
            key,
            format!("{name:?}: use 1 to 32 letters, digits, - or _"),
        );
    }
}

/// A file must be there; one with a secret must be closed to everyone but its owner.
fn check_file(section: &mut Section<'_>, key: &'static str, path: &Path, secret: bool) {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => {
            section.problem(key, format!("{} is not a file", path.display()))
        }
        Ok(meta) if secret && meta.mode() & 0o077 != 0 => {
            let text = format!(
                "{} is readable by others (mode {:03o}); run chmod 600 on it",
                path.display(),
                meta.mode() & 0o777
            );
            section.problem(key, text);
        }
        Ok(_) => {}
        Err(error) => section.problem(key, format!("cannot read {}: {error}", path.display())),
    }
}
