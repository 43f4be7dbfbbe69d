//! What sums can be told apart by, and where they are read: the daily sums, or single exchanges.

/// What sums are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The client key's name.
    Key,
    /// The route.
    Route,
    /// The target: exchanges under the one that answered, attempts under their own.
    Target,
    /// The day, of UTC.
    Day,
    /// The month, of UTC.
    Month,
    /// The hour, of UTC.
    Hour,
    /// How exchanges ended.
    Outcome,
    /// Why another target than the first answered.
    Fallback,
    /// What was called.
    Endpoint,
    /// The variant of the route.
    Variant,
    /// The session, by its pseudonym.
    Session,
    /// The user, by his pseudonym.
    User,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Key,
        Self::Route,
        Self::Target,
        Self::Day,
        Self::Month,
        Self::Hour,
        Self::Outcome,
        Self::Fallback,
        Self::Endpoint,
        Self::Variant,
        Self::Session,
        Self::User,
    ];

    /// The name on the command line, and in what is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Route => "route",
            Self::Target => "target",
            Self::Day => "day",
            Self::Month => "month",
            Self::Hour => "hour",
            Self::Outcome => "outcome",
            Self::Fallback => "fallback",
            Self::Endpoint => "endpoint",
            Self::Variant => "variant",
            Self::Session => "session",
            Self::User => "user",
        }
    }

    /// Whether the daily sums know it: they stay when the exchanges are gone.
    pub fn is_summed(self) -> bool {
        matches!(
            self,
            Self::Key | Self::Route | Self::Target | Self::Day | Self::Month
        )
    }

    /// Whether it is a time, to be listed in its order.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Month | Self::Hour)
    }

    /// Its column in [`DAYS`] or [`ROWS`].
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Route => "route",
            Self::Target => "target",
            Self::Day => "date(second, 'unixepoch')",
            Self::Month => "strftime('%Y-%m', second, 'unixepoch')",
            Self::Hour => "strftime('%Y-%m-%d %H:00', second, 'unixepoch')",
            Self::Outcome => "outcome",
            Self::Fallback => "fallback_reason",
            Self::Endpoint => "endpoint",
            Self::Variant => "variant",
            Self::Session => "session",
            Self::User => "user",
        }
    }
}

/// The daily sums of the days that begin between two milliseconds.
pub(super) const DAYS: &str = "
(SELECT day * 86400 AS second, * FROM days WHERE day * 86400000 >= ?1 AND day * 86400000 < ?2)";

/// The same columns, made of the exchanges that began between two milliseconds.
pub(super) const ROWS: &str = "
(SELECT began / 1000 AS second, key, route, coalesce(target, '') AS target, outcome, fallback_reason,
        endpoint, variant, session, user,
        CASE WHEN target IS NULL THEN 'none' ELSE 'delivered' END AS fate,
        1 AS exchanges, (fallback_reason IS NOT NULL AND target IS NOT NULL) AS fell_back,
        outcome IN ('failed', 'broken', 'panicked') AS failed, 0 AS attempts, 0 AS estimated,
        0 AS unpriced, 0 AS input, 0 AS cached, 0 AS cache_write, 0 AS output, 0 AS reasoning,
        0 AS audio, 0 AS cost_micro_usd
   FROM exchanges WHERE began >= ?1 AND began < ?2
 UNION ALL
 SELECT e.began / 1000, e.key, e.route, a.target, e.outcome, e.fallback_reason, e.endpoint,
        e.variant, e.session, e.user, a.fate, 0, 0, 0, 1, a.measure IS 'estimated',
        a.input IS NOT NULL AND a.cost_micro_usd IS NULL, coalesce(a.input, 0),
        coalesce(a.cached, 0), coalesce(a.cache_write, 0), coalesce(a.output, 0),
        coalesce(a.reasoning, 0), coalesce(a.audio, 0), coalesce(a.cost_micro_usd, 0)
   FROM exchanges AS e JOIN attempts AS a USING (boot, sequence)
  WHERE e.began >= ?1 AND e.began < ?2)";
