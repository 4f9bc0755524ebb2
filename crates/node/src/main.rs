//! `holdfast`: the program. Reads the command line, then either runs a node or asks one.
//!
//! Reading order: [`cli::args`] (the grammar), [`config`], [`run`] (how a node is put together), [`client`] (how commands
//! reach one), [`demo`] (all of it at once). The only crate that reads the machine's clocks, and the only one with anyhow.

mod cli;
mod client;
mod config;
mod demo;
mod import;
mod output;
mod run;

use std::process::ExitCode;

use clap::Parser as _;

use crate::output::{Exit, Output, fail};

fn main() -> ExitCode {
    let cli = match cli::args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let output = Output::new(cli.global.json, cli.global.quiet, cli.global.no_color);
    match cli::dispatch(cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            fail(output, &failure);
            failure.exit.into()
        }
    }
}
