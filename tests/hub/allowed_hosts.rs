//! `AllowedHosts`: which names the hub may be asked for by, as ASP.NET Core answered when it was
//! asked.

use crate::harness::program::Hub;
use crate::harness::raw::http;

#[test]
fn hosts_are_filtered_as_aspnet_core_filters_them() {
    let hub = Hub::embedded(&["--AllowedHosts=example.com;*.sub.example;[::1]"]);
    for (host, status) in [
        ("example.com", 200),
        ("EXAMPLE.com", 200),
        ("example.com:5274", 200),
        ("sub.example", 400),
        ("a.sub.example", 200),
        ("a.b.sub.example:1", 200),
        ("localhost", 400),
        ("127.0.0.1", 400),
        ("[::1]", 200),
        ("[::1]:80", 200),
        ("", 200),
        ("example.com.", 400),
        ("xsub.example", 400),
        ("example.com:x", 400),
    ] {
        let request = format!(
            "POST /signalRHub/negotiate HTTP/1.1\r\nHost: {host}\r\nOrigin: https://a.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let answer = http(hub.address(), request.as_bytes());
        assert_eq!(answer.status, status, "{host}: {answer:?}");
        // Who is turned away is told nothing else either.
        assert_eq!(
            answer.header("access-control-allow-origin").is_some(),
            status == 200,
            "{host}"
        );
    }
    for anyone in ["*", "", "a.example;*", "0.0.0.0"] {
        let hub = Hub::embedded(&[&format!("--AllowedHosts={anyone}")]);
        let request = b"POST /signalRHub/negotiate HTTP/1.1\r\nHost: anywhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert_eq!(http(hub.address(), request).status, 200, "{anyone}");
    }
}
