//! The grammar of the command line.

mod account;
mod act;
mod directory;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::account::{AccountCommand, GlassCommand, PermitCommand};
pub(crate) use self::act::{ActCommand, AudienceWord, RoleWord, Update};
pub(crate) use self::directory::{
    DirectoryCommand, FormatWord, GroupCommand, Import, KindWord, PersonCommand, PersonImport,
    PutPerson, StateWord,
};
use super::audit::AuditCommand;
use super::documents::DocumentCommand;
use super::held::{HeldAct, ReviewsCommand};
use super::inbox::InboxCommand;
use super::limits::LimitsCommand;
use super::readiness::ReadinessArgs;
use super::report::ReportCommand;
use super::room::RoomCommand;
use super::schedule::ScheduleCommand;
use super::setup::SetupCommand;
use super::source::SourceCommand;
use super::template::TemplateCommand;
use super::texts::Texts;
use super::units::UnitCommand;
use super::waking::{RoundTripCommand, Vcard, WakeCommand};
use super::zones::ZonesCommand;

/// Alerting by SMS and e-mail that keeps working when everything else is down.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Settings file [default: HOLDFAST_CONFIG, then /etc/holdfast/holdfast.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No messages besides the answer
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// No colours (also NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Ask this node over HTTPS instead of the local one; repeat it for fail-over
    #[arg(
        long = "node",
        global = true,
        value_name = "URL",
        requires = "key_file"
    )]
    pub(crate) nodes: Vec<String>,
    /// File with the API key for --node
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Certificate (PEM) that --node must prove itself with
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// How long to try, such as 30s
    #[arg(long, global = true, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Do not ask back
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Three nodes, modems and mailboxes on this machine, to see it work
    Demo(Demo),
    /// Run this node
    Run {
        /// End when the program that started it ends
        #[arg(long, hide = true)]
        stop_with_parent: bool,
    },
    /// Found a cluster of which this is the first node, and print the first API key and the first admin's setup code
    Init {
        /// Name of the organisation as it stands in every text
        #[arg(long)]
        organisation: Option<String>,
    },
    /// Join the cluster that gave this token; "-" reads it from standard input
    Join { token: String },
    /// How this node and its cluster are
    Status,
    /// Look for what would stop this node from alerting
    Doctor,
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Raise alerts and see what became of them
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Alerts that went without a second person, until somebody else has looked at them
    Reviews {
        #[command(subcommand)]
        command: Option<ReviewsCommand>,
    },
    /// What a new cluster still needs
    Setup {
        #[command(subcommand)]
        command: Option<SetupCommand>,
    },
    /// Whether people can be reached when it matters, why not, and what to do
    Readiness(ReadinessArgs),
    /// How much may leave, and when a second person must agree
    #[command(subcommand)]
    Limits(LimitsCommand),
    /// People who can be told something
    #[command(subcommand)]
    Person(PersonCommand),
    /// Groups of people, in calling order
    #[command(subcommand)]
    Group(GroupCommand),
    /// Parts of the organisation, and who belongs to them
    #[command(subcommand)]
    Unit(UnitCommand),
    /// What people say to each other: rooms of alerts and everyday ones, and their records
    #[command(subcommand)]
    Room(RoomCommand),
    /// Plans and instructions, pinned to scenarios
    #[command(subcommand)]
    Document(DocumentCommand),
    /// Programs and things that raise alerts by themselves
    #[command(subcommand)]
    Source(SourceCommand),
    /// What anybody reported, and what those on duty make of it
    #[command(subcommand)]
    Report(ReportCommand),
    /// The card with all our numbers, for phones to let through at night, and how to set phones up
    Vcard(Vcard),
    /// Tests that show whether phones wake their owners
    #[command(subcommand)]
    Wake(WakeCommand),
    /// Texts between our own modems that show that they work
    #[command(subcommand)]
    RoundTrip(RoundTripCommand),
    /// Texts that came in, orders by text, and who may give them
    #[command(subcommand)]
    Inbox(InboxCommand),
    /// Who is on call when
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Rules of time zones
    #[command(subcommand)]
    Zones(ZonesCommand),
    /// Prepared alerts, one per scenario
    #[command(subcommand)]
    Template(TemplateCommand),
    /// How files may change people: imports that wait, the switch that freezes them, numbers texts may go to
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Keys for programs that use the HTTP API
    #[command(subcommand)]
    Key(KeyCommand),
    /// Who may sign in, and what they may do
    #[command(subcommand)]
    Account(AccountCommand),
    /// Modems of all nodes
    #[command(subcommand)]
    Modem(ModemCommand),
    /// The nodes that make up the cluster
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// What a node did while it was cut off, and how it gets to the others
    #[command(subcommand)]
    Island(IslandCommand),
    /// Who did what: look, take it away, verify it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Encrypted copies of everything, for the day all nodes are lost
    #[command(subcommand)]
    Backup(BackupCommand),
    /// What waits to be sent, and whether it is held back
    #[command(subcommand)]
    Outbox(OutboxCommand),
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Play the whole story, print a table, and exit 0 only if every promise held
    #[arg(long)]
    pub(crate) once: bool,
    /// Keep the nodes' files here instead of in a folder that is deleted at the end
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<DemoCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// The emulated phones of a running demo and what they received
    Phones {
        #[command(flatten)]
        at: DemoAt,
        /// Only this phone
        number: Option<String>,
    },
    /// Write a text on an emulated phone
    Text {
        #[command(flatten)]
        at: DemoAt,
        from: String,
        to: String,
        text: String,
    },
    /// The mails that were received
    Mail {
        #[command(flatten)]
        at: DemoAt,
    },
}

#[derive(Args, Debug)]
pub(crate) struct DemoAt {
    /// Control socket of the emulated world, as the demo printed it
    #[arg(long, value_name = "SOCKET")]
    pub(crate) world: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check everything that can be checked without starting; every problem is shown
    Check,
    /// Show the settings as they take effect
    Show {
        /// And where each of them was written
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Raise an alert
    Raise(Box<Raise>),
    /// List alerts, newest first
    List {
        /// Also closed ones
        #[arg(long)]
        all: bool,
    },
    /// Everything about one alert: who was told, who answered, what happens next
    Show { alert: String },
    /// Stop its escalation
    Ack {
        alert: String,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Record what a person said
    Answer {
        alert: String,
        /// Key of the person
        person: String,
        answer: AnswerWord,
        /// Minutes until somebody who is coming is there
        #[arg(long, value_name = "MINUTES")]
        eta: Option<u16>,
    },
    /// Record how somebody asked by a safety check is, on the word of whoever saw them
    Mark {
        alert: String,
        /// Key of the person
        person: String,
        mark: MarkWord,
        /// Who saw them, by name [default: whoever runs this]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Who of a safety check is missing or needs help, by site and name, to be printed
    Missing {
        alert: String,
        /// Everyone who was asked
        #[arg(long)]
        all: bool,
        /// As a table for a spreadsheet
        #[arg(long)]
        csv: bool,
    },
    /// Close it; nobody is told
    Resolve {
        alert: String,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Call it off: everyone who was or may have been told is told so
    #[command(name = "calloff")]
    CallOff {
        alert: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// ALERT is the same matter as INTO: answers carry over and ALERT stops
    Join { alert: String, into: String },
    /// Alerts that wait for a second person
    Held {
        /// Also those that do not wait any more
        #[arg(long)]
        all: bool,
    },
    /// Agree, as a second person, to an alert that waits: people are called
    Approve(HeldAct),
    /// Say no, as a second person, to an alert that waits
    Refuse(HeldAct),
    /// Let an alert that has waited for three minutes go alone; somebody else must review it
    Release(HeldAct),
    /// Take back an alert that waits
    TakeBack(HeldAct),
    #[command(flatten)]
    Act(ActCommand),
}

#[derive(Args, Debug)]
pub(crate) struct Raise {
    /// What happened; "-" reads it from standard input
    #[arg(required_unless_present = "template", conflicts_with = "template")]
    pub(crate) text: Option<String>,
    /// Raise it from this template; everything not said here is the template's
    #[arg(long, value_name = "KEY")]
    pub(crate) template: Option<String>,
    /// What a placeholder of the template stands for: what="mail server"; repeatable
    #[arg(long = "set", value_name = "NAME=WORDS", value_parser = pair, requires = "template")]
    pub(crate) values: Vec<(String, String)>,
    /// Words behind the template's, the same in every language
    #[arg(long, requires = "template")]
    pub(crate) extra: Option<String>,
    /// Send the real texts to this person only, as a test: person:anna
    #[arg(long, value_name = "PERSON", conflicts_with_all = ["to", "steps", "status"])]
    pub(crate) only: Option<String>,
    /// Who asked for it and is told by the template's automations how it goes: person:anna
    #[arg(long, value_name = "PERSON", requires = "template")]
    pub(crate) requester: Option<String>,
    /// Show whom it would reach, in how many texts, at what cost and how soon; raise nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The same in another language: fi=Sähkökatko
    #[arg(long, value_name = "LANGUAGE=TEXT", value_parser = pair, conflicts_with = "template")]
    pub(crate) text_in: Vec<(String, String)>,
    /// Whom to call at once: group:duty, schedule:network (who is on call) or person:anna; repeatable
    #[arg(long, value_name = "WHOM", required_unless_present_any = ["template", "only"])]
    pub(crate) to: Vec<String>,
    /// Whom to call if too few have answered by then: 10m=group:managers; repeatable
    #[arg(long = "then", value_name = "AFTER=WHOM", value_parser = step)]
    pub(crate) steps: Vec<(Duration, String)>,
    /// [default: the template's, else high]
    #[arg(long, value_enum)]
    pub(crate) severity: Option<SeverityWord>,
    /// [default: the template's, else actual]
    #[arg(long, value_enum)]
    pub(crate) status: Option<StatusWord>,
    /// alert, or safety-check: everyone is asked whether they are safe [default: the template's, else alert]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<AlertKindWord>,
    /// Who is told at once how a safety check goes: group:wardens [default: the template's, else those on duty for sources]
    #[arg(long, value_name = "WHOM")]
    pub(crate) lead: Vec<String>,
    /// Call nobody on every path when all rounds are over, as in a test
    #[arg(long)]
    pub(crate) no_last_call: bool,
    /// Ask whoever is coming once more after half of this time; unconfirmed after all of it they count no more
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) confirm_within: Option<Duration>,
    /// Remind whoever is silent after this time
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) remind_every: Option<Duration>,
    /// How often, at most
    #[arg(long, requires = "remind_every")]
    pub(crate) reminders: Option<u16>,
    /// Where to gather: place, bridge number and PIN
    #[arg(long)]
    pub(crate) gather: Option<String>,
    /// How many must be coming before later steps are left out
    #[arg(long)]
    pub(crate) needed: Option<u16>,
    /// What every step wants instead: all, 2, 1=group:medics, 2=skill:first-aid, 1=site:Turku or 1=each-site; repeatable,
    /// all of it must be met
    #[arg(long, value_name = "HOW MANY")]
    pub(crate) enough: Vec<String>,
    /// Whom to call beside everyone else, on every path, when all rounds are over: group:board
    #[arg(long, value_name = "WHOM")]
    pub(crate) fallback: Vec<String>,
    /// Pause between rounds of calling the silent again
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) repeat_every: Option<Duration>,
    /// How many such rounds
    #[arg(long)]
    pub(crate) repeats: Option<u16>,
    /// How long a text is worth delivering
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) validity: Option<Duration>,
    /// When the organisation became aware (RFC 3339), if not now
    #[arg(long, value_name = "TIME")]
    pub(crate) aware_at: Option<String>,
    /// The source's own name for this alarm
    #[arg(long)]
    pub(crate) dedup_key: Option<String>,
    /// Who or what raised it, as people should read it
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Repeat with the same key to be sure it is raised once
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SeverityWord {
    Low,
    Normal,
    High,
    Critical,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StatusWord {
    Actual,
    Exercise,
    Test,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AnswerWord {
    Coming,
    Cannot,
    Received,
    NeedHelp,
    /// To a safety check
    Safe,
    /// To a safety check
    NotOnSite,
}

/// What somebody says of another person
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum MarkWord {
    Safe,
    NeedHelp,
    NotOnSite,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AlertKindWord {
    Alert,
    SafetyCheck,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; its secret is shown once
    Create {
        /// What it is for
        name: String,
        /// What it may do; repeatable
        #[arg(long, required = true)]
        scope: Vec<String>,
        /// Until when, from now
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires_in: Option<Duration>,
    },
    /// List keys
    List,
    /// End a key at once
    Revoke { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModemCommand {
    /// List the modems of all nodes and their health
    List,
    /// Open this node's modems and say what answers there (while the node is stopped)
    Probe {
        /// Only this one
        name: Option<String>,
    },
    /// Send one text with a modem of this node (while the node is stopped)
    Test {
        /// Where to, such as +358401234567
        number: String,
        /// With this modem instead of the first
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Members, leader, how far each one is
    Status,
    /// Make a token with which one node may join
    Invite,
    /// Joins of the last minutes with the six digits both screens show
    Joins,
    /// Make a learner a voter
    Promote { node: String },
    /// Take a node out for good
    Remove { node: String },
    /// What time it is, and how sure the members are of it
    Time,
    /// Say what time it is, where the members' clocks cannot: 2026-11-21T03:12:05Z; moves nothing that is due
    SetTime { civil: String },
    /// Where texts may link to and what an SMS part costs; shows it, or changes it
    Texts(Texts),
    /// Hand leadership to a node, or to the most current one
    Transfer { to: Option<String> },
    /// Give a node (without a name, this one) a new key, without a gap
    RotateKey { node: Option<String> },
    /// Give the cluster a new certificate authority, without a gap; repeat it after a break
    RotateCa,
    /// Take a node out that fell into wrong hands: it may never hand in what it still holds
    Evict { node: String },
    /// Go on alone with what this stopped node has, after more than half of the nodes are gone for good
    Recover,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Make one now, of this node's files, whether or not it runs
    Create {
        /// Where to [default: backup.folder in the settings]
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
        /// Encrypt to a single recipient: if that key is lost, the backup is too
        #[arg(long)]
        one_recipient: bool,
    },
    /// Check that one is whole and who made it; with a key also what is in it
    Verify {
        file: PathBuf,
        /// File with a secret key, as `age-keygen` writes it
        #[arg(long, value_name = "KEYFILE")]
        identity: Option<PathBuf>,
    },
    /// Found a new epoch of the cluster from one, on a node that holds nothing; nothing is sent until released
    Restore {
        file: PathBuf,
        /// File with a secret key, as `age-keygen` writes it
        #[arg(long, value_name = "KEYFILE")]
        identity: PathBuf,
        /// At least this epoch, if the lost cluster had been recovered after the backup was made
        #[arg(long)]
        epoch: Option<u32>,
    },
    /// Practise a restore into a temporary folder and remember how it went
    Drill {
        /// Which one [default: the newest this node made]
        file: Option<PathBuf>,
        /// File with a secret key, as `age-keygen` writes it
        #[arg(long, value_name = "KEYFILE")]
        identity: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// Show what waits, by class and age
    Show,
    /// Hold every text and mail back
    Pause {
        /// Why, as others should read it
        #[arg(long)]
        reason: String,
    },
    /// Let texts and mails leave again; what is too old ends unsent
    Release {
        /// What has waited longer ends unsent
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
        stale_after: Duration,
        /// The same for pages of critical alerts
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
        stale_after_critical: Duration,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum IslandCommand {
    /// Whether this node works by itself, and what of that the cluster does not have yet
    Status {
        /// Also a digest of all it knows, to compare with other nodes
        #[arg(long)]
        history: bool,
    },
    /// Save what the cluster does not have yet to a new file; also while this node is stopped
    Export { file: PathBuf },
    /// Bring in a file that another node saved
    Import { file: PathBuf },
    /// What could not be handed over, and why
    Refused,
}

/// `90s`, `10m`, `2h`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a time; write for example 90s, 10m or 2h"))?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("{text:?} needs a unit: ms, s, m, h or d")),
    };
    match number.checked_mul(unit_ms) {
        Some(ms) if (1..=366 * 86_400_000).contains(&ms) => Ok(Duration::from_millis(ms)),
        Some(_) | None => Err(format!("{text:?} is out of range; use 1ms to 366d")),
    }
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} has no \"=\""))?;
    Ok((left.trim().to_owned(), right.to_owned()))
}

fn step(text: &str) -> Result<(Duration, String), String> {
    let (after, whom) = pair(text)?;
    Ok((duration(&after)?, whom))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    /// clap lets a subcommand's argument take over a global one of the same name, with its value.
    #[test]
    fn no_subcommand_hides_a_global_option() {
        fn walk(command: &clap::Command, globals: &[String], path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                for argument in sub.get_arguments().filter(|a| !a.is_global_set()) {
                    assert!(
                        !globals.contains(&argument.get_id().to_string()),
                        "{path}: {}",
                        argument.get_id()
                    );
                }
                walk(sub, globals, &path);
            }
        }
        let command = Cli::command();
        let globals: Vec<String> = command
            .get_arguments()
            .map(|a| a.get_id().to_string())
            .collect();
        walk(&command, &globals, "holdfast");
    }

    #[test]
    fn times_need_a_unit_and_a_sane_size() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in [
            "",
            "5",
            "s",
            "0s",
            "-5s",
            "1.5s",
            "99999d",
            "18446744073709551615h",
            "5 s",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
