//! Who answers is not the appliance, or is not in its right mind: one clear error, within the deadline, and never the password.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use sanfleet_driver::{ArrayDriver, ErrorNumber, LsmError};
use sanfleet_driver_nexentastor::NexentaStorDriver;

use super::{
    emulator::{Config, Emulator, Fault, PASSWORD, Release, USER},
    session::{PATIENCE, create, session},
    stranger::{REST, appliance, appliance_that_tells, certified, says, server, told},
};

const SHORT: Duration = Duration::from_millis(400);
fn register(uri: &str, timeout: Duration) -> LsmError {
    let error = NexentaStorDriver::default().plugin_register(uri, Some(PASSWORD), timeout).unwrap_err();
    assert!(!format!("{error:?}").contains(PASSWORD), "{error:?}");
    error
}

fn error_of(address: SocketAddr) -> LsmError {
    register(&format!("nexentastor://{USER}@{address}"), PATIENCE)
}

#[test]
fn a_wrong_password_is_tried_once() {
    for release in [Release::Rest, Release::Nms] {
        let emulator = Emulator::start(Config { release, ..Config::default() });
        let mut driver = NexentaStorDriver::default();
        let error = driver.plugin_register(&emulator.uri(), Some("wrong"), PATIENCE).unwrap_err();
        assert_eq!(error.number, ErrorNumber::PluginAuthFailed, "{release:?}");
        assert!(!error.is_retryable() && !error.message.contains("wrong"), "{error}");
        assert_eq!(emulator.state.lock().unwrap().strangers, 1, "{release:?}");
    }
}

#[test]
fn tls_is_spoken_where_the_certificate_is_trusted_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = certified(folder.path());
    let emulator = Emulator::start(Config { tls: Some(config), ..Config::default() });
    let uri = |query: &str| format!("nexentastor+ssl://{USER}@{}?{query}", emulator.address);
    for trusted in [format!("ca_cert_file={file}"), "no_ssl_verify=yes".into()] {
        let mut driver = NexentaStorDriver::default();
        driver.plugin_register(&uri(&trusted), Some(PASSWORD), PATIENCE).unwrap();
        assert_eq!(driver.systems().unwrap().len(), 1);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let (_, other) = certified(elsewhere.path());
    let error = register(&uri(&format!("ca_cert_file={other}")), PATIENCE);
    assert_eq!(error.number, ErrorNumber::PluginAuthFailed);
    assert!(error.message.contains("not to be trusted"), "{error}");
}

#[test]
fn a_stranger_is_told_no_password() {
    let heard = Arc::new(Mutex::new(String::new()));
    let ears = Arc::clone(&heard);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).unwrap_or_default();
            ears.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            let _ = stream.write_all(told(404, "<html>nothing here</html>").as_bytes());
        }
    });
    assert!(error_of(address).message.contains("no NexentaStor"));
    let heard = heard.lock().unwrap();
    assert!(
        heard.contains("/rest/nms") && !heard.contains("uthorization") && !heard.contains(PASSWORD),
        "{heard}"
    );
}

#[test]
fn a_redirect_leads_nowhere() {
    let error = error_of(says("HTTP/1.0 307 Go\r\nLocation: http://127.0.0.1:1/\r\n\r\n".into()));
    assert!(error.message.contains("redirects") && error.message.contains("307"), "{error}");
}

#[test]
fn a_gigabyte_is_not_read() {
    let address = server(|_, stream| {
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
    let drip = server(|_, stream| {
        let mut sent = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        while sent.is_ok() {
            // The pace of the drip.
            thread::park_timeout(Duration::from_millis(5));
            sent = stream.write_all(b" ");
        }
    });
    let silent = server(|_, stream| {
        let _ = stream.read(&mut [0]);
    });
    let busy = says(told(503, "wait"));
    let endless_job = appliance(|request| match request {
        get if get.starts_with("GET /jobStatus") => told(202, "{}"),
        post if post.starts_with("POST") => {
            told(202, r#"{"links":[{"rel":"monitor","href":"/jobStatus/1"}]}"#)
        }
        _ => told(200, "{}"),
    });
    for address in [drip, silent, busy, endless_job] {
        let begin = Instant::now();
        let error = register(&format!("nexentastor://{address}"), SHORT);
        assert!(begin.elapsed() < SHORT * 8, "{:?}: {error}", begin.elapsed());
    }
}

#[test]
fn a_job_without_an_end_is_told_at_the_deadline_as_one_that_may_yet_be_done() {
    let emulator = Emulator::start(Config { job_polls: Some(u32::MAX), ..Config::default() });
    let mut driver = session(&emulator);
    driver.time_out_set(Duration::from_millis(800)).unwrap();
    let error = create(&mut driver, "slow").unwrap_err();
    assert_eq!(error.number, ErrorNumber::Timeout, "{error}");
    assert!(error.message.contains("job"), "{error}");
}

#[test]
fn pages_without_an_end_are_not_followed_for_ever_and_nowhere_else() {
    let next = |href: &str| {
        format!(
            r#"{{"value":"x","data":[{{"poolName":"tank"}}],"links":[{{"rel":"next","href":"{href}"}}]}}"#
        )
    };
    for href in
        ["/storage/pools?fields=poolName,health", "http://127.0.0.1:1/", "//127.0.0.1/", "/storage/pools?o=1"]
    {
        let address = appliance_that_tells(next(href));
        let mut driver = NexentaStorDriver::default();
        let uri = format!("nexentastor://{USER}@{address}");
        driver.plugin_register(&uri, Some(PASSWORD), PATIENCE).unwrap();
        let error = driver.pools(None).unwrap_err();
        assert_eq!(error.number, ErrorNumber::TransportSerialization, "{href}: {error}");
    }
}

#[test]
fn pages_that_are_new_and_large_each_time_fill_no_memory() {
    let pages = AtomicU32::new(0);
    let padding = "x".repeat(4 << 20);
    let address = appliance(move |request| {
        let page = pages.fetch_add(1, Ordering::Relaxed);
        match request.contains("/storage/") {
            true => told(
                200,
                &format!(
                    r#"{{"data":[{{"poolName":"p","health":"{padding}"}}],"links":[{{"rel":"next","href":"/storage/pools?o={page}"}}]}}"#
                ),
            ),
            false if page == 0 => told(401, REST),
            false => told(200, r#"{"value":"x"}"#),
        }
    });
    let mut driver = NexentaStorDriver::default();
    driver.plugin_register(&format!("nexentastor://{address}"), Some(PASSWORD), PATIENCE).unwrap();
    let error = driver.pools(None).unwrap_err();
    assert!(error.message.contains("no end"), "{error}");
}

#[test]
fn nonsense_is_one_clear_error() {
    let nested = format!("{{\"value\":{}}}", "[".repeat(100_000));
    for body in [
        "",
        "nonsense",
        "null",
        "[]",
        "{}",
        r#"{"value":null}"#,
        r#"{"value":""}"#,
        r#"{"value":[1]}"#,
        r#"{"value":1e400}"#,
        r#"{"value":"x"}trailing"#,
        nested.as_str(),
    ] {
        let error = error_of(appliance_that_tells(body.to_owned()));
        assert_eq!(error.number, ErrorNumber::TransportSerialization, "{body:.60}: {error}");
    }
    for login in ["", "{}", r#"{"token":7}"#, r#"{"token":""}"#, r#"{"token":"a\r\nX-Evil: b"}"#] {
        let login = login.to_owned();
        let address = server(move |request, stream| {
            let text = if request.contains("/auth/login") { told(200, &login) } else { told(401, REST) };
            let _ = stream.write_all(text.as_bytes());
        });
        assert_eq!(error_of(address).number, ErrorNumber::TransportSerialization);
    }
}

#[test]
fn rows_of_the_wrong_form_are_refused_and_no_name_reaches_a_terminal_as_it_is() {
    for row in [
        r#"{"poolName":7}"#,
        r#"{"poolName":"a\u001b[2Jb"}"#,
        r#"{"poolName":"a@b"}"#,
        r#"{"poolName":"tank","health":"\u001b[2J"}"#,
        r#"{"poolName":""}"#,
        "7",
        "null",
    ] {
        let address = appliance_that_tells(format!(r#"{{"value":"x","data":[{row}]}}"#));
        let mut driver = NexentaStorDriver::default();
        let uri = format!("nexentastor://{USER}@{address}");
        driver.plugin_register(&uri, Some(PASSWORD), PATIENCE).unwrap();
        let error = driver.pools(None).unwrap_err();
        assert_eq!(error.number, ErrorNumber::TransportSerialization, "{row}: {error}");
        assert!(!error.message.contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn a_text_of_the_appliances_is_shortened_and_has_no_escapes() {
    let message = format!("\\u001b[2J{}", "x\\n".repeat(100_000));
    let body = format!(r#"{{"code":"EFAULT","message":"{message}"}}"#);
    let error = error_of(appliance(move |_| told(500, &body)));
    assert!(
        error.message.len() < 1000 && !error.message.contains(['\n', '\u{1b}']),
        "{}",
        error.message.len()
    );
}

#[test]
fn a_session_stays_of_use_after_an_error() {
    for (release, operation) in [(Release::Rest, "GET pools"), (Release::Nms, "GET volume.get_all_names")] {
        let emulator = Emulator::start(Config { release, ..Config::default() });
        let mut driver = session(&emulator);
        emulator.befall(operation, Fault::CutAnswer);
        driver.pools(None).unwrap_err();
        assert_eq!(driver.pools(None).unwrap().len(), 2);
    }
}

#[test]
fn a_token_that_has_expired_is_replaced_and_the_password_not_asked_for_more_than_once() {
    let emulator = Emulator::start(Config { token_life: Some(3), ..Config::default() });
    let mut driver = session(&emulator);
    for name in ["one", "two", "three"] {
        create(&mut driver, name).unwrap();
    }
    assert!(emulator.calls_of("POST login") > 3);
    assert_eq!(emulator.state.lock().unwrap().strangers, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_bytes_come_back_the_call_ends(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let whole = server(move |_, stream| {
            let _ = stream.write_all(&bytes);
        });
        let uri = format!("nexentastor://{whole}");
        prop_assert!(NexentaStorDriver::default().plugin_register(&uri, None, PATIENCE).is_err());
    }
}
