//! What is said after the tour: commands to paste, and where to look.

use std::io::{self, Write};

use crate::cli::demo::page::Page;
use crate::cli::demo::stage::Stage;

/// Invites whoever sits at the terminal to ask for more.
pub(super) fn invite<W: Write>(stage: &Stage, page: &mut Page<W>) -> io::Result<()> {
    page.line("")?;
    page.title("It is still up, until ^C. In another terminal:")?;
    page.line("")?;
    for (header, seen) in [
        (
            "",
            "a rescue: every word from steady, and in the head what came before",
        ),
        (
            "-H 'x-segue-fallback: off' ",
            "without fallback: 5 tokens, then an error event",
        ),
    ] {
        page.line(&format!("  # {seen}"))?;
        page.line(&format!(
            "  curl -iN http://{}/v1/chat/completions \\\n    \
             {header}-H 'content-type: application/json' \\\n    \
             -d '{{\"model\":\"cut\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n",
            stage.address
        ))?;
    }
    page.line(
        "  The third failure in a row opens the breaker of a target: steady is then asked at once,",
    )?;
    page.line("  with x-segue-attempts: 1, until the 30 s are over. The status page shows it.")?;
    page.line("")?;
    let models: Vec<&str> = stage.routes.iter().map(|route| &*route.name).collect();
    page.line(&format!("  models   {}", models.join(" ")))?;
    if let Some(admin) = stage.admin {
        page.line(&format!("  status   http://{admin}/status"))?;
        page.line(&format!("  health   http://{admin}/health/ready"))?;
        page.line(&format!("  metrics  http://{admin}/metrics"))?;
    }
    Ok(())
}
