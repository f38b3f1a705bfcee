//! What is wrong with a search for the highest load.

use crate::tune::SlaSpec;

/// Tells each problem with the flag that it is of.
pub(super) fn problems(sla: &SlaSpec, wrong: &mut impl FnMut(&'static str, String)) {
    for (flag, value) in [
        ("--sla-num-runs", Some(sla.runs)),
        ("--sla-lower-bound", Some(sla.lower)),
        ("--sla-upper-bound", Some(sla.upper)),
        ("--sla-fixed-parallel", sla.fixed_parallel),
    ] {
        if value == Some(0) {
            wrong(flag, "must be at least 1".into());
        }
    }
    let (lower, upper, multiplier) = (sla.lower, sla.upper, sla.number_multiplier);
    if lower > upper {
        wrong("--sla-lower-bound", format!("must not be above --sla-upper-bound, but {lower} > {upper}"));
    }
    if !(multiplier > 0.0 && multiplier <= 1e6) {
        wrong(
            "--sla-number-multiplier",
            format!("must be more than 0, and at most 1000000, but got {multiplier}"),
        );
    }
}
