//! recipients

mod command;
mod apply;

pub use self::command::*;
pub(crate) use self::apply::apply;
