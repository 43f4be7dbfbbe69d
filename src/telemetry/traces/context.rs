//! W3C Trace Context: the ids of an exchange, whose child it is, and whether it is recorded.

use std::fmt;

use http::HeaderValue;

/// The header that carries a trace from one process to the next, lower case.
pub const TRACEPARENT: &str = "traceparent";
/// What vendors add to it; without the former it means nothing.
pub const TRACESTATE: &str = "tracestate";

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// The only flag of version 00: what called us records its part.
const SAMPLED: u8 = 1;

/// Which trace a span belongs to: 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// Which span: 8 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId([u8; 8]);

impl SpanId {
    /// A random one; `None` when the system has no randomness to give.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).ok()?;
        Self::of(bytes)
    }

    fn of(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }
}

impl TraceId {
    fn of(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Whether a trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Its spans are exported.
    Recorded,
    /// Its ids are passed on, and nothing else.
    PassedOn,
}

/// The share of traces begun here that are recorded: above 0, at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(f64);

impl Share {
    /// Every trace.
    pub const ALL: Self = Self(1.0);

    /// The part of 1.
    pub fn part(self) -> f64 {
        self.0
    }

    /// Cut to what a share can be.
    pub fn of(share: f64) -> Self {
        Self(share.clamp(0.0, 1.0))
    }

    /// By the trace's id, so that every process with this share, or a larger one, records the same
    /// traces: those whose last 56 bits are high (OpenTelemetry, "consistent probability
    /// sampling"). The first 32 of them are fine enough.
    fn decides(self, id: TraceId) -> Sampling {
        let [.., a, b, c, d, _, _, _] = id.0;
        let height = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
        // A share of all takes the lowest as well.
        if height >= 1.0 - self.0 {
            Sampling::Recorded
        } else {
            Sampling::PassedOn
        }
    }
}

/// Where an exchange stands in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace.
    pub id: TraceId,
    /// The exchange's own span.
    pub span: SpanId,
    /// The client's span, if it said one.
    pub parent: Option<SpanId>,
    /// Whether it is recorded.
    pub sampling: Sampling,
}

impl Trace {
    /// The trace of an exchange whose client sent this `traceparent`. A valid one is the parent, and
    /// its flag is obeyed; any other begins a trace. `None` when the system has no randomness.
    pub fn begin(traceparent: Option<&[u8]>, share: Share) -> Option<Self> {
        let span = SpanId::random()?;
        if let Some((id, parent, sampling)) = traceparent.and_then(parse) {
            return Some(Self {
                id,
                span,
                parent: Some(parent),
                sampling,
            });
        }
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        let id = TraceId::of(bytes)?;
        Some(Self {
            id,
            span,
            parent: None,
            sampling: share.decides(id),
        })
    }

    /// The `traceparent` of what `span` calls.
    pub fn traceparent(&self, span: SpanId) -> Option<HeaderValue> {
        let flags = match self.sampling {
            Sampling::Recorded => SAMPLED,
            Sampling::PassedOn => 0,
        };
        HeaderValue::try_from(format!("00-{}-{span}-{flags:02x}", self.id)).ok()
    }
}

/// Reads a `traceparent` (W3C Trace Context, 3.2). Versions to come may be longer, and begin the
/// same.
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, Sampling)> {
    let (head, tail) = text.split_at_checked(LENGTH)?;
    let [version @ .., b'-'] = head.get(..3)? else {
        return None;
    };
    let [version] = hex::<1>(version)?;
    match (version, tail) {
        (0xff, _) => return None,
        (_, []) => {}
        (0, _) => return None,
        (_, [b'-', ..]) => {}
        _ => return None,
    }
    if head.get(35) != Some(&b'-') || head.get(52) != Some(&b'-') {
        return None;
    }
    let id = TraceId::of(hex(head.get(3..35)?)?)?;
    let parent = SpanId::of(hex(head.get(36..52)?)?)?;
    let [flags] = hex(head.get(53..)?)?;
    let sampling = if flags & SAMPLED == SAMPLED {
        Sampling::Recorded
    } else {
        Sampling::PassedOn
    };
    Some((id, parent, sampling))
}

/// Bytes in lower-case hex digits, and nothing else.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (to, [high, low]) in bytes.iter_mut().zip(pairs) {
        *to = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_is_the_parent_and_its_flag_is_obeyed() {
        let long = GOOD.replacen("00", "cc", 1) + "-what-will-be";
        let future = GOOD.replacen("00", "01", 1);
        for (text, sampling) in [
            (GOOD, Sampling::Recorded),
            (&GOOD.replace("-01", "-00"), Sampling::PassedOn),
            (&GOOD.replace("-01", "-03"), Sampling::Recorded),
            (&GOOD.replace("-01", "-fe"), Sampling::PassedOn),
            (&long, Sampling::Recorded),
            (&future, Sampling::Recorded),
        ] {
            for share in [Share::of(0.000_001), Share::ALL] {
                let trace = Trace::begin(Some(text.as_bytes()), share).unwrap();
                assert_eq!(trace.id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
                assert_eq!(trace.parent.unwrap().to_string(), "00f067aa0ba902b7");
                assert_eq!(trace.sampling, sampling, "{text}");
                assert_ne!(Some(trace.span), trace.parent);
                let onward = trace.traceparent(trace.span).unwrap();
                let (id, parent, flag) = parse(onward.as_bytes()).unwrap();
                assert_eq!((id, parent, flag), (trace.id, trace.span, sampling));
            }
        }
    }

    #[test]
    fn any_other_traceparent_begins_a_trace() {
        let cases = [
            String::new(),
            "-".repeat(55),
            GOOD.to_uppercase(),
            GOOD.replacen("00", "ff", 1),
            GOOD.replacen("00", "0g", 1),
            format!("{GOOD}-00"),
            format!("{GOOD} "),
            format!(" {GOOD}"),
            format!("{}00", GOOD.replacen("00", "01", 1)),
            GOOD.replace('-', "_"),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GOOD.replace("4bf9", "4bf"),
            GOOD.get(..54).unwrap().to_owned(),
            GOOD.replace("4736-00f0", "473-600f0"),
        ];
        for text in cases {
            let trace = Trace::begin(Some(text.as_bytes()), Share::ALL).unwrap();
            assert_eq!(
                (trace.parent, trace.sampling),
                (None, Sampling::Recorded),
                "{text}"
            );
        }
        assert_eq!(Trace::begin(None, Share::ALL).unwrap().parent, None);
    }

    #[test]
    fn the_share_decides_by_the_end_of_the_id() {
        let id = |height: u32| {
            let mut bytes = [0xff; 16];
            bytes[9..13].copy_from_slice(&height.to_be_bytes());
            TraceId(bytes)
        };
        let half = u32::MAX / 2;
        for (share, height, expected) in [
            (1.0, 0, Sampling::Recorded),
            (1.0, u32::MAX, Sampling::Recorded),
            (0.5, half - 1, Sampling::PassedOn),
            (0.5, half + 1, Sampling::Recorded),
            (0.01, u32::MAX / 100 * 98, Sampling::PassedOn),
            (0.01, u32::MAX, Sampling::Recorded),
            (0.000_001, u32::MAX - 100_000, Sampling::PassedOn),
        ] {
            assert_eq!(
                Share::of(share).decides(id(height)),
                expected,
                "{share} {height}"
            );
        }
        let recorded = |share| {
            let traces = (0..2_000).map(|_| Trace::begin(None, Share::of(share)).unwrap());
            traces
                .filter(|trace| trace.sampling == Sampling::Recorded)
                .count()
        };
        assert_eq!(recorded(1.0), 2_000);
        // Ten standard deviations to either side.
        assert!((280..=520).contains(&recorded(0.2)));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(id: [u8; 16], span: [u8; 8], flags: u8) {
            prop_assume!(id != [0; 16] && span != [0; 8]);
            let (id, span) = (TraceId(id), SpanId(span));
            let text = format!("00-{id}-{span}-{flags:02x}");
            let (read, parent, sampling) = parse(text.as_bytes()).unwrap();
            prop_assert_eq!((read, parent), (id, span));
            prop_assert_eq!(sampling == Sampling::Recorded, flags % 2 == 1);
        }

        #[test]
        fn any_bytes_are_read_or_left(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn one_changed_byte_never_makes_another_id(at in 0_usize..55, byte: u8) {
            let mut text = GOOD.as_bytes().to_vec();
            text[at] = byte;
            if let Some((id, span, _)) = parse(&text) {
                let (id, span) = (id.to_string(), span.to_string());
                prop_assert_eq!(id.as_bytes(), &text[3..35]);
                prop_assert_eq!(span.as_bytes(), &text[36..52]);
            }
        }
    }
}
