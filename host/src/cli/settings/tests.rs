//! Every flag in every form, and what is said about those that are none.

use std::ffi::OsString;
use std::path::Path;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::file::Format;
use super::flag::{self, Flag, Takes, Type};
use super::{layered, schema, template};

/// A value for a flag that differs from its default, as a configuration file would hold it.
fn sample(flag: &Flag) -> Value {
    let differs = |choice: &&String| !flag.defaults.contains(choice);
    let one = match (flag.type_, flag.value_name.as_str()) {
        _ if !flag.choices.is_empty() => json!(flag.choices.iter().find(differs)),
        (Type::Integer, _) => json!(flag.defaults.first().map_or(0, |text| text.parse::<i64>().unwrap()) + 3),
        (Type::Number, _) => json!(0.25),
        (Type::Json, _) => json!({"a": [1, {"b": "c d"}]}),
        (Type::Text, "METRIC:MS") => json!("ttft:200"),
        (Type::Text, "PORT") => json!("8123"),
        (Type::Text, "GRANT") => json!("env=NAME"),
        (Type::Text, _) => json!("some-text"),
    };
    match flag.takes {
        Takes::Nothing => json!(true),
        Takes::Many(_) => json!([one, one]),
        Takes::One | Takes::OneOrNothing => one,
    }
}

fn words(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

/// What clap makes of a command line, whether or not its flags go together.
fn parsed(line: &[OsString]) -> ArgMatches {
    let line = line.iter().filter(|word| *word != "tickrate" && *word != "perf");
    flag::command().ignore_errors(true).get_matches_from(line)
}

fn raw(matches: &ArgMatches, flag: &Flag) -> Vec<OsString> {
    matches.get_raw(&flag.id).map(|values| values.map(OsString::from).collect()).unwrap_or_default()
}

/// What the flag is when a file says `text`, or when a variable does.
fn from_file(folder: &Path, name: &str, text: &str, flag: &Flag) -> Vec<OsString> {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    let line = words(&["tickrate", "perf", "--config", file.to_str().unwrap()]);
    let merged = layered(line, []).unwrap_or_else(|error| panic!("{}: {:?}", flag.name, error.lines));
    raw(&parsed(&merged.words), flag)
}

#[test]
fn every_flag_means_the_same_on_the_command_line_in_a_file_and_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let flags: Vec<Flag> = flag::all().into_iter().filter(|flag| flag.name != "config").collect();
    assert!(flags.len() > 70, "the flags were not found");
    let validator = jsonschema::validator_for(&schema::schema(&flag::all())).unwrap();
    for flag in &flags {
        let value = sample(flag);
        let texts: Vec<String> = match &value {
            Value::Array(values) if flag.type_ != Type::Json => {
                values.iter().map(|value| value.to_string().trim_matches('"').to_string()).collect()
            }
            Value::String(text) => vec![text.clone()],
            other => vec![other.to_string()],
        };
        let mut line = vec![format!("--{}", flag.name)];
        if flag.takes != Takes::Nothing {
            line.extend(texts.clone());
        }
        let line: Vec<OsString> = line.into_iter().map(OsString::from).collect();
        let direct = raw(&parsed(&line), flag);
        assert_ne!(direct, raw(&parsed(&[]), flag), "{}: the sample is the default", flag.name);

        let object = json!({flag.name.clone(): value});
        let problems: Vec<String> = validator.iter_errors(&object).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{}: {problems:?}", flag.name);
        assert_eq!(from_file(folder.path(), "a.json", &object.to_string(), flag), direct, "{}", flag.name);
        let yaml = format!("{}: {value}\n", flag.name.replace('-', "_"));
        assert_eq!(from_file(folder.path(), "a.yaml", &yaml, flag), direct, "{}", flag.name);
        let inline = if flag.type_ == Type::Json { json!(value.to_string()) } else { value.clone() };
        let toml = format!("{} = {inline}\n", flag.name);
        assert_eq!(from_file(folder.path(), "a.toml", &toml, flag), direct, "{}", flag.name);

        let variable = (OsString::from(flag.variable()), OsString::from(texts.join(" ")));
        let merged = layered(words(&["tickrate", "perf"]), [variable]).unwrap();
        assert_eq!(raw(&parsed(&merged.words), flag), direct, "{}", flag.variable());
    }
}

/// The words that a file and some variables add to a command line, and the notes about them.
fn merged(
    line: &[&str],
    text: &str,
    variables: &[(&str, &str)],
) -> Result<(String, Vec<String>), Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.yaml");
    std::fs::write(&file, text).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let local = |text: &str| text.replace(&format!("{}/", folder.path().display()), "");
    match layered(words(&[&["tickrate", "perf"], line, &config].concat()), variables) {
        Ok(merged) => {
            let words: Vec<&str> = merged.words.iter().filter_map(|word| word.to_str()).skip(2).collect();
            Ok((local(&words.join(" ")), merged.notes))
        }
        Err(error) => Err(error.lines.iter().map(|line| local(line)).collect()),
    }
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let file = "parallel: [1, 2]\nnumber: 7\nmodel: filed\nstream: false\nramp: 1:2:3\n";
    let environment = [("TICKRATE_NUMBER", "8 9"), ("TICKRATE_MODEL", "m"), ("TICKRATE_SEED", "")];
    assert_eq!(
        merged(&["--model", "typed"], file, &environment).unwrap().0,
        "--number=8 --number=9 --parallel=1 --parallel=2 --no-stream --ramp=1:2:3 --model typed --config run.yaml"
    );
    // What conflicts with a flag gives way to it.
    let line = merged(&["--stream", "--steps", "5:6"], file, &[]).unwrap().0;
    assert_eq!(
        line,
        "--parallel=1 --parallel=2 --number=7 --model=filed --stream --steps 5:6 --config run.yaml"
    );
}

#[test]
fn a_name_that_is_no_flag_is_told_with_the_one_that_may_be_meant() {
    assert_eq!(
        merged(&[], "paralel: 1\nmax_token: 5\ncolour: red\nconfig: b.yaml\nmodel: m\n", &[]).unwrap_err(),
        [
            "run.yaml: paralel: is no flag of tickrate perf; did you mean parallel?",
            "run.yaml: max_token: is no flag of tickrate perf; did you mean max-tokens?",
            "run.yaml: colour: is no flag of tickrate perf; tickrate perf --help lists them",
            "run.yaml: config: is no flag of tickrate perf; tickrate perf --help lists them",
        ]
    );
    assert_eq!(
        merged(&[], "\"a\\nb\": 1\n", &[]).unwrap_err(),
        [r"run.yaml: a\nb: is no flag of tickrate perf; tickrate perf --help lists them"]
    );
    let notes = merged(&[], "", &[("TICKRATE_PARALEL", "1"), ("TICKRATE_PLUGIN_TOOLCHAIN", "x")]).unwrap().1;
    assert_eq!(
        notes,
        ["the environment variable TICKRATE_PARALEL is no flag's; did you mean TICKRATE_PARALLEL?"]
    );
}

#[test]
fn a_value_that_a_flag_cannot_have_is_told_with_where_it_stands() {
    let file =
        "number: many\nopen-loop: 5\nmax-tokens: [1, 2, 3]\nmodel: [a, b]\nmin_tokens: 1\nmin-tokens: 2\n";
    assert_eq!(
        merged(&[], file, &[("TICKRATE_SEED", "x"), ("TICKRATE_DEBUG", "perhaps")]).unwrap_err(),
        [
            "TICKRATE_DEBUG: takes true or false",
            "TICKRATE_SEED: invalid value 'x' for '--seed <N>': invalid digit found in string",
            "run.yaml: invalid value 'many' for '--number <N>...': invalid digit found in string",
            "run.yaml: open-loop: takes true or false",
            "run.yaml: max-tokens: takes at most 2 values, but got 3",
            "run.yaml: model: takes one value, not a list",
            "run.yaml: min-tokens: is given twice, with - and with _; keep one",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_understood_is_told_without_what_it_holds() {
    let parse = |text, format| super::file::parse(text, format).unwrap_err();
    let secret = "api-key: sk-very-secret\nmodel: [\n";
    let told = parse(secret, Format::Yaml);
    assert!(told.starts_with("malformed YAML: ") && told.contains("line"), "{told}");
    assert!(!told.contains("secret") && !told.contains('\n'), "{told}");
    let told = parse("model = \"a\"\napi-key = \"sk-very-secret\n", Format::Toml);
    assert!(told.starts_with("malformed TOML: ") && told.ends_with("at line 2"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    assert!(parse("{\"a\": }", Format::Json).ends_with("column 7"));
    assert!(parse("[1]", Format::Json).starts_with("should be a map"));
}

#[test]
fn headers_and_goodput_may_be_maps() {
    let file = "headers: {X-Trace: a b, X-N: 5}\ngoodput: {ttft: 200}\nextra-args: {ignore_eos: true}\n";
    let line = merged(&[], file, &[]).unwrap().0;
    assert_eq!(
        line,
        "--headers=X-Trace=a b --headers=X-N=5 --goodput=ttft:200 --extra-args={\"ignore_eos\":true} --config run.yaml"
    );
}

#[test]
fn the_file_to_begin_with_is_one_that_the_schema_accepts() {
    let flags = flag::all();
    let validator = jsonschema::validator_for(&schema::schema(&flags)).unwrap();
    for format in [Format::Yaml, Format::Toml, Format::Json] {
        let text = template::template(&flags, format);
        let object = Value::Object(super::file::parse(&text, format).unwrap());
        assert_eq!(object["parallel"], json!([1, 8, 32]));
        assert!(validator.is_valid(&object), "{format:?}");
        // Uncommented, every line of the file is sound as well.
        if format != Format::Json {
            let sign = if format == Format::Toml { " = " } else { ": " };
            let is_entry = |line: &&str| {
                let name = line.trim_start_matches("# ").split(sign).next().unwrap_or_default();
                flag::find(&flags, name).is_some() && line.contains(sign)
            };
            assert_eq!(text.lines().filter(is_entry).count(), flags.len() - 1, "{format:?}");
        }
    }
}
