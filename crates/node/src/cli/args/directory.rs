//! Commands about people, groups, and how files may change them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// List people
    List,
    /// Show all that is known of a person
    Show { key: String },
    /// Add a person or replace one with the same key
    Put(Box<PutPerson>),
    /// Remove a person
    Remove { key: String },
    /// Note whether a contact method was found to reach a person
    Verify {
        key: String,
        /// Phone number or mail address of the person
        address: String,
        #[arg(value_enum)]
        state: StateWord,
        /// By which path it was found out
        #[arg(long, default_value = "")]
        how: String,
    },
    /// Ask for another number of somebody; it changes when somebody else vouches for it
    ChangeNumber {
        key: String,
        /// The new number
        to: String,
        /// The number to be replaced, of somebody who has several
        #[arg(long, value_name = "NUMBER")]
        from: Option<String>,
        /// Who asks, as people should read it
        #[arg(long = "name", value_name = "NAME")]
        by: Option<String>,
    },
    /// Vouch for the number that waits for somebody, and change it
    VouchNumber {
        key: String,
        /// Who vouches, as people should read it
        #[arg(long = "name", value_name = "NAME")]
        by: Option<String>,
    },
    /// Take people from a file: CSV, XLSX or vCard; the first line of a table names its columns: key, name, languages,
    /// sms, email, and those an export has
    Import(PersonImport),
    /// Write everyone to a file that an import takes back; "-" is standard output
    Export {
        file: PathBuf,
        /// Else the file's name says which
        #[arg(long, value_enum)]
        format: Option<FormatWord>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct PutPerson {
    pub(crate) key: String,
    #[arg(long)]
    pub(crate) name: String,
    /// en, fi, sv, fr or ja, others get English; repeatable, best first
    #[arg(long, default_value = "en")]
    pub(crate) language: Vec<String>,
    /// Phone number with country code; repeatable, tried in order
    #[arg(long)]
    pub(crate) sms: Vec<String>,
    #[arg(long)]
    pub(crate) email: Vec<String>,
    #[arg(long, value_enum, default_value_t = KindWord::Internal)]
    pub(crate) kind: KindWord,
    /// The contact methods are duty numbers: no import changes one by itself
    #[arg(long)]
    pub(crate) duty: bool,
    /// IANA time zone, such as Europe/Helsinki
    #[arg(long, default_value = "")]
    pub(crate) zone: String,
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    #[arg(long)]
    pub(crate) skill: Vec<String>,
    #[arg(long)]
    pub(crate) site: Vec<String>,
    /// When they can be asked, in their own wall time: "Mon-Fri 08:00-16:00"
    #[arg(long, default_value = "")]
    pub(crate) hours: String,
    /// Never call them by voice
    #[arg(long)]
    pub(crate) never_voice: bool,
    /// Key of somebody who wakes them
    #[arg(long, value_name = "KEY")]
    pub(crate) wake_by: Option<String>,
    /// Minutes they need to answer, if more than others
    #[arg(long, value_name = "MINUTES")]
    pub(crate) answer_minutes: Option<u16>,
    #[arg(long, default_value = "")]
    pub(crate) note: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List groups
    List,
    /// Say who is in a group now, and why
    Members { key: String },
    /// Add a group or replace one with the same key
    Put(PutGroup),
    /// Remove a group; its people stay
    Remove { key: String },
    /// Take groups from a CSV file with the columns key,name,members (members separated by semicolons)
    Import(Import),
}

#[derive(Args, Debug)]
pub(crate) struct PutGroup {
    pub(crate) key: String,
    #[arg(long)]
    pub(crate) name: String,
    /// Key of a person, or group:KEY; repeatable, in calling order
    #[arg(long)]
    pub(crate) member: Vec<String>,
    /// Everyone who meets all of these: skill:network, site:Turku, tag:…, kind:supplier; repeatable
    #[arg(long, value_name = "CRITERION")]
    pub(crate) all_of: Vec<String>,
    /// Everyone who meets one of these too
    #[arg(long, value_name = "CRITERION")]
    pub(crate) any_of: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    pub(crate) file: PathBuf,
    /// Say what would happen and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Change nothing if any line is refused
    #[arg(long, alias = "all-or-nothing")]
    pub(crate) strict: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PersonImport {
    #[command(flatten)]
    pub(crate) import: Import,
    /// The file names everyone: those it does not name are listed, and removed once somebody approves
    #[arg(long)]
    pub(crate) complete: bool,
    /// What the source is called, if not by the file's name; of each source, only the newest import waits
    #[arg(long)]
    pub(crate) source: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    /// Show whether imports are frozen, how many wait, and where texts may go
    Show,
    /// Refuse every import until thawed; people edited by hand are not touched by it
    Freeze {
        /// Why, as others should read it
        #[arg(long)]
        reason: String,
    },
    /// Take imports again
    Thaw,
    /// List imports and what became of them
    Imports,
    /// Show what an import that waits would change
    Import { id: String },
    /// Do what an import that waits would do
    Approve { id: String },
    /// Give up an import that waits
    Reject { id: String },
    /// Ask people by their first contact method whether it reaches them; an answer verifies the number
    Check {
        /// group:duty or person:anna; repeatable
        #[arg(long, value_name = "WHOM", required = true)]
        to: Vec<String>,
        /// When the silent are asked once more: 1h to 7d
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = super::duration)]
        remind_after: std::time::Duration,
    },
    /// Say who answered a check, who is silent, and whom nothing reached
    Checked {
        /// Number of the check, as `check` gave it
        number: String,
    },
    /// Say to which numbers texts may go, by their beginnings, such as +358
    Prefixes {
        #[arg(required_unless_present = "all")]
        prefix: Vec<String>,
        /// Texts may go to every number
        #[arg(long, conflicts_with = "prefix")]
        all: bool,
    },
    /// Numbers that no text goes to, by their beginnings; without options, list them
    Barred {
        /// Bar numbers that begin like this: "+881=satellite"; repeatable
        #[arg(long, value_name = "PREFIX=WHAT", value_parser = super::pair)]
        add: Vec<(String, String)>,
        /// No longer bar these; repeatable
        #[arg(long, value_name = "PREFIX")]
        remove: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KindWord {
    Internal,
    Supplier,
    Authority,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StateWord {
    Unverified,
    Verified,
    Failed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatWord {
    Csv,
    Xlsx,
    Vcard,
}
