//! The schema, the readers and the example file agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::certificates::{Authority, List};
use super::read;
use crate::account::Rejected;
use crate::config::file::ConfigFile;
use crate::config::{parse, schema};
use crate::exchange::{Class, Need};

const EXAMPLE: &str = include_str!("../../../conf/segue.yaml");

/// The properties of each definition; the file itself is `ConfigFile`.
fn properties() -> BTreeMap<String, BTreeSet<String>> {
    let schema = schema();
    let keys = |value: &Value| -> BTreeSet<String> {
        value["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let mut all = BTreeMap::from([("ConfigFile".to_owned(), keys(&schema))]);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if definition.get("properties").is_some() {
            assert_eq!(definition["additionalProperties"], false, "{name}");
            all.insert(name.clone(), keys(definition));
        }
    }
    all
}

#[test]
fn the_written_schema_is_the_generated_one() {
    let mut generated = Vec::new();
    crate::cli::schema::print(&mut generated).unwrap();
    let generated = String::from_utf8(generated).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/segue.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "out of date: run this test with UPDATE_SCHEMA=1"
    );
}

/// A stray key in every section.
const STRAY: &str = "
????: 0
listen: [{????: 0, tls: {????: 0, certificates: [{????: 0}]}}]
admin: {????: 0}
keys:
  - ????: 0
    secrets: [{????: 0}]
    limits: {????: 0}
    budget: {????: 0}
  - {digests: [{????: 0}]}
quotas: [{????: 0, for: {????: 0}}]
providers: {a: {????: 0, health: {????: 0}, tls: {????: 0}, dns: {????: 0}, profile: {????: 0}}}
routes:
  r:
    ????: 0
    tiers: [{????: 0, targets: [{????: 0, price: {????: 0, above: {????: 0}}, limits: {????: 0}, capabilities: {????: 0}}]}]
    hold: {????: 0}
    timeouts: {????: 0}
    retries: {????: 0}
    breaker: {????: 0}
    hedge: {????: 0}
    verdicts: {????: 0}
    variants: [{????: 0, when: {task: {????: 0}}}]
defaults: {????: 0}
passthrough: {????: 0}
limits: {????: 0}
log: {????: 0}
samples: {????: 0}
accounts: {????: 0, store: {????: 0}, shared: {????: 0}}
traces: {????: 0}
reload: {????: 0}
drain: {????: 0}
drills: {????: 0}
";

/// Where the sections are, and the definitions of their keys.
const SECTIONS: [(&str, &str); 44] = [
    ("", "ConfigFile"),
    ("listen[0].", "ListenFile"),
    ("listen[0].tls.", "ListenTlsFile"),
    ("listen[0].tls.certificates[0].", "CertificateFile"),
    ("admin.", "AdminAddressFile"),
    ("keys[0].", "KeyFile"),
    ("keys[0].secrets[0].", "DatedSecretFile"),
    ("keys[0].limits.", "QuotaLimitsFile"),
    ("keys[0].budget.", "BudgetFile"),
    ("keys[1].digests[0].", "DatedDigestFile"),
    ("quotas[0].", "QuotaFile"),
    ("quotas[0].for.", "TaggedFile"),
    ("providers.a.", "ProviderFile"),
    ("providers.a.health.", "HealthFile"),
    ("providers.a.tls.", "ProviderTlsFile"),
    ("providers.a.dns.", "DnsFile"),
    ("providers.a.profile.", "FullProfileFile"),
    ("routes.r.", "FullRouteFile"),
    ("routes.r.hold.", "HoldHeadFile"),
    ("routes.r.timeouts.", "TimeoutsFile"),
    ("routes.r.retries.", "RetriesFile"),
    ("routes.r.breaker.", "BreakerOnFile"),
    ("routes.r.hedge.", "HedgeOnFile"),
    ("routes.r.verdicts.", "VerdictsFile"),
    ("routes.r.tiers[0].", "FullTierFile"),
    ("routes.r.tiers[0].targets[0].", "FullTargetFile"),
    ("routes.r.tiers[0].targets[0].price.", "PriceFile"),
    ("routes.r.tiers[0].targets[0].price.above.", "LongPriceFile"),
    ("routes.r.variants[0].", "VariantFile"),
    ("routes.r.variants[0].when.task.", "FullWhenFile"),
    ("routes.r.tiers[0].targets[0].limits.", "TargetLimitsFile"),
    (
        "routes.r.tiers[0].targets[0].capabilities.",
        "CapabilitiesFile",
    ),
    ("defaults.", "DefaultsFile"),
    ("passthrough.", "PassthroughFile"),
    ("limits.", "LimitsFile"),
    ("log.", "LogFile"),
    ("samples.", "SamplesOnFile"),
    ("accounts.", "AccountsFile"),
    ("accounts.store.", "StoreOnFile"),
    ("accounts.shared.", "SharedFile"),
    ("traces.", "TracesFile"),
    ("reload.", "ReloadFile"),
    ("drain.", "DrainFile"),
    ("drills.", "DrillsFile"),
];

/// A stray key in every section makes each reader tell what it knows.
#[test]
fn readers_and_schema_know_the_same_keys() {
    let errors = read(&STRAY.replace("????", "zzzzzzzzzz")).unwrap_err();
    let mut properties = properties();
    for (path, definition) in SECTIONS {
        let key = format!("{path}zzzzzzzzzz");
        let mistake = errors.mistakes().iter().find(|mistake| mistake.key == key);
        let rule = &mistake.unwrap_or_else(|| panic!("{key}\n{errors}")).rule;
        let known = rule.strip_prefix("unknown key; known here: ").unwrap();
        let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
        assert_eq!(properties.remove(definition), Some(known), "{definition}");
    }
    assert!(
        properties.is_empty(),
        "sections without a reader: {properties:?}"
    );
}

#[test]
fn defaults_routes_and_variants_share_all_keys_but_what_each_is_by() {
    let properties = properties();
    let mut of_routes = properties["FullRouteFile"].clone();
    for own in ["variants", "limits", "budget", "budgets"] {
        assert!(of_routes.remove(own), "{own}");
    }
    let mut of_variants = properties["VariantFile"].clone();
    assert!(of_variants.remove("name") && of_variants.remove("when"));
    assert_eq!(of_variants, of_routes);
    assert!(of_routes.remove("tiers"));
    assert_eq!(properties["DefaultsFile"], of_routes);
}

#[test]
fn the_schema_knows_every_ability() {
    let sized = [Need::Context, Need::Output];
    let needs = Need::ALL.into_iter().filter(|need| !sized.contains(need));
    let needs: BTreeSet<&str> = needs.map(Need::name).collect();
    let schema = schema();
    let words = schema["$defs"]["AbilityFile"]["oneOf"].as_array().unwrap();
    let words: BTreeSet<&str> = words.iter().filter_map(|it| it["const"].as_str()).collect();
    assert_eq!(words, needs);
}

#[test]
fn the_schema_knows_the_verdicts_of_every_class() {
    let classes = Class::ALL.map(|class| class.name().to_owned());
    assert_eq!(properties()["VerdictsFile"], BTreeSet::from(classes));
}

/// Collects `definition.key` for every key of a value, as the schema sees it.
fn walk(root: &Value, schema: &Value, value: &Value, used: &mut BTreeSet<String>) {
    let mut name = "ConfigFile";
    let mut schema = schema;
    if let Some(reference) = schema["$ref"].as_str() {
        name = reference.strip_prefix("#/$defs/").unwrap();
        schema = &root["$defs"][name];
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let kind = |one: &Value| {
            let name = one["$ref"]
                .as_str()
                .and_then(|name| name.strip_prefix("#/$defs/"));
            let one = name.map_or(one, |name| &root["$defs"][name]);
            one["type"].as_str().unwrap_or("string").to_owned()
        };
        let wanted = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            _ => "string",
        };
        let one = any.iter().find(|one| kind(one) == wanted).unwrap();
        return walk(root, one, value, used);
    }
    match value {
        Value::Array(items) => {
            for item in items {
                walk(root, &schema["items"], item, used);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                if let Some(named) = schema
                    .get("additionalProperties")
                    .filter(|it| it.is_object())
                {
                    walk(root, named, value, used);
                    continue;
                }
                // Any JSON that a provider understands.
                if schema["additionalProperties"] == true {
                    continue;
                }
                let schema = schema["properties"].get(key);
                let schema = schema.unwrap_or_else(|| panic!("{name}.{key} is not in the schema"));
                used.insert(format!("{name}.{key}"));
                walk(root, schema, value, used);
            }
        }
        _ => {}
    }
}

#[test]
fn the_example_shows_every_key_of_the_schema_and_no_other() {
    let options = serde_saphyr::options! { strict_booleans: true };
    let example: Value = serde_saphyr::from_str_with_options(EXAMPLE, options).unwrap();
    let schema = schema();
    let mut used = BTreeSet::new();
    walk(&schema, &schema, &example, &mut used);
    // A text that is a refusal where refusals are answers would be a mistake.
    used.insert("DefaultsFile.refusal_texts".to_owned());
    let properties = properties();
    // What a variant has of its route is shown at the route.
    let shared = properties["FullRouteFile"].iter();
    used.extend(shared.map(|key| format!("VariantFile.{key}")));
    let all: BTreeSet<String> = properties
        .iter()
        .flat_map(|(name, keys)| keys.iter().map(move |key| format!("{name}.{key}")))
        .collect();
    assert_eq!(
        all.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[test]
fn the_example_fits_the_file_type() {
    let options = serde_saphyr::options! { strict_booleans: true };
    let file: ConfigFile = serde_saphyr::from_str_with_options(EXAMPLE, options).unwrap();
    assert_eq!(file.routes.len(), 3);
}

#[test]
fn the_example_loads_with_its_secrets_and_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, secrets) = (folder.path().join("tls"), folder.path().join("secrets"));
    fs::create_dir(&tls).unwrap();
    fs::create_dir(&secrets).unwrap();
    let authority = Authority::new("Example Root");
    authority.write(&tls.join("clients.pem"));
    authority.write_list(&tls.join("clients.crl"), &List::default());
    authority.write(&tls.join("internal-ca.pem"));
    authority.issue(&tls, "a", &["a.example"]);
    authority.issue(&tls, "b", &["b.example"]);
    authority.issue(&tls, "fullchain", &["segue.example"]);
    fs::rename(tls.join("fullchain.key"), tls.join("privkey.pem")).unwrap();
    for name in ["onprem", "batch-next", "redis"] {
        let path = secrets.join(name);
        fs::write(&path, format!("sk-{name}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    let environment = |name: &str| {
        let known = [
            "SUPPORT_APP_KEY",
            "BATCH_KEY",
            "OPENAI_API_KEY",
            "OTLP_AUTHORIZATION",
        ]
        .contains(&name);
        known.then(|| format!("sk-{name}"))
    };
    let settings = parse(EXAMPLE, &folder.path().join("segue.yaml"), &environment)
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.limits, crate::edge::Limits::default());
    assert_eq!((settings.listeners.len(), settings.providers.len()), (3, 4));
    let from = "10.1.2.3".parse().ok();
    let found = settings
        .keys
        .find(b"sk-batch-next", from, SystemTime::now());
    assert_eq!(found.unwrap().name.as_ref(), "batch");
    let elsewhere = settings
        .keys
        .find(b"sk-batch-next", None, SystemTime::now());
    assert_eq!(elsewhere, Err(Rejected::Network));
    let names: Vec<&str> = settings.quotas.all.iter().map(|it| &*it.name).collect();
    assert_eq!(
        names,
        [
            "support-app",
            "batch",
            "support",
            "qwen3-32b",
            "everybody",
            "free-tier",
            "users-of-support-app",
            "sessions-of-support"
        ]
    );
}
