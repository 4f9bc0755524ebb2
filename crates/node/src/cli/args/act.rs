//! Commands that change a running alert.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{SeverityWord, duration, pair};

#[derive(Debug, Subcommand)]
pub(crate) enum ActCommand {
    /// Call more people now: group:managers, schedule:network or person:anna
    Add {
        alert: String,
        #[arg(required = true, value_name = "WHOM")]
        to: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Call the next step now
    Hurry {
        alert: String,
        #[command(flatten)]
        why: Why,
    },
    /// Call no further step or round for a while; a call for help ends it early
    Pause {
        alert: String,
        /// How long: 1m to 4h
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Duration,
        #[command(flatten)]
        why: Why,
    },
    /// End a pause
    Resume {
        alert: String,
        #[command(flatten)]
        why: Why,
    },
    /// Give it another severity; at critical the silent are called on every path at once
    Severity {
        alert: String,
        #[arg(value_enum)]
        severity: SeverityWord,
        #[command(flatten)]
        why: Why,
    },
    /// Tell those called so far something more
    Update(Box<Update>),
    /// Give a role in the incident to somebody, who is briefed by text, or leave it to nobody
    Role {
        alert: String,
        #[arg(value_enum)]
        role: RoleWord,
        /// Key of the person
        #[arg(required_unless_present = "resign")]
        person: Option<String>,
        /// Nobody has the role any more
        #[arg(long, conflicts_with = "person")]
        resign: bool,
        #[command(flatten)]
        why: Why,
    },
    /// Stop calling somebody, and tell them so
    Withdraw {
        alert: String,
        /// Key of the person
        person: String,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Update {
    pub(crate) alert: String,
    /// What is new; "-" reads it from standard input
    pub(crate) text: String,
    /// The same in another language: fi=Kokoontuminen portilla 5
    #[arg(long, value_name = "LANGUAGE=TEXT", value_parser = pair)]
    pub(crate) text_in: Vec<(String, String)>,
    /// Who gets it: all but those who cannot, those coming, or those who have not answered
    #[arg(long, value_enum, default_value = "called")]
    pub(crate) who: AudienceWord,
    #[command(flatten)]
    pub(crate) why: Why,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AudienceWord {
    Called,
    Coming,
    Silent,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleWord {
    Leader,
    Deputy,
    /// Keeps the diary
    Scribe,
    /// Speaks to those outside
    Communications,
    /// Keeps in touch with other organisations
    Liaison,
}

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// Why, as others should read it
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}
