//! A proper HTTP/2 client.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::support::{Answer, PATIENCE};

/// One connection.
pub struct Http2 {
    pub sender: SendRequest<Bytes>,
    /// Ends with the connection.
    pub driver: JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    pub async fn over(stream: TlsStream<TcpStream>) -> Self {
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        Self {
            sender,
            driver: tokio::spawn(connection),
        }
    }

    /// Sends a chat request for the route `model`.
    pub async fn ask(&self, extra: &str) -> (ResponseFuture, SendStream<Bytes>) {
        let body = format!(
            "{{{extra}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
        );
        let request = Request::post("https://localhost/v1/chat/completions")
            .header("content-type", "application/json")
            .body(())
            .unwrap();
        self.send(request, Some(body.into())).await
    }

    /// The same, unless the connection takes no more requests.
    pub async fn try_ask(&self, extra: &str) -> Option<ResponseFuture> {
        let body = format!(
            "{{{extra}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
        );
        let request = Request::post("https://localhost/v1/chat/completions")
            .header("content-type", "application/json")
            .body(())
            .unwrap();
        let ready = timeout(PATIENCE, self.sender.clone().ready()).await;
        let mut sender = ready.expect("room in time").ok()?;
        let (answer, mut stream) = sender.send_request(request, false).ok()?;
        stream.send_data(body.into(), true).unwrap();
        Some(answer)
    }

    /// Sends a request and its body.
    pub async fn send(
        &self,
        request: Request<()>,
        body: Option<Bytes>,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let ready = timeout(PATIENCE, self.sender.clone().ready()).await;
        let mut sender = ready.expect("room in time").unwrap();
        let (answer, mut stream) = sender.send_request(request, body.is_none()).unwrap();
        if let Some(body) = body {
            stream.send_data(body, true).unwrap();
        }
        (answer, stream)
    }

    /// Sends a chat request and reads the whole answer.
    pub async fn chat(&self, extra: &str) -> Answer {
        read(self.ask(extra).await.0).await.unwrap()
    }
}

/// Reads an answer to its end.
pub async fn read(answer: ResponseFuture) -> Result<Answer, h2::Error> {
    let whole = async { finish(answer.await?).await };
    timeout(PATIENCE, whole).await.expect("an answer in time")
}

/// Reads an answer to its end whose head has come.
pub async fn finish(answer: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let whole = async {
        let (head, mut body) = answer.into_parts();
        let mut bytes = Vec::new();
        while let Some(piece) = next(&mut body).await {
            bytes.extend_from_slice(&piece?);
        }
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(field).collect(),
            body: bytes,
            complete: true,
        })
    };
    timeout(PATIENCE, whole).await.expect("an answer in time")
}

async fn next(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let piece = body.data().await?;
    if let Ok(piece) = &piece {
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    Some(piece)
}
