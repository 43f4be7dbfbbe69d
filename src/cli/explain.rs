//! `segue explain`: where a request would go and in what order, what would be sent, and who is left
//! out and why. Nothing is sent, and every target is taken to be well.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;

use crate::cli::check::url;
use crate::cli::exit::{failed, refused, unwritten};
use crate::config::{self, show_duration};
use crate::dialect::{self, Recipient, Wants, Watched};
use crate::edge::{ProviderSettings, Settings};
use crate::exchange::{Delivery, Dialect, Need, Request, Task};
use crate::route::{
    self, Ask, Condition, Facts, Hold, LeftOut, Place, Policy, Route, Standing, Target, Variant,
    Watch,
};
use crate::upstream::Admission;

/// The command's options.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/segue/segue.yaml"
    )]
    config: PathBuf,
    /// The route: the model name that a client asks for
    /// [default: the one that the body names]
    #[arg(
        short,
        long,
        value_name = "NAME",
        required_unless_present = "body",
        verbatim_doc_comment
    )]
    route: Option<String>,
    /// A request body: shows the exact bytes that each
    /// target would get
    #[arg(short, long, value_name = "FILE", verbatim_doc_comment)]
    body: Option<PathBuf>,
    /// The client's format: openai or anthropic
    /// [default: openai]
    #[arg(
        long,
        value_name = "API",
        default_value = "openai",
        value_parser = ["openai", "anthropic"],
        hide_default_value = true,
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    dialect: String,
    /// The name of the caller's key
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    key: Option<String>,
    /// What the request is for, as by `x-segue-task`
    /// [default: as the body says]
    #[arg(long, value_name = "TASK", verbatim_doc_comment)]
    task: Option<String>,
    /// The caller's own user [default: as the body says]
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    user: Option<String>,
    /// Where the caller is, as by `x-segue-region`
    #[arg(long, value_name = "REGION", verbatim_doc_comment)]
    region: Option<String>,
    /// As with the header `x-segue-fallback: off`.
    #[arg(long)]
    no_fallback: bool,
    /// The number of the request since the start, which
    /// decides among equals of a tier
    #[arg(long, value_name = "NUMBER", default_value_t = 0, verbatim_doc_comment)]
    turn: u64,
}

/// Explains; returns 1 when the configuration, the body or the route is no good.
pub(super) fn run(args: &Args) -> ExitCode {
    let settings = match config::load(&args.config) {
        Ok(settings) => settings,
        Err(errors) => return refused(&errors),
    };
    let client = match args.dialect.as_str() {
        "anthropic" => Dialect::Anthropic,
        _ => Dialect::OpenAi,
    };
    let read = |path: &Path| read(path, client);
    let request = match args.body.as_deref().map(read).transpose() {
        Ok(request) => request,
        Err(message) => return failed(&message),
    };
    let asked = request.as_ref().map(|request| request.model.as_str());
    let name = args.route.as_deref().or(asked).unwrap_or_default();
    let Some(route) = settings.routes.get(name) else {
        return failed(&format!("there is no route {name:?}"));
    };
    let about = request.as_ref().map(dialect::about).unwrap_or_default();
    let key = match &args.key {
        None => None,
        Some(name) => match settings.keys.iter().find(|key| *key.name == **name) {
            Some(key) => Some(key),
            None => return failed(&format!("there is no key {name:?}")),
        },
    };
    let facts = Facts {
        key: key.map(|key| &*key.name),
        tags: key.map(|key| &key.tags),
        task: args.task.as_deref().or(about.task.as_deref()),
        user: args.user.as_deref().or(about.user.as_deref()),
        region: args.region.as_deref(),
    };
    let ask = Ask {
        turn: args.turn,
        fallback: !args.no_fallback,
    };
    let out = &mut io::stdout().lock();
    let told = variants(route, &facts, out)
        .and_then(|form| explain(&settings, form, ask, request.as_ref(), out));
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

fn read(path: &Path, client: Dialect) -> Result<Request, String> {
    let shown = path.display();
    let body = fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    dialect::parse(client, Task::Chat, Bytes::from(body))
        .map_err(|fault| format!("{shown} is no request: {}", fault.message))
}

/// Writes which of its variants stands in for a route, and which do not; returns what serves.
fn variants<'r>(
    route: &'r Route,
    facts: &Facts<'_>,
    out: &mut impl Write,
) -> io::Result<&'r Route> {
    let form = route.form(facts);
    for Variant { when, route: one } in &route.variants {
        let mark = if one.variant == form.variant {
            '>'
        } else {
            ' '
        };
        let name = one.variant.as_deref().unwrap_or_default();
        writeln!(out, "{mark} variant {name}: {when}")?;
    }
    if !route.variants.is_empty() {
        let mark = if form.variant.is_none() { '>' } else { ' ' };
        writeln!(out, "{mark} else the route itself\n")?;
    }
    Ok(form)
}

/// Writes the plan of a request for a person to read.
fn explain(
    settings: &Settings,
    route: &Route,
    ask: Ask,
    request: Option<&Request>,
    out: &mut impl Write,
) -> io::Result<()> {
    let well = |_: usize, _: &Target| Condition {
        standing: Standing::Known(Admission::Free),
        in_flight: 0,
        latency: None,
    };
    let wants = match request {
        Some(request) => dialect::wants(request, Watch::of(route).watched(request.dialect)),
        None => Wants::nothing(Dialect::OpenAi),
    };
    let plan = route::plan(route, ask, &wants, well);
    let targets: Vec<&Target> = route.targets().collect();
    writeln!(out, "route {}", route.title())?;
    policy(&route.policy, plan.places.len(), out)?;
    if let Some(request) = request {
        wanted(request, out)?;
    }
    for (number, Place { target, .. }) in plan.places.iter().enumerate() {
        if let Some(target) = targets.get(*target) {
            writeln!(out, "\n{}. {}", number + 1, target.name)?;
            explain_target(settings, target, request, out)?;
            if let Some(most) = route::fitted(&route.policy, target, &wants) {
                writeln!(out, "   output lowered to {} tokens", most.0)?;
            }
        }
    }
    for left in &plan.left_out {
        if let Some(target) = targets.get(left.target) {
            let reason = match left.reason {
                LeftOut::Lacks(need) => format!("lacks {}", need.name()),
                reason => reason.name().to_owned(),
            };
            writeln!(out, "\nleft out: {} ({reason})", target.name)?;
        }
    }
    Ok(())
}

/// What the request needs, whether a target of this route minds or not.
fn wanted(request: &Request, out: &mut impl Write) -> io::Result<()> {
    let wants = dialect::wants(request, Watched::all());
    let needs: Vec<&str> = wants.needs.iter().map(Need::name).collect();
    let (needs, input) = (needs.join(", "), wants.input().0);
    write!(out, "  needs     {needs}; about {input} tokens in")?;
    match request.max_output {
        Some(most) => writeln!(out, ", at most {} out", most.0),
        None => writeln!(out),
    }
}

fn policy(policy: &Policy, places: usize, out: &mut impl Write) -> io::Result<()> {
    let hold = match policy.hold {
        _ if places < 2 => "nothing: there is nowhere else to go".to_owned(),
        Hold::None => "nothing".to_owned(),
        Hold::All => "the whole answer, but for the last target".to_owned(),
        Hold::Head { tokens, at_most } => format!(
            "{} tokens, at most {}, but for the last target",
            tokens.0,
            show_duration(at_most)
        ),
    };
    let retries = &policy.retries;
    writeln!(out, "  holds     {hold}")?;
    writeln!(
        out,
        "  deadline  {}, {} attempts at most, {} more at the same target, patience {}",
        show_duration(policy.deadline),
        retries.max_attempts,
        retries.same_target,
        show_duration(retries.patience)
    )
}

fn explain_target(
    settings: &Settings,
    target: &Target,
    request: Option<&Request>,
    out: &mut impl Write,
) -> io::Result<()> {
    let timeouts = &target.timeouts;
    writeln!(
        out,
        "   connect {}, first token {}, stall {}, in all {}",
        show_duration(timeouts.connect),
        show_duration(timeouts.first_token),
        show_duration(timeouts.stall),
        show_duration(timeouts.total)
    )?;
    let delivery = request.map_or(Delivery::Whole, |request| request.delivery);
    let to = Recipient {
        dialect: target.dialect,
        model: &target.model,
        profile: &target.profile,
        abilities: &target.abilities,
        form: target.stream.form(delivery),
    };
    let ask = request.map(|request| dialect::build(request, &to));
    let path = match &ask {
        Some(Ok(ask)) => ask.path.clone(),
        Some(Err(_)) | None => dialect::path(&to),
    };
    let provider = |one: &&ProviderSettings| one.spec.name == target.provider;
    if let Some(provider) = settings.providers.iter().find(provider) {
        writeln!(out, "   POST {}{path}", url(&provider.spec.base))?;
    }
    match ask {
        None => Ok(()),
        Some(Err(unfit)) => writeln!(out, "   cannot be asked: {unfit}"),
        Some(Ok(ask)) => {
            write!(out, "   ")?;
            for piece in &ask.body {
                out.write_all(piece)?;
            }
            writeln!(out)?;
            if ask.dropped.is_empty() {
                return Ok(());
            }
            writeln!(out, "   dropped: {}", ask.dropped.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
listen: [{ address: \"127.0.0.1:0\" }]
providers:
  a: { dialect: openai, base_url: \"https://a.example/v1\" }
  b: { dialect: openai, base_url: \"https://b.example/v1\" }
routes:
  r: { tiers: [[a/big], [b/small]], timeouts: { first_token: 8s } }
";

    fn shown(ask: Ask, body: Option<&'static str>) -> String {
        let settings = config::parse(CONFIG, Path::new("segue.yaml"), &|_: &str| None).unwrap();
        let route = settings.routes.get("r").unwrap();
        let request = body
            .map(|body| dialect::parse(Dialect::OpenAi, Task::Chat, Bytes::from(body)).unwrap());
        let mut out = Vec::new();
        explain(&settings, route, ask, request.as_ref(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_plan_says_who_is_asked_in_what_order_and_what_is_sent() {
        let ask = Ask {
            turn: 0,
            fallback: true,
        };
        let body = r#"{"x":1,"model":"r","messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(
            shown(ask, Some(body)),
            "\
route r
  holds     12 tokens, at most 400ms, but for the last target
  deadline  10m, 4 attempts at most, 1 more at the same target, patience 2s
  needs     chat; about 4 tokens in

1. a/big
   connect 5s, first token 8s, stall 30s, in all 10m
   POST https://a.example:443/v1/chat/completions
   {\"x\":1,\"model\":\"big\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}

2. b/small
   connect 5s, first token 8s, stall 30s, in all 10m
   POST https://b.example:443/v1/chat/completions
   {\"x\":1,\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}
"
        );
    }

    #[test]
    fn a_target_that_is_left_out_has_its_reason() {
        let ask = Ask {
            turn: 0,
            fallback: false,
        };
        let text = shown(ask, None);
        assert!(
            text.contains("nothing: there is nowhere else to go"),
            "{text}"
        );
        assert!(
            text.ends_with("\nleft out: b/small (fallback_off)\n"),
            "{text}"
        );
    }

    #[test]
    fn a_target_that_lacks_what_is_needed_says_so() {
        const FILE: &str = "\
listen: [{ address: \"127.0.0.1:0\" }]
providers:
  a: { dialect: openai, base_url: \"https://a.example/v1\" }
routes:
  r:
    fit_output: true
    tiers:
      - [{ target: a/blind, capabilities: { lacks: [images] } }]
      - [{ target: a/short, capabilities: { max_output: 100 } }]
";
        let settings = config::parse(FILE, Path::new("segue.yaml"), &|_: &str| None).unwrap();
        let route = settings.routes.get("r").unwrap();
        let body = r#"{"model":"r","max_tokens":200,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}]}"#;
        let request = dialect::parse(Dialect::OpenAi, Task::Chat, Bytes::from(body)).unwrap();
        let ask = Ask {
            turn: 0,
            fallback: true,
        };
        let mut out = Vec::new();
        explain(&settings, route, ask, Some(&request), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for expected in [
            "\n  needs     images, chat; about 804 tokens in, at most 200 out\n",
            "\n1. a/short\n",
            "\n   output lowered to 100 tokens\n",
            "\nleft out: a/blind (lacks images)\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}
