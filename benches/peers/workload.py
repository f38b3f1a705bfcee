"""What every client is asked to do, and the files that some of them want it in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

MODEL = "tickrate-sim"
PROMPT = "Say something that takes a while, one word at a time, and do not stop early."
TTFT_MS = 50.0


@dataclass(frozen=True)
class Load:
    """A closed loop: so many streams, each of which sends its next request when a reply has ended."""

    streams: int
    requests: int
    """Requests in all."""
    tokens: int = 128
    """Tokens of each reply."""
    frame_ms: float = 5.0
    """Time between two frames."""
    frame_tokens: int = 1
    """Tokens in each frame."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        frames = f", {self.frame_tokens} tokens a frame" if self.frame_tokens > 1 else ""
        return f"{self.streams}{frames}"

    @property
    def ideal_s(self) -> float:
        """What the whole run takes if the next request is there in the moment when a reply ends."""
        frames = -(-self.tokens // self.frame_tokens)
        reply_ms = TTFT_MS + (frames - 1) * self.frame_ms
        return -(-self.requests // self.streams) * reply_ms / 1e3

    def server_flags(self) -> list[str]:
        """Those of `tickrate sim`."""
        flags = {
            "--ttft": TTFT_MS,
            "--itl": self.frame_ms,
            "--tokens-per-frame": self.frame_tokens,
            "--output-tokens": self.tokens,
        }
        return [str(part) for pair in flags.items() for part in pair]


def write_rows(path: Path, row: dict[str, object], count: int) -> Path:
    """A file of JSON lines with the same row so many times."""
    path.write_text((json.dumps(row) + "\n") * count, encoding="utf-8")
    return path


def write_tokenizer(source: Path, folder: Path) -> Path:
    """A copy of the tokenizer of the tests, as transformers 5 wants it.

    It takes special tokens as plain texts only, and the class by its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    config = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    texts = {key: value["content"] if isinstance(value, dict) else value for key, value in config.items()}
    given = {key: value for key, value in texts.items() if value is not None}
    given["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(given), encoding="utf-8")
    return folder
