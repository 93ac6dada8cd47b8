//! Who answers is not the daemon, or is not in its right mind: one clear error, within the deadline, and never the password.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rcgen::CertifiedKey;
use rustix::net::{AddressFamily, SocketType};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use sanfleet_driver::{ArrayDriver, ErrorNumber, LsmError};
use sanfleet_driver_targetd::TargetdDriver;

use super::{
    emulator::{Config, Emulator, PASSWORD, USER},
    session::{PATIENCE, session},
};

const SHORT: Duration = Duration::from_millis(400);

/// Answers every request in the same way.
fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            if read_request(&mut stream).is_some() {
                answer(&mut stream);
            }
        }
    });
    address
}

fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?;
            }
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()
}

fn says(text: String) -> SocketAddr {
    server(move |stream| {
        let _ = stream.write_all(text.as_bytes());
    })
}

fn register(uri: &str, timeout: Duration) -> LsmError {
    let error = TargetdDriver::default().plugin_register(uri, Some(PASSWORD), timeout).unwrap_err();
    assert!(!format!("{error:?}").contains(PASSWORD), "{error:?}");
    error
}

fn error_of(address: SocketAddr) -> LsmError {
    register(&format!("targetd://{USER}@{address}"), PATIENCE)
}

fn certified(folder: &std::path::Path) -> (Arc<ServerConfig>, String) {
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

#[test]
fn a_wrong_password_is_tried_once() {
    let emulator = Emulator::start(Config::default());
    let mut driver = TargetdDriver::default();
    let error = driver.plugin_register(&emulator.uri(), Some("wrong"), PATIENCE).unwrap_err();
    assert_eq!(error.number, ErrorNumber::PluginAuthFailed);
    assert!(!error.is_retryable() && !error.message.contains("wrong"), "{error}");
    let state = emulator.state.lock().unwrap();
    assert_eq!((state.strangers, state.calls.len()), (1, 0));
}

#[test]
fn a_host_in_the_pit_is_told_to_wait() {
    let error = error_of(says("HTTP/1.0 503 Busy\r\n\r\n".into()));
    assert!(error.is_retryable() && error.message.contains("waiting"), "{error}");
}

#[test]
fn tls_is_spoken_where_the_certificate_is_trusted_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = certified(folder.path());
    let emulator = Emulator::start(Config { tls: Some(config), ..Config::default() });
    let uri = |query: &str| format!("targetd+ssl://{USER}@{}?{query}", emulator.address);
    for trusted in [format!("ca_cert_file={file}"), "no_ssl_verify=yes".into()] {
        let mut driver = TargetdDriver::default();
        driver.plugin_register(&uri(&trusted), Some(PASSWORD), PATIENCE).unwrap();
        assert_eq!(driver.systems().unwrap().len(), 1);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let (_, other) = certified(elsewhere.path());
    let error = register(&uri(&format!("ca_cert_file={other}")), PATIENCE);
    assert_eq!(error.number, ErrorNumber::PluginAuthFailed);
    assert!(error.message.contains("not to be trusted"), "{error}");
    // A daemon with TLS speaks nothing else.
    assert!(!register(&emulator.uri(), PATIENCE).message.is_empty());
}

#[test]
fn a_redirect_leads_nowhere() {
    let error = error_of(says("HTTP/1.0 307 Go\r\nLocation: http://127.0.0.1:1/\r\n\r\n".into()));
    assert!(error.message.contains("redirects") && error.message.contains("307"), "{error}");
}

#[test]
fn a_gigabyte_is_not_read() {
    let address = server(|stream| {
        let mut sent = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        let piece = vec![b'['; 1 << 16];
        for _ in 0..1 << 14 {
            sent = sent.and_then(|()| stream.write_all(&piece));
        }
        assert!(sent.is_err(), "somebody has read a gigabyte");
    });
    let error = error_of(address);
    assert_eq!(error.number, ErrorNumber::TransportSerialization);
    assert!(error.message.contains("more than"), "{error}");
}

#[test]
fn a_slow_drip_and_silence_end_at_the_deadline() {
    let drip = server(|stream| {
        let mut sent = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        while sent.is_ok() {
            // The pace of the drip.
            thread::park_timeout(Duration::from_millis(5));
            sent = stream.write_all(b" ");
        }
    });
    let silent = server(|stream| {
        let _ = stream.read(&mut [0]);
    });
    for address in [drip, silent] {
        let begin = Instant::now();
        let error = register(&format!("targetd://{address}"), SHORT);
        assert_eq!(error.number, ErrorNumber::Timeout, "{error}");
        assert!(begin.elapsed() < SHORT * 8, "{:?}", begin.elapsed());
    }
}

#[test]
fn nobody_there_is_said_so() {
    // Taken, and not listened at.
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
    assert_eq!(error_of(address).number, ErrorNumber::NetworkConnectionRefused);
}

#[test]
fn nonsense_is_one_clear_error() {
    let head = "HTTP/1.0 200 OK\r\n\r\n";
    let nested = "[".repeat(100_000);
    for body in [
        "",
        "nonsense",
        "null",
        "[]",
        "{}",
        "{\"id\":1}",
        "{\"id\":1,\"result\":null}",
        "{\"id\":1,\"result\":{\"a\":1}}",
        "{\"id\":1,\"result\":[1,2]}",
        "{\"id\":1,\"result\":[{\"name\":7,\"size\":\"large\",\"free_size\":-1,\"type\":null}]}",
        "{\"id\":1,\"result\":[{\"name\":\"p\",\"size\":1e400,\"free_size\":0,\"type\":\"block\"}]}",
        "{\"id\":2,\"result\":[]}",
        "{\"id\":\"1\",\"result\":[]}",
        "{\"id\":1,\"error\":{\"code\":\"x\",\"message\":1}}",
        "{\"id\":1,\"result\":[]}trailing",
        nested.as_str(),
    ] {
        let error = error_of(says(format!("{head}{body}")));
        assert_eq!(error.number, ErrorNumber::TransportSerialization, "{body:.60}: {error}");
    }
    // Without a status line, as the real one answers what it cannot read.
    let error = error_of(says("{\"error\": {\"code\": -32700, \"message\": \"parse error\"}}".into()));
    assert!(!error.message.is_empty());
}

#[test]
fn an_endless_text_of_the_daemons_is_shortened() {
    let message = "x\\n".repeat(100_000);
    let body = format!("{{\"id\":1,\"error\":{{\"code\":-1,\"message\":\"{message}\"}}}}");
    let error = error_of(says(format!("HTTP/1.0 200 OK\r\n\r\n{body}")));
    assert!(error.message.len() < 1000 && !error.message.contains('\n'), "{}", error.message.len());
}

#[test]
fn a_session_stays_of_use_after_an_error() {
    let emulator = Emulator::start(Config::default());
    let mut driver = session(&emulator);
    emulator.befall("pool_list", super::emulator::Fault::CutAnswer);
    driver.pools(None).unwrap_err();
    assert_eq!(driver.pools(None).unwrap().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_bytes_come_back_the_call_ends(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let whole = server(move |stream| {
            let _ = stream.write_all(&bytes);
        });
        let outcome = TargetdDriver::default().plugin_register(&format!("targetd://{whole}"), None, PATIENCE);
        prop_assert!(outcome.is_err());
    }
}
