//! Who speaks what in one attempt: how its answer is read, and how the client is told.

use crate::exchange::{Delivery, Dialect, Form, Task, UsageWish};

/// The two sides of an attempt's answer.
#[derive(Clone, Copy, Debug)]
pub struct Voices<'a> {
    /// What the provider speaks.
    pub provider: Dialect,
    /// The form in which it answers.
    pub form: Form,
    /// What it was asked for: of a completion that was asked for as a chat, a chat.
    pub asked: Task,
    /// What the client speaks.
    pub client: Dialect,
    /// How the client wants its answer.
    pub delivery: Delivery,
    /// What the client asked for.
    pub task: Task,
    /// What an answer that we word ourselves says of itself.
    pub label: Label<'a>,
}

/// What an answer that we word ourselves says of itself. One that is passed on has the provider's
/// own words for these.
#[derive(Clone, Copy, Debug, Default)]
pub struct Label<'a> {
    /// The exchange's id; a format may put its own prefix before it.
    pub id: &'a str,
    /// The model that answers, by the name that its provider knows.
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
}

impl Voices<'_> {
    /// A client and a provider of the same format.
    pub fn alike(dialect: Dialect, task: Task, delivery: Delivery) -> Self {
        Self {
            provider: dialect,
            form: delivery.form(),
            asked: task,
            client: dialect,
            delivery,
            task,
            label: Label::default(),
        }
    }

    /// Whether the provider's own bytes are an answer for the client.
    pub fn agree(&self) -> bool {
        self.provider == self.client && self.asked == self.task && self.form == self.delivery.form()
    }

    /// The client's wish as to the usage at a stream's end.
    pub(super) fn usage_wish(&self) -> UsageWish {
        match self.delivery {
            Delivery::Stream(wish) => wish,
            Delivery::Whole => UsageWish::NotAsked,
        }
    }
}
