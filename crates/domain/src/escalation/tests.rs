//! Transcripts of this slice.
