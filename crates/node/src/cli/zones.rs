//! `holdfast zones`: what rules of time zones are installed, and newer ones by hand, without the internet.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use data_encoding::BASE64;
use domain::zones::{self, ZoneFile};
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use crate::output::{Done, Exit, Failure, cell, each};
use crate::run::zones::{bundled, bundled_version};

/// The largest file of a release looked at; `tzdata.zi`, which names the release, has some 110,000 bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// More files than any release has.
const FILES_MAX: usize = 4_000;

/// Every TZif file begins with this (RFC 8536 §3.1).
const TZIF: &[u8] = b"TZif";

#[derive(Debug, Subcommand)]
pub(crate) enum ZonesCommand {
    /// The release in use and its zones
    List,
    /// Install the rules of a newer release; what schedules say on the wall stays as it is
    Update {
        /// Folder as /usr/share/zoneinfo of a machine that has them, or a tar file of one
        #[arg(required_unless_present = "bundled", conflicts_with = "bundled")]
        from: Option<PathBuf>,
        /// Those this program was built with
        #[arg(long)]
        bundled: bool,
        /// Name of the release, if tzdata.zi is not among the files: 2026a
        #[arg(long, value_name = "RELEASE")]
        release: Option<String>,
    },
}

pub(super) async fn zones(context: &Context, command: ZonesCommand) -> Done {
    match command {
        ZonesCommand::List => list(context).await,
        ZonesCommand::Update {
            from,
            bundled: _,
            release,
        } => {
            let (version, files) = match from {
                Some(path) => {
                    let read = tokio::task::spawn_blocking(move || read(&path)).await;
                    let (found, files) =
                        read.map_err(|e| Failure::of(Exit::Failure, e.into()))??;
                    (release.or(found), files)
                }
                None => (Some(bundled_version().to_owned()), bundled()),
            };
            let version = version.ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    "the files do not say which release they are; name it with --release 2026a",
                )
            })?;
            update(context, &version, files).await
        }
    }
}

async fn list(context: &Context) -> Done {
    let answer = context.client()?.get("/v1/zones").await?;
    context.output.data(&answer, || {
        let release = &answer["release"];
        let head = match release["version"].as_str() {
            Some(version) => format!(
                "release {version}, {} zones, installed {} by {}",
                cell(&release["zones"]),
                cell(&release["installed_at"]),
                cell(&release["installed_by"])
            ),
            None => "no release is installed whole yet".to_owned(),
        };
        let rows: Vec<_> = each(&answer["zones"])
            .map(|zone| vec![cell(&zone["name"]), cell(&zone["version"])])
            .collect();
        format!(
            "{head}\n{}",
            context.output.table(&["zone", "release"], &rows)
        )
    });
    Ok(())
}

async fn update(context: &Context, version: &str, files: Vec<ZoneFile>) -> Done {
    zones::check_version(version).map_err(|problem| Failure::new(Exit::Usage, problem))?;
    let client = context.client()?;
    let total = files.len();
    let count = u32::try_from(total).unwrap_or(u32::MAX);
    let mut changed = false;
    for batch in zones::batches(version, count, files) {
        let zone =
            |zone: &ZoneFile| json!({ "name": zone.name, "tzif": BASE64.encode(&zone.tzif) });
        let zones: Vec<Value> = batch.zones.iter().map(zone).collect();
        let body = json!({ "version": version, "total": total, "zones": zones });
        let answer = client.change(Method::PUT, "/v1/zones", Some(&body)).await?;
        changed |= answer["changed"] == true;
    }
    let answer = json!({ "version": version, "zones": total, "changed": changed });
    context.output.data(&answer, || match changed {
        true => format!("{total} zones of release {version} installed"),
        false => format!("release {version} was installed already"),
    });
    Ok(())
}

/// The release a folder or tar file names, if it does, and its zones by name.
fn read(path: &Path) -> Result<(Option<String>, Vec<ZoneFile>), anyhow::Error> {
    let mut found = Found::default();
    let shown = path.display();
    if path.is_dir() {
        read_folder(path, "", &mut found).with_context(|| format!("cannot read {shown}"))?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {shown}"))?;
        read_tar(file, &mut found).with_context(|| format!("cannot read {shown} as a tar file"))?;
    }
    if found.files.is_empty() {
        return Err(anyhow!(
            "{shown} holds no time zones; give a folder as /usr/share/zoneinfo, or a tar file of one"
        ));
    }
    found.files.sort_by(|one, other| one.name.cmp(&other.name));
    found.files.dedup_by(|one, other| one.name == other.name);
    Ok((found.version, found.files))
}

#[derive(Debug, Default)]
struct Found {
    version: Option<String>,
    files: Vec<ZoneFile>,
}

impl Found {
    fn take(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), anyhow::Error> {
        if name == "tzdata.zi" {
            // Its first line: `# version 2026a`.
            let text = String::from_utf8_lossy(&bytes);
            let first = text.lines().next().unwrap_or_default();
            self.version = first
                .strip_prefix("# version ")
                .map(|v| v.trim().to_owned());
        } else if bytes.starts_with(TZIF) {
            if self.files.len() == FILES_MAX {
                return Err(anyhow!("more than {FILES_MAX} time zones"));
            }
            self.files.push(ZoneFile {
                name: name.to_owned(),
                tzif: bytes,
            });
        }
        Ok(())
    }
}

/// Copies of the zones with other ideas of leap seconds, and names that mean something on one machine only.
fn is_left_out(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    matches!(first, "posix" | "right" | "posixrules" | "localtime")
}

fn read_folder(folder: &Path, prefix: &str, found: &mut Found) -> Result<(), anyhow::Error> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        // A link may lead anywhere but to a folder: zones that share rules are often linked.
        if is_left_out(&name) || (entry.file_type()?.is_symlink() && path.is_dir()) {
            continue;
        }
        if path.is_dir() {
            read_folder(&path, &format!("{name}/"), found)?;
        } else if path.metadata().is_ok_and(|meta| meta.len() <= FILE_LEN_MAX) {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {name}"))?;
            found.take(&name, bytes)?;
        }
    }
    Ok(())
}

fn read_tar(file: std::fs::File, found: &mut Found) -> Result<(), anyhow::Error> {
    for entry in tar::Archive::new(file).entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let name = path.trim_start_matches("./");
        let name = name
            .rsplit_once("zoneinfo/")
            .map_or(name, |(_, name)| name)
            .to_owned();
        if is_left_out(&name)
            || !entry.header().entry_type().is_file()
            || entry.size() > FILE_LEN_MAX
        {
            continue;
        }
        let mut bytes = Vec::new();
        entry.take(FILE_LEN_MAX).read_to_end(&mut bytes)?;
        found.take(&name, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_zones_names_its_release_and_leaves_other_files_out() {
        let folder = tempfile::tempdir().unwrap();
        let tzif = &bundled()[0].tzif;
        for (name, bytes) in [
            ("tzdata.zi", b"# version 2031c\n# more".as_slice()),
            ("zone.tab", b"# no zone"),
            ("Europe/Helsinki", tzif),
            ("right/Europe/Helsinki", tzif),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let (version, files) = read(folder.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            (version.as_deref(), names),
            (Some("2031c"), vec!["Europe/Helsinki"])
        );
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_dir_all("zoneinfo", folder.path()).unwrap();
        let path = folder.path().join("zones.tar");
        std::fs::write(&path, tar.into_inner().unwrap()).unwrap();
        let (version, files) = read(&path).unwrap();
        assert_eq!((version.as_deref(), files.len()), (Some("2031c"), 1));
        std::fs::write(&path, "no tar").unwrap();
        assert!(read(&path).is_err());
    }
}
