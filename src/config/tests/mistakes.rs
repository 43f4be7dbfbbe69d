//! The mistakes, each with its exact place and words.

use super::{good_provider, listener, provider, read, top};

/// A piece of a file, and all that is wrong with it.
pub(super) type Cases = &'static [(&'static str, &'static [&'static str])];

/// Files as a whole.
const WHOLE: Cases = &[
    ("", &["1:1: expected a map, found nothing"]),
    ("# nothing\n", &["1:1: expected a map, found nothing"]),
    ("[]", &["1:1: expected a map, found a list"]),
    ("hello", &["1:1: expected a map, found text"]),
    ("a: [1", &["1:4: yaml: unclosed bracket '['"]),
    (
        "a: b: c",
        &["1:5: yaml: mapping values are not allowed in this context"],
    ),
    (
        "a: \"x\\q\"",
        &["1:4: yaml: while parsing a quoted scalar, found unknown escape character"],
    ),
    (
        "a: &x 1\nb: *x\n",
        &["1:7: yaml: anchors are not supported"],
    ),
    ("a: !secret x\n", &["1:12: yaml: tags are not supported"]),
    (
        "a: *nobody\n",
        &["1:4: yaml: while parsing node, found unknown anchor"],
    ),
    (
        "{}\n---\n{}\n",
        &["2:1: yaml: a second document is not supported"],
    ),
    ("? [a]\n: b\n", &["1:3: yaml: a key must be text"]),
    (
        "a:\n\t- b\n",
        &["2:2: yaml: tabs disallowed within this context (block indentation)"],
    ),
    ("a: {b: 1\n", &["1:4: yaml: unclosed bracket '{'"]),
    (
        "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
        &["1:17: yaml: nested too deeply"],
    ),
    (
        "listen: []\nproviders: {}\nroutes: {}\n",
        &[
            "1:9: listen: the list must not be empty",
            "2:12: providers: the map must not be empty",
            "3:9: routes: the map must not be empty",
        ],
    ),
    (
        "listen: {}\nproviders: []\nroutes: text\n",
        &[
            "1:9: listen: expected a list, found a map",
            "2:12: providers: expected a map, found a list",
            "3:9: routes: expected a map, found text",
        ],
    ),
    (
        "listen: [{address: 127.0.0.1:8080}]\nroutes: {r: a/m}\nproviders:\n  a: {dialect: openai, base_url: https://a.example}\n  b/c: {dialect: openai, base_url: https://a.example}\n  'b c': {dialect: openai, base_url: https://a.example}\n",
        &[
            "5:3: providers.b/c: a provider's name cannot hold a slash",
            "6:3: providers.\"b c\": \"b c\" is not a name: visible ASCII without spaces",
        ],
    ),
    (
        "listen: [{address: 127.0.0.1:8080}]\nproviders: {opnai: {dialect: openai, base_url: https://a.example}}\nroutes: {r: openai/m}\n",
        &["3:13: routes.r: there is no provider \"openai\"; did you mean \"opnai\"?"],
    ),
    (
        "routes: {r: a/m}\n",
        &[
            "1:1: the key `listen` is missing",
            "1:1: the key `providers` is missing",
            "1:13: routes.r: there is no provider \"a\"; there are none",
        ],
    ),
    (
        "listen: [{address: 127.0.0.1:8080}]\nproviders: {a: {dialect: openai, base_url: https://a.example}}\nroutes:\n  'a b': a/m\n  ''  : a/m\n  rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr: a/m\n  gpt-5.5: {tiers: [[a/m]], deadline: x}\n",
        &[
            "4:3: routes.\"a b\": \"a b\" is not a name: visible ASCII without spaces",
            "5:3: routes.\"\": \"\" is not a name: visible ASCII without spaces",
            "6:3: routes.\"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\"…: a name has at most 128 characters",
            "7:39: routes.\"gpt-5.5\".deadline: \"x\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "listen: [{address: 127.0.0.1:8080}]\nproviders: {a: {dialect: openai, base_url: https://a.example}}\nroutes:\n  r: a/m\n  r: a/n\n  s:\n    tiers: [[a/m]]\n    tiers: [[a/n]]\n",
        &[
            "5:3: routes.r: duplicate key; it is first on line 4",
            "8:5: routes.s.tiers: duplicate key; it is first on line 7",
        ],
    ),
    (
        "listem: x\nlisten: [{address: nowhere}]\nproviders:\n  a: {dialect: openai, base_url: ftp://a, peers: [x], balance: y}\nroutes:\n  r: {tiers: [[a/m]], deadline: 1, timeouts: {stal: 1s, connect: 0s}}\n  s: b/m\nkeys: [{name: k, secret: sk-canary, routes: [q]}]\nlimits: {body: big}\n",
        &[
            "1:1: listem: unknown key; did you mean \"listen\"?",
            "2:20: listen[0].address: \"nowhere\" is not an address with a port, such as 127.0.0.1:8080 or [::]:8443",
            "4:34: providers.a.base_url: \"ftp://a\" does not begin with http:// or https://",
            "4:51: providers.a.peers[0]: \"x\" is not an address with a port, such as 10.0.0.5:8000 or [fd00::5]:8000",
            "4:64: providers.a.balance: \"y\" is unknown; known here: round_robin, least_busy, consistent",
            "6:33: routes.r.deadline: \"1\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
            "6:47: routes.r.timeouts.stal: unknown key; did you mean \"stall\"?",
            "6:66: routes.r.timeouts.connect: 0s is out of range: 10ms to 2m",
            "7:6: routes.s: there is no provider \"b\"; known here: a",
            "8:26: keys[0].secret: a secret in the file itself is refused: write env:NAME or file:PATH, or set `allow_literal_secrets: true`",
            "8:46: keys[0].routes[0]: there is no route \"q\"; known here: r, s",
            "9:16: limits.body: \"big\" is not a size: write a whole number and B, KiB, MiB or GiB, such as 32MiB",
        ],
    ),
];

/// From line 4 of a good file on.
const TOP: Cases = &[
    (
        "listem: []\n",
        &["4:1: listem: unknown key; did you mean \"listen\"?"],
    ),
    (
        "zzz: 1\n",
        &[
            "4:1: zzz: unknown key; known here: allow_literal_secrets, listen, admin, providers, defaults, routes, passthrough, keys, accounts, quotas, limits, log, samples, reload, drain, traces, drills",
        ],
    ),
    (
        "listen: []\n",
        &["4:1: listen: duplicate key; it is first on line 1"],
    ),
    (
        "<<: {}\n",
        &[
            "4:1: \"<<\": unknown key; known here: allow_literal_secrets, listen, admin, providers, defaults, routes, passthrough, keys, accounts, quotas, limits, log, samples, reload, drain, traces, drills",
        ],
    ),
    (
        "allow_literal_secrets: yes\n",
        &["4:24: allow_literal_secrets: expected true or false, found text"],
    ),
    ("limits:\n", &["4:1: limits: expected a map, found nothing"]),
    (
        "limits: []\n",
        &["4:9: limits: expected a map, found a list"],
    ),
    (
        "admin: on\n",
        &["4:8: admin: \"on\" is unknown; known here: off"],
    ),
    (
        "admin: {address: 0.0.0.0:9464}\n",
        &["4:18: admin.address: 0.0.0.0:9464 is not a loopback address"],
    ),
    (
        "admin: {address: 127.0.0.1:8080}\n",
        &["4:18: admin.address: 127.0.0.1:8080 is taken by listen[0].address"],
    ),
    (
        "admin: {port: 1}\n",
        &["4:9: admin.port: unknown key; known here: address"],
    ),
    (
        "admin: 9464\n",
        &["4:8: admin: expected off or a map, found a number"],
    ),
    (
        "keys: [{secret: env:GOOD}]\n",
        &["4:8: keys[0]: the key `name` is missing"],
    ),
    (
        "keys: [{name: k}]\n",
        &["4:8: keys[0]: needs one of `secret`, `secrets`, `digest`, `digests`"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, digest: sha256:abababababababababababababababababababababababababababababababab}]\n",
        &["4:8: keys[0]: needs one of `secret`, `secrets`, `digest`, `digests`"],
    ),
    (
        "keys: [{name: k, secret: sk-canary}]\n",
        &[
            "4:26: keys[0].secret: a secret in the file itself is refused: write env:NAME or file:PATH, or set `allow_literal_secrets: true`",
        ],
    ),
    (
        "keys: [{name: k, secret: env:MISSING}]\n",
        &["4:26: keys[0].secret: the environment variable MISSING is not set"],
    ),
    (
        "keys: [{name: k, secret: 'env:NOT A NAME'}]\n",
        &["4:26: keys[0].secret: after env: comes a name of ASCII letters, digits and _"],
    ),
    (
        "keys: [{name: k, secret: env:EMPTY}]\n",
        &["4:26: keys[0].secret: the environment variable EMPTY is empty"],
    ),
    (
        "keys: [{name: k, secret: env:SPACED}]\n",
        &[
            "4:26: keys[0].secret: the environment variable SPACED must hold visible ASCII only, without spaces",
        ],
    ),
    (
        "keys: [{name: k, secret: file:/nonexistent/canary}]\n",
        &[
            "4:26: keys[0].secret: the file \"/nonexistent/canary\" cannot be read: No such file or directory (os error 2)",
        ],
    ),
    (
        "keys: [{name: k, secret: 'file:'}]\n",
        &["4:26: keys[0].secret: after file: comes a path"],
    ),
    (
        "keys: [{name: k, secret: file:/dev/null}]\n",
        &["4:26: keys[0].secret: the file \"/dev/null\" is not a regular file"],
    ),
    (
        "keys: [{name: k, secret: 12345678}]\n",
        &["4:26: keys[0].secret: expected text, found a number; put it in quotes if it is meant"],
    ),
    (
        "keys: [{name: k, secret: [env:GOOD]}]\n",
        &["4:26: keys[0].secret: expected text, found a list"],
    ),
    (
        "keys: [{name: k, secrets: env:GOOD}]\n",
        &["4:27: keys[0].secrets: expected a list, found text"],
    ),
    (
        "keys: [{name: k, secrets: []}]\n",
        &["4:27: keys[0].secrets: the list must not be empty"],
    ),
    (
        "keys: [{name: k, digest: sk-canary}]\n",
        &["4:26: keys[0].digest: expected sha256: and 64 hexadecimal digits"],
    ),
    (
        "keys: [{name: k, digest: sha256:abc}]\n",
        &["4:26: keys[0].digest: expected sha256: and 64 hexadecimal digits"],
    ),
    (
        "keys:\n  - {name: k, secret: env:GOOD}\n  - {name: k, digest: sha256:abababababababababababababababababababababababababababababababab}\n",
        &["6:12: keys[1].name: two keys have the name \"k\""],
    ),
    (
        "keys:\n  - {name: k, secret: env:GOOD}\n  - {name: l, secrets: [env:GOOD]}\n",
        &["6:25: keys[1].secrets[0]: the same secret as keys[0].secret"],
    ),
    (
        "keys: [{name: 'a b', secret: env:GOOD}]\n",
        &["4:15: keys[0].name: \"a b\" is not a name: visible ASCII without spaces"],
    ),
    (
        "keys: [{name: nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn, secret: env:GOOD}]\n",
        &["4:15: keys[0].name: a name has at most 64 characters"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, routes: [s]}]\n",
        &["4:45: keys[0].routes[0]: there is no route \"s\"; known here: r"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, routes: []}]\n",
        &["4:44: keys[0].routes: the list must not be empty"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD, routes: [r, r]}]\n",
        &["4:48: keys[0].routes[1]: the route \"r\" is there twice"],
    ),
    ("keys: none\n", &["4:7: keys: expected a list, found text"]),
    (
        "defaults: {hold: al, on_break: none, timeouts: {first_token: 2h}}\n",
        &[
            "4:18: defaults.hold: \"al\" is unknown; did you mean \"all\"?",
            "4:32: defaults.on_break: \"none\" is unknown; known here: error, resume",
            "4:62: defaults.timeouts.first_token: 2h is out of range: 10ms to 1h",
        ],
    ),
    (
        "passthrough: /v1/files\n",
        &["4:14: passthrough: expected a map, found text"],
    ),
    (
        "limits: {body: [1MiB], requests_per_connection: 0x10, connections: .inf}\n",
        &[
            "4:16: limits.body: expected a size such as 64KiB or 32MiB, found a list",
            "4:49: limits.requests_per_connection: \"0x10\" is not a whole number",
            "4:68: limits.connections: \".inf\" is not a whole number",
        ],
    ),
    (
        "defaults: {deadline: 45s, timeouts: {stall: 1m}}\n",
        &["4:45: defaults.timeouts.stall: 1m is longer than the deadline, 45s"],
    ),
    (
        "defaults: {tiers: []}\n",
        &[
            "4:12: defaults.tiers: unknown key; known here: hold, on_break, keepalive, deadline, timeouts, retries, breaker, hedge, verdicts, refusals, refusal_texts, checks, fail_closed, malformed, strict_params, fit_output, contract, json",
        ],
    ),
    (
        "defaults: {deadline: 1s, hold: {at_most: 2s}, retries: {patience: 3s}}\n",
        &[
            "4:42: defaults.hold.at_most: 2s is longer than the deadline, 1s",
            "4:67: defaults.retries.patience: 3s is longer than the deadline, 1s",
        ],
    ),
    (
        "defaults: {hedge: {share: 5%}, refusal_texts: [no]}\n",
        &[
            "4:12: defaults.hedge: the key `after` is missing",
            "4:47: defaults.refusal_texts: has no effect: `refusals` is not fall_back",
        ],
    ),
    (
        "passthrough: {}\n",
        &[
            "4:1: passthrough: the key `provider` is missing",
            "4:1: passthrough: the key `paths` is missing",
        ],
    ),
    (
        "passthrough: {provider: b, paths: []}\n",
        &[
            "4:25: passthrough.provider: there is no provider \"b\"; known here: a",
            "4:35: passthrough.paths: the list must not be empty",
        ],
    ),
    (
        "passthrough: {provider: a, paths: [/v2/files, /v1/../x, /v1//x, /v1/%2e, '/v1/a?b']}\n",
        &[
            "4:36: passthrough.paths[0]: \"/v2/files\" is not a path prefix: it begins with /v1/ and has no `..`, `//`, `%`, `?`, `#`, `\\` or `@`",
            "4:47: passthrough.paths[1]: \"/v1/../x\" is not a path prefix: it begins with /v1/ and has no `..`, `//`, `%`, `?`, `#`, `\\` or `@`",
            "4:57: passthrough.paths[2]: \"/v1//x\" is not a path prefix: it begins with /v1/ and has no `..`, `//`, `%`, `?`, `#`, `\\` or `@`",
            "4:65: passthrough.paths[3]: \"/v1/%2e\" is not a path prefix: it begins with /v1/ and has no `..`, `//`, `%`, `?`, `#`, `\\` or `@`",
            "4:74: passthrough.paths[4]: \"/v1/a?b\" is not a path prefix: it begins with /v1/ and has no `..`, `//`, `%`, `?`, `#`, `\\` or `@`",
        ],
    ),
    (
        "passthrough: {provider: a, paths: [/v1/, /v1/chat, /v1/models/x, /v1/completions]}\n",
        &[
            "4:36: passthrough.paths[0]: \"/v1/\" would take in /v1/chat/completions, which is ours",
            "4:42: passthrough.paths[1]: \"/v1/chat\" would take in /v1/chat/completions, which is ours",
            "4:52: passthrough.paths[2]: \"/v1/models/x\" would take in /v1/models, which is ours",
            "4:66: passthrough.paths[3]: \"/v1/completions\" would take in /v1/completions, which is ours",
        ],
    ),
    (
        "limits: {body: 32}\n",
        &[
            "4:16: limits.body: \"32\" is not a size: write a whole number and B, KiB, MiB or GiB, such as 32MiB",
        ],
    ),
    (
        "limits: {body: 32MB}\n",
        &[
            "4:16: limits.body: \"32MB\" is not a size: write a whole number and B, KiB, MiB or GiB, such as 32MiB",
        ],
    ),
    (
        "limits: {body: 2GiB}\n",
        &["4:16: limits.body: 2GiB is out of range: 1KiB to 1GiB"],
    ),
    (
        "limits: {body: 0B}\n",
        &["4:16: limits.body: 0B is out of range: 1KiB to 1GiB"],
    ),
    (
        "limits: {buffered: 16MiB, body: 32MiB}\n",
        &["4:33: limits.body: 32MiB is more than `buffered`, 16MiB"],
    ),
    (
        "limits: {connections: 10, connections_per_address: 11}\n",
        &["4:52: limits.connections_per_address: 11 is more than `connections`, 10"],
    ),
    (
        "limits: {exchanges: 10, exchanges_per_key: 11, body_rate: 2MiB}\n",
        &[
            "4:44: limits.exchanges_per_key: 11 is more than `exchanges`, 10",
            "4:59: limits.body_rate: 2MiB is out of range: 1B to 1MiB",
        ],
    ),
    (
        "limits: {connections: -1}\n",
        &["4:23: limits.connections: \"-1\" is not a whole number"],
    ),
    (
        "limits: {h2_streams: '100'}\n",
        &["4:22: limits.h2_streams: expected a whole number, found text"],
    ),
    (
        "limits: {head_time: 0ms, idle: 2h}\n",
        &[
            "4:21: limits.head_time: 0s is out of range: 100ms to 5m",
            "4:32: limits.idle: 2h is out of range: 100ms to 1h",
        ],
    ),
    (
        "log: {access: stdot}\n",
        &[
            "4:15: log.access: \"stdot\" is neither stdout, off nor a path with a slash; did you mean \"stdout\"?",
        ],
    ),
    (
        "log: {access: logs/}\n",
        &[
            "4:15: log.access: \"logs/\" is neither stdout, off nor a path with a slash; known here: stdout, off",
        ],
    ),
    (
        "log: {queue: 0}\n",
        &["4:14: log.queue: 0 is out of range: 1 to 1000000"],
    ),
    (
        "log: {level: inof}\n",
        &[
            "4:14: log.level: \"inof\" is no level: off, error, warn, info, debug or trace, or with exceptions, such as warn,segue::relay=debug",
        ],
    ),
    (
        "drain: {deadline: 0s}\n",
        &["4:19: drain.deadline: 0s is out of range: 100ms to 24h"],
    ),
    ("drain: 10m\n", &["4:8: drain: expected a map, found text"]),
    (
        "drills: {allow_header: true, keys: [x]}\n",
        &["4:37: drills.keys[0]: there is no key \"x\"; there are none"],
    ),
    (
        "keys: [{name: k, secret: env:GOOD}]\ndrills: {allow_header: true}\n",
        &["5:9: drills: name the keys that may: `keys`, a list of names of `keys`"],
    ),
    (
        "accounts: {store: {path: usage.db, retention: 30h, on_failure: panic, size: 1}}\n",
        &[
            "4:26: accounts.store.path: \"usage.db\" is not a file's path with a slash",
            "4:47: accounts.store.retention: \"30h\" is not a number of days: write a whole number and d, such as 30d",
            "4:64: accounts.store.on_failure: \"panic\" is unknown; known here: continue, stop",
            "4:71: accounts.store.size: unknown key; known here: path, retention, on_failure",
        ],
    ),
    (
        "accounts: {store: {retention: 0d}}\n",
        &["4:31: accounts.store.retention: 0d is out of range: 1d to 3650d"],
    ),
    (
        "accounts: {store: of}\n",
        &["4:19: accounts.store: \"of\" is unknown; did you mean \"off\"?"],
    ),
];

/// In place of the listener, on line 4.
const LISTENERS: Cases = &[
    (
        "address: localhost:80\n",
        &[
            "4:14: listen[0].address: \"localhost:80\" is not an address with a port, such as 127.0.0.1:8080 or [::]:8443",
        ],
    ),
    (
        "address: 127.0.0.1\n",
        &[
            "4:14: listen[0].address: \"127.0.0.1\" is not an address with a port, such as 127.0.0.1:8080 or [::]:8443",
        ],
    ),
    (
        "adress: 127.0.0.1:80\n",
        &[
            "4:5: listen[0]: the key `address` is missing",
            "4:5: listen[0].adress: unknown key; did you mean \"address\"?",
        ],
    ),
    ("{}\n", &["4:5: listen[0]: the key `address` is missing"]),
    (
        "8080\n",
        &["4:5: listen[0]: expected a map, found a number"],
    ),
    (
        "address: 0.0.0.0:80\n",
        &[
            "4:14: listen[0].address: anybody could call: 0.0.0.0:80 is not a loopback address and there are no `keys`",
        ],
    ),
    (
        "address: 127.0.0.1:80\n  - address: 127.0.0.1:80\n",
        &["5:14: listen[1].address: 127.0.0.1:80 is taken by listen[0].address"],
    ),
    (
        "address: 127.0.0.1:80\n  - address: 0.0.0.0:80\n",
        &["5:14: listen[1].address: 0.0.0.0:80 is taken by listen[0].address"],
    ),
    (
        "address: 127.0.0.1:9464\n",
        &["4:14: listen[0].address: `admin` listens at 127.0.0.1:9464 unless it is set"],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {}\n",
        &["5:5: listen[0].tls: needs `certificate` and `key`, or a list of `certificates`"],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {certificate: a.pem}\n",
        &["5:5: listen[0].tls: needs `certificate` and `key`, or a list of `certificates`"],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {certificates: []}\n",
        &["5:25: listen[0].tls.certificates: the list must not be empty"],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {certificate: /nonexistent/a.pem, key: /dev/null}\n",
        &[
            "5:24: listen[0].tls.certificate: the file \"/nonexistent/a.pem\" cannot be read: No such file or directory (os error 2)",
            "5:49: listen[0].tls.key: the file \"/dev/null\" is not a regular file",
        ],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {certificate: a, key: b, certificates: []}\n",
        &["5:5: listen[0].tls: needs `certificate` and `key`, or a list of `certificates`"],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {certificates: [{certificate: /nonexistent/a}]}\n",
        &["5:26: listen[0].tls.certificates[0]: the key `key` is missing"],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {min_version: 1.2, certificates: []}\n",
        &[
            "5:24: listen[0].tls.min_version: expected text, found a number; put it in quotes if it is meant",
            "5:43: listen[0].tls.certificates: the list must not be empty",
        ],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {min_version: \"1.1\", certificates: []}\n",
        &[
            "5:24: listen[0].tls.min_version: \"1.1\" is unknown; did you mean \"1.2\"?",
            "5:45: listen[0].tls.certificates: the list must not be empty",
        ],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {client_auth: required, http2: 1, certificates: []}\n",
        &[
            "5:24: listen[0].tls.client_auth: needs `client_ca`",
            "5:41: listen[0].tls.http2: expected true or false, found a number",
            "5:58: listen[0].tls.certificates: the list must not be empty",
        ],
    ),
    (
        "address: 127.0.0.1:80\n    tls: {client_auth: of, certificates: []}\n",
        &[
            "5:24: listen[0].tls.client_auth: \"of\" is unknown; did you mean \"off\"?",
            "5:42: listen[0].tls.certificates: the list must not be empty",
        ],
    ),
    (
        "address: 10.0.0.1:80\n  - address: '[::]:81'\n",
        &[
            "4:14: listen[0].address: anybody could call: 10.0.0.1:80 is not a loopback address and there are no `keys`",
            "5:14: listen[1].address: anybody could call: [::]:81 is not a loopback address and there are no `keys`",
        ],
    ),
    (
        "address: 0.0.0.0:9464\n",
        &[
            "4:14: listen[0].address: `admin` listens at 127.0.0.1:9464 unless it is set",
            "4:14: listen[0].address: anybody could call: 0.0.0.0:9464 is not a loopback address and there are no `keys`",
        ],
    ),
];

/// In place of the provider, from line 5 on.
const PROVIDERS: Cases = &[
    (
        "base_url: https://a.example\n",
        &["4:3: providers.a: the key `dialect` is missing"],
    ),
    (
        "dialect: openai\n",
        &["4:3: providers.a: the key `base_url` is missing"],
    ),
    (
        "dialect: bedrock\n    base_url: https://a.example\n",
        &["5:14: providers.a.dialect: not supported by this version"],
    ),
    (
        "dialect: anthropic\n    base_url: https://a.example\n    profile: vllm\n",
        &["7:5: providers.a.profile: only providers of dialect `openai` have one"],
    ),
    (
        "dialect: openai\n    base_url: https://a.example\n    profile: olama\n    auth: beerer\n",
        &[
            "7:14: providers.a.profile: there is no profile \"olama\"; did you mean \"ollama\"?",
            "8:11: providers.a.auth: \"beerer\" is unknown; did you mean \"bearer\"?",
        ],
    ),
    (
        "dialect: opnai\n    base_url: https://a.example\n",
        &["5:14: providers.a.dialect: \"opnai\" is unknown; did you mean \"openai\"?"],
    ),
    (
        "dialect: openai\n    base_url: a.example\n",
        &["6:15: providers.a.base_url: \"a.example\" does not begin with http:// or https://"],
    ),
    (
        "dialect: openai\n    base_url: https://u:canary@a.example\n",
        &[
            "6:15: providers.a.base_url: user info (`@`) is not allowed: credentials go to `credential`",
        ],
    ),
    (
        "dialect: openai\n    base_url: https://a.example?key=canary\n",
        &["6:15: providers.a.base_url: a query (`?`) or fragment (`#`) is not allowed"],
    ),
    (
        "dialect: openai\n    base_url: https://a.example/v1/../x\n",
        &[
            "6:15: providers.a.base_url: \"https://a.example/v1/../x\" has an empty, `.` or `..` segment in its path",
        ],
    ),
    (
        "dialect: openai\n    base_url: https://127.0.0.1:1/\n",
        &[
            "6:15: providers.a.base_url: 127.0.0.1 is not a public address: set `private_peers: true` if it is meant",
        ],
    ),
    (
        "dialect: openai\n    base_url: http://169.254.169.254\n",
        &[
            "6:15: providers.a.base_url: 169.254.169.254 is not a public address: set `private_peers: true` if it is meant",
        ],
    ),
    (
        "dialect: openai\n    base_url: http://localhost:8000\n",
        &[
            "6:15: providers.a.base_url: localhost is not a public host: set `private_peers: true` if it is meant",
        ],
    ),
    (
        "dialect: openai\n    base_url: https://a.example:0\n",
        &[
            "6:15: providers.a.base_url: \"https://a.example:0\" has a port that is not a number from 1 to 65535",
        ],
    ),
    (
        "dialect: openai\n    base_url: http://a.example\n    tls: {http2: true}\n",
        &["7:5: providers.a.tls: has no effect: `base_url` begins with http://"],
    ),
    (
        "dialect: openai\n    base_url: http://a.example\n    health: {tls: true}\n",
        &["7:13: providers.a.health: `tls` cannot be checked: `base_url` begins with http://"],
    ),
    (
        "dialect: openai\n    base_url: https://1.1.1.1\n    dns: {every: 5s}\n",
        &["7:5: providers.a.dns: has no effect: `base_url` holds an address"],
    ),
];

/// Beside what a provider needs, from line 7 on.
const GOOD_PROVIDERS: Cases = &[
    (
        "credential: client\n",
        &["7:17: providers.a.credential: not supported by this version"],
    ),
    (
        "credential: Bearer canary\n",
        &[
            "7:17: providers.a.credential: a secret in the file itself is refused: write env:NAME or file:PATH, or set `allow_literal_secrets: true`",
        ],
    ),
    (
        "limits: {requests: 1}\n",
        &["7:5: providers.a.limits: not supported by this version"],
    ),
    (
        "balance: random\n",
        &[
            "7:14: providers.a.balance: \"random\" is unknown; known here: round_robin, least_busy, consistent",
        ],
    ),
    (
        "peers: []\n",
        &["7:12: providers.a.peers: the list must not be empty"],
    ),
    (
        "peers: [a.example:80]\n",
        &[
            "7:13: providers.a.peers[0]: \"a.example:80\" is not an address with a port, such as 10.0.0.5:8000 or [fd00::5]:8000",
        ],
    ),
    (
        "peers: [1.1.1.1:80, 1.1.1.1:80]\n",
        &["7:25: providers.a.peers[1]: the peer 1.1.1.1:80 is there twice"],
    ),
    (
        "peers: [0.0.0.0:80, 1.1.1.1:0, 224.0.0.1:80]\n",
        &[
            "7:13: providers.a.peers[0]: nothing can be reached at 0.0.0.0:80",
            "7:25: providers.a.peers[1]: nothing can be reached at 1.1.1.1:0",
            "7:36: providers.a.peers[2]: nothing can be reached at 224.0.0.1:80",
        ],
    ),
    (
        "peers: [1.1.1.1:80]\n    dns: {}\n",
        &["8:5: providers.a.dns: has no effect: `peers` are given"],
    ),
    (
        "dns: {every: 0s}\n",
        &["7:18: providers.a.dns.every: 0s is out of range: 1s to 1h"],
    ),
    (
        "dns: {every: 30}\n",
        &[
            "7:18: providers.a.dns.every: \"30\" is not a duration: write a whole number and ms, s, m or h, such as 400ms",
        ],
    ),
    (
        "health: {}\n",
        &["7:5: providers.a.health: needs exactly one of `tcp: true`, `tls: true`, `http: /path`"],
    ),
    (
        "health: {tcp: true, http: /}\n",
        &["7:5: providers.a.health: needs exactly one of `tcp: true`, `tls: true`, `http: /path`"],
    ),
    (
        "health: {tcp: false}\n",
        &["7:19: providers.a.health.tcp: only true has a meaning; leave the key out instead"],
    ),
    (
        "health: {http: health}\n",
        &[
            "7:20: providers.a.health.http: \"health\" is not a path: it begins with / and holds visible ASCII without #",
        ],
    ),
    (
        "health: {tcp: true, every: 1s, timeout: 2s}\n",
        &["7:45: providers.a.health.timeout: 2s is longer than `every`, 1s"],
    ),
    (
        "health: {tcp: true, failures: 0}\n",
        &["7:35: providers.a.health.failures: 0 is out of range: 1 to 100"],
    ),
    (
        "health: {tcp: true, failures: 99999999999}\n",
        &["7:35: providers.a.health.failures: 99999999999 is out of range: 1 to 100"],
    ),
    (
        "health: {tcp: true, successes: 1.5}\n",
        &["7:36: providers.a.health.successes: \"1.5\" is not a whole number"],
    ),
    (
        "health: {tcp: true, successes: two}\n",
        &["7:36: providers.a.health.successes: expected a whole number, found text"],
    ),
    (
        "private_peers: 'true'\n",
        &["7:20: providers.a.private_peers: expected true or false, found text"],
    ),
    (
        "tls: {ca: /nonexistent/ca.pem}\n",
        &[
            "7:15: providers.a.tls.ca: the file \"/nonexistent/ca.pem\" cannot be read: No such file or directory (os error 2)",
        ],
    ),
    (
        "tls: {insecure_skip_verify: true}\n",
        &["7:11: providers.a.tls.insecure_skip_verify: unknown key; known here: ca, http2"],
    ),
];

/// Holds that each piece makes exactly its mistakes.
pub(super) fn hold(build: impl Fn(&str) -> String, cases: Cases) {
    for (piece, expected) in cases {
        let text = build(piece);
        let errors = read(&text).expect_err(&text).to_string();
        let expected: Vec<String> = expected
            .iter()
            .map(|line| format!("segue.yaml:{line}"))
            .collect();
        assert_eq!(errors, expected.join("\n"), "{text}");
    }
}

#[test]
fn every_mistake_is_told_with_its_place_key_and_rule() {
    hold(str::to_owned, WHOLE);
    hold(top, TOP);
    hold(listener, LISTENERS);
    hold(provider, PROVIDERS);
    hold(good_provider, GOOD_PROVIDERS);
}
