//! A comparison as a page.

use serde_json::{Value, json};

use super::{Comparison, Pair, text};
use crate::metrics::{Difference, Finding};
use crate::output::OutputError;
use crate::output::html::shell;

impl Comparison {
    /// The page. It needs nothing else, as that of a run.
    ///
    /// # Errors
    /// If the page's template does not fit what is put into it.
    pub fn page(&self) -> Result<String, OutputError> {
        let others: Vec<Value> = self
            .others
            .iter()
            .map(|other| {
                json!({
                    "name": other.name,
                    "not_comparable": other.not_comparable,
                    "alone": other.alone,
                    "pairs": other.pairs.iter().map(pair).collect::<Vec<_>>(),
                })
            })
            .collect();
        let links: Vec<Value> = self
            .others
            .iter()
            .enumerate()
            .map(|(at, other)| json!([format!("run-{}", at + 1), other.name]))
            .collect();
        shell::render(
            "compare.html",
            json!({
                "title": "Comparison",
                "first": self.first,
                "others": others,
                "links": links,
                "version": env!("CARGO_PKG_VERSION"),
                "titles": "{}",
                "data": "{}",
            }),
        )
    }
}

fn pair(pair: &Pair) -> Value {
    let reach = |one: &Difference| {
        let ends = one.interval.map_or([0.0, 0.0], |interval| [interval.low.abs(), interval.high.abs()]);
        ends[0].max(ends[1])
    };
    let most = pair.differences.iter().map(reach).fold(1.0, f64::max);
    let row = |one: &Difference| {
        let along = |change: f64| 50.0 + change / most * 48.0;
        json!({
            "cells": text::row(one),
            "class": match one.finding {
                Finding::Better => "goodtext",
                Finding::Worse => "badtext",
                _ => "",
            },
            "left": one.interval.map(|interval| along(interval.low)),
            "right": one.interval.map(|interval| along(interval.high)),
        })
    };
    json!({
        "first": pair.first,
        "second": pair.second,
        "not_comparable": pair.not_comparable,
        "notes": pair.notes,
        "rows": pair.differences.iter().map(row).collect::<Vec<_>>(),
    })
}
