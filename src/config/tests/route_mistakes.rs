//! The mistakes of routes, each with its exact place and words.

use super::mistakes::{Cases, hold};
use super::{good_route, route};

/// In place of the route, from line 5 on.
const ROUTES: Cases = &[
    (
        "tiers: [{zzz: 1, targets: [{zzz: 1, target: b/m}]}]\n",
        &[
            "5:14: routes.r.tiers[0].zzz: unknown key; known here: balance, targets",
            "5:33: routes.r.tiers[0].targets[0].zzz: unknown key; known here: target, weight, price, capabilities, upstream_stream, timeouts, limits, profile",
            "5:49: routes.r.tiers[0].targets[0].target: there is no provider \"b\"; known here: a",
        ],
    ),
    (
        "a\n",
        &["5:5: routes.r: \"a\" is not a target: provider/model"],
    ),
    (
        "b/m\n",
        &["5:5: routes.r: there is no provider \"b\"; known here: a"],
    ),
    (
        "{tiers: [[a/m]], variants: [{name: x, when: {task: t}, tiers: [[b/m]]}]}\n",
        &["5:69: routes.r.variants[0].tiers[0][0]: there is no provider \"b\"; known here: a"],
    ),
    (
        "{tiers: [[a/m]], variants: [{name: x, when: {}}, {name: x, when: {tag.: t, mood: {in: [b], prefix: c}}}]}\n",
        &[
            "5:49: routes.r.variants[0].when: the map must not be empty",
            "5:61: routes.r.variants[1].name: two variants have the name \"x\"",
            "5:71: routes.r.variants[1].when.\"tag.\": conditions are about key, tag.NAME, task, user and region",
            "5:80: routes.r.variants[1].when.mood: conditions are about key, tag.NAME, task, user and region",
        ],
    ),
    (
        "{tiers: [[a/m]], variants: [{name: x, when: {task: {in: [b], prefix: c}, user: \"\"}}]}\n",
        &[
            "5:56: routes.r.variants[0].when.task: needs either `in` or `prefix`",
            "5:84: routes.r.variants[0].when.user: must not be empty",
        ],
    ),
    (
        "aa/m\n",
        &["5:5: routes.r: there is no provider \"aa\"; known here: a"],
    ),
    (
        "a/\n",
        &["5:5: routes.r: \"\" is not a model's name: 1 to 256 visible ASCII characters"],
    ),
    (
        "'a/m m'\n",
        &["5:5: routes.r: \"m m\" is not a model's name: 1 to 256 visible ASCII characters"],
    ),
    (
        "17\n",
        &["5:5: routes.r: expected provider/model or a map, found a number"],
    ),
    ("{}\n", &["4:3: routes.r: the key `tiers` is missing"]),
    (
        "tiers: []\n",
        &["5:12: routes.r.tiers: the list must not be empty"],
    ),
    (
        "tiers: [[a/m], []]\n",
        &["5:20: routes.r.tiers[1]: the list must not be empty"],
    ),
    (
        "tiers: [{targets: []}]\n",
        &["5:23: routes.r.tiers[0].targets: the list must not be empty"],
    ),
    (
        "tiers: [[a/m, a/n], [a/m]]\n",
        &["5:26: routes.r.tiers[1][0]: the same target as routes.r.tiers[0][0]"],
    ),
    (
        "tiers:\n      - [a/n, {target: a/m, weight: 2}]\n      - targets: [{target: a/m}]\n",
        &[
            "7:28: routes.r.tiers[1].targets[0].target: the same target as routes.r.tiers[0][1].target",
        ],
    ),
    (
        "tiers: [[b/m, b/m]]\n",
        &[
            "5:14: routes.r.tiers[0][0]: there is no provider \"b\"; known here: a",
            "5:19: routes.r.tiers[0][1]: there is no provider \"b\"; known here: a",
            "5:19: routes.r.tiers[0][1]: the same target as routes.r.tiers[0][0]",
        ],
    ),
    (
        "tiers: [[a/m0, a/m1, a/m2, a/m3, a/m4, a/m5, a/m6, a/m7, a/m8, a/m9, a/m10, a/m11, a/m12, a/m13, a/m14, a/m15, a/m16]]\n",
        &["5:12: routes.r.tiers: 17 targets: a route has at most 16"],
    ),
    (
        "tiers: a/m\n",
        &["5:12: routes.r.tiers: expected a list, found text"],
    ),
    (
        "tiers: [a/m]\n",
        &["5:13: routes.r.tiers[0]: expected a list of targets or a map, found text"],
    ),
    (
        "tiers: [{balance: least_bussy}]\n",
        &[
            "5:13: routes.r.tiers[0]: the key `targets` is missing",
            "5:23: routes.r.tiers[0].balance: \"least_bussy\" is unknown; did you mean \"least_busy\"?",
        ],
    ),
    (
        "tiers: [{targets: [a/m], balance: random}]\n",
        &[
            "5:39: routes.r.tiers[0].balance: \"random\" is unknown; known here: weighted, round_robin, least_busy, least_latency, least_cost",
        ],
    ),
    (
        "tiers: [[{target: a/m, capabilities: []}]]\n",
        &["5:42: routes.r.tiers[0][0].capabilities: expected a map, found a list"],
    ),
    (
        "tiers: [[{target: a/m, profile: mistrl}]]\n",
        &[
            "5:37: routes.r.tiers[0][0].profile: there is no profile \"mistrl\"; did you mean \"mistral\"?",
        ],
    ),
    (
        "tiers: [[{target: a/m, profile: {drop: [top_k, /model, /a/], lik: x}}]]\n",
        &[
            "5:45: routes.r.tiers[0][0].profile.drop[0]: \"top_k\" is not a place: a JSON pointer like /top_k or /tools/*/function/strict, at most 8 steps",
            "5:52: routes.r.tiers[0][0].profile.drop[1]: \"/model\" is segue's own to write",
            "5:60: routes.r.tiers[0][0].profile.drop[2]: \"/a/\" is not a place: a JSON pointer like /top_k or /tools/*/function/strict, at most 8 steps",
            "5:66: routes.r.tiers[0][0].profile.lik: unknown key; did you mean \"like\"?",
        ],
    ),
    (
        "tiers: [[{target: a/m, capabilities: {contxt: 1, lacks: [image, images, images], has: [context]}}]]\n",
        &[
            "5:43: routes.r.tiers[0][0].capabilities.contxt: unknown key; did you mean \"context\"?",
            "5:62: routes.r.tiers[0][0].capabilities.lacks[0]: \"image\" is unknown; did you mean \"images\"?",
            "5:77: routes.r.tiers[0][0].capabilities.lacks[2]: \"images\" is there twice",
            "5:92: routes.r.tiers[0][0].capabilities.has[0]: \"context\" is unknown; known here: tools, parallel_tools, tool_choice, native_tools, images, audio_in, media_out, documents, json_mode, json_schema, choices, logprobs, logit_bias, stop, reasoning, native, streaming, chat, completions, embeddings",
        ],
    ),
    (
        "tiers: [[{target: a/m, capabilities: {max_output: 0, lacks: [tools], has: [tools]}, upstream_stream: on}]]\n",
        &[
            "5:55: routes.r.tiers[0][0].capabilities.max_output: 0 is out of range: 1 to 100000000",
            "5:79: routes.r.tiers[0][0].capabilities.has: \"tools\" is in `lacks` too",
            "5:106: routes.r.tiers[0][0].upstream_stream: \"on\" is unknown; known here: as_asked, always, never",
        ],
    ),
    (
        "tiers: [[{target: a/m, weight: 0}, {target: a/n, weight: 1001}, {target: a/o, weight: 0.5}]]\n",
        &[
            "5:36: routes.r.tiers[0][0].weight: 0 is out of range: 1 to 1000",
            "5:62: routes.r.tiers[0][1].weight: 1001 is out of range: 1 to 1000",
            "5:91: routes.r.tiers[0][2].weight: \"0.5\" is not a whole number",
        ],
    ),
    (
        "tiers: [[{target: a/m, price: {}}, {target: a/n, price: 1}]]\n",
        &[
            "5:28: routes.r.tiers[0][0].price: the key `input` is missing",
            "5:28: routes.r.tiers[0][0].price: the key `output` is missing",
            "5:61: routes.r.tiers[0][1].price: expected a map, found a number",
        ],
    ),
    (
        "tiers: [[{target: a/m, price: {input: -1, output: 1.0000001, cached: 1}}]]\n",
        &[
            "5:43: routes.r.tiers[0][0].price.input: \"-1\" is not an amount of USD: a number with at most six decimals, such as 1.25",
            "5:55: routes.r.tiers[0][0].price.output: \"1.0000001\" is not an amount of USD: a number with at most six decimals, such as 1.25",
            "5:66: routes.r.tiers[0][0].price.cached: unknown key; known here: input, output, cache_read, cache_write, above",
        ],
    ),
    (
        "tiers: [[{target: a/m, price: {input: 10000.000001, output: '1'}}]]\n",
        &[
            "5:43: routes.r.tiers[0][0].price.input: 10000.000001 is out of range: 0 to 10000",
            "5:65: routes.r.tiers[0][0].price.output: expected an amount of USD such as 1.25, found text",
        ],
    ),
    (
        "tiers: [[{timeouts: {stall: 1s}}]]\n",
        &["5:14: routes.r.tiers[0][0]: the key `target` is missing"],
    ),
    (
        "tiers: [[{target: a/m, timeouts: {connect: 10s}}]]\n    timeouts: {total: 5s}\n",
        &[
            "5:48: routes.r.tiers[0][0].timeouts.connect: 10s is longer than the attempt's total, 5s",
        ],
    ),
    (
        "tiers: [[{target: a/m, timeouts: {total: 10s, stall: 8s}}, {target: a/n, timeouts: {total: 3s, stall: 4s}}]]\n    deadline: 5s\n",
        &[
            "5:46: routes.r.tiers[0][0].timeouts.total: 10s is longer than the deadline, 5s",
            "5:58: routes.r.tiers[0][0].timeouts.stall: 8s is longer than the deadline, 5s",
            "5:107: routes.r.tiers[0][1].timeouts.stall: 4s is longer than the attempt's total, 3s",
        ],
    ),
];

/// Beside what a route needs, from line 6 on.
const GOOD_ROUTES: Cases = &[
    (
        "zzz: 1\n    deadline: 5s\n    timeouts: {zzz: 1, stall: 6s}\n",
        &[
            "6:5: routes.r.zzz: unknown key; known here: tiers, hold, on_break, keepalive, deadline, timeouts, retries, breaker, hedge, verdicts, refusals, refusal_texts, checks, fail_closed, malformed, strict_params, fit_output, contract, json, variants, limits, budget, budgets",
            "8:16: routes.r.timeouts.zzz: unknown key; known here: connect, first_token, stall, total, write, min_rate",
            "8:31: routes.r.timeouts.stall: 6s is longer than the deadline, 5s",
        ],
    ),
    (
        "timeouts: {stal: 1s}\n",
        &["6:16: routes.r.timeouts.stal: unknown key; did you mean \"stall\"?"],
    ),
    (
        "timeouts: {connect: 0s}\n",
        &["6:25: routes.r.timeouts.connect: 0s is out of range: 10ms to 2m"],
    ),
    (
        "timeouts: {connect: 1h}\n",
        &["6:25: routes.r.timeouts.connect: 1h is out of range: 10ms to 2m"],
    ),
    (
        "timeouts: {connect: 5}\n",
        &[
            "6:25: routes.r.timeouts.connect: \"5\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "timeouts: {connect: 5 s}\n",
        &[
            "6:25: routes.r.timeouts.connect: \"5 s\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "timeouts: {connect: -5s}\n",
        &[
            "6:25: routes.r.timeouts.connect: \"-5s\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "timeouts: {connect: 1.5s}\n",
        &[
            "6:25: routes.r.timeouts.connect: \"1.5s\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "timeouts: {connect: [5s]}\n",
        &[
            "6:25: routes.r.timeouts.connect: expected a duration such as 400ms, 8s, 2m or 1h, found a list",
        ],
    ),
    (
        "timeouts: {total: 20s, stall: 30s, first_token: 21s}\n",
        &[
            "6:35: routes.r.timeouts.stall: 30s is longer than the attempt's total, 20s",
            "6:53: routes.r.timeouts.first_token: 21s is longer than the attempt's total, 20s",
        ],
    ),
    (
        "deadline: 45s\n    timeouts: {first_token: 1m, total: 50s}\n",
        &[
            "7:29: routes.r.timeouts.first_token: 1m is longer than the deadline, 45s",
            "7:40: routes.r.timeouts.total: 50s is longer than the deadline, 45s",
        ],
    ),
    (
        "deadline: 0s\n",
        &["6:15: routes.r.deadline: 0s is out of range: 10ms to 24h"],
    ),
    (
        "deadline: 99999999999999999999h\n",
        &[
            "6:15: routes.r.deadline: \"99999999999999999999h\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "timeouts: {min_rate: -1}\n",
        &["6:26: routes.r.timeouts.min_rate: \"-1\" is not a number such as 0.5 or 10"],
    ),
    (
        "timeouts: {min_rate: 10000.5}\n",
        &["6:26: routes.r.timeouts.min_rate: 10000.5 is out of range: 0 to 10000"],
    ),
    (
        "timeouts: {min_rate: '5'}\n",
        &["6:26: routes.r.timeouts.min_rate: expected a number, found text"],
    ),
    (
        "timeouts: {min_rate: .nan}\n",
        &["6:26: routes.r.timeouts.min_rate: \".nan\" is not a number such as 0.5 or 10"],
    ),
    (
        "hold: nothing\n",
        &["6:11: routes.r.hold: \"nothing\" is unknown; known here: none, all"],
    ),
    (
        "hold: 12\n",
        &["6:11: routes.r.hold: expected none, all or a map, found a number"],
    ),
    (
        "hold: {tokens: 0, at_most: 0ms, zzz: 1}\n",
        &[
            "6:20: routes.r.hold.tokens: 0 is out of range: 1 to 10000",
            "6:32: routes.r.hold.at_most: 0s is out of range: 1ms to 1m",
            "6:37: routes.r.hold.zzz: unknown key; known here: tokens, at_most",
        ],
    ),
    (
        "hold: {tokens: 10001, at_most: 61s}\n",
        &[
            "6:20: routes.r.hold.tokens: 10001 is out of range: 1 to 10000",
            "6:36: routes.r.hold.at_most: 61s is out of range: 1ms to 1m",
        ],
    ),
    (
        "hold: {at_most: 2s}\n    deadline: 1s\n",
        &["6:21: routes.r.hold.at_most: 2s is longer than the deadline, 1s"],
    ),
    (
        "on_break: resume\n",
        &["6:15: routes.r.on_break: resume comes in a later version; until then only error"],
    ),
    (
        "on_break: eror\n",
        &["6:15: routes.r.on_break: \"eror\" is unknown; did you mean \"error\"?"],
    ),
    (
        "keepalive: 15\n",
        &[
            "6:16: routes.r.keepalive: \"15\" is neither off nor a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "keepalive: never\n",
        &[
            "6:16: routes.r.keepalive: \"never\" is neither off nor a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "keepalive: false\n",
        &[
            "6:16: routes.r.keepalive: expected off or a duration such as 400ms or 8s, found a truth value",
        ],
    ),
    (
        "keepalive: 999ms\n",
        &["6:16: routes.r.keepalive: 999ms is out of range: 1s to 5m"],
    ),
    (
        "keepalive: 6m\n",
        &["6:16: routes.r.keepalive: 6m is out of range: 1s to 5m"],
    ),
    (
        "keepalive: 15s\n    deadline: 14s\n",
        &["6:16: routes.r.keepalive: 15s is longer than the deadline, 14s"],
    ),
    (
        "retries: {same_target: 11, max_attempts: 0, patience: 61s, zzz: 1}\n",
        &[
            "6:28: routes.r.retries.same_target: 11 is out of range: 0 to 10",
            "6:46: routes.r.retries.max_attempts: 0 is out of range: 1 to 16",
            "6:59: routes.r.retries.patience: 61s is out of range: 0s to 1m",
            "6:64: routes.r.retries.zzz: unknown key; known here: same_target, max_attempts, patience",
        ],
    ),
    (
        "retries: {same_target: -1, max_attempts: 17}\n",
        &[
            "6:28: routes.r.retries.same_target: \"-1\" is not a whole number",
            "6:46: routes.r.retries.max_attempts: 17 is out of range: 1 to 16",
        ],
    ),
    (
        "retries: {patience: 20s}\n    deadline: 19s\n",
        &["6:25: routes.r.retries.patience: 20s is longer than the deadline, 19s"],
    ),
    (
        "retries: off\n",
        &["6:14: routes.r.retries: expected a map, found text"],
    ),
    (
        "breaker: of\n",
        &["6:14: routes.r.breaker: \"of\" is unknown; did you mean \"off\"?"],
    ),
    (
        "breaker: false\n",
        &["6:14: routes.r.breaker: expected off or a map, found a truth value"],
    ),
    (
        "breaker: {failures: 0, open: 0s, longest: 2h, half_open: 0}\n",
        &[
            "6:25: routes.r.breaker.failures: 0 is out of range: 1 to 1000",
            "6:34: routes.r.breaker.open: 0s is out of range: 100ms to 1h",
            "6:47: routes.r.breaker.longest: 2h is out of range: 100ms to 1h",
            "6:51: routes.r.breaker.half_open: unknown key; known here: failures, open, longest",
        ],
    ),
    (
        "breaker: {failures: 1001, open: 61m}\n",
        &[
            "6:25: routes.r.breaker.failures: 1001 is out of range: 1 to 1000",
            "6:37: routes.r.breaker.open: 61m is out of range: 100ms to 1h",
        ],
    ),
    (
        "breaker: {open: 20s, longest: 19s}\n",
        &["6:35: routes.r.breaker.longest: 19s is shorter than `open`, 20s"],
    ),
    (
        "breaker: {longest: 29s}\n",
        &["6:24: routes.r.breaker.longest: 29s is shorter than `open`, 30s"],
    ),
    (
        "hedge: on\n",
        &["6:12: routes.r.hedge: \"on\" is unknown; known here: off"],
    ),
    (
        "hedge: 2s\n",
        &["6:12: routes.r.hedge: \"2s\" is unknown; known here: off"],
    ),
    (
        "hedge: 2\n",
        &["6:12: routes.r.hedge: expected off or a map, found a number"],
    ),
    (
        "hedge: {}\n",
        &["6:5: routes.r.hedge: the key `after` is missing"],
    ),
    (
        "hedge: {after: p99, share: 0}\n",
        &[
            "6:20: routes.r.hedge.after: \"p99\" is neither p95 nor a duration: write a whole number and ms, s, m or h, such as 400ms",
            "6:32: routes.r.hedge.share: \"0\" is not a share: above 0% and at most 100%, such as 5% or 0.05",
        ],
    ),
    (
        "hedge: {after: 9ms, share: 5}\n",
        &[
            "6:20: routes.r.hedge.after: 9ms is out of range: 10ms to 1h",
            "6:32: routes.r.hedge.share: \"5\" is not a share: above 0% and at most 100%, such as 5% or 0.05",
        ],
    ),
    (
        "hedge: {after: 2s, share: 0%}\n",
        &[
            "6:31: routes.r.hedge.share: \"0%\" is not a share: above 0% and at most 100%, such as 5% or 0.05",
        ],
    ),
    (
        "hedge: {after: 2s, share: 100.1%}\n",
        &[
            "6:31: routes.r.hedge.share: \"100.1%\" is not a share: above 0% and at most 100%, such as 5% or 0.05",
        ],
    ),
    (
        "hedge: {after: 2s, share: '0.5'}\n",
        &[
            "6:31: routes.r.hedge.share: \"0.5\" is not a share: above 0% and at most 100%, such as 5% or 0.05",
        ],
    ),
    (
        "hedge: {after: 2s, share: []}\n",
        &["6:31: routes.r.hedge.share: expected a share such as 5% or 0.05, found a list"],
    ),
    (
        "hedge: {after: 11s}\n    deadline: 10s\n",
        &["6:20: routes.r.hedge.after: 11s is longer than the deadline, 10s"],
    ),
    (
        "verdicts: {auht: surface, quota: fallback, rate_limited: ignore, no_such_class: retry}\n",
        &[
            "6:16: routes.r.verdicts.auht: unknown key; did you mean \"auth\"?",
            "6:38: routes.r.verdicts.quota: \"fallback\" is unknown; did you mean \"fall_back\"?",
            "6:62: routes.r.verdicts.rate_limited: \"ignore\" is unknown; known here: retry, fall_back, surface",
            "6:70: routes.r.verdicts.no_such_class: unknown key; known here: transient, overloaded, rate_limited, quota, auth, not_found, context_length, content_policy, too_large, bad_request, bad_model_output",
        ],
    ),
    (
        "verdicts: surface\n",
        &["6:15: routes.r.verdicts: expected a map, found text"],
    ),
    (
        "refusals: retry\n",
        &["6:15: routes.r.refusals: \"retry\" is unknown; known here: surface, fall_back"],
    ),
    (
        "refusal_texts: [no]\n",
        &["6:20: routes.r.refusal_texts: has no effect: `refusals` is not fall_back"],
    ),
    (
        "refusals: surface\n    refusal_texts: [no]\n",
        &["7:20: routes.r.refusal_texts: has no effect: `refusals` is not fall_back"],
    ),
    (
        "refusals: fall_back\n    refusal_texts: []\n",
        &["7:20: routes.r.refusal_texts: the list must not be empty"],
    ),
    (
        "refusals: fall_back\n    refusal_texts: no\n",
        &["7:20: routes.r.refusal_texts: expected a list, found text"],
    ),
    (
        "refusals: fall_back\n    refusal_texts: ['', ' ', nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn, 1]\n",
        &[
            "7:21: routes.r.refusal_texts[0]: must not be empty",
            "7:25: routes.r.refusal_texts[1]: must not be blank: many answers begin that way",
            "7:30: routes.r.refusal_texts[2]: 257 characters: a text has at most 256",
            "7:289: routes.r.refusal_texts[3]: expected text, found a number; put it in quotes if it is meant",
        ],
    ),
    (
        "refusals: fall_back\n    refusal_texts: [no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no, no]\n",
        &["7:20: routes.r.refusal_texts: 65 texts: at most 64"],
    ),
    (
        "checks: json\n",
        &["6:13: routes.r.checks: expected a list, found text"],
    ),
    (
        "checks: [json, jsn, tool, json]\n",
        &[
            "6:20: routes.r.checks[1]: \"jsn\" is unknown; did you mean \"json\"?",
            "6:25: routes.r.checks[2]: \"tool\" is unknown; did you mean \"tools\"?",
            "6:31: routes.r.checks[3]: the check \"json\" is there twice",
        ],
    ),
    (
        "fail_closed: yes\n",
        &["6:18: routes.r.fail_closed: expected true or false, found text"],
    ),
    (
        "malformed: ignore\n",
        &["6:16: routes.r.malformed: \"ignore\" is unknown; known here: break, skip"],
    ),
];

#[test]
fn every_mistake_of_a_route_is_told_with_its_place_key_and_rule() {
    hold(route, ROUTES);
    hold(good_route, GOOD_ROUTES);
}
