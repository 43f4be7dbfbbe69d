//! The file's words for single values.

use schemars::JsonSchema;
use serde::Deserialize;

/// A duration: a whole number and `ms`, `s`, `m` or `h`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+(ms|s|m|h)$"))]
pub struct DurationFile(pub String);

/// A number of days: a whole number and `d`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+d$"))]
pub struct DaysFile(pub String);

/// A share in per cent.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = r"^[0-9]+(\.[0-9]+)?%$"))]
pub struct PercentFile(pub String);

/// A size: a whole number and `B`, `KiB`, `MiB` or `GiB`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+(B|KiB|MiB|GiB)$"))]
pub struct SizeFile(pub String);

/// A secret: `env:NAME` or `file:PATH`; the value itself only with `allow_literal_secrets`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^[!-~]+$"))]
pub struct SecretFile(pub String);

impl std::fmt::Debug for SecretFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("***")
    }
}

/// The digest of a client key.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^sha256:[0-9a-fA-F]{64}$"))]
pub struct DigestFile(pub String);

/// A name or value of a key's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^[A-Za-z0-9_.:/@-]{1,64}$"))]
pub struct TagFile(pub String);

/// A day, the last on which something holds, or a time as RFC 3339 writes it; UTC.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend(
    "pattern" = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$"
))]
pub struct MomentFile(pub String);

/// A network: an address, a slash and a number of bits. An address alone is one as well.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = r"^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"))]
pub struct NetworkFile(pub String);

/// An IP address with a port.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^.+:[0-9]+$"))]
pub struct AddressFile(pub String);

/// A model at a provider: `provider/model`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = "^[!-.0-~]+/[!-~]+$"))]
pub struct TargetName(pub String);

/// The word `off`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffFile {
    /// Not there.
    Off,
}
