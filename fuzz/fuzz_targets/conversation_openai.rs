//! Any request in neutral words and out again: no panic, a document, and the same words twice.
//!
//! Good seeds: `tests/fixtures/openai_requests`.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use segue::dialect::{self, Profile, Recipient};
use segue::exchange::{Dialect, Task};
use segue::json::Fields;

fuzz_target!(|body: &[u8]| {
    for task in [Task::Chat, Task::Completion, Task::Embedding] {
        let Ok(request) = dialect::parse(Dialect::OpenAi, task, Bytes::copy_from_slice(body))
        else {
            continue;
        };
        if let Ok(conversation) = dialect::conversation(&request) {
            assert!(conversation.choices >= 1);
            assert!(conversation.system.iter().all(|text| !text.is_empty()));
        }
        for name in Profile::names() {
            let profile = Profile::built_in(name).expect("it is listed");
            let to = Recipient {
                profile: &profile,
                ..Recipient::plain(Dialect::OpenAi, "m", request.delivery.form())
            };
            if let Ok(ask) = dialect::build(&request, &to) {
                Fields::index(&ask.body.concat()).expect("what is built is a document");
            }
        }
    }
});
