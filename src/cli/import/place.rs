//! Where a deployment is and what opens it: its vendor, `api_base`, version and key -> an account.

use crate::cli::import::account::Account;
use crate::cli::import::base::{self, Reach};
use crate::cli::import::fields::{Fields, Known};
use crate::cli::import::secrets::Secrets;
use crate::cli::import::vendor::{Address, Format, Vendor};

/// The last version of Azure's data plane that is not a preview.
const AZURE_VERSION: &str = "2024-10-21";
/// LiteLLM's default.
const VERTEX_LOCATION: &str = "us-central1";
/// What people write where a key is asked for and none is needed.
const STAND_INS: [&str; 13] = [
    "none",
    "null",
    "empty",
    "no",
    "na",
    "dummy",
    "fake",
    "fakekey",
    "notneeded",
    "anything",
    "xxx",
    "nokey",
    "nokeyrequired",
];

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// The vendor's own: its key belongs there.
    Vendors,
    /// Somebody else's.
    Elsewhere,
}

/// Reads what tells the account of a deployment.
pub(super) fn account(vendor: &Vendor, params: &mut Fields<'_>, secrets: &mut Secrets) -> Account {
    let written = params.text("api_base").or_else(|| params.text("base_url"));
    let v1 = matches!(&written, Some(Known::Is(url)) if url.contains("/openai/v1"));
    let (base, reach) = place(vendor, written, params);
    let seat = match vendor.address {
        Address::Azure | Address::Vertex => Seat::Vendors,
        _ if base == vendor.base => Seat::Vendors,
        _ => Seat::Elsewhere,
    };
    let (credential, auth) = credential(vendor, seat, params, secrets);
    let version = match vendor.address {
        Address::Azure if !v1 => azure_version(params),
        Address::Azure => {
            params.take("api_version");
            None
        }
        _ => None,
    };
    let format = match vendor.format {
        Format::OpenAiOwn("openai") if seat == Seat::Elsewhere => Format::OpenAi,
        format => format,
    };
    Account {
        format,
        base,
        reach,
        credential,
        auth,
        version,
    }
}

fn place(vendor: &Vendor, written: Option<Known<'_>>, params: &mut Fields<'_>) -> (String, Reach) {
    let url = match written {
        Some(Known::Is(url)) => base::base(&url, vendor.address),
        Some(Known::Unset(name)) => return unknown(params, "api_base", name),
        None if vendor.address == Address::Vertex => vertex(params),
        None if !vendor.base.is_empty() => vendor.base.to_owned(),
        None => {
            let name = format!("{}_API_BASE", vendor.name().to_ascii_uppercase());
            match params.reading.variable(&name) {
                Some(url) => base::base(&url, vendor.address),
                None => return unknown(params, "api_base", &name),
            }
        }
    };
    if let Some(reach) = base::reach(&url) {
        return (url, reach);
    }
    params.note(
        "api_base",
        "is no plain URL of scheme, host, port and path: put yours in place of the stand-in",
    );
    (stand_in("api_base"), Reach::Public)
}

/// A URL that nobody here knows.
fn unknown(params: &Fields<'_>, key: &str, name: &str) -> (String, Reach) {
    let why = format!(
        "segue reads no URLs from the environment, and {name} is not set here: \
         put its value in place of the stand-in"
    );
    params.note(key, &why);
    (stand_in(name), Reach::Public)
}

/// A host that can never be there (RFC 2606).
fn stand_in(name: &str) -> String {
    let letter = |one: char| {
        if one.is_ascii_alphanumeric() {
            one.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let label: String = name.chars().take(60).map(letter).collect();
    match label.trim_matches('-') {
        "" => "https://base-url.invalid".to_owned(),
        label => format!("https://{label}.invalid"),
    }
}

/// The URL up to the models of Google, in a project and a location.
fn vertex(params: &mut Fields<'_>) -> String {
    let location = known(params, &["vertex_location", "vertex_ai_location"]);
    let project = known(params, &["vertex_project", "vertex_ai_project"]);
    let location = location.unwrap_or_else(|| VERTEX_LOCATION.to_owned());
    let project = project.unwrap_or_else(|| {
        params.note(
            "vertex_project",
            "is not known here: put yours in place of PROJECT",
        );
        "PROJECT".to_owned()
    });
    let host = match location.as_str() {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        _ => format!("{location}-aiplatform.googleapis.com"),
    };
    format!("https://{host}/v1/projects/{project}/locations/{location}/publishers/google")
}

fn known(params: &mut Fields<'_>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| match params.text(key) {
        Some(Known::Is(value)) => Some(value),
        Some(Known::Unset(_)) | None => None,
    })
}

/// The version of a classic Azure deployment; `None` for the API without versions.
fn azure_version(params: &mut Fields<'_>) -> Option<String> {
    let version = match params.text("api_version") {
        Some(Known::Is(version)) => Some(version),
        Some(Known::Unset(_)) => None,
        None => params.reading.variable("AZURE_API_VERSION"),
    };
    let good = |version: &String| {
        version.len() <= 64 && version.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match version.filter(good) {
        Some(version) if ["v1", "preview", "latest"].contains(&version.as_str()) => None,
        Some(version) => Some(version),
        None => {
            params.note("api_version", "is not known here: 2024-10-21 is written");
            Some(AZURE_VERSION.to_owned())
        }
    }
}

/// The variable of the credential, and the header if it is not the usual one.
fn credential(
    vendor: &Vendor,
    seat: Seat,
    params: &mut Fields<'_>,
    secrets: &mut Secrets,
) -> (Option<String>, Option<&'static str>) {
    let name = match vendor.variable {
        "" => format!("{}_API_KEY", vendor.name().to_ascii_uppercase()),
        name => name.to_owned(),
    };
    let bearer = (vendor.address == Address::Vertex).then_some("bearer");
    if let Some(text) = params.written("api_key") {
        if seat == Seat::Elsewhere && is_stand_in(text) {
            params.note("api_key", "is a stand-in and no key: no credential is sent");
            return (None, None);
        }
        let path = params.path("api_key");
        let variable = secrets.written(text, &name, &path, params.reading);
        return (Some(variable), bearer);
    }
    if let (Address::Azure, Some(text)) = (vendor.address, params.written("azure_ad_token")) {
        let path = params.path("azure_ad_token");
        let variable = secrets.written(text, "AZURE_AD_TOKEN", &path, params.reading);
        return (Some(variable), Some("bearer"));
    }
    if vendor.variable.is_empty() {
        return (None, None);
    }
    if seat == Seat::Vendors {
        return (Some(secrets.variable(vendor.variable)), bearer);
    }
    let why = format!(
        "is not there: LiteLLM sends {} to this address, segue sends no credential",
        vendor.variable
    );
    params.note("api_key", &why);
    (None, None)
}

fn is_stand_in(text: &str) -> bool {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    let word: String = letters.collect::<String>().to_ascii_lowercase();
    let word = word.strip_prefix("sk").unwrap_or(&word);
    STAND_INS.contains(&word)
        || word.is_empty()
        || word.bytes().all(|byte| byte == b'x' || byte == b'0')
}
