//! Builds the app in `web/` with npm and writes down its files for `include_bytes!`.
//!
//! `HOLDFAST_WEB_DIST=/folder` takes an app built elsewhere, `HOLDFAST_WEB=stub` none. A machine without Node.js, or
//! without a way to npm's packages, builds a program that works and says on its page what is missing.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Vite asks for.
const NODE_MIN: (u32, u32) = (20, 19);

/// What the app is made of, seen from `web/`. `node_modules` follows from the lock file.
const INPUTS: &[&str] = &[
    "index.html",
    "../crates/words/locales",
    "package.json",
    "package-lock.json",
    "public",
    "scripts",
    "src",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
    ".npmrc",
];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    println!("cargo::rerun-if-env-changed=HOLDFAST_WEB");
    println!("cargo::rerun-if-env-changed=HOLDFAST_WEB_DIST");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let web = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../web");
    if let Ok(dist) = std::env::var("HOLDFAST_WEB_DIST") {
        println!("cargo::rerun-if-changed={dist}");
        return write_built(&out, Path::new(&dist));
    }
    if std::env::var("HOLDFAST_WEB").is_ok_and(|wish| wish == "stub") {
        return write_stub(&out, "it was asked for with HOLDFAST_WEB=stub.");
    }
    for input in INPUTS {
        println!("cargo::rerun-if-changed={}", web.join(input).display());
    }
    match build(&web, &out) {
        Ok(dist) => write_built(&out, &dist),
        Err(why) => {
            println!("cargo::warning=the app is left out of this build: {why}");
            write_stub(&out, &why.to_string())
        }
    }
}

/// Builds the app into `out` and returns the folder.
fn build(web: &Path, out: &Path) -> Result<PathBuf, Failure> {
    check_node()?;
    // Two cargos at once (an editor's and a terminal's) share `node_modules`.
    let lock = fs::File::create(web.join("node_modules.lock"))?;
    lock.lock()?;
    install(web)?;
    let dist = out.join("dist");
    run(Command::new("npm")
        .args(["run", "--silent", "build"])
        .env("HOLDFAST_WEB_OUT", &dist)
        .current_dir(web))?;
    Ok(dist)
}

fn check_node() -> Result<(), Failure> {
    let found = Command::new("node").arg("--version").output();
    let text = match found {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => {
            return Err("there is no Node.js here; it needs 20.19 or newer, with npm.".into());
        }
    };
    let mut numbers = text.trim_start_matches('v').split('.');
    let mut number = || numbers.next().and_then(|n| n.parse::<u32>().ok());
    let version = (number().unwrap_or(0), number().unwrap_or(0));
    if version < NODE_MIN {
        return Err(format!("it needs Node.js 20.19 or newer, and here is {text}.").into());
    }
    Ok(())
}

/// Brings in the packages of the lock file, unless they are there already.
fn install(web: &Path) -> Result<(), Failure> {
    let wanted = fs::read(web.join("package-lock.json"))?;
    let stamp = web.join("node_modules/.holdfast-installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    run(Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        ])
        .current_dir(web))?;
    fs::write(&stamp, wanted)?;
    Ok(())
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let output = command
        .output()
        .map_err(|error| format!("npm could not be started: {error}."))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = last[last.len().saturating_sub(8)..].join(" / ");
    Err(format!("npm failed: {last}").into())
}

/// `files.tsv` in the folder names its files: path, content type, digest, and which compressed forms lie beside them.
fn write_built(out: &Path, dist: &Path) -> Result<(), Failure> {
    let list = dist.join("files.tsv");
    let text = fs::read_to_string(&list)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", list.display())))?;
    let mut code = "pub const BUILT: bool = true;\npub static ASSETS: &[Asset] = &[\n".to_owned();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [path, content_type, digest, forms] = fields[..] else {
            return Err(format!("{}: not four fields: {line}", list.display()).into());
        };
        let file = dist.join(path.trim_start_matches('/')).canonicalize()?;
        let form = |name: &str| match forms.split(',').any(|form| form == name) {
            true => format!(
                "Some(include_bytes!({:?}))",
                format!("{}.{name}", file.display())
            ),
            false => "None".to_owned(),
        };
        write_asset(
            &mut code,
            [path, content_type, digest],
            &format!("include_bytes!({:?})", file.display().to_string()),
            [&form("br"), &form("gz")],
        )?;
    }
    code.push_str("];\n");
    fs::write(out.join("assets.rs"), code)?;
    Ok(())
}

fn write_stub(out: &Path, reason: &str) -> Result<(), Failure> {
    let reason = reason.replace('&', "&amp;").replace('<', "&lt;");
    let page = include_str!("src/stub.html").replace("REASON", &reason);
    let mut code = "pub const BUILT: bool = false;\npub static ASSETS: &[Asset] = &[\n".to_owned();
    write_asset(
        &mut code,
        ["/index.html", "text/html; charset=utf-8", "stub"],
        &format!("{page:?}.as_bytes()"),
        ["None", "None"],
    )?;
    code.push_str("];\n");
    fs::write(out.join("assets.rs"), code)?;
    Ok(())
}

fn write_asset(
    code: &mut String,
    [path, content_type, digest]: [&str; 3],
    plain: &str,
    [br, gzip]: [&str; 2],
) -> Result<(), Failure> {
    let (etag, immutable) = (format!("\"{digest}\""), path.starts_with("/assets/"));
    writeln!(
        code,
        "Asset {{ path: {path:?}, content_type: {content_type:?}, etag: {etag:?}, immutable: {immutable}, plain: {plain}, br: {br}, gzip: {gzip} }},"
    )?;
    Ok(())
}
