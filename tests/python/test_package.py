"""The Python package as it is installed from the wheel, against a simulator whose URL is in SIM_URL."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import nbclient
import nbformat

import tickrate
from tickrate import Arguments, TickrateError, load_run, run_perf_benchmark

URL = os.environ["SIM_URL"]


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.run_ = run_perf_benchmark(cls.arguments(), quiet=True)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def arguments(cls, **more):
        given = dict(
            parallel=[1, 4], number=[3, 8], model="<b>tiny</b>", url=URL, api="openai", prompt="hello there",
            max_tokens=7, sleep_interval=0, outputs_dir=cls.folder / "outputs", name="run", no_timestamp=True,
            headers={"X-Trace": "a b"}, api_key="sk-very-secret-1234", extra_args={"ignore_eos": True},
        )
        return Arguments(**{**given, **more})

    def test_it_is_the_installed_one(self):
        self.assertIn("site-packages", tickrate.__file__)
        self.assertTrue((pathlib.Path(tickrate.__file__).parent / "py.typed").exists())
        command = pathlib.Path(sys.executable).parent / "tickrate"
        for words in ([command], [sys.executable, "-m", "tickrate"]):
            said = subprocess.run([*words, "--version"], capture_output=True, text=True, check=True).stdout
            self.assertTrue(said.startswith("tickrate 0."), said)

    def test_results_are_those_of_the_baseline(self):
        run = self.run_
        self.assertEqual(list(run), ["parallel_1_number_3", "parallel_4_number_8"])
        self.assertEqual(run.exit_code, 0)
        metrics, percentiles = (run["parallel_4_number_8"][name] for name in ("metrics", "percentiles"))
        self.assertEqual((metrics.total_requests, metrics.failed_requests, metrics.success_rate), (8, 0, 100))
        self.assertEqual(metrics["Avg TTFT (ms)"], metrics.ttft_ms)
        self.assertEqual(metrics["Avg Output Tokens"], 7)
        self.assertLessEqual(percentiles.get_p("50%", "ttft"), percentiles["TTFT (ms)"]["99%"])
        self.assertTrue(metrics.client_health["verdict"])
        self.assertEqual(run.config["connection"]["headers"], ["X-Trace=a b", "Authorization=**********"])

    def test_records_are_tables_of_three_kinds(self):
        run = load_run(self.run_.folder)
        self.assertIsNone(run.exit_code)
        frame = run.to_pandas()
        self.assertEqual(len(frame), 11)
        self.assertEqual(run.to_arrow().num_rows, 11)
        self.assertEqual(run.to_polars().height, 11)
        for stage in run.stages:
            rows = frame[frame["stage"] == stage.name]
            self.assertAlmostEqual(rows["ttft_ms"].mean(), stage.summary.ttft_ms, places=9)
            self.assertAlmostEqual(rows["ttft_ms"].quantile(0.99), stage.percentiles.get_p("99%", "ttft"), places=9)
        self.assertEqual(list(run.summaries()["Total Requests"]), [3, 8])

    def test_a_notebook_shows_tables_with_escaped_values(self):
        shown = self.run_._repr_html_()
        self.assertIn("&lt;b&gt;tiny&lt;/b&gt;", shown)
        self.assertIn("parallel_4_number_8", shown)
        self.assertNotIn("<b>tiny", shown)
        for part in (self.run_.stages[0], self.run_.stages[0].summary, self.run_.stages[0].percentiles):
            self.assertTrue(part._repr_html_().endswith(("</table>", "</p>")))

    def in_jupyter(self, notebook, folder, **environment):
        """The outputs of a notebook's code cells, as Jupyter's own kernel made them."""
        private = {"JUPYTER_RUNTIME_DIR": str(self.folder / "jupyter"), "IPYTHONDIR": str(self.folder / "ipython")}
        with unittest.mock.patch.dict(os.environ, {**private, **environment}):
            client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
            client.execute()
        return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]

    def test_jupyter_shows_a_run_as_tables(self):
        lines = [f"import tickrate\nrun = tickrate.load_run({str(self.run_.folder)!r})", "run", "run.stages[0].summary", "run.to_pandas()[['ttft_ms']]"]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line) for line in lines])
        nothing, run, summary, frame = self.in_jupyter(notebook, self.folder)
        self.assertEqual(nothing, [])
        for (shown,), told in ((run, "parallel_4_number_8"), (summary, "TTFT"), (frame, "ttft_ms")):
            self.assertIn("<table", shown.data["text/html"])
            self.assertIn(told, shown.data["text/html"])
        self.assertEqual(run[0].data["text/html"], self.run_._repr_html_())

    def test_the_notebook_of_the_examples_runs_in_jupyter(self):
        examples = pathlib.Path(__file__).resolve().parents[2] / "examples/analysis"
        notebook = nbformat.read(examples / "stages.ipynb", as_version=4)
        _, figures, failures, timeline = self.in_jupyter(notebook, examples, TICKRATE_RUN=str(self.run_.folder))
        for (shown,), told in ((figures, "parallel_4_number_8"), (failures, "error_kind"), (timeline, "in_flight")):
            self.assertIn(told, shown.data["text/html"])

    def test_a_dictionary_a_namespace_and_a_file_do_as_well(self):
        given = {**self.arguments(number=1, parallel=1).to_dict(), "name": "by-dict"}
        self.assertEqual(list(run_perf_benchmark(given, quiet=True)), ["parallel_1_number_1"])
        namespace = argparse.Namespace(**{**given, "name": "by-namespace", "seed": None})
        self.assertEqual(len(run_perf_benchmark(namespace, quiet=True)), 1)
        file = self.folder / "run.yaml"
        file.write_text(f"model: filed\nurl: {URL}\nprompt: hi\nnumber: 9\nopen-loop: true\n")
        run = run_perf_benchmark(
            Arguments(config=file, number=2, open_loop=False, no_timestamp=True, outputs_dir=self.folder, name="by-file"), quiet=True)
        self.assertEqual((list(run), run.config["model"]), (["parallel_1_number_2"], "filed"))

    def test_what_is_wrong_is_told_in_a_line(self):
        cases = [
            (dict(number="many"), "number: takes a whole number, or a list of them, not 'many'"),
            (dict(arrival="gauss"), "arrival: takes one of poisson, constant, gamma, not 'gauss'"),
            (dict(api_key=[5]), "api_key: takes a text or a number, not '**********'"),
        ]
        for wrong, said in cases:
            with self.assertRaises(ValueError) as raised:
                Arguments(**wrong)
            self.assertEqual(str(raised.exception), said)
        with self.assertRaisesRegex(ValueError, "paralel: is no argument of tickrate perf; did you mean parallel?"):
            Arguments.from_dict({"paralel": 1})
        with self.assertRaises(TickrateError) as raised:
            run_perf_benchmark(self.arguments(parallel=[1, 2], number=5), quiet=True)
        self.assertEqual(raised.exception.exit_code, 2)
        self.assertIn("--parallel (TICKRATE_PARALLEL): the length of number and parallel", str(raised.exception))
        with self.assertRaisesRegex(TickrateError, "holds no run"):
            load_run(tempfile.mkdtemp(dir=self.folder))
        self.assertNotIn("sk-very", repr(self.arguments()))

    def test_a_run_of_failures_is_a_result(self):
        arguments = self.arguments(name="failing", no_test_connection=True, url=URL.replace("/v1", "/nowhere"))
        run = run_perf_benchmark(arguments, quiet=True)
        self.assertEqual(run.exit_code, 4)
        self.assertEqual(run.stages[0].summary.failed_requests, 3)
        self.assertIsNone(run.stages[0].summary.ttft_ms)

    def test_the_types_hold(self):
        script = self.folder / "typed.py"
        script.write_text("from tickrate import Arguments, run_perf_benchmark\n"
                          "run = run_perf_benchmark(Arguments(parallel=[1], number=1, url='u', headers={'a': 'b'}))\n"
                          "ttft: float | None = run['x'].summary.ttft_ms\n"
                          "Arguments(parallel='many')\n")
        said = subprocess.run([sys.executable, "-m", "mypy", "--strict", str(script)], capture_output=True, text=True, cwd=self.folder).stdout
        self.assertIn('typed.py:4: error: Argument "parallel"', said)
        self.assertIn("Found 1 error", said)
        sources = pathlib.Path(__file__).resolve().parents[2] / "python/src/tickrate"
        strictly = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", str(sources)]
        said = subprocess.run(strictly, capture_output=True, text=True, cwd=self.folder).stdout
        self.assertIn("Success: no issues found", said)


if __name__ == "__main__":
    unittest.main()
