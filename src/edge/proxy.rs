//! What Pingora's proxy drives: its native phases, for paths that segue does not interpret.
//!
//! They send a response head on as soon as they have it, so what segue answers itself never takes them: most of it is
//! served before (`http1`, `http2`); what has no body that the guard would keep ends in `request_filter`.

use async_trait::async_trait;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

use crate::edge::admit::Next;
use crate::edge::exchange::Exchange;
use crate::edge::passthrough;
use crate::edge::serve::Edge;

#[async_trait]
impl ProxyHttp for Edge {
    // Boxed: Pingora moves it from future to future.
    type CTX = Box<Exchange>;

    fn new_ctx(&self) -> Box<Exchange> {
        Box::new(Exchange::new(&self.0))
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        exchange: &mut Box<Exchange>,
    ) -> Result<bool> {
        match self.answer(session.as_downstream_mut(), exchange).await {
            Next::Native => Ok(false),
            Next::Answered => Ok(true),
        }
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        exchange: &mut Box<Exchange>,
    ) -> Result<Box<HttpPeer>> {
        passthrough::peer(exchange)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Box<Exchange>,
    ) -> Result<()> {
        passthrough::request(session.req_header(), request, exchange)
    }

    async fn response_filter(
        &self,
        _: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Box<Exchange>,
    ) -> Result<()> {
        passthrough::response(response, exchange)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Box<Exchange>,
    ) -> FailToProxy {
        let error_code = passthrough::failed(session, error, exchange).await;
        FailToProxy {
            error_code,
            can_reuse_downstream: false,
        }
    }

    fn suppress_error_log(&self, _: &Session, _: &Box<Exchange>, _: &Error) -> bool {
        // The access log has it; a provider's bad day is no error of ours.
        true
    }

    async fn logging(
        &self,
        session: &mut Session,
        error: Option<&Error>,
        exchange: &mut Box<Exchange>,
    ) {
        let downstream = session.as_downstream_mut();
        if exchange.passage.is_some() {
            passthrough::close(downstream, error, exchange);
        }
        exchange.settle(downstream).await;
    }
}
