//! What a provider can do wrong, and what must follow from it (docs/fallback.md).

use Nature::{Deaf, Instead, Resets, Sound, Spoils, Stops, Unreachable, Vanishes};
use Ruling::{Either, Next, Retry, Surface};
use Wire::{Any, H1, H2};

/// What follows from a failure that the client has seen nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The same target once more, then the next.
    Retry,
    /// The next target.
    Next,
    /// One of the two.
    Either,
    /// The client gets the provider's own words.
    Surface,
}

/// What a fault does to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// There is no answer at all.
    Instead,
    /// Not one byte comes. What a pooled connection does so is asked again for free.
    Vanishes,
    /// Bytes end at a place. After the finish reason nothing is missed.
    Stops,
    /// As `Stops`, and what is under way may be lost with it.
    Resets,
    /// Something wrong stands at a place, be it after the finish reason.
    Spoils,
    /// All content comes, and then the end is none.
    Deaf,
    /// Nothing: it only looks odd.
    Sound,
    /// There is nobody to ask.
    Unreachable(&'static str),
}

/// The deliveries that a fault is possible in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Both,
    Stream,
    Whole,
}

/// The versions of HTTP that a fault is possible in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Any,
    H1,
    H2,
}

/// A way to fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The simulator's script; `AT` stands for the place.
    pub script: &'static str,
    pub nature: Nature,
    pub ruling: Ruling,
    /// What a client is told when nothing is left to try.
    pub status: u16,
    pub form: Form,
    pub wire: Wire,
}

impl Fault {
    /// Whether it has a place in the answer.
    pub fn is_placed(&self) -> bool {
        self.script.contains("AT")
    }

    /// Whether the provider falls silent: then a clock must run out.
    pub fn is_silent(&self) -> bool {
        self.script.contains("stall") || self.script.contains("hang")
    }
}

const fn fault(script: &'static str, nature: Nature, ruling: Ruling, status: u16) -> Fault {
    Fault {
        script,
        nature,
        ruling,
        status,
        form: Form::Both,
        wire: Any,
    }
}

const fn only(form: Form, fault: Fault) -> Fault {
    Fault { form, ..fault }
}

const fn over(wire: Wire, fault: Fault) -> Fault {
    Fault { wire, ..fault }
}

/// The whole list.
pub const FAULTS: &[Fault] = &[
    // Nobody there, or nobody who speaks.
    fault("tokens=1", Unreachable("refused"), Retry, 502),
    fault("tokens=2", Unreachable("untrusted"), Retry, 502),
    fault("hang", Instead, Next, 504),
    fault("cut", Vanishes, Retry, 502),
    fault("refuse", Vanishes, Retry, 502),
    fault("cut@head", Instead, Retry, 502),
    fault("reset", Vanishes, Retry, 502),
    fault("reset@head", Instead, Retry, 502),
    fault("stall@head", Instead, Next, 504),
    over(H1, fault("garbage", Instead, Retry, 502)),
    over(H2, fault("garbage", Vanishes, Retry, 502)),
    over(
        H1,
        fault("raw=\"HTTP/9.9 banana\\r\\n\\r\\n\"", Instead, Retry, 502),
    ),
    over(
        H1,
        fault(
            "raw=\"HTTP/1.1 200 OK\\r\\nA: \\x00\\r\\n\\r\\n\"",
            Instead,
            Retry,
            502,
        ),
    ),
    over(
        H1,
        fault(
            "raw=\"HTTP/1.1 200 OK\\r\\ncontent-length: 5\\r\\ncontent-length: 6\\r\\n\\r\\nhello\"",
            Instead,
            Retry,
            502,
        ),
    ),
    // Statuses.
    fault("status=204", Instead, Either, 502),
    fault("status=302,header=location:/zebra", Instead, Next, 502),
    fault("status=400", Instead, Surface, 400),
    fault("status=400,chunks=1", Instead, Surface, 400),
    fault(
        "status=400,error_code=context_length_exceeded",
        Instead,
        Surface,
        400,
    ),
    fault(
        "status=400,error_code=content_policy_violation",
        Instead,
        Surface,
        400,
    ),
    fault("status=400,error_code=invalid_api_key", Instead, Next, 502),
    fault("status=401", Instead, Next, 502),
    fault("status=402", Instead, Next, 502),
    fault("status=403", Instead, Next, 502),
    fault("status=404", Instead, Next, 502),
    fault("status=408", Instead, Retry, 502),
    fault("status=409", Instead, Retry, 502),
    fault("status=413", Instead, Surface, 413),
    fault("status=422", Instead, Surface, 422),
    fault("status=429", Instead, Retry, 429),
    fault("status=429,header=retry-after-ms:40", Instead, Retry, 429),
    fault("status=429,retry_after=30", Instead, Next, 429),
    fault(
        "status=429,error_code=insufficient_quota",
        Instead,
        Next,
        429,
    ),
    fault("status=429,retry_after=86400", Instead, Next, 429),
    fault("status=500", Instead, Retry, 502),
    fault("status=500,body=\"\"", Instead, Retry, 502),
    fault(
        "status=502,type=text/html,body=\"<h1>zebra</h1>\"",
        Instead,
        Retry,
        502,
    ),
    fault("status=503", Instead, Retry, 502),
    fault("status=503,cut@10b", Instead, Retry, 502),
    fault("status=503,retry_after=30", Instead, Next, 502),
    fault("status=504", Instead, Retry, 502),
    fault("status=520", Instead, Retry, 502),
    fault(
        "status=529,error_type=overloaded_error",
        Instead,
        Retry,
        502,
    ),
    // A good status, and no answer.
    fault("type=text/html", Instead, Retry, 502),
    only(
        Form::Stream,
        fault("type=application/json", Instead, Retry, 502),
    ),
    only(
        Form::Whole,
        fault("type=text/event-stream", Instead, Retry, 502),
    ),
    only(Form::Stream, fault("whole", Instead, Retry, 502)),
    fault("empty", Instead, Retry, 502),
    over(H1, fault("empty,until_close", Instead, Retry, 502)),
    only(Form::Whole, fault("body=\"{}\"", Instead, Retry, 502)),
    only(
        Form::Whole,
        fault("body=\"<html>zebra</html>\"", Instead, Retry, 502),
    ),
    only(
        Form::Stream,
        fault(
            "type=text/event-stream,body=\"data: [DONE]\\n\\n\"",
            Instead,
            Retry,
            502,
        ),
    ),
    fault("header=content-encoding:rot13", Instead, Retry, 502),
    over(
        H1,
        fault(
            "header=\"transfer-encoding: identity\"",
            Instead,
            Retry,
            502,
        ),
    ),
    fault("event_bytes=100KiB", Instead, Retry, 502),
    // An answer that begins well.
    fault("cut@AT", Stops, Retry, 502),
    over(H1, fault("until_close,cut@AT", Stops, Retry, 502)),
    over(H1, fault("content_length,cut@AT", Stops, Retry, 502)),
    fault("encoding=gzip,cut@AT", Stops, Retry, 502),
    fault("encoding=br,cut@AT", Stops, Retry, 502),
    fault("chunks=random:3,cut@AT", Stops, Retry, 502),
    fault("chunks=173,cut@AT", Stops, Retry, 502),
    fault("reset@AT", Resets, Retry, 502),
    fault("chunks=event,reset@AT", Resets, Retry, 502),
    fault("stall@AT", Stops, Next, 504),
    fault("ping=40ms,stall@AT", Stops, Next, 504),
    fault("encoding=zstd,stall@AT", Stops, Next, 504),
    fault("garbage@AT", Spoils, Retry, 502),
    fault("malformed@AT", Spoils, Retry, 502),
    fault("chunks=97,malformed@AT", Spoils, Retry, 502),
    fault("error@AT", Spoils, Retry, 502),
    fault("chunks=311,no_done,error@AT", Spoils, Retry, 502),
    fault("error@AT,error_type=overloaded_error", Spoils, Retry, 502),
    fault(
        "error@AT,error_code=rate_limit_exceeded",
        Spoils,
        Retry,
        429,
    ),
    fault("error@AT,error_code=insufficient_quota", Spoils, Next, 429),
    fault("error@AT,error_code=invalid_api_key", Spoils, Next, 502),
    fault("error@AT,error_code=model_not_found", Spoils, Next, 502),
    fault(
        "error@AT,error_code=context_length_exceeded",
        Spoils,
        Surface,
        400,
    ),
    fault(
        "error@AT,error_code=content_policy_violation",
        Spoils,
        Surface,
        400,
    ),
    only(Form::Stream, fault("no_finish", Deaf, Retry, 502)),
    only(Form::Stream, fault("no_finish,no_done", Deaf, Retry, 502)),
    over(
        H1,
        only(
            Form::Stream,
            fault("no_finish,no_done,until_close", Deaf, Retry, 502),
        ),
    ),
    // What only looks like a fault.
    fault("no_done", Sound, Retry, 502),
    fault("done_twice", Sound, Retry, 502),
    fault("finish=length", Sound, Retry, 502),
    fault("finish=content_filter", Sound, Retry, 502),
    fault("interim=103", Sound, Retry, 502),
    fault("goaway", Sound, Retry, 502),
    fault("goaway@AT", Sound, Retry, 502),
    fault(
        "chunks=211,ping=1ms,first_after=5ms,delay=200us",
        Sound,
        Retry,
        502,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_faults_are_many_and_none_is_told_twice() {
        let told = |fault: &Fault| (fault.script, fault.wire == H2);
        let scripts: BTreeSet<_> = FAULTS.iter().map(told).collect();
        assert_eq!(scripts.len(), FAULTS.len());
        assert!(FAULTS.iter().filter(|fault| fault.nature != Sound).count() >= 40);
    }
}
