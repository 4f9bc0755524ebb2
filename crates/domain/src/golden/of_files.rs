//! Bytes of what is said of files.

use crate::conversations::Speaker;
use crate::files::{Announce, Command as Files, FileDigest};
use crate::{Command, FileId, NodeId, RecipientId, RoomId};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let file = FileId([9; 16]);
    let by = || Speaker {
        name: "Anna".to_owned(),
        person: Some(RecipientId([3; 16])),
    };
    let files = |name, command| (name, Command::Files(command));
    vec![
        files(
            "files.announce",
            Files::Announce(Announce {
                room: RoomId([1; 16]),
                by: by(),
                name: "gate.jpg".to_owned(),
                sha256: FileDigest([8; 32]),
                size: 1_150_000,
                caption: "gate 4".to_owned(),
                restricted: true,
            }),
        ),
        files(
            "files.arrive",
            Files::Arrive {
                file,
                node: NodeId(3),
            },
        ),
        files(
            "files.hold",
            Files::Hold {
                node: NodeId(3),
                held: vec![FileDigest([8; 32])],
                lost: vec![FileDigest([7; 32])],
            },
        ),
        files("files.remove", Files::Remove { file, by: by() }),
        files("files.expire", Files::Expire { files: vec![file] }),
    ]
}
