//! Real proxies in front of hubs: nginx and haproxy, each with a configuration of the test's own.

use super::program::Program;
use super::{Folder, free_port, wait_for};
use std::net::TcpStream;
use std::process::Command;

/// A proxy that runs; its URL.
pub struct Proxy {
    pub url: String,
    _program: Program,
    _folder: Folder,
}

impl Proxy {
    /// nginx with the lines of its `server` block; `upstream hubs` holds the addresses.
    pub fn nginx(hubs: &[&str], server: &str) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let hubs: String = hubs
            .iter()
            .map(|address| format!("server {address} max_fails=0;\n"))
            .collect();
        let root = folder.path().display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {root}/{name};\n"))
            .collect();
        let configuration = folder.write(
            "nginx.conf",
            &format!(
                "daemon off;\nmaster_process off;\npid {root}/pid;\nerror_log {root}/error.log;\n\
                 events {{ }}\nhttp {{\naccess_log off;\n{temporary}upstream hubs {{\n{hubs}}}\n\
                 server {{\nlisten 127.0.0.1:{port};\n{server}\n}}\n}}\n"
            ),
        );
        let mut command = Command::new("nginx");
        command.args(["-p", &root, "-c"]).arg(configuration);
        Self::started(command, port, folder)
    }

    /// haproxy with more lines of its `defaults` and `backend` sections.
    pub fn haproxy(hubs: &[&str], defaults: &str, backend: &str) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let hubs: String = hubs
            .iter()
            .enumerate()
            .map(|(number, address)| format!("  server hub{number} {address} cookie hub{number}\n"))
            .collect();
        let configuration = folder.write(
            "haproxy.cfg",
            &format!(
                "defaults\n  mode http\n  timeout connect 5s\n{defaults}\nfrontend in\n  \
                 bind 127.0.0.1:{port}\n  default_backend hubs\nbackend hubs\n{backend}\n{hubs}"
            ),
        );
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(configuration);
        Self::started(command, port, folder)
    }

    fn started(mut command: Command, port: u16, folder: Folder) -> Self {
        let program = Program::start(command.current_dir(folder.path()));
        wait_for("the proxy", || TcpStream::connect(("127.0.0.1", port)).ok());
        Proxy {
            url: format!("http://127.0.0.1:{port}"),
            _program: program,
            _folder: folder,
        }
    }
}
