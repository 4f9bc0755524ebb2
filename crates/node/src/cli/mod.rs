//! The commands: each asks a node over HTTP and shows what it answered.

mod account;
mod act;
mod alert;
pub(crate) mod args;
pub(crate) mod audit;
mod automations;
mod backup;
mod cluster;
pub(crate) mod directory;
mod doctor;
mod documents;
mod glass;
mod held;
mod import;
mod inbox;
mod island;
mod key;
mod limits;
mod modem;
mod outbox;
mod people;
mod permits;
mod readiness;
mod recover;
mod report;
mod room;
mod room_files;
mod schedule;
mod settings;
mod setup;
mod source;
mod template;
mod texts;
mod units;
mod waking;
mod zones;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;

use self::args::{Cli, ClusterCommand, Command, Global};
use crate::client::Client;
use crate::config::{self, Config};
use crate::output::{Done, Exit, Failure, Output};
use crate::{demo, run};

/// What every command gets.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) output: Output,
}

/// The longest text read from standard input.
const STDIN_LEN_MAX: u64 = 1 << 20;

/// Does what the command line says.
pub(crate) fn dispatch(cli: Cli, output: Output) -> Done {
    let context = Context {
        global: cli.global,
        output,
    };
    match cli.command {
        Command::Run { stop_with_parent } => run::run(&context.config()?, stop_with_parent),
        Command::Init { organisation } => on_core(run::init(&context, organisation)),
        Command::Join { token } => on_core(run::join(&context, &context.argument(&token)?)),
        Command::Demo(demo) => on_core(demo::demo(&context, demo)),
        Command::Config(command) => settings::config(&context, &command),
        Command::Doctor => on_core(doctor::doctor(&context)),
        Command::Status => on_core(cluster::status(&context)),
        Command::Alert(command) => on_core(alert::alert(&context, command)),
        Command::Reviews { command } => on_core(held::reviews(&context, command)),
        Command::Setup { command } => on_core(setup::setup(&context, command)),
        Command::Readiness(args) => on_core(readiness::readiness(&context, &args)),
        Command::Limits(command) => on_core(limits::limits(&context, command)),
        Command::Person(command) => on_core(people::person(&context, command)),
        Command::Group(command) => on_core(people::group(&context, command)),
        Command::Unit(command) => on_core(units::unit(&context, command)),
        Command::Vcard(args) => on_core(waking::vcard(&context, args)),
        Command::Wake(command) => on_core(waking::wake(&context, command)),
        Command::RoundTrip(command) => on_core(waking::round_trip(&context, command)),
        Command::Report(command) => on_core(report::report(&context, command)),
        Command::Inbox(command) => on_core(inbox::inbox(&context, command)),
        Command::Room(command) => on_core(room::room(&context, command)),
        Command::Document(command) => on_core(documents::document(&context, command)),
        Command::Source(command) => on_core(source::source(&context, command)),
        Command::Schedule(command) => on_core(schedule::schedule(&context, command)),
        Command::Zones(command) => on_core(zones::zones(&context, command)),
        Command::Template(command) => on_core(template::template(&context, command)),
        Command::Directory(command) => on_core(directory::directory(&context, command)),
        Command::Key(command) => on_core(key::key(&context, command)),
        Command::Account(command) => on_core(account::account(&context, command)),
        Command::Modem(command) => on_core(modem::modem(&context, &command)),
        Command::Cluster(ClusterCommand::Recover) => on_core(recover::recover(&context)),
        Command::Cluster(command) => on_core(cluster::cluster(&context, command)),
        Command::Island(command) => on_core(island::island(&context, command)),
        Command::Backup(command) => on_core(backup::backup(&context, command)),
        Command::Audit(command) => on_core(audit::audit(&context, command)),
        Command::Outbox(command) => on_core(outbox::outbox(&context, command)),
    }
}

/// Runs one command on a runtime of its own.
fn on_core(work: impl Future<Output = Done>) -> Done {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|e| Failure::new(Exit::Failure, format!("cannot start threads: {e}")))?;
    runtime.block_on(Box::pin(work))
}

impl Context {
    /// Where the settings are, if somebody said so.
    pub(crate) fn config_path(&self) -> Option<PathBuf> {
        self.global
            .config
            .clone()
            .or_else(|| std::env::var_os("HOLDFAST_CONFIG").map(PathBuf::from))
    }

    /// This node's settings.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        config::load(self.config_path().as_deref())
            .map(|l| l.config)
            .map_err(|e| Failure::new(Exit::Failure, e))
    }

    /// The way to the node or nodes this call is about.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let global = &self.global;
        match (global.nodes.as_slice(), &global.key_file) {
            ([], _) => {
                let socket = self.config()?.api.socket;
                Ok(Client::local(&socket, global.timeout).marking(self.output))
            }
            (nodes, Some(key)) => {
                Client::remote(nodes, key, global.ca_file.as_deref(), global.timeout)
                    .map(|client| client.marking(self.output))
            }
            (_, None) => Err(Failure::new(Exit::Usage, "--node needs --key-file")),
        }
    }

    /// An argument as given, or standard input for "-".
    pub(crate) fn argument(&self, text: &str) -> Result<String, Failure> {
        if text != "-" {
            return Ok(text.to_owned());
        }
        let mut read = String::new();
        let result = std::io::stdin()
            .take(STDIN_LEN_MAX)
            .read_to_string(&mut read);
        result
            .map_err(|e| Failure::new(Exit::Failure, format!("cannot read standard input: {e}")))?;
        Ok(read.trim().to_owned())
    }

    /// Asks a person at a terminal whether to go on. Scripts say --yes.
    pub(crate) fn confirm(&self, question: &str) -> Done {
        if self.global.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new(
                Exit::Usage,
                format!("{question} Say --yes to do it without being asked"),
            ));
        }
        _ = write!(std::io::stderr(), "{question} [y/N] ");
        let mut line = String::new();
        _ = std::io::stdin().read_line(&mut line); // no answer is no
        if matches!(line.trim(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(Failure::new(Exit::Interrupted, "nothing was changed"))
        }
    }
}
