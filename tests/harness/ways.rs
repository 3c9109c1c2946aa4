//! Ways to servers on which something happens to what they say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A way to a server, on which something happens to all that the server says; its port.
pub fn way_to(server: String, happens: impl Fn(&mut [u8]) + Copy + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else {
                return;
            };
            let (mut up, mut to) = (
                client.try_clone().expect("a socket"),
                server.try_clone().expect("a socket"),
            );
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || {
                let (mut server, mut client, mut buffer) = (server, client, vec![0; 64 << 10]);
                while let Ok(read @ 1..) = server.read(&mut buffer) {
                    happens(&mut buffer[..read]);
                    if client.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}
