//! The operators' pages: health, metrics, status and a page to look at, on a listener of their own.
//!
//! Read only. A foreign web page that a browser on this machine shows must not read them either: it
//! can reach loopback, but it comes with an `Origin`, or by a name that its owner points here.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderValue, Method, Response, StatusCode, request};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;

use crate::edge::page;

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// Prometheus' text format, whose version is part of the type.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a page that is no web page may load.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

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
    /// What the page draws, as JSON: the hour of one route, or of all.
    fn page_data(&self, route: Option<&str>) -> String;
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
        let path = request.uri.path();
        if !self.is_for_us(request, reach(path)) {
            return Page::text(StatusCode::FORBIDDEN, "use a loopback name or address\n");
        }
        if !is_same_origin(request) {
            return Page::text(StatusCode::FORBIDDEN, "not for other web pages\n");
        }
        let page: fn(&Self, &request::Parts) -> Page = match path {
            "/" => |_, _| Page::html(),
            "/page.json" => Self::page_data,
            "/health/live" => |_, _| Page::text(StatusCode::OK, "alive\n"),
            "/health/ready" => |admin, _| admin.readiness(),
            "/metrics" => |admin, _| Page::new(StatusCode::OK, METRICS, admin.source.metrics()),
            "/status" => |admin, _| admin.status(),
            _ => return Page::text(StatusCode::NOT_FOUND, "not found\n"),
        };
        match request.method {
            Method::GET | Method::HEAD => page(self, request),
            _ => Page::text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n"),
        }
    }

    /// `?route=NAME` chooses a route.
    fn page_data(&self, request: &request::Parts) -> Page {
        let route = request.uri.query().and_then(page::route);
        let data = self.source.page_data(route.as_deref());
        Page::new(StatusCode::OK, JSON, data)
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
    fn is_for_us(&self, request: &request::Parts, reach: Reach) -> bool {
        let hosts = request
            .headers
            .get_all(HOST)
            .iter()
            .map(HeaderValue::to_str);
        let mut names: Vec<_> = hosts.map(Result::unwrap_or_default).collect();
        names.extend(request.uri.authority().map(Authority::as_str));
        !names.is_empty() && names.iter().all(|name| is_own(name, self.address, reach))
    }
}

/// Under which addresses a path may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Loopback, and the listener's own.
    Own,
    /// Any: a scraper may come by way of another address. No name leads there, so none is rebound.
    AnyAddress,
}

fn reach(path: &str) -> Reach {
    match path {
        "/metrics" | "/health/live" | "/health/ready" => Reach::AnyAddress,
        _ => Reach::Own,
    }
}

/// Whether a request with an `Origin` comes from a page of this very listener.
fn is_same_origin(request: &request::Parts) -> bool {
    let mut origins = request.headers.get_all(ORIGIN).iter();
    let host = request.headers.get(HOST).map(HeaderValue::as_bytes);
    let is_own = |origin: &HeaderValue| {
        let authority = origin.as_bytes().strip_prefix(b"http://");
        authority.is_some_and(|authority| Some(authority) == host)
    };
    origins.all(is_own)
}

/// Whether `authority` is `localhost`, a loopback address or `own`, with any port; or an address at
/// all where any will do. Other names are refused even if they lead here: that is how DNS
/// rebinding works.
fn is_own(authority: &str, own: IpAddr, reach: Reach) -> bool {
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
    let is_own_address = |address: IpAddr| {
        reach == Reach::AnyAddress || address.to_canonical().is_loopback() || address == own
    };
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_own_address)
}

struct Page {
    status: StatusCode,
    content_type: &'static str,
    policy: &'static str,
    body: Cow<'static, str>,
}

impl Page {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            content_type,
            policy: NOTHING,
            body: body.into(),
        }
    }

    fn html() -> Self {
        Self {
            status: StatusCode::OK,
            content_type: HTML,
            policy: page::policy(),
            body: page::HTML.into(),
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
            self.body.into_owned().into_bytes()
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(self.policy),
        );
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        let own = HeaderValue::from_static("same-origin");
        headers.insert("cross-origin-resource-policy", own);
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

        fn page_data(&self, route: Option<&str>) -> String {
            format!("{route:?}")
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
            ("/", HTML, page::HTML),
            ("/page.json", JSON, "None"),
            ("/page.json?route=a%2Fb%20c", JSON, "Some(\"a/b c\")"),
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
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; "), "{path}");
            assert!(!policy.contains("unsafe"), "{path}");
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
            "/index.html",
            "/page.js",
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

    #[test]
    fn the_page_itself_may_ask_for_its_data() {
        let admin = admin(Readiness::Ready);
        let own = [
            ("host", "localhost:9464"),
            ("origin", "http://localhost:9464"),
        ];
        assert_eq!(ask(&admin, "GET", "/page.json", &own).status(), 200);
    }

    #[test]
    fn a_scraper_may_come_by_any_address_and_nobody_by_a_foreign_name() {
        let admin = admin(Readiness::Ready);
        for path in [
            "/metrics",
            "/health/live",
            "/health/ready",
            "/",
            "/page.json",
            "/status",
        ] {
            let status = |host| ask(&admin, "GET", path, &[("host", host)]).status();
            let is_scraped = path.starts_with("/metrics") || path.starts_with("/health");
            let expected = if is_scraped { 200 } else { 403 };
            for host in ["192.0.2.7:9464", "[2001:db8::1]"] {
                assert_eq!(status(host), expected, "{path} {host}");
            }
            for host in ["evil.test", "192.0.2.7.evil.test", "127.1"] {
                assert_eq!(status(host), 403, "{path} {host}");
            }
            let foreign = [("host", "127.0.0.1"), ("origin", "http://evil.test")];
            assert_eq!(ask(&admin, "GET", path, &foreign).status(), 403, "{path}");
        }
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
