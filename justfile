# Short names for what is run by hand; `just ci` is what must pass.

default:
    @just --list

# Formats.
fmt:
    cargo fmt --all

# Checks form and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Runs the tests.
test *arguments:
    cargo test --locked {{ arguments }}

# Runs the benches.
bench *arguments:
    cargo bench --locked {{ arguments }}

# Checks licences, sources, duplicates and advisories of dependencies.
deny:
    bash .ci/run deny

# Fuzzes every target, or so many times each: `just fuzz 100000`.
fuzz runs='1000000':
    FUZZ_RUNS={{ runs }} bash .ci/run fuzz

# Runs the official SDKs through the program.
sdk:
    bash .ci/run program sdk

# Everything that must hold.
ci *steps:
    bash .ci/run {{ steps }}
