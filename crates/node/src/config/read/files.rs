//! `[files]`: how much of files in rooms a node takes.

use domain::files::SIZE_MAX;
use domain::ports::FileLimits;

use super::super::section::Section;

const MEGABYTE: u64 = 1_000_000;

pub(super) fn read(mut section: Section<'_>) -> FileLimits {
    let default = FileLimits::default();
    let mb = |bytes: u64| u32::try_from(bytes / MEGABYTE).unwrap_or(u32::MAX);
    let size = section.number_or("size_max_mb", mb(default.size_max), 1..=mb(SIZE_MAX));
    let total = section.number_or("total_max_mb", mb(default.total_max), 10..=1_000_000);
    section.finish();
    FileLimits {
        size_max: u64::from(size) * MEGABYTE,
        total_max: u64::from(total) * MEGABYTE,
    }
}
