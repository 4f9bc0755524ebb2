//! `holdfast audit`: who did what, taken away and verified without trusting the node it came from.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::audit::{self, Checkpoint, EXPORT_PAGE, Keys, Line};
use hyper::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Context;
use crate::client::{Client, segment};
use crate::output::{Done, Exit, Failure, cell, each};

/// The files of an export.
const ENTRIES: &str = "audit.jsonl";
const CHECKPOINTS: &str = "checkpoints.jsonl";
const NODES: &str = "nodes.json";

/// How often `tail --follow` asks.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// The last entries, oldest first
    Tail(TailArgs),
    /// Write entries, checkpoints and the nodes' keys into a folder, for others to verify
    Export {
        /// The folder; made if it is not there
        folder: PathBuf,
    },
    /// Say whether entries are what the nodes signed: exit code 0, or 7 with the first entry that is not
    Verify {
        /// An export's folder or its file of entries; without one, the node's own audit as it stands
        path: Option<PathBuf>,
        /// The nodes' keys, if they are not beside the entries
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// More checkpoints, such as copies kept elsewhere: files, or folders of them
        #[arg(long, value_name = "PATH")]
        checkpoints: Vec<PathBuf>,
    },
    /// Erase what an entry says of people; the entry and the chain stay
    Erase {
        seq: u64,
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// How many
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: u32,
    /// Only this action, or all that begin so: alert.raise, alert
    #[arg(long, default_value = "")]
    action: String,
    /// Only what this actor did: key:3fa9, operator:n1
    #[arg(long, default_value = "")]
    actor: String,
    /// Only what was done to this: person:anna
    #[arg(long, default_value = "")]
    object: String,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
}

/// Everything that is verified together.
struct Evidence {
    entries: String,
    checkpoints: String,
    keys: String,
}

pub(super) async fn audit(context: &Context, command: AuditCommand) -> Done {
    match command {
        AuditCommand::Tail(args) => tail(context, &args).await,
        AuditCommand::Export { folder } => export(context, &folder).await,
        AuditCommand::Verify {
            path,
            keys,
            checkpoints,
        } => verify(context, path, keys, &checkpoints).await,
        AuditCommand::Erase { seq, reason } => {
            context.confirm(&format!("Erase the details of entry {seq} for good?"))?;
            let path = format!("/v1/audit/{seq}/erase");
            let body = json!({ "reason": reason });
            let client = context.client()?;
            let answer = client.change(Method::POST, &path, Some(&body)).await?;
            context
                .output
                .data(&answer, || format!("entry {seq}: its details are erased"));
            Ok(())
        }
    }
}

async fn tail(context: &Context, args: &TailArgs) -> Done {
    let client = context.client()?;
    let path = format!(
        "/v1/audit?limit={}&action={}&actor={}&object={}",
        args.limit,
        segment(&args.action),
        segment(&args.actor),
        segment(&args.object)
    );
    let answer = client.get(&path).await?;
    context.output.data(&answer, || shown(context, &answer, 0));
    let newest = |answer: &Value| {
        each(&answer["entries"])
            .filter_map(|e| e["seq"].as_u64())
            .max()
    };
    let mut last = newest(&answer).unwrap_or(0);
    if !args.follow {
        return Ok(());
    }
    loop {
        sleep(FOLLOW_EVERY).await;
        let answer = client.get(&path).await?;
        if let Some(seq) = newest(&answer).filter(|seq| *seq > last) {
            context
                .output
                .data(&answer, || shown(context, &answer, last));
            last = seq;
        }
    }
}

/// Entries after `after`, oldest first.
fn shown(context: &Context, answer: &Value, after: u64) -> String {
    let fields = [
        "seq",
        "at",
        "node",
        "actor",
        "assurance",
        "action",
        "object",
        "outcome",
    ];
    let mut rows: Vec<Vec<String>> = each(&answer["entries"])
        .filter(|entry| entry["seq"].as_u64() > Some(after))
        .map(|entry| {
            let mut row = fields.map(|field| cell(&entry[field])).to_vec();
            row.push(cell(&entry["details"]));
            row
        })
        .collect();
    rows.reverse();
    if after > 0 {
        let lines: Vec<String> = rows.iter().map(|row| row.join("  ")).collect();
        return lines.join("\n");
    }
    let header = [
        "entry", "at", "node", "who", "shown by", "did", "to", "outcome", "",
    ];
    let table = context.output.table(&header, &rows);
    format!(
        "{table}\nsealed up to entry {} of {}",
        cell(&answer["sealed"]),
        cell(&answer["last"])
    )
}

async fn export(context: &Context, folder: &Path) -> Done {
    let evidence = fetch(&context.client()?).await?;
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(ENTRIES), &evidence.entries)?;
        fs::write(folder.join(CHECKPOINTS), &evidence.checkpoints)?;
        fs::write(folder.join(NODES), &evidence.keys)
    };
    write().with_context(|| format!("cannot write into {}", folder.display()))?;
    let entries = evidence.entries.lines().count();
    let answer = json!({ "ok": true, "folder": folder, "entries": entries });
    context.output.data(&answer, || {
        format!("{}: {entries} entries", folder.display())
    });
    Ok(())
}

/// Checkpoints first: what nodes sign meanwhile is about entries that come after.
async fn fetch(client: &Client) -> Result<Evidence, Failure> {
    let text = |bytes: hyper::body::Bytes| {
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Failure::new(Exit::Failure, "the node's answer is no text"))
    };
    let keys = text(client.download("/v1/audit/export/nodes").await?)?;
    let checkpoints = text(client.download("/v1/audit/export/checkpoints").await?)?;
    let (mut entries, mut after) = (String::new(), 0);
    loop {
        let path = format!("/v1/audit/export?after={after}");
        let page = text(client.download(&path).await?)?;
        entries.push_str(&page);
        let (count, last) = (page.lines().count(), page.lines().last());
        let Some(last) = last.filter(|_| count >= EXPORT_PAGE as usize) else {
            break;
        };
        let line: Line = serde_json::from_str(last).map_err(|error| {
            let words = format!("an entry after {after} cannot be read: {error}");
            Failure::new(Exit::VerificationFailed, words)
        })?;
        after = line.entry.seq;
    }
    Ok(Evidence {
        entries,
        checkpoints,
        keys,
    })
}

async fn verify(
    context: &Context,
    path: Option<PathBuf>,
    keys: Option<PathBuf>,
    more: &[PathBuf],
) -> Done {
    let mut evidence = match path {
        None => fetch(&context.client()?).await?,
        Some(path) => read(&path, keys.as_deref(), more.is_empty())?,
    };
    for path in more {
        for file in files(path)? {
            evidence.checkpoints.push('\n');
            evidence.checkpoints.push_str(&read_text(&file)?);
        }
    }
    let bad = |what: &str, error: serde_json::Error| {
        Failure::new(
            Exit::VerificationFailed,
            format!("{what} cannot be read: {error}"),
        )
    };
    let keys: Keys = serde_json::from_str(&evidence.keys).map_err(|e| bad("the nodes' keys", e))?;
    let checkpoints: Vec<Checkpoint> = evidence
        .checkpoints
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|e| bad("a checkpoint", e))?;
    let verdict = audit::verify(&evidence.entries, &checkpoints, &keys);
    let flaws: Vec<Value> = verdict
        .flaws
        .iter()
        .map(|flaw| json!({ "seq": flaw.seq, "what": flaw.what }))
        .collect();
    let answer = json!({
        "ok": verdict.holds(), "entries": verdict.entries, "last": verdict.last,
        "sealed": verdict.sealed, "erased": verdict.erased, "flaws": flaws,
    });
    context.output.data(&answer, || {
        let mut text: Vec<String> = verdict.flaws.iter().map(ToString::to_string).collect();
        text.push(format!(
            "{} entries, up to {}; sealed by a majority up to {}; details of {} were erased",
            verdict.entries, verdict.last, verdict.sealed, verdict.erased
        ));
        text.join("\n")
    });
    match verdict.flaws.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(
            Exit::VerificationFailed,
            format!("the audit does not hold: {first}"),
        )
        .reported(true)),
    }
}

/// An export as it lies in a folder, or its file of entries with the others beside it.
fn read(path: &Path, keys: Option<&Path>, beside: bool) -> Result<Evidence, Failure> {
    let (entries, folder) = match path.is_dir() {
        true => (path.join(ENTRIES), path.to_owned()),
        false => (
            path.to_owned(),
            path.parent().map_or_else(PathBuf::new, Path::to_owned),
        ),
    };
    let checkpoints = folder.join(CHECKPOINTS);
    let checkpoints = match beside || checkpoints.is_file() {
        true => read_text(&checkpoints)?,
        false => String::new(),
    };
    Ok(Evidence {
        entries: read_text(&entries)?,
        checkpoints,
        keys: read_text(&keys.map_or_else(|| folder.join(NODES), Path::to_owned))?,
    })
}

/// The file, or the files of the folder, by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let listed = fs::read_dir(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot look into {}", path.display()))?;
    let mut files: Vec<PathBuf> = listed.into_iter().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}
