//! Bytes of commands about answers by mail.

use crate::deliveries::Command as Deliveries;
use crate::inbound::{Command as Inbound, ReceiveMail};
use crate::{Command, NodeId};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let mail = ReceiveMail {
        key: [1; 16],
        node: NodeId(2),
        to: "reply+abc".to_owned(),
        from: "anna@home.example".to_owned(),
        subject: "Re: Aurora 118".to_owned(),
        text: "1".to_owned(),
        automatic: false,
        wall_ms: 3,
    };
    vec![
        (
            "deliveries.draw_reply_secret",
            Command::Deliveries(Deliveries::DrawReplySecret),
        ),
        (
            "inbound.receive_mail",
            Command::Inbound(Inbound::ReceiveMail(mail)),
        ),
    ]
}
