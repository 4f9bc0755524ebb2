//! How words travel: one file or folder per channel behind `domain::ports::Channel`.
//!
//! This is the only crate that opens serial ports and gateways. A channel is two halves: a cheap handle the worker drives
//! without waiting, and a service its owner runs until a token stops it. Whatever becomes of the service, every message the
//! handle took ends in exactly one `Ended` event.
//!
//! Mail in (`mail_in`) and SNMP in (`snmp_in`) are the other direction: listeners that take what sources say into the log.
//!
//! This crate decides nothing about who is told what: it says for each message whether it was accepted, refused or may
//! have left, and leaves the rest to the loops above.

mod ledger;
mod mail_in;
mod networks;
mod sms_modem;
mod smtp;
mod snmp_in;

pub use mail_in::{MailIn, MailInSettings};
pub use sms_modem::{
    MemoryError, PinMemory, ReferenceCounter, SmsModem, SmsModemError, SmsModemService,
    SmsModemSettings,
};
pub use smtp::{Smarthost, Smtp, SmtpError, SmtpService, SmtpSettings, SmtpTimeouts, SmtpTls};
pub use snmp_in::{
    SnmpAuth, SnmpCommunity, SnmpIn, SnmpInError, SnmpInSettings, SnmpMemory, SnmpUser,
};
