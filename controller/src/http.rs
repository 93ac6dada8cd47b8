//! One HTTP request, and the status of its answer: over TCP or TLS, within a time limit.
//!
//! Follows no redirect, keeps no connection, reads no body: what answers is not trusted with more than a number.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    select,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName},
};

/// Longest URL, in bytes.
const URL_BYTES: usize = 2048;

/// Where a request goes: http or https, with a host, and without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("that is no URL; one looks like https://example.com/hook")]
    NotUrl,
    #[error("only http:// and https:// can be sent to")]
    Scheme,
    #[error("the URL holds a user or a password, which everybody may read who may list it; leave it out")]
    UserInfo,
    #[error("the URL is longer than {URL_BYTES} bytes")]
    TooLong,
}

/// Why a request has no status.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("no answer within {} s", after.as_secs())]
    TooSlow { after: Duration },
    #[error("cannot connect to {host}")]
    Connect {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no secure connection to {host}")]
    Tls {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{host} does not speak HTTP, or stopped speaking")]
    Protocol {
        host: String,
        #[source]
        source: hyper::Error,
    },
    #[error("{host} went away before it answered")]
    Gone { host: String },
    #[error("the request cannot be made")]
    Request(#[source] hyper::http::Error),
}

impl HttpError {
    /// Everything may be otherwise the next time, but what we would send.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Request(_))
    }
}

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    tls: TlsConnector,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

impl HttpClient {
    /// Trusts the certificate authorities that this host trusts; `SSL_CERT_FILE` names others.
    pub fn new() -> Result<Self, rustls::Error> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            tracing::warn!("this host trusts no certificate authority, so that no https:// can be reached");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends the body, and waits for the status for at most `limit`, from the look-up of the name on.
    pub async fn post(
        &self,
        url: &HttpUrl,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<StatusCode, HttpError> {
        let request = url.request(headers, body)?;
        let sent = timeout(limit, self.send(url, request)).await;
        sent.unwrap_or(Err(HttpError::TooSlow { after: limit }))
    }

    async fn send(&self, url: &HttpUrl, request: Request<Full<Bytes>>) -> Result<StatusCode, HttpError> {
        let host = || url.host.clone();
        let address = (url.host.trim_matches(['[', ']']), url.port);
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|source| HttpError::Connect { host: host(), source })?;
        if !url.tls {
            return exchange(stream, request, host).await;
        }
        let tls = |source| HttpError::Tls { host: host(), source };
        let name = ServerName::try_from(address.0.to_owned());
        let name = name.map_err(|error| tls(std::io::Error::other(error)))?;
        let stream = self.tls.connect(name, stream).await.map_err(tls)?;
        exchange(stream, request, host).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    host: impl Fn() -> String,
) -> Result<StatusCode, HttpError> {
    let protocol = |source| HttpError::Protocol { host: host(), source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(sender.send_request(request));
    select! {
        biased;
        answer = &mut answer => Ok(answer.map_err(protocol)?.status()),
        ended = &mut connection => {
            ended.map_err(protocol)?;
            // It ends well where the other side closes right after it has answered.
            match futures::FutureExt::now_or_never(answer) {
                Some(answer) => Ok(answer.map_err(protocol)?.status()),
                None => Err(HttpError::Gone { host: host() }),
            }
        }
    }
}

impl HttpUrl {
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES {
            return Err(UrlError::TooLong);
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::NotUrl)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::NotUrl),
        };
        let authority = uri.authority().ok_or(UrlError::NotUrl)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        let host = authority.host().to_owned();
        if host.is_empty() {
            return Err(UrlError::NotUrl);
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { host, port, tls, uri })
    }

    fn request(&self, headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, HttpError> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.uri.authority().map_or(self.host.as_str(), |authority| authority.as_str());
        let request = Request::builder().method(Method::POST).uri(path).header(HOST, authority);
        let mut request = request.body(Full::new(body)).map_err(HttpError::Request)?;
        request.headers_mut().extend(headers);
        Ok(request)
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

/// A value that may stand in a header; what may not is left out by the caller.
pub fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn a_url_is_http_or_https_without_a_password() {
        let url = HttpUrl::parse("https://example.com/hook?x=1").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.tls), ("example.com", 443, true));
        assert_eq!(HttpUrl::parse("http://[::1]:8080").unwrap().port, 8080);
        for (bad, why) in [
            ("ftp://example.com/", UrlError::Scheme),
            ("file:///etc/passwd", UrlError::Scheme),
            ("https://u:p@example.com/", UrlError::UserInfo),
            ("example.com", UrlError::NotUrl),
            ("/hook", UrlError::NotUrl),
            ("", UrlError::NotUrl),
        ] {
            let refused = HttpUrl::parse(bad);
            assert!(refused == Err(why.clone()) || refused == Err(UrlError::NotUrl), "{bad}: {refused:?}");
        }
        assert_eq!(HttpUrl::parse(&format!("http://x/{}", "y".repeat(URL_BYTES))), Err(UrlError::TooLong));
    }

    /// What came, and the status that was made of the answer.
    async fn asked(answer: &'static str) -> (String, Result<StatusCode, HttpError>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = HttpUrl::parse(&format!("http://{}/hook?a=b", listener.local_addr().unwrap())).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut came = vec![0; 4096];
            let length = stream.read(&mut came).await.unwrap();
            came.truncate(length);
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(came).unwrap()
        };
        let limit = Duration::from_secs(5);
        let client = HttpClient::new().unwrap();
        tokio::join!(serve, client.post(&url, HeaderMap::new(), Bytes::from_static(b"{}"), limit))
    }

    #[tokio::test]
    async fn a_request_is_posted_and_its_status_is_the_answer() {
        let (came, status) = asked("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(came.starts_with("POST /hook?a=b HTTP/1.1\r\nhost: 127.0.0.1:"), "{came}");
        assert!(came.ends_with("content-length: 2\r\n\r\n{}"), "{came}");
        assert_eq!(status.unwrap(), StatusCode::NO_CONTENT);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_like_another() {
        let (_, status) = asked("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n").await;
        assert_eq!(status.unwrap(), StatusCode::FOUND);
    }

    #[tokio::test]
    async fn what_does_not_speak_http_or_says_nothing_is_an_error() {
        let (_, answer) = asked("220 mail.example.com ESMTP\r\n\r\n").await;
        assert!(matches!(answer, Err(HttpError::Protocol { .. })), "{answer:?}");
        let (_, answer) = asked("").await;
        assert!(matches!(answer, Err(HttpError::Protocol { .. } | HttpError::Gone { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn one_that_accepts_and_stays_silent_is_too_slow() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = HttpUrl::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
        let limit = Duration::from_millis(50);
        let answer = HttpClient::new().unwrap().post(&url, HeaderMap::new(), Bytes::new(), limit).await;
        assert!(matches!(answer, Err(HttpError::TooSlow { .. })), "{answer:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
            let _ = HttpUrl::parse(&text);
            let _ = HttpUrl::parse(&format!("http://{text}"));
        }
    }
}
