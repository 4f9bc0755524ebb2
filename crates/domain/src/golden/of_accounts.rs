//! Bytes of commands about accounts, factors and sessions.

use crate::access::Command as Access;
use crate::access::accounts::{
    Accept, ByPasskey, Command as Accounts, Device, NewPasskey, NewSession, Proof, Shown,
};
use crate::passes::{AddGuest, AskNumber, Command as Passes, OpenByCard};
use crate::{AlertId, Command, DeliveryId};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let name = || "anna".to_owned();
    let session = || NewSession {
        id: "1a2b3c4d".to_owned(),
        token_hash: [1; 32],
    };
    let device = || Device {
        name: "phone".to_owned(),
        key: vec![4; 65],
    };
    let of = |label, command| (label, Command::Access(Access::Accounts(command)));
    vec![
        of(
            "accounts.put",
            Accounts::Put {
                name: name(),
                shown: "Anna Virtanen".to_owned(),
                person: Some(name()),
            },
        ),
        of(
            "accounts.set_roles",
            Accounts::SetRoles {
                name: name(),
                roles: vec!["responder".to_owned()],
            },
        ),
        of(
            "accounts.set_disabled",
            Accounts::SetDisabled {
                name: name(),
                disabled: true,
            },
        ),
        of(
            "accounts.invite",
            Accounts::Invite {
                name: name(),
                code_hash: [2; 32],
            },
        ),
        of(
            "accounts.accept",
            Accounts::Accept(Accept {
                code_hash: [2; 32],
                password: Some("$argon2id$".to_owned()),
                session: session(),
                device: device(),
            }),
        ),
        of(
            "accounts.try_password",
            Accounts::TryPassword { subject: [3; 32] },
        ),
        of(
            "accounts.begin_attempt",
            Accounts::BeginAttempt {
                attempt: [4; 32],
                name: name(),
                device: device(),
                rehashed: None,
            },
        ),
        of("accounts.try_code", Accounts::TryCode { attempt: [4; 32] }),
        of(
            "accounts.open_by_totp",
            Accounts::Open {
                attempt: [4; 32],
                proof: Proof::Totp { step: 59_840_640 },
                session: session(),
            },
        ),
        of(
            "accounts.open_by_recovery_code",
            Accounts::Open {
                attempt: [4; 32],
                proof: Proof::Recovery { code_hash: [5; 32] },
                session: session(),
            },
        ),
        of(
            "accounts.open_by_text",
            Accounts::Open {
                attempt: [4; 32],
                proof: Proof::Text {
                    delivery: DeliveryId([9; 16]),
                },
                session: session(),
            },
        ),
        of(
            "accounts.touch",
            Accounts::Touch {
                session: "1a2b3c4d".to_owned(),
            },
        ),
        of(
            "accounts.end",
            Accounts::End {
                session: "1a2b3c4d".to_owned(),
            },
        ),
        of(
            "accounts.end_all",
            Accounts::EndAll {
                name: name(),
                but: None,
            },
        ),
        of(
            "accounts.set_password",
            Accounts::SetPassword {
                name: name(),
                phc: "$argon2id$".to_owned(),
                but: Some("1a2b3c4d".to_owned()),
            },
        ),
        of(
            "accounts.set_totp",
            Accounts::SetTotp {
                name: name(),
                sealed: vec![6; 3],
            },
        ),
        of(
            "accounts.confirm_totp",
            Accounts::ConfirmTotp {
                name: name(),
                step: 59_840_640,
            },
        ),
        of(
            "accounts.reseal_totp",
            Accounts::ResealTotp {
                name: name(),
                sealed: vec![7; 3],
            },
        ),
        of(
            "accounts.set_recovery_codes",
            Accounts::SetRecoveryCodes {
                name: name(),
                code_hashes: vec![[8; 32]],
            },
        ),
        of(
            "accounts.add_passkey",
            Accounts::AddPasskey {
                name: name(),
                passkey: NewPasskey {
                    id: vec![9; 3],
                    key: vec![4; 5],
                    label: "key ring".to_owned(),
                    count: 7,
                },
            },
        ),
        of(
            "accounts.remove_passkey",
            Accounts::RemovePasskey {
                name: name(),
                id: vec![9; 3],
            },
        ),
        of(
            "accounts.open_by_passkey",
            Accounts::OpenByPasskey(ByPasskey {
                id: vec![9; 3],
                count: 8,
                challenge: [10; 32],
                session: session(),
                device: device(),
            }),
        ),
        of("accounts.try_proof", Accounts::TryProof { name: name() }),
        of(
            "accounts.prove_by_password",
            Accounts::Prove {
                session: "1a2b3c4d".to_owned(),
                by: Shown::Password,
            },
        ),
        of(
            "accounts.prove_by_totp",
            Accounts::Prove {
                session: "1a2b3c4d".to_owned(),
                by: Shown::Totp { step: 59_840_641 },
            },
        ),
        of(
            "accounts.prove_by_passkey",
            Accounts::Prove {
                session: "1a2b3c4d".to_owned(),
                by: Shown::Passkey {
                    id: vec![9; 3],
                    count: 9,
                    challenge: [12; 32],
                },
            },
        ),
        of(
            "accounts.look",
            Accounts::Look {
                session: "1a2b3c4d".to_owned(),
            },
        ),
        (
            "passes.send_code",
            Command::Passes(Passes::SendCode { attempt: [4; 32] }),
        ),
        (
            "passes.send_invitation",
            Command::Passes(Passes::SendInvitation { name: name() }),
        ),
        (
            "passes.add_guest",
            Command::Passes(Passes::AddGuest(AddGuest {
                account: "guest-1a2b3c4d".to_owned(),
                alert: AlertId([1; 16]),
                name: "Kai Laine".to_owned(),
                number: "+358401112223".to_owned(),
                valid_ms: 86_400_000,
            })),
        ),
        (
            "passes.ask_number",
            Command::Passes(Passes::AskNumber(AskNumber {
                person: name(),
                from: Some("+358401234567".to_owned()),
                to: "+358401112223".to_owned(),
                by: "Olga".to_owned(),
            })),
        ),
        (
            "passes.vouch_number",
            Command::Passes(Passes::VouchNumber {
                person: name(),
                by: "Bela".to_owned(),
            }),
        ),
        (
            "passes.end_guest",
            Command::Passes(Passes::EndGuest {
                account: "guest-1a2b3c4d".to_owned(),
            }),
        ),
        (
            "passes.make_card",
            Command::Passes(Passes::MakeCard {
                card: "1a2b3c4d".to_owned(),
                site: "helsinki".to_owned(),
                code_hash: [11; 32],
            }),
        ),
        (
            "passes.confirm_card",
            Command::Passes(Passes::ConfirmCard {
                card: "1a2b3c4d".to_owned(),
            }),
        ),
        (
            "passes.end_card",
            Command::Passes(Passes::EndCard {
                card: "1a2b3c4d".to_owned(),
            }),
        ),
        (
            "passes.open_by_card",
            Command::Passes(Passes::OpenByCard(OpenByCard {
                code_hash: [11; 32],
                session: session(),
                device: device(),
            })),
        ),
    ]
}
