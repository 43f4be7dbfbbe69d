//! What is sampled, as `segue check` prints it.

use std::io::{self, Write};

use super::marked::marked;
use crate::config::{self, show_share, show_size};
use crate::telemetry::{Always, Bodies, SampleSettings};
use crate::units::ByteSize;

/// Prints what is sampled, and where it goes.
pub(super) fn print(samples: Option<&SampleSettings>, out: &mut impl Write) -> io::Result<()> {
    let Some(samples) = samples else {
        return writeln!(out, "samples off (default)");
    };
    let names = |always: &[Always]| {
        let names: Vec<&str> = always.iter().map(|one| one.name()).collect();
        format!("[{}]", names.join(", "))
    };
    let rules = &samples.rules;
    let bodies = match rules.bodies {
        Bodies::Left => "false (default)",
        Bodies::Told => "true: prompts and answers are in the file",
    };
    let size = show_size(ByteSize(samples.rotation.size));
    writeln!(
        out,
        "samples {}\n  share {}\n  always {}\n  bodies {bodies}\n  size {}\n  files {}",
        samples.path.display(),
        marked(&show_share(rules.share), &show_share(config::SAMPLE_SHARE)),
        marked(
            &names(&rules.always),
            &names(&[Always::FellBack, Always::Failed])
        ),
        marked(&size, &show_size(config::SAMPLE_SIZE)),
        marked(&samples.rotation.files, &config::SAMPLE_FILES),
    )
}
