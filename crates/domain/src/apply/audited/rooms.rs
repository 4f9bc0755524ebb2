//! What the audit says of rooms. What people say to each other is a detail, and can be erased.

use super::{Said, details, line};
use crate::conversations::Command;
use crate::ids::RoomId;
use crate::{documents, files};

pub(super) fn of_rooms(command: &Command) -> Said {
    let room = |id: &RoomId| format!("room:{id}");
    match command {
        Command::Post {
            room: about,
            author,
            text,
        } => {
            let details = details().text("author", author).text("text", text);
            line("message.post", room(about), details)
        }
        Command::Say(say) => {
            let mark = say.mark.map_or("", |mark| mark.name());
            let details = details()
                .text("author", &say.by.name)
                .text("text", &say.text)
                .text("mark", mark);
            line("message.post", room(&say.room), details)
        }
        Command::Edit { message, text, by } => {
            let details = details().text("author", &by.name).text("text", text);
            line("message.edit", format!("message:{message}"), details)
        }
        Command::Mark {
            message, kind, by, ..
        } => {
            let details = details().text("author", &by.name).text("mark", kind.name());
            line("message.mark", format!("message:{message}"), details)
        }
        Command::Pin {
            message,
            pinned,
            by,
        } => {
            let details = details()
                .text("author", &by.name)
                .text("pinned", if *pinned { "yes" } else { "no" });
            line("message.pin", format!("message:{message}"), details)
        }
        Command::PutRoom {
            key,
            name,
            restricted,
            closed,
            by,
        } => {
            let details = details()
                .text("author", &by.name)
                .text("name", name)
                .text("restricted", if *restricted { "yes" } else { "no" })
                .text("closed", if *closed { "yes" } else { "no" });
            line("room.put", format!("room:{key}"), details)
        }
        Command::PutMember {
            room: about,
            person,
            member,
            by,
            ..
        } => {
            let details = details()
                .text("author", &by.name)
                .text("person", &person.to_string())
                .text("member", if *member { "yes" } else { "no" });
            line("room.member", room(about), details)
        }
        Command::Follow {
            room: about,
            person,
            follow,
            by,
        } => {
            let details = details()
                .text("author", &by.name)
                .text("person", &person.to_string())
                .text("follow", follow.name());
            line("room.follow", room(about), details)
        }
        // How far somebody has read is theirs; the row of it tells.
        Command::Read { .. } => None,
    }
}

/// The digest ties the chain of the audit to the bytes.
pub(super) fn of_files(command: &files::Command) -> Said {
    match command {
        files::Command::Announce(new) => {
            let details = details()
                .text("author", &new.by.name)
                .text("name", &new.name)
                .text("sha256", &new.sha256.to_string())
                .number("size", new.size);
            line("file.announce", format!("room:{}", new.room), details)
        }
        files::Command::Arrive { file, node } => {
            let details = details().text("node", &node.to_string());
            line("file.arrive", format!("file:{file}"), details)
        }
        files::Command::Remove { file, by } => {
            let details = details().text("author", &by.name);
            line("file.remove", format!("file:{file}"), details)
        }
        // Which disks hold a file, and what never came.
        files::Command::Hold { .. } | files::Command::Expire { .. } => None,
    }
}

pub(super) fn of_documents(command: &documents::Command) -> Said {
    let object = |key: &str| format!("document:{key}");
    match command {
        documents::Command::Put(put) => {
            let details = details()
                .text("author", &put.by.name)
                .text("title", &put.title)
                .text("file", &put.file.to_string())
                .text("owner", &put.owner)
                .names("templates", put.templates.iter().map(String::as_str));
            line("document.put", object(&put.key), details)
        }
        documents::Command::Remove { key, by } => {
            let details = details().text("author", &by.name);
            line("document.remove", object(key), details)
        }
    }
}
