//! What the audit says of accounts, sign-ins and sessions. Never a password, a code, or the hash of one.

use super::{Said, details, line};
use crate::access::accounts::{Command, Proof, Shown};
use crate::audit;
use crate::passes;

pub(super) fn of_accounts(command: &Command) -> Said {
    let account = |name: &str| format!("account:{name}");
    let session = |id: &str| format!("session:{id}");
    let short = |hash: &[u8; 32]| audit::hex(&hash[..8]);
    let of_id = |id: &[u8]| audit::hex(&id[..id.len().min(8)]);
    match command {
        Command::Put {
            name,
            shown,
            person,
        } => {
            let person = person.as_deref().unwrap_or_default();
            let details = details().text("shown", shown).text("person", person);
            line("account.put", account(name), details)
        }
        Command::SetRoles { name, roles } => {
            let details = details().names("roles", roles.iter().map(String::as_str));
            line("account.roles", account(name), details)
        }
        Command::SetDisabled { name, disabled } => {
            let details = details().text("disabled", if *disabled { "yes" } else { "no" });
            line("account.disabled", account(name), details)
        }
        Command::Invite { name, .. } => line("account.invite", account(name), details()),
        Command::Accept(accept) => {
            let details = details()
                .text("device", &accept.device.name)
                .text("invitation", &short(&accept.code_hash));
            line("sign_in.invitation", session(&accept.session.id), details)
        }
        Command::TryPassword { subject } => line(
            "sign_in.try",
            format!("subject:{}", short(subject)),
            details(),
        ),
        Command::BeginAttempt {
            attempt,
            name,
            device,
            ..
        } => {
            let details = details()
                .text("device", &device.name)
                .text("attempt", &short(attempt));
            line("sign_in.password", account(name), details)
        }
        Command::TryCode { attempt } => {
            let object = format!("attempt:{}", short(attempt));
            line("sign_in.code", object, details())
        }
        Command::Open {
            attempt,
            proof,
            session: opened,
        } => {
            let factor = match proof {
                Proof::Totp { .. } => "totp",
                Proof::Recovery { .. } => "recovery",
                Proof::Text { .. } => "text",
            };
            let details = details()
                .text("factor", factor)
                .text("attempt", &short(attempt));
            line("sign_in.open", session(&opened.id), details)
        }
        Command::End { session: ended } => line("session.end", session(ended), details()),
        Command::EndAll { name, .. } => line("session.end_all", account(name), details()),
        Command::SetPassword { name, .. } => line("factor.password", account(name), details()),
        Command::SetTotp { name, .. } => line("factor.totp", account(name), details()),
        Command::ConfirmTotp { name, .. } => line("factor.totp_on", account(name), details()),
        Command::SetRecoveryCodes { name, .. } => {
            line("factor.recovery_codes", account(name), details())
        }
        Command::AddPasskey { name, passkey } => {
            let details = details()
                .text("label", &passkey.label)
                .text("passkey", &of_id(&passkey.id));
            line("factor.passkey", account(name), details)
        }
        Command::RemovePasskey { name, id } => {
            let details = details().text("passkey", &of_id(id));
            line("factor.passkey_off", account(name), details)
        }
        Command::OpenByPasskey(by) => {
            let details = details()
                .text("device", &by.device.name)
                .text("passkey", &of_id(&by.id));
            line("sign_in.passkey", session(&by.session.id), details)
        }
        Command::TryProof { name } => line("session.try", account(name), details()),
        Command::Prove { session: of, by } => {
            let factor = match by {
                Shown::Password => "password",
                Shown::Totp { .. } => "totp",
                Shown::Passkey { .. } => "passkey",
            };
            line(
                "session.prove",
                session(of),
                details().text("factor", factor),
            )
        }
        // That a session is used shows in what it does; sealing a seed anew changes nobody's factor.
        Command::Touch { .. } | Command::Look { .. } | Command::ResealTotp { .. } => None,
    }
}

pub(super) fn of_passes(command: &passes::Command) -> Said {
    match command {
        passes::Command::SendCode { attempt } => {
            let object = format!("attempt:{}", audit::hex(&attempt[..8]));
            line("sign_in.text", object, details())
        }
        passes::Command::SendInvitation { name } => {
            let details = details().text("send", "text");
            line("account.invite", format!("account:{name}"), details)
        }
        passes::Command::AddGuest(new) => {
            let details = details()
                .text("alert", &new.alert.to_string())
                .text("name", &new.name)
                .text("number", &new.number)
                .number("hours", new.valid_ms.div_ceil(3_600_000));
            line("guest.add", format!("account:{}", new.account), details)
        }
        passes::Command::AskNumber(ask) => {
            let details = details()
                .text("from", ask.from.as_deref().unwrap_or_default())
                .text("to", &ask.to)
                .text("by", &ask.by);
            line("number.ask", format!("person:{}", ask.person), details)
        }
        passes::Command::VouchNumber { person, by } => {
            let details = details().text("by", by);
            line("number.vouch", format!("person:{person}"), details)
        }
        passes::Command::EndGuest { account } => {
            line("guest.end", format!("account:{account}"), details())
        }
        passes::Command::MakeCard { card, site, .. } => line(
            "glass.make",
            format!("card:{card}"),
            details().text("site", site),
        ),
        passes::Command::ConfirmCard { card } => {
            line("glass.confirm", format!("card:{card}"), details())
        }
        passes::Command::EndCard { card } => line("glass.end", format!("card:{card}"), details()),
        passes::Command::OpenByCard(by) => {
            let details = details()
                .text("device", &by.device.name)
                .text("code", &audit::hex(&by.code_hash[..8]));
            line(
                "sign_in.glass",
                format!("session:{}", by.session.id),
                details,
            )
        }
    }
}
