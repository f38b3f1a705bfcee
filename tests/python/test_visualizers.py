"""Each visualizer, for real, in its offline or local mode; and what happens when one fails. The environment has the
wheel and all SDKs, and SIM_URL is that of a simulator."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import zipfile

TICKRATE = pathlib.Path(sys.executable).parent / "tickrate"
KEY = "sk-very-secret-1234"
STAGE = "parallel_4_number_8"


class Visualizers(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def perf(self, *flags, code=0, **environment):
        """Runs a sweep of two stages, and returns its folder and what it said."""
        kept = {name: value for name, value in os.environ.items() if name.split("_")[0] not in ("WANDB", "SWANLAB", "CLEARML", "MLFLOW")}
        words = [TICKRATE, "perf", "--url", os.environ["SIM_URL"], "--model", "tiny", "--prompt", "hello",
                 "--parallel", "1", "4", "--number", "3", "8", "--max-tokens", "4", "--sleep-interval", "0",
                 "--no-timestamp", "--name", "run", "--api-key", KEY, *flags]
        environment = {**kept, "HOME": str(self.folder), **environment}
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, said)
        run = self.folder / "outputs" / "run"
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(KEY.encode(), path.read_bytes(), path)
        self.assertNotIn(KEY, said)
        if code == 0:
            self.figures = json.loads((run / STAGE / "summary.json").read_text())
            self.log = (run / "visualizer.log").read_text() if (run / "visualizer.log").exists() else ""
        return run, said

    def assert_untroubled(self, said):
        self.assertNotIn("warning: --visualizer", said + self.log)
        self.assertNotIn("Traceback", self.log)

    def test_wandb_offline(self):
        run, said = self.perf("--visualizer", "wandb", WANDB_MODE="offline")
        self.assert_untroubled(said)
        (folder,) = (run / "wandb").glob("offline-run-*")
        tables = list(folder.rglob("*.table.json"))
        self.assertEqual(len(tables), 2)
        self.assertIn("TTFT (ms)", json.loads(tables[0].read_text())["columns"])
        (stored,) = folder.glob("run-*.wandb")
        stored = stored.read_bytes()
        for text in (f"{STAGE}/TTFT (ms)", str(self.figures["TTFT (ms)"]), "live/requests", "performance_summary.txt", "report.html", "total_timeout_s"):
            self.assertIn(text.encode(), stored)

    def test_swanlab_local(self):
        run, said = self.perf("--swanlab-api-key", "local")
        self.assert_untroubled(said)
        self.assertNotIn("ERROR", self.log)
        stored = list((run / "swanlog").glob("run-*"))
        self.assertEqual(len(stored), 1)
        self.assertIn("total_timeout_s", (stored[0] / "files" / "config.yaml").read_text())
        names = json.dumps([str(path.relative_to(stored[0])) for path in stored[0].rglob("*")])
        logged = b"".join(path.read_bytes() for path in stored[0].rglob("*") if path.is_file())
        report = (run / "report.html").read_bytes()
        self.assertIn(b"TTFT", report)
        self.assertEqual([path.read_bytes() for path in (stored[0] / "media" / "html").iterdir()], [report])
        for name in ("report.html", "performance_summary.txt", "run.json"):
            self.assertEqual((stored[0] / "files" / name).read_bytes(), (run / name).read_bytes(), name)
        self.assertIn(b"stage/TTFT (ms)", logged.replace(b"%20", b" ").replace(b"%2F", b"/"), names)

    def test_clearml_offline(self):
        _, said = self.perf("--visualizer", "clearml", CLEARML_OFFLINE_MODE="1", CLEARML_CACHE_DIR=str(self.folder / "cache"))
        self.assert_untroubled(said)
        (session,) = self.folder.rglob("offline-*.zip")
        with zipfile.ZipFile(session) as files:
            stored = b"".join(files.read(name) for name in files.namelist())
        for text in ("Performance Metrics", "TTFT (ms)", "performance_summary.txt", "report.html", "total_timeout_s", STAGE):
            self.assertIn(text.encode(), stored)

    def test_mlflow_server(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
                 "--backend-store-uri", f"sqlite:///{self.folder}/ml.db", "--artifacts-destination", str(self.folder / "artifacts")]
        server = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(server.wait)
        self.addCleanup(os.killpg, server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            except OSError:
                self.assertLess(time.monotonic(), deadline, "the MLflow server did not start")
                time.sleep(0.5)
        _, said = self.perf("--visualizer", "mlflow", MLFLOW_TRACKING_URI=address)
        self.assert_untroubled(said)

        def ask(path, **question):
            request = urllib.request.Request(f"{address}/api/2.0/mlflow/{path}", headers={"Content-Type": "application/json"},
                                             data=json.dumps(question).encode() if question else None)
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)

        experiment = ask("experiments/get-by-name?experiment_name=perf_benchmark")["experiment"]["experiment_id"]
        (run,) = ask("runs/search", experiment_ids=[experiment])["runs"]
        self.assertEqual((run["info"]["run_name"], run["info"]["status"]), ("run", "FINISHED"))
        metrics = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
        self.assertEqual(metrics[f"{STAGE}/TTFT_ms"], self.figures["TTFT (ms)"])
        self.assertEqual(metrics["live/requests"], 8)
        parameters = {parameter["key"]: parameter["value"] for parameter in run["data"]["params"]}
        self.assertEqual(parameters["model"], "tiny")
        files = [file["path"] for file in ask(f"artifacts/list?run_id={run['info']['run_id']}")["files"]]
        self.assertIn("performance_summary.txt", files)
        self.assertIn("report.html", files)
        self.assertIn(f"{STAGE}.json", files)

    def test_what_is_missing_is_told_before_the_run(self):
        missing = [
            ("wandb", "wandb has no key; give --wandb-api-key"),
            ("swanlab", "swanlab has no key; give --swanlab-api-key"),
            ("clearml", "clearml has no key; use clearml-init"),
        ]
        for kind, expected in missing:
            run, said = self.perf("--visualizer", kind, code=2)
            self.assertIn(f"error: --visualizer: {expected}", said)
            self.assertEqual(len(said.strip().splitlines()), 1, said)
            self.assertFalse(run.exists())
        fake = self.folder / "fake"
        fake.mkdir()
        (fake / "wandb.py").write_text("import not_there")
        _, said = self.perf("--visualizer", "wandb", code=2, PYTHONPATH=str(fake))
        self.assertIn("the Python package not_there is not installed", said)
        self.assertIn("pip install 'tickrate[wandb]'", said)

    def test_one_that_fails_or_hangs_does_not_cost_the_run(self):
        fake = self.folder / "fake"
        fake.mkdir()
        cases = [("raise OSError('no route, and the key is ' + __import__('os').environ['WANDB_API_KEY'])", "failed"),
                 ("__import__('time').sleep(600)", "was not done 2 s after the run"),
                 ("__import__('os')._exit(9)", "failed")]
        for number, (body, expected) in enumerate(cases):
            (fake / "wandb.py").write_text(f"Settings = dict\ndef finish(**more): pass\ndef init(**more):\n    {body}\n")
            run, said = self.faked(f"run{number}", fake)
            self.assertIn(f"warning: --visualizer: wandb {expected}", said)
            self.assertTrue((run / STAGE / "requests.parquet").exists())
            if number == 0:
                self.assertIn("OSError: no route, and the key is [redacted]", (run / "visualizer.log").read_text())

    def faked(self, name, fake):
        """Runs one stage with an SDK that is not the real one."""
        words = ["--wandb-api-key", KEY, "--visualizer-timeout", "2", "--name", name]
        run = self.folder / "outputs" / name
        environment = {**os.environ, "PYTHONPATH": str(fake)}
        command = [TICKRATE, "perf", "--url", os.environ["SIM_URL"], "--model", "tiny", "--prompt", "hello",
                   "--parallel", "4", "--number", "8", "--max-tokens", "4", "--no-timestamp", *words]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn(KEY, done.stdout + done.stderr)
        return run, done.stdout + done.stderr


if __name__ == "__main__":
    unittest.main()
