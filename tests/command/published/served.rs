//! What a web server hands out, beside the files.

use super::{bytes, client};
use crate::harness::program::{harmony, run, text};
use crate::harness::{Folder, free_port};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// Serves a folder's settings, compressed where there is a twin, for three requests.
fn serve(folder: &Folder) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let path = folder.path().join("out/wwwroot/appsettings.json");
    let serving = std::thread::spawn(move || {
        for stream in listener.incoming().take(3) {
            let mut stream = stream.expect("a connection");
            let mut request = String::new();
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            for line in lines.take_while(|line| !line.is_empty()) {
                request.push_str(&line.to_ascii_lowercase());
                request.push('\n');
            }
            let zipped = request.contains("accept-encoding: gzip");
            let (file, coding) = match zipped {
                true => (path.with_extension("json.gz"), "Content-Encoding: gzip\r\n"),
                false => (path.clone(), ""),
            };
            let found = request.starts_with("get /app/appsettings.json ");
            let status = if found { "200 OK" } else { "404 Not Found" };
            let body = bytes(&file);
            let head = format!(
                "HTTP/1.1 {status}\r\n{coding}Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let sent = stream.write_all(head.as_bytes());
            sent.and_then(|()| stream.write_all(&body))
                .expect("a client that reads");
        }
    });
    (format!("http://{address}/app/"), serving)
}

#[test]
fn what_a_web_server_hands_out_is_compared() {
    let folder = Folder::new();
    client(&folder);
    let rehost = |hub: &str, verify: &str| {
        let arguments = [
            "--json",
            "rehost",
            hub,
            "--no-check",
            "--client",
            "out",
            "--verify-url",
        ];
        run(harmony(folder.path()).args(arguments).arg(verify))
    };
    let (url, serving) = serve(&folder);
    let output = rehost("https://hub.example", &url);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serving.join().expect("three requests");

    let other = Folder::new();
    client(&other);
    let (url, _serving) = serve(&other);
    let output = rehost("https://other.example", &url);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("staleSettings"),
        "{}",
        text(&output.stdout)
    );
    let closed = format!("http://127.0.0.1:{}/", free_port());
    let output = rehost("https://other.example", &closed);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("notServed"),
        "{}",
        text(&output.stdout)
    );
}
