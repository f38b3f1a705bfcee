//! Output folders: names, and what cannot be written to. All of it is found out before a request.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use tickrate::sim::SimSpec;

use crate::raw_server::RawServer;
use crate::running::{TICKRATE, chat, command, perf_on, records, sim, tickrate};

/// `tickrate perf` with a folder `out` for its outputs.
fn into_out(folder: &Path, url: &str, flags: &str) -> Command {
    let mut command = tickrate(folder, "perf --model tiny --outputs-dir out --no-timestamp --name run --url");
    command.arg(url).args(flags.split_whitespace());
    command
}

/// Lets no file grow beyond `most` bytes, as a disk that is full does not.
fn limit_files(command: &mut Command, most: u64) -> &mut Command {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: both calls may be made between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        })
    }
}

/// The same after `prepare`, which may mount file systems that nobody else sees; `None` where the
/// system does not let us.
fn in_namespace(folder: &Path, prepare: &str, url: &str) -> Option<Output> {
    let allowed = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("skipped: this system has no mount namespaces for us (unshare -rm)");
        return None;
    }
    let script = format!(
        "{prepare} exec '{TICKRATE}' perf --model tiny --url {url} --prompt hello --outputs-dir out \
         --no-timestamp --name run"
    );
    Some(Command::new("unshare").args(["-rm", "sh", "-c", &script]).current_dir(folder).output().unwrap())
}

#[track_caller]
fn assert_refused(output: &Output, server: &RawServer, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(
        said,
        format!(
            "error: --outputs-dir: cannot write to \"out/run\": {reason}; choose a folder with some room that \
             you may write to\n"
        )
    );
    assert_eq!(server.heard().len(), 0, "nothing may be sent");
}

#[test]
fn a_full_disk_is_found_before_the_first_request() {
    let (folder, server) = (tempfile::tempdir().unwrap(), RawServer::kind());
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let prepare = "mount -t tmpfs -o size=1m tmpfs out || exit 99;";
    let Some(output) = in_namespace(folder.path(), prepare, &chat(&server.url())) else { return };
    assert_refused(&output, &server, "No space left on device (os error 28)");
}

#[test]
fn a_limit_on_file_sizes_is_found_before_the_first_request() {
    let (folder, server) = (tempfile::tempdir().unwrap(), RawServer::kind());
    let mut command = into_out(folder.path(), &chat(&server.url()), "--prompt hello");
    let output = limit_files(&mut command, 64 << 10).output().unwrap();
    assert_refused(&output, &server, "File too large (os error 27)");
}

#[test]
fn a_read_only_folder_is_found_before_the_first_request() {
    let (folder, server) = (tempfile::tempdir().unwrap(), RawServer::kind());
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let prepare = "mount -t tmpfs -o ro tmpfs out || exit 99;";
    let Some(output) = in_namespace(folder.path(), prepare, &chat(&server.url())) else { return };
    assert_refused(&output, &server, "Read-only file system (os error 30)");
}

#[test]
fn a_folder_below_a_file_is_found_before_the_first_request() {
    let (folder, server) = (tempfile::tempdir().unwrap(), RawServer::kind());
    std::fs::write(folder.path().join("out"), "a file").unwrap();
    let output = into_out(folder.path(), &chat(&server.url()), "--prompt hello").output().unwrap();
    assert_refused(&output, &server, "Not a directory (os error 20)");
}

/// A disk that fills up in the middle: what was journalled until then comes back.
#[test]
fn a_disk_that_fills_up_costs_only_what_came_after() {
    let folder = tempfile::tempdir().unwrap();
    // Slow enough for several batches of the journal.
    let server = sim(SimSpec { ttft: "15".parse().unwrap(), ..SimSpec::default() });
    // Prompts that do not compress, 64 KiB each: 5 MiB of journal hold about 80 of 200.
    let mut noise = 1_u64;
    let prompts: String = (0..200)
        .map(|_| {
            let line: String = (0..65_536)
                .map(|_| {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    char::from(b'a' + (noise >> 60) as u8)
                })
                .collect();
            line + "\n"
        })
        .collect();
    std::fs::write(folder.path().join("prompts.txt"), prompts).unwrap();
    let flags = "--dataset custom --dataset-path prompts.txt --number 200 --parallel 4 --max-tokens 2 --save-text \
                 --no-test-connection";
    let mut command = into_out(folder.path(), &chat(&server.url()), flags);
    let output = limit_files(&mut command, 5 << 20).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().all(|line| line.starts_with("error: ")), "{said}");
    assert!(said.contains("requests.journal") && said.contains("File too large"), "{said}");
    assert!(said.contains("tickrate recover"), "{said}");
    let recovered = tickrate(folder.path(), "recover out").output().unwrap();
    assert_eq!(recovered.status.code(), Some(0), "{}", String::from_utf8_lossy(&recovered.stderr));
    let records = records(folder.path());
    assert!(records.len() > 20 && records.len() < 200, "{}", records.len());
    assert!(records.iter().all(|record| record.ok() && record.prompt.as_ref().unwrap().len() == 65_536));
}

#[test]
fn a_folder_that_holds_a_run_is_not_written_into_again() {
    let flags = "--no-test-connection --prompt hello --number 2 --max-tokens 2";
    let run = perf_on(SimSpec::default(), flags).ended(0);
    let before = run.records();
    let server = RawServer::kind();
    let again = command(run.folder.path(), &chat(&server.url()), flags).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&again.stderr),
        "error: --no-timestamp: \"outputs/run\" holds the records of another run already; give another --name or \
         --outputs-dir\n"
    );
    assert_eq!(server.heard().len(), 0, "nothing may be sent");
    assert_eq!(run.records(), before);
}

#[test]
fn a_run_is_named_for_its_time_and_its_model_unless_told_otherwise() {
    let (folder, server) = (tempfile::tempdir().unwrap(), RawServer::kind());
    let url = chat(&server.url());
    let words = format!("perf --url {url} --prompt hello --number 1 --model org/My:Model");
    assert!(tickrate(folder.path(), &words).output().unwrap().status.success());
    assert!(
        tickrate(folder.path(), &format!("{words} --outputs-dir o --name a/b"))
            .output()
            .unwrap()
            .status
            .success()
    );
    let only = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    for (outputs, name) in [("outputs", "My_Model"), ("o", "a_b")] {
        let times = only(&folder.path().join(outputs));
        assert_eq!(times.len(), 1);
        let shape: String = times[0].chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
        assert_eq!(shape, "########_######");
        assert_eq!(only(&folder.path().join(outputs).join(&times[0])), [name]);
    }
    // Runs that begin together have a folder each.
    let words = format!("{words} --outputs-dir together");
    let mut runs: Vec<_> = (0..3).map(|_| tickrate(folder.path(), &words).spawn().unwrap()).collect();
    assert!(runs.iter_mut().all(|run| run.wait().unwrap().success()));
    assert_eq!(only(&folder.path().join("together")).len(), 3);
}
