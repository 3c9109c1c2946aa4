//! The editor and the layers: what parses can be edited, reads as it was set, and is otherwise as
//! it was.
#![no_main]

use harmony::appsettings::document::{Document, NewValue};
use harmony::appsettings::key_path::KeyPath;
use harmony::appsettings::layers::Layers;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: (&[u8], &str, &str)| {
    let (bytes, key, value) = data;
    let Ok(document) = Document::parse(bytes) else {
        return;
    };
    assert_eq!(document.to_bytes(), bytes, "what is not edited stays");
    let layers = Layers::of_files([(Path::new("appsettings.json"), &document)]);
    for entry in document.entries() {
        let _ = layers.get(&entry.key);
    }
    let path = KeyPath::new(key);
    let mut edited = document.clone();
    if edited.set(&path, &NewValue::Text(value.to_owned())).is_ok() {
        let again = Document::parse(&edited.to_bytes()).expect("an edit leaves what parses");
        assert_eq!(again.get(&path), Some(value), "an edit reads as it was set");
        assert_eq!(
            edited.entries(),
            again.entries(),
            "the tree is that of the text"
        );
        assert!(
            !edited
                .set(&path, &NewValue::Text(value.to_owned()))
                .expect("the same again"),
            "twice changes nothing"
        );
    }
    let mut removed = document;
    if removed.remove(&path).expect("a removal is safe") {
        let again = Document::parse(&removed.to_bytes()).expect("a removal leaves what parses");
        assert_eq!(removed.entries(), again.entries());
    }
});
