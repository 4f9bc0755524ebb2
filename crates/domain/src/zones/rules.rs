//! What rules of zones must look like to be taken, and how they travel.

use super::wall::Zone;
use super::{Install, ZoneFile};

/// Most zones in one command.
pub const INSTALL_ZONES_MAX: usize = 100;

/// Most bytes of rules in one command.
pub const INSTALL_BYTES_MAX: usize = 128 * 1024;

const NAME_LEN_MAX: usize = 64;
/// The longest file of any release so far has about 4,000 bytes.
const TZIF_LEN_MAX: usize = 32 * 1024;

/// Says what is wrong with a batch, in words for the one who brought it.
pub(super) fn check(install: &Install) -> Result<(), String> {
    check_version(&install.version)?;
    let bytes: usize = install.zones.iter().map(|zone| zone.tzif.len()).sum();
    if install.zones.len() > INSTALL_ZONES_MAX || bytes > INSTALL_BYTES_MAX {
        return Err(format!(
            "at most {INSTALL_ZONES_MAX} zones and {INSTALL_BYTES_MAX} bytes are installed at once; send less"
        ));
    }
    for zone in &install.zones {
        check_name(&zone.name)?;
        if zone.tzif.len() > TZIF_LEN_MAX {
            return Err(format!(
                "the rules of {} have more than {TZIF_LEN_MAX} bytes",
                zone.name
            ));
        }
        Zone::read(&zone.name, &zone.tzif).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Whether this names a release of the IANA database: a year and one or two letters.
pub fn check_version(version: &str) -> Result<(), String> {
    let (year, letters) = version.split_at_checked(4).unwrap_or((version, ""));
    if year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
        && (1..=2).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_lowercase())
    {
        return Ok(());
    }
    let shown: String = version.chars().take(20).collect();
    Err(format!(
        "{shown:?} is not a version of the time-zone database; write it as 2026a"
    ))
}

/// What to say of a zone that is not installed.
pub fn unknown_zone(name: &str) -> String {
    let shown: String = name.chars().take(NAME_LEN_MAX).collect();
    format!(
        "time zone {shown:?} is not installed; see `holdfast zones list` for the names, or install newer rules with \
         `holdfast zones update`"
    )
}

/// Cuts a release into commands within the bounds, in order.
pub fn batches(version: &str, total: u32, zones: Vec<ZoneFile>) -> Vec<Install> {
    let mut all: Vec<Install> = Vec::new();
    let mut bytes = 0;
    for zone in zones {
        let size = zone.tzif.len();
        match all.last_mut() {
            Some(batch)
                if batch.zones.len() < INSTALL_ZONES_MAX && bytes + size <= INSTALL_BYTES_MAX =>
            {
                bytes += size;
                batch.zones.push(zone);
            }
            Some(_) | None => {
                bytes = size;
                all.push(Install {
                    version: version.to_owned(),
                    total,
                    zones: vec![zone],
                });
            }
        }
    }
    all
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
    if (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_LEN_MAX).collect();
    Err(format!(
        "{shown:?} is not the name of a time zone; write it as Europe/Helsinki"
    ))
}
