"""Whether the figures are what they are called: `python3 -m unittest discover benches/peers`."""

from __future__ import annotations

import unittest

from measured import Usage
from page import shortened
from side_by_side import Figure
from truth import Served, Spread, Truth
from workload import Load

MS = 1_000_000


def served(frames_ms: list[int], tokens: int = 1) -> Served:
    """A request that arrived at 10 ms, with frames at these moments."""
    return Served(
        arrived_ns=10 * MS,
        frame_ns=tuple(at * MS for at in frames_ms),
        frame_tokens=(tokens,) * len(frames_ms),
        whole=True,
    )


class Figures(unittest.TestCase):
    """One test for each kind of figure."""

    def test_percentiles_lie_between_the_nearest_values(self) -> None:
        spread = Spread.of([4.0, 1.0, 2.0, 3.0])
        self.assertEqual((spread.mean, spread.p50), (2.5, 2.5))
        self.assertAlmostEqual(spread.p99, 3.97)

    def test_the_tokens_of_the_first_frame_are_not_in_the_time_per_token(self) -> None:
        request = served([60, 80, 100], tokens=4)
        self.assertEqual(request.ttft_ms, 50.0)
        self.assertEqual(request.gaps_ms(), [20.0, 20.0])
        self.assertEqual(request.time_per_token_ms(), 5.0)
        self.assertIsNone(served([60]).time_per_token_ms())

    def test_the_truth_spans_all_requests(self) -> None:
        truth = Truth([served([60, 65]), served([70, 90])])
        self.assertEqual((truth.first_ns, truth.last_ns, truth.tokens), (10 * MS, 90 * MS, 4))

    def test_cpu_time_is_interpolated_between_samples(self) -> None:
        usage = Usage(100, 400, 3.0, 1.0, ((200, 1.0), (300, 1.0)), 0)
        self.assertEqual([usage.cpu_at(at) for at in (150, 250, 350, 500)], [0.5, 1.0, 2.0, 3.0])

    def test_an_ideal_run_has_no_gap_between_replies(self) -> None:
        self.assertAlmostEqual(Load(streams=64, requests=640).ideal_s, 6.85)
        self.assertAlmostEqual(Load(streams=64, requests=65, frame_ms=20.0, frame_tokens=4).ideal_s, 1.34)

    def test_figures_agree_within_the_error_of_the_baseline(self) -> None:
        self.assertTrue(Figure("s", "TTFT", 64.0, 50.0, 50.3, 50.0).agrees)
        self.assertFalse(Figure("s", "TTFT", 50.1, 50.0, 64.0, 50.0).agrees)

    def test_commands_name_no_folder(self) -> None:
        command = "/a/b/guidellm run --data kind=json_file,path=/a/b/p.jsonl --url http://127.0.0.1:4711/v1"
        expected = "guidellm run --data kind=json_file,path=p.jsonl --url http://127.0.0.1:PORT/v1"
        self.assertEqual(shortened(command), expected)


if __name__ == "__main__":
    unittest.main()
