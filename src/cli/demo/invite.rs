//! What is said after the tour: commands to paste, and where to look.

use std::io::{self, Write};

use crate::cli::demo::page::Page;
use crate::cli::demo::stage::Stage;

/// Invites whoever sits at the terminal to ask for more.
pub(super) fn invite<W: Write>(stage: &Stage, page: &mut Page<W>) -> io::Result<()> {
    let address = stage.address;
    page.line("")?;
    page.title("It is still up, until ^C. In another terminal:")?;
    page.line("")?;
    for (flags, stream) in [("-i", ""), ("-N", "\"stream\":true,\n       ")] {
        let model = if stream.is_empty() { "whole" } else { "stream" };
        page.line(&format!(
            "  curl {flags} http://{address}/v1/chat/completions \\\n    \
             -H 'content-type: application/json' \\\n    \
             -d '{{\"model\":\"{model}\",{stream}\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n"
        ))?;
    }
    let models: Vec<&str> = stage.models.iter().map(AsRef::as_ref).collect();
    page.line(&format!("  models   {}", models.join(" ")))?;
    if let Some(admin) = stage.admin {
        page.line(&format!("  status   http://{admin}/status"))?;
        page.line(&format!("  health   http://{admin}/health/ready"))?;
        page.line(&format!("  metrics  http://{admin}/metrics"))?;
    }
    Ok(())
}
