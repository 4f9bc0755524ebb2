//! The grammar of `holdfast source`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::{SeverityWord, duration, pair};

#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// List sources: what came from them and what of it was held
    List,
    /// Everything about one source
    Show { key: String },
    /// Add a source or replace the settings of one
    Put(Box<PutSource>),
    /// Remove a source; alerts it raised stay
    Remove { key: String },
    /// Give a source a new token, shown once; the old one ends at once
    Token { key: String },
    /// What a source said, what people were told, what was held and why
    Signals { key: String },
    /// What would become of a sample; changes nothing
    Try {
        key: String,
        /// File with what the source would send; "-" reads standard input
        file: PathBuf,
    },
    /// Say for a source that something happened, as a dry contact or a script does
    Trigger {
        key: String,
        /// What happened; without it the source's name
        #[arg(long)]
        text: Option<String>,
        /// Tells several matters of one source apart
        #[arg(long)]
        matter: Option<String>,
        /// It is over
        #[arg(long)]
        resolve: bool,
    },
    /// Send a source's alarms elsewhere in one step, or back; alerts under way keep whom they called
    Redirect {
        key: String,
        /// Where to: group:storm, person:anna or schedule:night
        #[arg(
            long,
            value_name = "WHOM",
            required_unless_present = "back",
            conflicts_with = "back"
        )]
        to: Option<String>,
        /// How long [default: until it is taken back]
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Option<Duration>,
        /// Stands in the room of each alert
        #[arg(long, default_value = "")]
        reason: String,
        /// Take the redirect back
        #[arg(long)]
        back: bool,
    },
    /// Give a sign of life for a heartbeat
    Beat {
        key: String,
        /// File with the source's token
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
    },
    /// Swallow, for a time, what matches; what it swallows is counted and told when it ends
    Silence(Silence),
    /// List silences and maintenance windows
    Silences,
    /// End a silence or maintenance window now
    EndSilence { id: String },
    /// Stop everything automatic; ends by itself, people's own alerts go on
    StopAll {
        #[arg(long)]
        reason: String,
        /// At most 30m
        #[arg(long = "for", value_name = "TIME", default_value = "30m", value_parser = duration)]
        time: Duration,
    },
    /// End that before its time
    Resume,
    /// What holds for all sources; without options shows it
    Settings {
        /// So many automatic alarms reach one person in 10 minutes one by one
        #[arg(long)]
        person_alarms: Option<u16>,
        /// Called when whoever a source calls is gone: group:duty, person:anna or schedule:night; repeatable
        #[arg(long, value_name = "WHOM")]
        duty: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct PutSource {
    /// 1 to 64 of a-z, 0-9 and dash
    pub(super) key: String,
    #[arg(long, value_enum)]
    pub(super) kind: KindWord,
    /// As people should read it [default: the key]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Whom it calls: group:duty, person:anna or schedule:night; repeatable
    #[arg(long, value_name = "WHOM", required = true)]
    pub(super) to: Vec<String>,
    /// How bad an alarm is when the source does not say
    #[arg(long, value_enum, default_value_t = SeverityWord::High)]
    pub(super) severity: SeverityWord,
    /// The source's own word for how bad it is: page=critical; repeatable
    #[arg(long = "severity-word", value_name = "WORD=SEVERITY", value_parser = pair)]
    pub(super) words: Vec<(String, String)>,
    /// Answer its documents with a CAP Ack or Error; sources of kind cap only
    #[arg(long)]
    pub(super) answers: bool,
    /// Where to gather: place, bridge number and PIN
    #[arg(long, default_value = "")]
    pub(super) gather: String,
    /// File with a mapping as the HTTP API takes it (JSON)
    #[arg(long, value_name = "FILE")]
    pub(super) mapping: Option<PathBuf>,
    /// Leave the closing of its alerts to people
    #[arg(long)]
    pub(super) only_note_ends: bool,
    /// Without a new alarm for so long it is quiet, and the next one is told alone
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) window: Option<Duration>,
    /// How often people are told that a bundle has grown
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) tell_every: Option<Duration>,
    /// A sign of life is expected at least so often (heartbeats)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) every: Option<Duration>,
    /// And so much longer until its absence alarms
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(super) grace: Duration,
    /// Listen to it and call nobody
    #[arg(long)]
    pub(super) disabled: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Silence {
    /// Only this source
    #[arg(long)]
    pub(super) source: Option<String>,
    /// Only signals with this label: instance=db1, or instance=db* for all that begin so; repeatable
    #[arg(long = "label", value_name = "LABEL=VALUE", value_parser = pair)]
    pub(super) labels: Vec<(String, String)>,
    /// How long, at most 31d
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(super) time: Duration,
    /// When it begins (RFC 3339), if not now
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    #[arg(long)]
    pub(super) reason: String,
    /// It is planned work
    #[arg(long)]
    pub(super) maintenance: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KindWord {
    Webhook,
    Alertmanager,
    Grafana,
    Email,
    Heartbeat,
    Cap,
    Snmp,
    Contact,
}
