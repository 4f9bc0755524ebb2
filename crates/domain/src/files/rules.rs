//! Decisions about files without SQL: which kinds are taken, and whether bytes are of the kind they are said to be
//! (SECURITY V5.2.2).

use std::time::Duration;

use crate::texts;

/// The largest file any node takes, in bytes. Nodes may be set to less.
pub const SIZE_MAX: u64 = 25 * 1024 * 1024;

/// The longest text said with a file, in characters; with the line of the file it still fits a message.
pub const CAPTION_LEN_MAX: usize = 3_500;

/// The longest name, in characters.
const NAME_LEN_MAX: usize = 120;

/// How long an announced file may take to arrive.
pub(super) const ARRIVE_WITHIN: Duration = Duration::from_secs(24 * 3_600);

/// Files that one caller may have under way.
pub(super) const UNDER_WAY_MAX: i64 = 20;

/// Files under way in the whole cluster.
pub(super) const UNDER_WAY_ALL_MAX: i64 = 500;

/// What a file is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FileKind {
    Jpeg,
    Png,
    Webp,
    Pdf,
    Text,
    Csv,
    Docx,
    Xlsx,
    Pptx,
}

impl FileKind {
    pub const ALL: [Self; 9] = [
        Self::Jpeg,
        Self::Png,
        Self::Webp,
        Self::Pdf,
        Self::Text,
        Self::Csv,
        Self::Docx,
        Self::Xlsx,
        Self::Pptx,
    ];

    /// The word in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Pdf => "pdf",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Docx => "docx",
            Self::Xlsx => "xlsx",
            Self::Pptx => "pptx",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// By the ending of a file's name.
    pub fn of_name(name: &str) -> Option<Self> {
        let (stem, ending) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        Some(match ending.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => Self::Jpeg,
            "png" => Self::Png,
            "webp" => Self::Webp,
            "pdf" => Self::Pdf,
            "txt" | "log" => Self::Text,
            "csv" => Self::Csv,
            "docx" => Self::Docx,
            "xlsx" => Self::Xlsx,
            "pptx" => Self::Pptx,
            _ => return None,
        })
    }

    /// As a browser is told.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Text => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Pptx => {
                "application/vnd.openxmlformats-officedocument.presentationml.presentation"
            }
        }
    }

    /// Whether it may be shown where it stands; everything else is for saving.
    pub fn is_image(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Webp)
    }

    /// What people call it.
    fn words(self) -> &'static str {
        match self {
            Self::Jpeg => "a JPEG image",
            Self::Png => "a PNG image",
            Self::Webp => "a WebP image",
            Self::Pdf => "a PDF",
            Self::Text => "plain text in UTF-8",
            Self::Csv => "CSV in UTF-8",
            Self::Docx => "a Word document without macros",
            Self::Xlsx => "an Excel workbook without macros",
            Self::Pptx => "a PowerPoint presentation without macros",
        }
    }
}

/// Whether bytes are of the kind their name says.
///
/// # Errors
/// Why they are not, as a sentence for whoever sent them.
pub fn inspect(kind: FileKind, bytes: &[u8]) -> Result<(), String> {
    let right = match kind {
        FileKind::Jpeg => bytes.starts_with(&[0xff, 0xd8, 0xff]),
        FileKind::Png => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        FileKind::Webp => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        FileKind::Pdf => bytes.starts_with(b"%PDF-"),
        FileKind::Text | FileKind::Csv => is_text(bytes),
        FileKind::Docx => is_office(bytes, b"word/document.xml"),
        FileKind::Xlsx => is_office(bytes, b"xl/workbook.xml"),
        FileKind::Pptx => is_office(bytes, b"ppt/presentation.xml"),
    };
    match right {
        true => Ok(()),
        false => Err(format!(
            "by its name the file is {}, but its content is not; it was not taken. Send it under its right name, or save it anew",
            kind.words()
        )),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(allowed))
}

/// A zip archive that names the main part of its kind of document, and no macros.
fn is_office(bytes: &[u8], part: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
        && holds(bytes, b"[Content_Types].xml")
        && holds(bytes, part)
        && !holds(bytes, b"vbaProject.bin")
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// A file's name as it is kept: one line, without folders, with nothing that a file system minds.
pub(super) fn name(name: &str) -> Result<String, String> {
    let clean = texts::clean(name);
    let last = clean.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last
        .chars()
        .map(|c| match c {
            '"' | '<' | '>' | '|' | '?' | '*' | ':' | ';' | '[' | ']' => '_',
            c => c,
        })
        .collect();
    let kept = kept.trim().to_owned();
    match kept.is_empty() || kept.chars().count() > NAME_LEN_MAX {
        true => Err(format!(
            "the name of a file has 1 to {NAME_LEN_MAX} characters"
        )),
        false => Ok(kept),
    }
}

/// What a file is by its name.
pub(super) fn kind(name: &str) -> Result<FileKind, String> {
    FileKind::of_name(name).ok_or_else(|| {
        "files of this kind are not taken; send JPEG, PNG or WebP images, PDF, text or CSV, or documents of Word, Excel \
         or PowerPoint without macros (docx, xlsx, pptx)"
            .to_owned()
    })
}

pub(super) fn size(size: u64) -> Result<(), String> {
    match size {
        0 => Err("the file is empty".to_owned()),
        1..=SIZE_MAX => Ok(()),
        _ => Err(format!(
            "the file is too large; at most {} are taken",
            amount(SIZE_MAX)
        )),
    }
}

pub(super) fn caption(caption: &str) -> Result<String, String> {
    match caption.chars().count() > CAPTION_LEN_MAX {
        true => Err(format!(
            "what is said with a file has at most {CAPTION_LEN_MAX} characters"
        )),
        false => Ok(texts::neutral(caption)),
    }
}

/// The line that stands for a file in what is said, in every language: `[photo.jpg, 1.2 MB]`.
pub fn line(name: &str, size: u64) -> String {
    format!("[{name}, {}]", amount(size))
}

/// Bytes as people read them.
fn amount(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => {
            let tenths = bytes.div_ceil(100_000);
            format!("{}.{} MB", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_bytes_say_whatever_it_is_called() {
        let zip = |parts: &str| format!("PK\u{3}\u{4}..[Content_Types].xml..{parts}").into_bytes();
        for (name, bytes, taken) in [
            ("a.JPG", b"\xff\xd8\xff\xe0rest".to_vec(), true),
            ("a.jpg", b"<html><script>".to_vec(), false),
            ("a.jpg", b"\x89PNG\r\n\x1a\n".to_vec(), false),
            ("a.png", b"\x89PNG\r\n\x1a\nrest".to_vec(), true),
            ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), true),
            ("a.webp", b"RIFF\x10\0\0\0WAVEfmt ".to_vec(), false),
            ("a.pdf", b"%PDF-1.7\n".to_vec(), true),
            ("a.pdf", b"MZ\x90\0".to_vec(), false),
            ("a.txt", "\u{feff}löydös\r\n\tx".as_bytes().to_vec(), true),
            ("a.csv", b"a;b\n1;2\n".to_vec(), true),
            ("a.csv", b"l\xf6yd\xf6s".to_vec(), false),
            ("a.txt", b"\x1b[2J".to_vec(), false),
            ("a.docx", zip("word/document.xml"), true),
            ("a.xlsx", zip("word/document.xml"), false),
            ("a.pptx", zip("ppt/presentation.xml"), true),
            (
                "a.docx",
                zip("word/document.xml word/vbaProject.bin"),
                false,
            ),
        ] {
            let kind = FileKind::of_name(name).unwrap();
            assert_eq!(inspect(kind, &bytes).is_ok(), taken, "{name} {bytes:?}");
        }
        for name in [
            "a.svg", "a.html", "a.docm", "a.exe", "photo", ".jpg", "a.jpg.js", "",
        ] {
            assert!(kind(name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_lose_their_folders_and_whatever_steers_a_screen() {
        for (given, kept) in [
            ("photo.jpg", "photo.jpg"),
            ("C:\\Users\\anna\\gate 4.pdf", "gate 4.pdf"),
            ("../../etc/passwd.txt", "passwd.txt"),
            ("fdp\u{202e}gpj.exe\n.png", "fdp gpj.exe .png"),
            ("a\"b[1].csv", "a_b_1_.csv"),
        ] {
            assert_eq!(name(given).as_deref(), Ok(kept));
        }
        for bad in ["", "\u{202e}", "a/", &"x".repeat(121)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        for (bytes, shown) in [
            (7, "[a, 7 B]"),
            (340_000, "[a, 340 kB]"),
            (1_150_000, "[a, 1.2 MB]"),
            (25_000_000, "[a, 25.0 MB]"),
        ] {
            assert_eq!(line("a", bytes), shown);
        }
        assert!(size(0).is_err() && size(SIZE_MAX + 1).is_err());
    }

    #[test]
    fn kinds_are_told_apart_by_their_words() {
        for kind in FileKind::ALL {
            assert_eq!(FileKind::parse(kind.name()), Some(kind));
        }
    }
}
