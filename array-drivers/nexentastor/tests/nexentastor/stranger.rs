//! Whoever answers where an appliance should.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rcgen::CertifiedKey;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};

/// What release 5 says to strangers.
pub const REST: &str = r#"{"name":"NefError","code":"EAUTH","message":"who are you"}"#;

/// Answers every request by what its first line and body are.
pub fn server(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            if let Some(request) = read_request(&mut stream) {
                answer(&request, &mut stream);
            }
        }
    });
    address
}

/// The first line.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(first)
}

pub fn says(text: String) -> SocketAddr {
    server(move |_, stream| {
        let _ = stream.write_all(text.as_bytes());
    })
}

pub fn told(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Told\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Release 5 as far as the login, which then tells this of everything.
pub fn appliance(answer: impl Fn(&str) -> String + Send + 'static) -> SocketAddr {
    server(move |request, stream| {
        let text = match request {
            login if login.contains("/auth/login") => told(200, r#"{"token":"good"}"#),
            _ => answer(request),
        };
        let _ = stream.write_all(text.as_bytes());
    })
}

/// The first answer is what makes it release 5.
pub fn appliance_that_tells(body: String) -> SocketAddr {
    let asked = AtomicBool::new(false);
    appliance(move |_| match asked.swap(true, Ordering::Relaxed) {
        false => told(401, REST),
        true => told(200, &body),
    })
}

pub fn certified(folder: &std::path::Path) -> (Arc<ServerConfig>, String) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), file.display().to_string())
}
