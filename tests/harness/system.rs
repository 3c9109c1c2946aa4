//! What tests do in a way of its own on each system.

use std::path::Path;
use std::process::Child;

#[cfg(unix)]
mod own {
    use super::{Child, Path};
    use rustix::process::{Pid, Signal, kill_process};

    /// Nobody can keep others from replacing a file here.
    pub struct Hold;

    pub fn hold_for_a_moment(_path: &Path) -> Hold {
        Hold
    }

    /// Puts a program where `to` says. Another process does: the system runs no file that is open for
    /// writing, and what another test starts at this moment has open what is open here.
    pub fn install(from: &Path, to: &Path) {
        let mut command = std::process::Command::new("install");
        let status = command.arg("-m755").args([from, to]).status();
        assert!(status.expect("install").success());
    }

    pub fn ask_to_end(child: &mut Child) {
        let pid = Pid::from_raw(child.id() as i32).expect("a pid");
        kill_process(pid, Signal::TERM).expect("a signal");
    }

    /// What makes a folder a program's home, and nothing else of this user known to it.
    pub fn home(folder: &Path) -> Vec<(&'static str, std::ffi::OsString)> {
        vec![("HOME", folder.into())]
    }
}

#[cfg(windows)]
mod own {
    use super::{Child, Path};
    use std::fs::File;
    use std::os::windows::fs::OpenOptionsExt;
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Others may read the file, and nothing else.
    const FILE_SHARE_READ: u32 = 1;
    const MOMENT: Duration = Duration::from_millis(120);

    /// A file that an editor or a virus scanner holds.
    pub struct Hold(Option<JoinHandle<()>>);

    pub fn hold_for_a_moment(path: &Path) -> Hold {
        let mut options = File::options();
        let file = options.read(true).share_mode(FILE_SHARE_READ).open(path);
        let file = file.expect("a file");
        Hold(Some(std::thread::spawn(move || {
            std::thread::sleep(MOMENT);
            drop(file);
        })))
    }

    impl Drop for Hold {
        fn drop(&mut self) {
            let _ = self.0.take().map(JoinHandle::join);
        }
    }

    pub fn install(from: &Path, to: &Path) {
        std::fs::copy(from, to).expect("a copy");
    }

    /// No program can be asked from outside here.
    pub fn ask_to_end(child: &mut Child) {
        child.kill().expect("an end");
    }

    /// What makes a folder a program's home, and nothing else of this user known to it.
    pub fn home(folder: &Path) -> Vec<(&'static str, std::ffi::OsString)> {
        let temporary = folder.join("Temp");
        std::fs::create_dir_all(&temporary).expect("a folder");
        // Without it there are no sockets.
        let system = std::env::var_os("SystemRoot").unwrap_or_default();
        vec![
            ("USERPROFILE", folder.into()),
            // Where tests look for them on Linux.
            ("LOCALAPPDATA", folder.join(".local").join("state").into()),
            ("TEMP", temporary.into()),
            ("SystemRoot", system),
        ]
    }
}

pub use own::{ask_to_end, hold_for_a_moment, home, install};
