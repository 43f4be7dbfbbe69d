//! What a client is told when its exchange comes to no answer: a provider's words about its request,
//! or ours about all that was tried.

use std::sync::Arc;

use crate::dialect;
use crate::exchange::{Fault, FaultKind};
use crate::relay::carrier::{Begun, Carrier};
use crate::relay::client::{AnswerHead, Client, ClientGone, Content};
use crate::relay::pour::Outside;
use crate::relay::surface::{self, Shown};
use crate::relay::verdict::{self, Why};
use crate::telemetry::Outcome;

impl<C: Client> Carrier<'_, '_, C> {
    /// Tells the client what a provider said of its request.
    pub(super) async fn show(&mut self, target: Arc<str>, shown: Shown) {
        let (status, body) = match shown {
            Shown::Document(status, body) => (status, body),
            Shown::Fault(fault) => {
                self.fail(fault).await;
                if self.begun == Begun::No {
                    self.report.outcome = Outcome::ProviderError;
                }
                return;
            }
        };
        if self.begun == Begun::Yes {
            return self.tell(surface::fault()).await;
        }
        let head = AnswerHead {
            status,
            target: Some(target),
            ..self.head(Content::Json, 0, None)
        };
        self.report.outcome = match self.client.answer(head, body).await {
            Ok(()) => Outcome::ProviderError,
            Err(ClientGone) => Outcome::Aborted,
        };
    }

    /// Tells a client whose stream has begun that it is broken.
    pub(super) async fn tell(&mut self, fault: Fault) {
        let event = dialect::fault_event(self.job.request.dialect, &fault);
        self.report.outcome = match self.client.end(event).await {
            Ok(()) => Outcome::Broken,
            Err(ClientGone) => Outcome::Aborted,
        };
    }

    /// No target has answered.
    pub(super) async fn give_up(&mut self) {
        let said = self.outgrown.take();
        if let Some((target, shown)) = said.and_then(|said| Some((said.target, said.shown?))) {
            return self.show(target, shown).await;
        }
        if let Some(fault) = self.unserved.take() {
            return self.fail(fault).await;
        }
        if let (Some(short), true) = (&self.short, self.tried.is_empty()) {
            let fault = short.fault();
            return self.fail(fault).await;
        }
        let left_out = &self.report.left_out;
        let mut fault = verdict::exhausted(&self.tried, left_out, self.job.route_name());
        if let (Some(unfit), FaultKind::BadRequest) = (&self.unfit, fault.kind) {
            fault.param = unfit.param();
        }
        self.fail(fault).await;
    }

    /// Says what is wrong: by a status as long as none is out.
    pub(super) async fn fail(&mut self, fault: Fault) {
        match self.begun {
            Begun::No => {
                self.report.outcome = Outcome::Failed;
                self.report.fault = Some(fault);
            }
            Begun::Yes => self.tell(fault).await,
        }
    }

    pub(super) async fn ended_outside(&mut self, outside: &Outside) {
        match outside {
            Outside::Left => self.report.outcome = Outcome::Aborted,
            Outside::Stopping => {
                let fault = Why::Stopping.fault(self.job.route_name());
                self.fail(fault).await;
            }
        }
    }
}
