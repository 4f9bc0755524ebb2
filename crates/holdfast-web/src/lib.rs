//! The files of the app in `web/`, built by this crate's `build.rs` and held in the program, compressed beforehand.
//!
//! Knows no HTTP: `api` serves them. Where the app could not be built, a page that says why stands in its place.

/// One file.
#[derive(Debug)]
pub struct Asset {
    /// `/index.html`, `/assets/app-3f9c.js`.
    pub path: &'static str,
    pub content_type: &'static str,
    /// With its quotes.
    pub etag: &'static str,
    /// Its name changes with its content.
    pub immutable: bool,
    pub plain: &'static [u8],
    pub br: Option<&'static [u8]>,
    pub gzip: Option<&'static [u8]>,
}

/// The file at a path.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_page_and_every_file_says_what_it_is() {
        let page = asset("/index.html").unwrap();
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(!page.immutable);
        for asset in ASSETS {
            assert!(asset.path.starts_with('/'), "{}", asset.path);
            assert!(asset.etag.starts_with('"') && asset.etag.ends_with('"'));
            assert_eq!(asset.immutable, asset.path.starts_with("/assets/"));
        }
        assert!(asset("/nothing").is_none());
        assert_eq!(BUILT, asset("/sw.js").is_some());
    }
}
