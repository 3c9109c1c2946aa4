//! To be written with its subject.
