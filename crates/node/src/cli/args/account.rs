//! Commands about who may sign in.

use clap::{Subcommand, builder::PossibleValuesParser};
use domain::access::Role;

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// List accounts, their roles and factors
    List,
    /// Add an account, or change whom it belongs to
    Add {
        /// What its owner types to sign in
        name: String,
        /// Key of the person it belongs to
        #[arg(long, value_name = "KEY")]
        person: Option<String>,
        /// As people should read it [default: the person's name]
        #[arg(long = "name", value_name = "NAME")]
        shown: Option<String>,
        /// What it may do; repeatable
        #[arg(long, value_name = "ROLE", value_parser = roles())]
        role: Vec<String>,
    },
    /// Make a code that lets one device in, once, within 24 hours
    Invite {
        name: String,
        /// Text it to the number known to reach the person; nobody else sees it
        #[arg(long)]
        text: bool,
    },
    /// Let somebody from outside into the room of an open alert, by a code texted to them
    Guest {
        /// Number of the alert
        room: String,
        /// As people should read it
        name: String,
        /// Where the code is texted
        number: String,
        /// How long they stay: 1 to 168
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        hours: u64,
    },
    /// Those from outside who were let into a room
    Guests {
        /// Number of the alert
        room: String,
    },
    /// Show a guest out, at once
    EndGuest {
        /// Number of the alert
        room: String,
        /// The guest's account
        account: String,
    },
    /// Set what an account may do; none without a role
    Roles {
        name: String,
        #[arg(value_name = "ROLE", value_parser = roles())]
        role: Vec<String>,
    },
    /// The devices an account is or was signed in on
    Sessions { name: String },
    /// Sign an account out on every device, at once
    EndSessions { name: String },
    /// Limit an account to a unit and its parts: it sees and changes nothing else
    Limit {
        name: String,
        /// Key of the unit; without it, the whole organisation is the account's again
        #[arg(long, value_name = "KEY")]
        unit: Option<String>,
    },
    /// Let nobody in by an account any more
    Disable { name: String },
    /// Let people in again
    Enable { name: String },
    /// Sealed cards that let somebody in when every other way is gone
    #[command(subcommand)]
    Glass(GlassCommand),
    /// What one administrator alone does not do: asked for in the app, let by another one or here
    #[command(subcommand)]
    Permit(PermitCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PermitCommand {
    /// List what was asked for, the newest first
    List,
    /// Show what was asked for, word by word
    Show { number: u64 },
    /// Let whoever asked do it, once, within an hour
    Let { number: u64 },
    /// Say that it is not to be done
    Drop { number: u64 },
}

#[derive(Debug, Subcommand)]
pub(crate) enum GlassCommand {
    /// List cards: who made them, whether they were used
    List,
    /// Make a card for a site and print it, once; somebody else must confirm it before it opens anything
    Make {
        /// Where the envelope will lie, such as helsinki
        site: String,
    },
    /// Confirm that a card somebody else made is printed and sealed; the site's earlier one opens nothing any more
    Confirm {
        /// As printed on the card
        card: String,
    },
    /// Let nobody in by a card any more, and sign out whoever is in by it
    Revoke {
        /// As printed on the card
        card: String,
    },
}

fn roles() -> PossibleValuesParser {
    Role::GIVEN.map(Role::name).into()
}
