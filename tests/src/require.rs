//! Programs from outside that a test needs: found, or the test says why it is skipped.
//!
//! On a developer's machine a missing program skips the test with a printed reason. Where `HOLDFAST_CI=1` is set the same
//! is a failure, so that CI cannot quietly test less than it claims.

use std::path::PathBuf;
use std::process::Command;

/// Where Debian keeps programs, some of them outside an ordinary user's `PATH`.
const PLACES: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// The path of `program`, or `None` after saying that Debian's `package` would bring it.
pub fn require_program(program: &str, package: &str) -> Option<PathBuf> {
    let found = PLACES
        .iter()
        .map(|place| PathBuf::from(place).join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        skip(&format!(
            "{program} is not installed; install Debian's {package}"
        ));
    }
    found
}

/// A Python that has these modules, or `None` after saying that Debian's `package` would bring them. Debian's own Python
/// comes first: only it sees what Debian's packages bring.
pub fn require_python(modules: &str, package: &str) -> Option<PathBuf> {
    let found = ["/usr/bin", "/usr/local/bin"]
        .map(|place| PathBuf::from(place).join("python3"))
        .into_iter()
        .find(|python| {
            let import = format!("import {modules}");
            let tried = Command::new(python).args(["-c", &import]).output();
            tried.is_ok_and(|ran| ran.status.success())
        });
    if found.is_none() {
        skip(&format!(
            "no Python has {modules}; install Debian's {package}"
        ));
    }
    found
}

/// Says why a test is skipped; in CI that fails it.
pub fn skip(reason: &str) {
    assert!(
        std::env::var("HOLDFAST_CI").as_deref() != Ok("1"),
        "must not be skipped in CI: {reason}"
    );
    eprintln!("skipped: {reason}");
}
