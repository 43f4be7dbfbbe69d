//! The exchanges that are played: who asks, how, of what, and when the client leaves.

use super::stage::{KEYS, secret};
use crate::support::{Client, World, post};

/// One exchange.
#[derive(Clone, Debug)]
pub struct Play {
    /// Its id, which stands in its prompt as well.
    pub id: String,
    dialect: Dialect,
    form: Form,
    route: &'static str,
    key: &'static str,
    prompt: String,
    leave: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    OpenAi,
    Anthropic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Stream,
}

/// The routes of the stage: what may go wrong differs.
const ROUTES: [&str; 6] = ["calm", "rough", "broken", "hedged", "other", "silent"];

const PROMPT: &str = "A customer writes that the invoice for March was charged twice, and asks for a \
    refund of the second payment. Look at the account below, say whether she is right, and draft a \
    friendly answer of at most eight sentences in which you explain what happens next, how long it \
    takes until the money is back on her card, and whom she can call if it does not arrive in time. \
    Do not promise anything that is not in the terms of service, and do not mention other customers. ";

impl Play {
    /// The exchange of that number: each mix of format, form, route and leaving comes in turn.
    pub fn nth(number: usize) -> Self {
        let form = if (number / 2).is_multiple_of(3) {
            Form::Whole
        } else {
            Form::Stream
        };
        let leaves = number % 10 < 3 && form == Form::Stream;
        Self {
            id: format!("bill-{number}-"),
            dialect: if number.is_multiple_of(2) {
                Dialect::OpenAi
            } else {
                Dialect::Anthropic
            },
            form,
            route: ROUTES[number % ROUTES.len()],
            key: KEYS[number / 5 % KEYS.len()],
            prompt: PROMPT.repeat(1 + number % 4),
            leave: leaves.then_some(3 + number % 7 * 9),
        }
    }

    fn request(&self) -> Vec<u8> {
        let (route, id, prompt) = (self.route, &self.id, &self.prompt);
        let stream = self.form == Form::Stream;
        let key = secret(self.key);
        let headers =
            format!("x-request-id: {id}\r\nx-segue-session: s\r\nauthorization: Bearer {key}\r\n");
        let body = format!(
            "{{\"model\":\"{route}\",\"stream\":{stream},\"max_tokens\":500,\
             \"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}{id}\"}}]}}"
        );
        let path = match self.dialect {
            Dialect::OpenAi => "/v1/chat/completions",
            Dialect::Anthropic => "/v1/messages",
        };
        post(path, &headers, &body)
    }
}

/// Plays an exchange to its end, or until the client leaves.
pub async fn play(world: &World, play: &Play) {
    let mut client: Client = world.client().await;
    client.send(&play.request()).await;
    match play.leave {
        None => drop(client.answer().await),
        Some(events) => client.leave_after("\n\n", events).await,
    }
}
