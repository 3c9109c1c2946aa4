//! The lock of an instance and of its hub.

use crate::harness::Folder;
use harmony::instance::lock::Lock;
use std::fs::File;
use std::sync::mpsc;

#[test]
fn who_only_looks_keeps_nobody_from_the_lock() {
    let folder = Folder::new();
    let path = folder.path().join("hub.pid");
    drop(Lock::take(&path, "first").expect("a file"));
    // As a look that a busy machine stretches.
    let guard = File::options()
        .write(true)
        .open(path.with_added_extension("lock"));
    let guard = guard.expect("the lock's file");
    guard.try_lock().expect("nobody has it");
    let (began, beginning) = mpsc::channel();
    let taker = std::thread::spawn(move || {
        began.send(()).expect("a listener");
        Lock::take(&path, "second").expect("a file").is_some()
    });
    beginning.recv().expect("a beginning");
    // It tries at once, and time and again after that.
    std::thread::park_timeout(std::time::Duration::from_millis(50));
    drop(guard);
    assert!(taker.join().expect("no panic"), "a look is no holder");
}

#[test]
fn who_holds_the_lock_is_named() {
    let folder = Folder::new();
    let path = folder.path().join("hub.pid");
    let held = Lock::take(&path, "the holder").expect("a file");
    assert!(held.is_some());
    assert!(Lock::take(&path, "another").expect("a file").is_none());
    let note = Lock::holder(&path).expect("a file");
    assert_eq!(note.as_deref(), Some("the holder"));
    drop(held);
    assert_eq!(Lock::holder(&path).expect("a file"), None);
}
