//! Namespaces of a run's own. The run is the first process in a PID, mount and network namespace, so when it ends, by
//! whatever, the kernel ends every node and takes every network, link and mount away: nothing is left to clean up.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;

/// Set for the process inside.
const INSIDE: &str = "HOLDFAST_CHAOS_INSIDE";

/// Programs a run needs, and the Debian package of each.
const PROGRAMS: [(&str, &str); 4] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
];

/// Devices a run needs.
const DEVICES: [&str; 2] = ["/dev/net/tun", "/dev/fuse"];

/// Where Debian's `faketime` keeps the library that steps one process's clock.
const FAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// What this machine lacks for a run; empty when it can run.
pub(crate) fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if !geteuid().is_root() {
        missing.push("root (namespaces, links and mounts are made)".to_owned());
    }
    for (program, package) in PROGRAMS {
        if find(program).is_none() {
            missing.push(format!("{program} (Debian: {package})"));
        }
    }
    for device in DEVICES {
        if !Path::new(device).exists() {
            missing.push(format!("{device} (a kernel with TUN and FUSE)"));
        }
    }
    if faketime().is_none() {
        missing.push("libfaketime (Debian: faketime)".to_owned());
    }
    missing
}

/// The library that steps one process's clock.
pub(crate) fn faketime() -> Option<&'static Path> {
    FAKETIME.iter().map(Path::new).find(|path| path.exists())
}

/// Returns at once inside; outside it becomes the same command inside, and comes back only with an error.
pub(crate) fn enter() -> Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return prepare();
    }
    let missing = missing();
    if !missing.is_empty() {
        bail!("this machine lacks: {}", missing.join("; "));
    }
    let error = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "--"])
        .arg(std::env::current_exe().context("cannot find this program's own file")?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(error).context("cannot make namespaces")
}

/// `ip netns` keeps its names under `/run`; a fresh one hides those of the machine.
fn prepare() -> Result<()> {
    std::fs::create_dir_all("/run/netns")?;
    run("mount", &["-t", "tmpfs", "chaos", "/run/netns"])?;
    run("ip", &["link", "set", "lo", "up"])
}

/// Runs a short command to its end.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let done = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !done.status.success() {
        let words = String::from_utf8_lossy(&done.stderr);
        bail!("{program} {}: {}", arguments.join(" "), words.trim());
    }
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}
