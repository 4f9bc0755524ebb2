//! Bytes of the setup.

use crate::Command;
use crate::setup::Command as Setup;

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    vec![("setup.finish", Command::Setup(Setup::Finish))]
}
