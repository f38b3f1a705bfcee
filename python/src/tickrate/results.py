"""The results of a run, as objects: figures, percentiles, and the records of each request as tables."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import display
from .errors import TickrateError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

# What `evalscope perf` calls the same figures.
_ALIASES = {
    "Avg TTFT (ms)": "TTFT (ms)",
    "Avg TPOT (ms)": "TPOT (ms)",
    "Avg ITL (ms)": "ITL (ms)",
    "Avg Turns/Request": "Avg Input Turns",
    "Avg Decoded Tok/Iter": "Avg Decoded Tokens/Iter",
}


class Summary(Mapping[str, Any]):
    """The figures of a stage under the names of its table, such as `"Total Throughput (tok/s)"`; those of
    `evalscope perf` find them as well. What was not measured is absent, and None as an attribute."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self._figures = dict(figures)

    def __getitem__(self, name: str) -> Any:
        return self._figures[_ALIASES.get(name, name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._figures)

    def __len__(self) -> int:
        return len(self._figures)

    @property
    def total_requests(self) -> int:
        """Requests, warm-up excluded."""
        return int(self["Total Requests"])

    @property
    def success_requests(self) -> int:
        """Those that succeeded."""
        return int(self["Success Requests"])

    @property
    def failed_requests(self) -> int:
        """Those that failed."""
        return int(self["Failed Requests"])

    @property
    def success_rate(self) -> float | None:
        """Share of the requests that succeeded, in percent."""
        return 100 * self.success_requests / self.total_requests if self.total_requests else None

    @property
    def test_duration_s(self) -> float | None:
        """From the start of the first request to the end of the last, in seconds."""
        return self.get("Test Duration (s)")

    @property
    def request_throughput(self) -> float | None:
        """Successful requests per second."""
        return self.get("Req Throughput (req/s)")

    @property
    def avg_latency_s(self) -> float | None:
        """Mean latency, in seconds."""
        return self.get("Avg Latency (s)")

    @property
    def ttft_ms(self) -> float | None:
        """Mean time to the first token, in milliseconds."""
        return self.get("TTFT (ms)")

    @property
    def tpot_ms(self) -> float | None:
        """Mean time per output token after the first, in milliseconds."""
        return self.get("TPOT (ms)")

    @property
    def itl_ms(self) -> float | None:
        """Mean interval between frames that carry output, in milliseconds."""
        return self.get("ITL (ms)")

    @property
    def output_throughput(self) -> float | None:
        """Output tokens per second."""
        return self.get("Output Throughput (tok/s)")

    @property
    def total_throughput(self) -> float | None:
        """Input and output tokens per second."""
        return self.get("Total Throughput (tok/s)")

    @property
    def errors(self) -> dict[str, Any]:
        """Failures by kind."""
        return dict(self.get("Errors") or {})

    @property
    def client_health(self) -> dict[str, Any] | None:
        """How far the client may have disturbed what it measured; its `verdict` in words."""
        return self.get("Client Health")

    def to_dict(self) -> dict[str, Any]:
        """The figures as a dictionary."""
        return dict(self._figures)

    def __repr__(self) -> str:
        return f"Summary({self._figures!r})"

    def _repr_html_(self) -> str:
        return display.summary(self)


_SHORT = {
    "latency": "Latency (s)",
    "ttft": "TTFT (ms)",
    "itl": "ITL (ms)",
    "tpot": "TPOT (ms)",
    "input_tokens": "Input tokens",
    "output_tokens": "Output tokens",
    "output_throughput": "Output (tok/s)",
    "input_throughput": "Input (tok/s)",
    "total_throughput": "Total (tok/s)",
    "decode_throughput": "Decode (tok/s)",
}


class Percentiles(Mapping[str, dict[str, "float | None"]]):
    """The percentiles of a stage: `percentiles["TTFT (ms)"]["99%"]`, or `get_p("99%", "ttft")`."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows
        names = [name for name in rows[0] if name != "Percentiles"] if rows else []
        self._columns = {name: {row["Percentiles"]: row[name] for row in rows} for name in names}

    def __getitem__(self, metric: str) -> dict[str, float | None]:
        return self._columns[_SHORT.get(metric, metric)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def get_p(self, percentile: str, metric: str) -> float | None:
        """One figure: `get_p("99%", "ttft")`; None if it was not measured."""
        return self[metric][percentile]

    def to_list(self) -> list[dict[str, Any]]:
        """A dictionary for each percentile, as in percentiles.json."""
        return [dict(row) for row in self._rows]

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each percentile and a column for each metric."""
        return _module("pandas").DataFrame(self._rows).set_index("Percentiles")

    def __repr__(self) -> str:
        return f"Percentiles({list(self._columns)})"

    def _repr_html_(self) -> str:
        return display.percentiles(self)


class Stage:
    """One stage of a run. `stage["metrics"]` and `stage["percentiles"]` are its two tables as well."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.summary = Summary(_json(folder / "summary.json"))
        self.percentiles = Percentiles(_json(folder / "percentiles.json"))

    @property
    def records(self) -> pathlib.Path:
        """The Parquet file with a row for each request."""
        return self.folder / "requests.parquet"

    def __getitem__(self, name: str) -> Summary | Percentiles:
        if name == "metrics":
            return self.summary
        if name == "percentiles":
            return self.percentiles
        raise KeyError(name)

    def to_arrow(self) -> pyarrow.Table:
        """The records as an Arrow table. Needs pyarrow."""
        _module("pyarrow")
        # A folder in the name, such as `a=1`, is no column.
        return _module("pyarrow.parquet").read_table(self.records, partitioning=None)

    def to_pandas(self) -> pandas.DataFrame:
        """The records as a pandas frame. Needs pandas and pyarrow."""
        _module("pandas")
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> polars.DataFrame:
        """The records as a Polars frame. Needs polars."""
        frame: polars.DataFrame = _module("polars").read_parquet(self.records, hive_partitioning=False)
        return frame

    def __repr__(self) -> str:
        summary = self.summary
        return f"<Stage {self.name}: {summary.success_requests} of {summary.total_requests} requests succeeded>"

    def _repr_html_(self) -> str:
        return display.stage(self)


class Run(Mapping[str, Stage]):
    """A run: its stages by name, in the order in which they ran."""

    def __init__(self, folder: pathlib.Path, exit_code: int | None = None) -> None:
        described = _json(folder / "run.json")
        self.folder = folder
        #: The exit code of the command; None for a run that was loaded.
        self.exit_code = exit_code
        #: The configuration that was run, without secrets.
        self.config: dict[str, Any] = described["config"]
        self.run_id: str = described["run_id"]
        self.started_at: str = described["started_at"]
        names = [stage["stage"]["name"] for stage in described["stages"]]
        self._stages = {name: Stage(folder / name) for name in names}

    def __getitem__(self, name: str) -> Stage:
        return self._stages[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    @property
    def stages(self) -> list[Stage]:
        """The stages in order."""
        return list(self._stages.values())

    @property
    def report(self) -> pathlib.Path | None:
        """The report for a browser, if there is one."""
        path = self.folder / "report.html"
        return path if path.exists() else None

    def summaries(self) -> pandas.DataFrame:
        """A row for each stage with its figures. Needs pandas."""
        figures = [stage.summary.to_dict() for stage in self.stages]
        return _module("pandas").DataFrame(figures).set_index("Stage")

    def to_arrow(self) -> pyarrow.Table:
        """The records of all stages as an Arrow table. Needs pyarrow."""
        arrow = _module("pyarrow")
        return arrow.concat_tables([stage.to_arrow() for stage in self.stages], promote_options="default")

    def to_pandas(self) -> pandas.DataFrame:
        """The records of all stages as a pandas frame. Needs pandas and pyarrow."""
        _module("pandas")
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> polars.DataFrame:
        """The records of all stages as a Polars frame. Needs polars."""
        frames = [stage.to_polars() for stage in self.stages]
        frame: polars.DataFrame = _module("polars").concat(frames, how="diagonal_relaxed")
        return frame

    def __repr__(self) -> str:
        return f"<Run {self.folder}: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        return display.run(self)


def load_run(folder: str | pathlib.Path, *, exit_code: int | None = None) -> Run:
    """The run in `folder`, which `tickrate perf` has written: `outputs/<time>/<model>`, or a folder above it
    that holds no other run.

    Raises TickrateError if there is none, or there are several.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise TickrateError(f'there is no folder "{folder}"')
    if not (folder / "run.json").exists():
        below = sorted(path.parent for path in folder.rglob("run.json"))
        if not below:
            raise TickrateError(f'"{folder}" holds no run: there is no run.json in it or below it')
        if len(below) > 1:
            raise TickrateError(f'"{folder}" holds {len(below)} runs; name one of them, such as "{below[-1]}"')
        folder = below[0]
    return Run(folder, exit_code)


def _json(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TickrateError(f'"{path}" is missing; write it again with: tickrate report "{path.parent.parent}"') from None
    except (OSError, ValueError) as error:
        raise TickrateError(f'"{path}" cannot be read: {error}') from None


def _module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.split(".")[0]
        raise TickrateError(
            f"this needs {package}; install it with: pip install {package}"
        ) from None
