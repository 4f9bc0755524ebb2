//! The columns of a table of people: their names, what is written into them, and what is read from them.

use domain::recipients::{ContactMethod, Details, Person, PersonKind, parse_hours, write_hours};

use crate::Exported;

/// What a cell says of a person.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Column {
    Key,
    Name,
    Kind,
    Duty,
    Languages,
    Methods,
    /// A number, for files people write by hand; as are the next three.
    Sms,
    Sms2,
    Email,
    Email2,
    Zone,
    Tags,
    Skills,
    Sites,
    Hours,
    NeverVoice,
    WakeBy,
    AnswerMinutes,
    Note,
    Groups,
}

impl Column {
    const ALL: [(Self, &'static str); 21] = [
        (Self::Key, "key"),
        (Self::Name, "name"),
        (Self::Kind, "kind"),
        (Self::Duty, "duty"),
        (Self::Languages, "languages"),
        (Self::Languages, "language"),
        (Self::Methods, "methods"),
        (Self::Sms, "sms"),
        (Self::Sms2, "sms2"),
        (Self::Email, "email"),
        (Self::Email2, "email2"),
        (Self::Zone, "zone"),
        (Self::Tags, "tags"),
        (Self::Skills, "skills"),
        (Self::Sites, "sites"),
        (Self::Hours, "hours"),
        (Self::NeverVoice, "never_voice"),
        (Self::WakeBy, "wake_by"),
        (Self::AnswerMinutes, "answer_minutes"),
        (Self::Note, "note"),
        (Self::Groups, "groups"),
    ];

    /// Those an export has, in order.
    pub(crate) const EXPORTED: [Self; 16] = [
        Self::Key,
        Self::Name,
        Self::Kind,
        Self::Duty,
        Self::Languages,
        Self::Methods,
        Self::Zone,
        Self::Tags,
        Self::Skills,
        Self::Sites,
        Self::Hours,
        Self::NeverVoice,
        Self::WakeBy,
        Self::AnswerMinutes,
        Self::Note,
        Self::Groups,
    ];

    /// The column of this name, whatever its case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let known = Self::ALL
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name));
        known.map(|(column, _)| *column)
    }

    pub(crate) fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(column, _)| *column == self);
        named.map_or("", |(_, name)| name)
    }

    /// Every name, for whoever wrote another.
    pub(crate) fn names() -> String {
        Self::ALL.map(|(_, name)| name).join(", ")
    }

    /// Whether it names contact methods. One such column in a file makes all of a person's methods the file's.
    pub(crate) fn is_method(self) -> bool {
        matches!(
            self,
            Self::Methods | Self::Sms | Self::Sms2 | Self::Email | Self::Email2
        )
    }

    /// What stands in this column for a person; for columns of hand-written files, nothing.
    pub(crate) fn cell(self, exported: &Exported) -> String {
        let (person, known) = (&exported.person, &exported.person.details);
        match self {
            Self::Key => person.key.clone(),
            Self::Name => person.name.clone(),
            Self::Kind => known.kind.name().to_owned(),
            Self::Duty => yes_or_no(known.duty),
            Self::Languages => {
                let mut all = vec![person.language.clone()];
                all.extend(known.more_languages.iter().cloned());
                all.join(";")
            }
            Self::Methods => {
                let methods: Vec<String> = person
                    .methods
                    .iter()
                    .map(ContactMethod::to_string)
                    .collect();
                methods.join(";")
            }
            Self::Zone => known.zone.clone(),
            Self::Tags => known.tags.join(";"),
            Self::Skills => known.skills.join(";"),
            Self::Sites => known.sites.join(";"),
            Self::Hours => write_hours(&known.hours),
            Self::NeverVoice => yes_or_no(known.wishes.never_voice),
            Self::WakeBy => known.wishes.wake_by.clone().unwrap_or_default(),
            Self::AnswerMinutes => {
                let minutes = known.wishes.answer_minutes;
                minutes.map_or_else(String::new, |minutes| minutes.to_string())
            }
            Self::Note => known.note.clone(),
            Self::Groups => exported.groups.join(";"),
            Self::Sms | Self::Sms2 | Self::Email | Self::Email2 => String::new(),
        }
    }

    /// Says of a person what stands in the cell. An empty cell takes back what was said.
    pub(crate) fn read(self, cell: &str, person: &mut Person) -> Result<(), String> {
        let known = &mut person.details;
        match self {
            Self::Key | Self::Groups => {}
            Self::Name => cell.clone_into(&mut person.name),
            Self::Kind => {
                known.kind = match cell {
                    "" => PersonKind::default(),
                    word => PersonKind::parse(&word.to_lowercase()).ok_or_else(|| {
                        format!(
                            "{} is not a kind; write internal, supplier or authority",
                            shown(word)
                        )
                    })?,
                }
            }
            Self::Duty => known.duty = yes(cell)?,
            Self::Languages => read_languages(cell, &mut person.language, known),
            Self::Methods => {
                for part in parts(cell) {
                    person.methods.push(ContactMethod::parse(&part)?);
                }
            }
            Self::Sms | Self::Sms2 if !cell.is_empty() => {
                person
                    .methods
                    .push(ContactMethod::parse(&format!("sms:{cell}"))?);
            }
            Self::Email | Self::Email2 if !cell.is_empty() => {
                person
                    .methods
                    .push(ContactMethod::parse(&format!("email:{cell}"))?);
            }
            Self::Sms | Self::Sms2 | Self::Email | Self::Email2 => {}
            Self::Zone => cell.clone_into(&mut known.zone),
            Self::Tags => known.tags = parts(cell),
            Self::Skills => known.skills = parts(cell),
            Self::Sites => known.sites = parts(cell),
            Self::Hours => known.hours = parse_hours(cell)?,
            Self::NeverVoice => known.wishes.never_voice = yes(cell)?,
            Self::WakeBy => {
                known.wishes.wake_by = Some(cell.to_owned()).filter(|key| !key.is_empty());
            }
            Self::AnswerMinutes => {
                known.wishes.answer_minutes =
                    match cell {
                        "" => None,
                        number => Some(number.parse().map_err(|_| {
                            format!("{} is not a number of minutes", shown(number))
                        })?),
                    }
            }
            Self::Note => cell.clone_into(&mut known.note),
        }
        Ok(())
    }
}

/// Parts separated by semicolons, each once.
pub(crate) fn parts(cell: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in cell
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if !all.iter().any(|known| known == part) {
            all.push(part.to_owned());
        }
    }
    all
}

fn read_languages(cell: &str, language: &mut String, known: &mut Details) {
    let mut all = parts(&cell.to_lowercase()).into_iter();
    *language = all.next().unwrap_or_else(|| "en".to_owned());
    known.more_languages = all.collect();
}

fn yes_or_no(is: bool) -> String {
    if is { "yes" } else { "" }.to_owned()
}

fn yes(cell: &str) -> Result<bool, String> {
    match cell.to_lowercase().as_str() {
        "" | "no" | "0" | "false" => Ok(false),
        "yes" | "1" | "true" => Ok(true),
        other => Err(format!("{} is neither yes nor no", shown(other))),
    }
}

fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}
