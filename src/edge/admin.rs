//! The operators' pages: health, metrics and status, on a listener of their own.
//!
//! Read only. A web page that a browser on this machine shows must not read them either: it can
//! reach loopback, but it comes with an `Origin`, or by a name that its owner points here.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderValue, Method, Response, StatusCode, request};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// Prometheus' text format, whose version is part of the type.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether new exchanges should be sent here. A provider's outage is no reason against: another
/// instance would meet it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Not all listeners are open yet.
    Starting,
    /// Send them.
    Ready,
    /// The process ends once what is under way is done.
    Draining,
}

/// What the pages show. It is asked on a runtime's worker: no method may wait.
pub trait StatusSource: Send + Sync {
    /// The process as JSON, without secrets.
    fn status(&self) -> serde_json::Value;
    /// Whether new exchanges are welcome.
    fn ready(&self) -> Readiness;
    /// All metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// The admin listener's application.
pub struct Admin {
    address: IpAddr,
    source: Arc<dyn StatusSource>,
}

impl Admin {
    /// The pages as served on `address`, which callers may name in `Host`.
    pub fn new(address: IpAddr, source: Arc<dyn StatusSource>) -> Self {
        Self { address, source }
    }

    fn answer(&self, request: &request::Parts) -> Page {
        if !self.is_for_us(request) {
            return Page::text(StatusCode::FORBIDDEN, "use a loopback name or address\n");
        }
        if request.headers.contains_key(ORIGIN) {
            return Page::text(StatusCode::FORBIDDEN, "not for web pages\n");
        }
        let page: fn(&Self) -> Page = match request.uri.path() {
            "/health/live" => |_| Page::text(StatusCode::OK, "alive\n"),
            "/health/ready" => Self::readiness,
            "/metrics" => |admin| Page::new(StatusCode::OK, METRICS, admin.source.metrics()),
            "/status" => Self::status,
            _ => return Page::text(StatusCode::NOT_FOUND, "not found\n"),
        };
        match request.method {
            Method::GET | Method::HEAD => page(self),
            _ => Page::text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n"),
        }
    }

    fn readiness(&self) -> Page {
        match self.source.ready() {
            Readiness::Ready => Page::text(StatusCode::OK, "ready\n"),
            Readiness::Starting => Page::text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            Readiness::Draining => Page::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        }
    }

    /// Indented, for it is read by people.
    fn status(&self) -> Page {
        Page::new(
            StatusCode::OK,
            JSON,
            format!("{:#}\n", self.source.status()),
        )
    }

    /// Whether each name that the request gives us, in `Host` or in the target, is ours.
    fn is_for_us(&self, request: &request::Parts) -> bool {
        let hosts = request
            .headers
            .get_all(HOST)
            .iter()
            .map(HeaderValue::to_str);
        let mut names: Vec<_> = hosts.map(Result::unwrap_or_default).collect();
        names.extend(request.uri.authority().map(Authority::as_str));
        !names.is_empty() && names.iter().all(|name| is_own(name, self.address))
    }
}

/// Whether `authority` is `localhost`, a loopback address or `own`, with any port. Other names
/// are refused even if they lead here: that is how DNS rebinding works.
fn is_own(authority: &str, own: IpAddr) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else {
        return false;
    };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let is_own_address = |address: IpAddr| address.to_canonical().is_loopback() || address == own;
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_own_address)
}

struct Page {
    status: StatusCode,
    content_type: &'static str,
    body: String,
}

impl Page {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            content_type,
            body,
        }
    }

    fn text(status: StatusCode, body: &str) -> Self {
        Self::new(status, TEXT, body.to_owned())
    }

    /// The page on the wire; to a HEAD without the body, but with its length.
    fn into_response(self, method: &Method) -> Response<Vec<u8>> {
        let length = HeaderValue::from(self.body.len());
        let body = if *method == Method::HEAD {
            Vec::new()
        } else {
            self.body.into_bytes()
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request: &request::Parts = session.req_header();
        let page = self.answer(request);
        let response = page.into_response(&request.method);
        // A body is not read, and who errs or attacks has no claim to the connection.
        if response.status() != StatusCode::OK || !session.is_body_empty() {
            session.set_keepalive(None);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use pingora_core::apps::HttpServerApp;
    use pingora_core::protocols::l4::stream::Stream;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    struct Fixed(Readiness);

    impl StatusSource for Fixed {
        fn status(&self) -> serde_json::Value {
            json!({ "version": "1.2.3" })
        }

        fn ready(&self) -> Readiness {
            self.0
        }

        fn metrics(&self) -> String {
            "up 1\n".to_owned()
        }
    }

    fn admin(readiness: Readiness) -> Admin {
        Admin::new(IpAddr::from([10, 1, 2, 3]), Arc::new(Fixed(readiness)))
    }

    fn ask(
        admin: &Admin,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Response<Vec<u8>> {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        admin.answer(&parts).into_response(&parts.method)
    }

    const LOCAL: &[(&str, &str)] = &[("host", "localhost:9464")];

    #[test]
    fn each_page_answers_in_its_type_and_is_never_stored() {
        let admin = admin(Readiness::Ready);
        for (path, content_type, body) in [
            ("/health/live", TEXT, "alive\n"),
            ("/health/ready", TEXT, "ready\n"),
            ("/metrics", METRICS, "up 1\n"),
            ("/status?x=1", JSON, "{\n  \"version\": \"1.2.3\"\n}\n"),
        ] {
            let response = ask(&admin, "GET", path, LOCAL);
            let headers = response.headers();
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(headers[CONTENT_TYPE], content_type, "{path}");
            assert_eq!(headers[CONTENT_LENGTH], body.len().to_string(), "{path}");
            assert_eq!(headers[CACHE_CONTROL], "no-store", "{path}");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            assert_eq!(response.body(), body.as_bytes(), "{path}");
            let head = ask(&admin, "HEAD", path, LOCAL);
            assert_eq!((head.headers(), head.body().len()), (headers, 0), "{path}");
        }
    }

    #[test]
    fn a_process_that_starts_or_drains_is_alive_but_not_ready() {
        for (readiness, body) in [
            (Readiness::Starting, "starting\n"),
            (Readiness::Draining, "draining\n"),
        ] {
            let admin = admin(readiness);
            let response = ask(&admin, "GET", "/health/ready", LOCAL);
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (503, body.as_bytes())
            );
            assert_eq!(ask(&admin, "GET", "/health/live", LOCAL).status(), 200);
        }
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        let admin = admin(Readiness::Ready);
        for path in [
            "/",
            "/health",
            "/health/live/",
            "//metrics",
            "/Metrics",
            "/v1/models",
        ] {
            assert_eq!(ask(&admin, "GET", path, LOCAL).status(), 404, "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"] {
            let response = ask(&admin, method, "/metrics", LOCAL);
            assert_eq!(response.status(), 405, "{method}");
            assert_eq!(response.headers()[ALLOW], "GET, HEAD", "{method}");
        }
    }

    #[test]
    fn a_web_page_reads_nothing_by_origin_or_by_a_name_of_its_own() {
        let admin = admin(Readiness::Ready);
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:9464",
        ] {
            assert_eq!(
                ask(&admin, "GET", "/status", &[("host", host)]).status(),
                200,
                "{host}"
            );
        }
        for host in ["10.1.2.3:9464", "[::ffff:127.0.0.1]"] {
            assert_eq!(
                ask(&admin, "GET", "/status", &[("host", host)]).status(),
                200,
                "{host}"
            );
        }
        for host in [
            "evil.test:9464",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "10.1.2.4",
            "8.8.8.8",
            "[::2]",
            "",
            ":80",
            "a@localhost",
            "localhost, evil.test",
            "127.1",
            "0x7f000001",
        ] {
            assert_eq!(
                ask(&admin, "GET", "/status", &[("host", host)]).status(),
                403,
                "{host}"
            );
        }
        for headers in [
            &[][..],
            &[("host", "localhost"), ("host", "evil.test")],
            &[("host", "localhost"), ("origin", "null")],
            &[("host", "localhost"), ("origin", "http://localhost:9464")],
        ] {
            let response = ask(&admin, "GET", "/status", headers);
            assert_eq!(response.status(), 403, "{headers:?}");
            assert!(
                !response
                    .headers()
                    .contains_key("access-control-allow-origin")
            );
        }
        let target = "http://evil.test/status";
        assert_eq!(ask(&admin, "GET", target, LOCAL).status(), 403);
    }

    async fn serve_one(listener: TcpListener) {
        let (stream, _) = listener.accept().await.unwrap();
        let (_stop, watch) = tokio::sync::watch::channel(false);
        let app = Arc::new(admin(Readiness::Ready));
        let mut stream: Box<Stream> = Box::new(Stream::from(stream));
        while let Some(next) = app
            .process_new_http(ServerSession::new_http1(stream), &watch)
            .await
            .map(pingora_core::apps::ReusedHttpStream::consume)
        {
            stream = Box::new(*next.0.into_any().downcast::<Stream>().unwrap());
        }
    }

    #[tokio::test]
    async fn a_connection_is_kept_after_good_answers_and_closed_after_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let server = tokio::spawn(serve_one(listener));
        let mut answers = Vec::new();
        for (request, end) in [("HEAD", "\r\n\r\n"), ("GET", "\r\n\r\nalive\n")] {
            let request = format!("{request} /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n");
            client.write_all(request.as_bytes()).await.unwrap();
            while !answers.ends_with(end.as_bytes()) {
                assert!(client.read_buf(&mut answers).await.unwrap() > 0, "closed");
            }
        }
        let post = "POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";
        client.write_all(post.as_bytes()).await.unwrap();
        client.read_to_end(&mut answers).await.unwrap();
        server.await.unwrap();
        let answers = String::from_utf8(answers).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
        assert_eq!(answers.matches("alive\n").count(), 1, "{answers}");
        assert_eq!(
            answers
                .to_lowercase()
                .matches("content-length: 6\r\n")
                .count(),
            2,
            "{answers}"
        );
        assert!(answers.contains("HTTP/1.1 405"), "{answers}");
    }
}
