//! How fast harmony starts.
fn main() {}
