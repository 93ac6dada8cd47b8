use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use rcgen::CertifiedKey;
use rustix::net::{AddressFamily, SocketType};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};
use sanfleet_driver::{ErrorNumber, LsmError};

use super::*;

const LIMIT: u64 = 1 << 16;
const PATIENCE: Duration = Duration::from_secs(20);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A server whose every connection is dealt with by `serve`, once the whole request has been read. Tells how many there were.
fn server(
    tls: Option<Arc<ServerConfig>>,
    serve: impl Fn(&mut dyn Stream, &str) + Send + 'static,
) -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, requests) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: Box<dyn Stream> = match &tls {
                None => Box::new(stream.unwrap()),
                Some(tls) => {
                    let session = ServerConnection::new(Arc::clone(tls)).unwrap();
                    Box::new(StreamOwned::new(session, stream.unwrap()))
                }
            };
            let Some(request) = request(&mut stream) else { continue };
            if heard.send(()).is_err() {
                return;
            }
            serve(&mut stream, &request);
            let _ = stream.flush();
        }
    });
    (address, requests)
}

/// Head and body; none when the client went away before.
fn request(stream: &mut dyn Stream) -> Option<String> {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or_default() {
                return Some(text);
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(count) => seen.extend_from_slice(&piece[..count]),
        }
    }
}

fn answer(text: &'static str) -> impl Fn(&mut dyn Stream, &str) + Send + 'static {
    move |stream, _| {
        let _ = stream.write_all(text.as_bytes());
    }
}

fn client(address: SocketAddr, tls: Tls) -> Client {
    let endpoint = Endpoint { host: address.ip().to_string(), port: address.port(), tls };
    Client::new(&endpoint, Credentials::basic("admin", "the secret"), LIMIT).unwrap()
}

fn ask(address: SocketAddr, limit: Duration) -> Result<Response, HttpError> {
    client(address, Tls::Off).post_json("/rpc", b"{}", Deadline::after(limit))
}

fn certified(folder: &Path, name: &str) -> (Arc<ServerConfig>, Tls) {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let file = folder.join(format!("{name}.pem"));
    std::fs::write(&file, cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), Tls::Verified { ca_file: Some(file) })
}

#[test]
fn an_answer_without_a_length_is_read_to_its_end() {
    let (address, _requests) = server(None, |stream, request| {
        assert!(request.starts_with("POST /rpc HTTP/1.1\r\n"), "{request}");
        assert!(request.to_ascii_lowercase().contains("authorization: basic ywrtaw46dghlihnly3jlda=="));
        stream.write_all(b"HTTP/1.0 200 OK\r\nContent-type: application/json\r\n\r\n{\"a\":1}").unwrap();
    });
    let response = ask(address, PATIENCE).unwrap();
    assert_eq!(response, Response { status: 200, body: b"{\"a\":1}".to_vec() });
}

#[test]
fn a_method_and_a_token_go_as_they_are_and_no_body_where_there_is_none() {
    let (address, _requests) = server(None, |stream, request| {
        let body = request.split_once("\r\n\r\n").unwrap().1;
        let token = request.to_ascii_lowercase().contains("authorization: bearer good\r\n");
        let line = request.lines().next().unwrap();
        write!(stream, "HTTP/1.0 200 OK\r\n\r\n{line} {token} {body}").unwrap();
    });
    let mut client = client(address, Tls::Off);
    let mut told = |method, credentials, body: &[u8]| {
        client.set_credentials(credentials);
        let answer = client.send(method, "/a%2Fb?c=d", body, Deadline::after(PATIENCE)).unwrap();
        String::from_utf8(answer.body).unwrap()
    };
    let good = || Credentials::bearer("good");
    assert_eq!(told(Method::Get, good(), b""), "GET /a%2Fb?c=d HTTP/1.1 true ");
    assert_eq!(told(Method::Put, good(), b"{}"), "PUT /a%2Fb?c=d HTTP/1.1 true {}");
    assert_eq!(told(Method::Delete, Credentials::none(), b""), "DELETE /a%2Fb?c=d HTTP/1.1 false ");
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let (target, followed) = server(None, answer("HTTP/1.0 200 OK\r\n\r\n"));
    let (address, _requests) = server(None, move |stream, _| {
        write!(stream, "HTTP/1.0 302 Found\r\nLocation: http://{target}/rpc\r\n\r\n").unwrap();
    });
    assert_eq!(ask(address, PATIENCE).unwrap().status, 302);
    assert!(followed.try_recv().is_err());
}

#[test]
fn an_endless_answer_is_given_up_at_the_limit() {
    let (address, _requests) = server(None, |stream, _| {
        let mut sent = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        while sent.is_ok() {
            sent = stream.write_all(&[b'x'; 4096]);
        }
    });
    let error = ask(address, PATIENCE).unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { limit: LIMIT, .. }), "{error:?}");
    assert!(error.may_have_been_heard() && !error.is_retryable());
}

#[test]
fn an_answer_that_drips_ends_at_the_deadline() {
    let (address, _requests) = server(None, |stream, _| {
        let mut sent = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        while sent.is_ok() {
            sent = stream.write_all(b"x").and_then(|()| stream.flush());
            // The pace of the drip.
            thread::park_timeout(Duration::from_millis(10));
        }
    });
    let begin = Instant::now();
    let error = ask(address, Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, HttpError::TooSlow { .. }), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(LsmError::from(error).number, ErrorNumber::Timeout);
}

#[test]
fn what_is_not_http_is_one_clear_error() {
    for odd in ["{\"error\": {\"code\": -32700}}", "", "HTTP/9.9 200 OK\r\n\r\n", "\u{0}\u{1}\u{2}"] {
        let (address, _requests) = server(None, answer(odd));
        let error = ask(address, PATIENCE).unwrap_err();
        assert!(error.may_have_been_heard(), "{odd:?}: {error:?}");
        assert!(!error.to_string().is_empty());
    }
}

/// A port that is taken, where nobody listens.
fn nobody() -> (SocketAddr, OwnedFd) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = rustix::net::getsockname(&socket).unwrap();
    (address.try_into().unwrap(), socket)
}

#[test]
fn where_nobody_listens_nothing_was_heard() {
    let (address, _taken) = nobody();
    let error = ask(address, PATIENCE).unwrap_err();
    assert!(matches!(error, HttpError::Refused { .. }), "{error:?}");
    assert!(error.is_retryable() && !error.may_have_been_heard());
}

#[test]
fn a_request_that_was_heard_is_not_sent_again() {
    let (address, requests) = server(None, |_, _| ());
    assert!(ask(address, PATIENCE).unwrap_err().may_have_been_heard());
    requests.recv_timeout(PATIENCE).unwrap();
    assert!(requests.try_recv().is_err());
}

#[test]
fn only_a_refused_connection_is_asked_for_again_and_not_for_ever() {
    let refused = || HttpError::Refused { address: "a".into() };
    let broken = || HttpError::Broken { address: "a".into(), source: std::io::ErrorKind::BrokenPipe.into() };
    let tries = |limit, outcomes: Vec<Result<(), HttpError>>| {
        let (mut outcomes, mut tries) = (outcomes.into_iter(), 0);
        let outcome = again_when_refused(Deadline::after(limit), || {
            tries += 1;
            outcomes.next().unwrap()
        });
        (outcome.is_ok(), tries)
    };
    assert_eq!(tries(PATIENCE, vec![Err(refused()), Err(refused()), Ok(())]), (true, 3));
    assert_eq!(tries(PATIENCE, vec![Err(refused()), Err(refused()), Err(refused())]), (false, 3));
    assert_eq!(tries(PATIENCE, vec![Err(broken())]), (false, 1));
    assert_eq!(tries(Duration::ZERO, vec![Err(refused())]), (false, 1));
}

#[test]
fn no_time_is_no_request() {
    let (address, requests) = server(None, answer("HTTP/1.0 200 OK\r\n\r\n"));
    let error = ask(address, Duration::ZERO).unwrap_err();
    assert!(matches!(error, HttpError::ConnectTooSlow { .. }), "{error:?}");
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_certificate_is_believed_when_it_is_the_one_that_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let (config, trust) = certified(folder.path(), "127.0.0.1");
    let (address, _requests) = server(Some(config), answer("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let deadline = Deadline::after(PATIENCE);
    assert_eq!(client(address, trust).post_json("/", b"", deadline).unwrap().status, 200);
    assert_eq!(client(address, Tls::Unverified).post_json("/", b"", deadline).unwrap().status, 200);
}

#[test]
fn a_wrong_certificate_is_refused_before_the_password_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = certified(folder.path(), "127.0.0.1");
    let (_, other) = certified(folder.path(), "localhost");
    let (elsewhere, for_elsewhere) = certified(folder.path(), "elsewhere.example");
    for (config, trust) in [(config, other), (elsewhere, for_elsewhere)] {
        let (address, requests) = server(Some(config), answer("HTTP/1.0 200 OK\r\n\r\n"));
        let error = client(address, trust).post_json("/", b"", Deadline::after(PATIENCE)).unwrap_err();
        assert!(matches!(error, HttpError::Tls { .. }), "{error:?}");
        assert!(!error.may_have_been_heard() && !error.is_retryable());
        assert!(requests.try_recv().is_err());
    }
}

#[test]
fn without_a_certificate_to_trust_there_is_no_client() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for (file, word) in [(empty, "no certificate"), (folder.path().join("missing.pem"), "cannot read")] {
        let endpoint =
            Endpoint { host: "h".into(), port: 1, tls: Tls::Verified { ca_file: Some(file.clone()) } };
        let error = Client::new(&endpoint, Credentials::basic("a", "b"), LIMIT).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(LsmError::from(error).number, ErrorNumber::InvalidArgument);
    }
}

#[test]
fn the_password_is_in_no_error_and_no_debug_text() {
    let (address, _requests) = server(None, answer("nonsense"));
    let client = client(address, Tls::Off);
    let error = client.post_json("/", b"", Deadline::after(PATIENCE)).unwrap_err();
    for text in [format!("{client:?}"), format!("{error:?}"), format!("{:?}", LsmError::from(error))] {
        assert!(!text.contains("the secret") && !text.contains("dGhlIHNlY3JldA"), "{text}");
    }
}
