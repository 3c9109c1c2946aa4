//! Processes on Windows: detached ones, groups of them, and how they are asked to end.

use std::io;
use std::path::Path;
use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};
use win32job::{ExtendedLimitInfo, Job};
use winsafe::guard::CloseHandlePiGuard;
use winsafe::{HPROCESS, STARTUPINFO, SysResult, co};

/// The ways in which this process is asked to end.
pub struct Interruption {
    interrupt: CtrlC,
    stop: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Interruption {
    pub fn listen() -> io::Result<Self> {
        Ok(Interruption {
            interrupt: ctrl_c()?,
            stop: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// Returns when the process is asked to end.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.stop.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}

/// Windows has no signal that asks another process to end.
pub fn terminate(_number: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn io_result<T>(result: SysResult<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::from_raw_os_error(error.raw() as i32))
}

pub fn kill(number: u32) -> io::Result<()> {
    let process = HPROCESS::OpenProcess(co::PROCESS::TERMINATE, false, number);
    io_result(process.and_then(|process| process.TerminateProcess(1)))
}

/// Kills a process that leads a group, and those that it started: its job ends with it.
pub fn kill_with_children(number: u32) -> io::Result<()> {
    kill(number)
}

/// A program that outlives the one that started it.
pub struct Detached(CloseHandlePiGuard);

/// Starts a program that outlives this one and its terminal, and shares no open file with it: a
/// pipe that reads this program's output would not end before the hub does. Its console has no
/// window: a program without any console would open one for each program that it starts.
pub fn spawn_detached(program: &Path, arguments: &[String]) -> io::Result<Detached> {
    let line = command_line(program, arguments)?;
    let flags = co::CREATE::NO_WINDOW | co::CREATE::NEW_PROCESS_GROUP;
    let start = |flags| {
        let mut information = STARTUPINFO::default();
        // None of the three, in place of this program's own.
        information.dwFlags = co::STARTF::USESTDHANDLES;
        let (attributes, variables, folder) = (None, &[], None);
        winsafe::CreateProcess(
            None,
            Some(&line),
            attributes,
            None,
            false,
            flags,
            variables,
            folder,
            &mut information,
        )
    };
    // A terminal or a build server may have put this program into a job that it ends as a whole.
    let free = start(flags | co::CREATE::BREAKAWAY_FROM_JOB);
    Ok(Detached(io_result(free.or_else(|_| start(flags)))?))
}

/// A command line that programs take apart into just these arguments.
fn command_line(program: &Path, arguments: &[String]) -> io::Result<String> {
    let program = program
        .to_str()
        .ok_or_else(|| io::Error::other("this program's path is not Unicode"))?;
    let mut line = quoted(program);
    for argument in arguments {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    Ok(line)
}

/// Backslashes stand for themselves, except before a quotation mark.
fn quoted(argument: &str) -> String {
    let mut quoted = String::from('"');
    let mut backslashes = 0;
    for letter in argument.chars() {
        match letter {
            '\\' => backslashes += 1,
            '"' => {
                quoted.push_str(&"\\".repeat(backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        quoted.push(letter);
    }
    quoted.push_str(&"\\".repeat(backslashes));
    quoted.push('"');
    quoted
}

impl Detached {
    /// How it ended; `None` while it runs.
    pub fn status(&mut self) -> io::Result<Option<String>> {
        let process = &self.0.hProcess;
        if io_result(process.WaitForSingleObject(Some(0)))? == co::WAIT::TIMEOUT {
            return Ok(None);
        }
        let code = io_result(process.GetExitCodeProcess())?;
        Ok(Some(format!("exit code: {code}")))
    }

    /// Its number among the system's processes; 0, which is none, where Windows does not tell.
    pub fn id(&self) -> u32 {
        self.0.hProcess.GetProcessId().unwrap_or_default()
    }

    pub fn kill_with_children(&mut self) -> io::Result<()> {
        io_result(self.0.hProcess.TerminateProcess(1))
    }
}

/// Makes this process the head of a group, which `kill_with_children` ends as one.
pub fn lead_group() -> io::Result<()> {
    let mut limits = ExtendedLimitInfo::new();
    limits.limit_kill_on_job_close();
    let job = Job::create_with_limit_info(&limits).map_err(io::Error::other)?;
    job.assign_current_process().map_err(io::Error::other)?;
    // Closed with the process: closing it sooner would end the process in the middle of its work.
    std::mem::forget(job);
    Ok(())
}
