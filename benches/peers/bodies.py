"""What the baseline and tickrate send for the same command: their request bodies, field by field."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import install

TEXT = "…"
"""Stands for the text of a prompt, which each client makes up."""


class Recorder:
    """A server that keeps the bodies of chat requests and answers each with one token."""

    def __init__(self) -> None:
        """Listens on a free port of the loopback interface."""
        bodies: list[dict[str, Any]] = []
        self.bodies = bodies
        """In the order in which they came."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                bodies.append(json.loads(self.rfile.read(length)))
                choice = {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}
                usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                frames = [{"choices": [choice]}, {"choices": [], "usage": usage}]
                text = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
                payload = text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()


def recorded(
    command: Callable[[str], list[str]], environment: dict[str, str], folder: Path
) -> list[dict[str, Any]]:
    """The bodies that a command sends to the URL that it is given."""
    recorder = Recorder()
    try:
        with (folder / "bodies.log").open("w") as log:
            subprocess.run(
                command(recorder.url),
                env=environment,
                cwd=folder,
                stdout=log,
                stderr=log,
                timeout=120,
                check=True,
            )
    finally:
        recorder.close()
    return recorder.bodies


def fields(body: dict[str, Any]) -> dict[str, str]:
    """The fields of a body as JSON, its texts left out."""
    messages = [{**message, "content": TEXT} for message in body.get("messages", [])]
    return {key: json.dumps(value) for key, value in sorted({**body, "messages": messages}.items())}


def texts(bodies: list[dict[str, Any]]) -> list[str]:
    """The prompts."""
    return [message["content"] for body in bodies for message in body.get("messages", [])]


def token_counts(prompts: list[str], tokenizer: Path) -> list[int]:
    """Tokens of each prompt as a chat of one message, by the tokenizer's own library and template."""
    code = (
        "import json, sys; from transformers import AutoTokenizer as A; t = A.from_pretrained(sys.argv[1]);"
        "chat = lambda p: t.apply_chat_template([{'role': 'user', 'content': p}], tokenize=False,"
        " add_generation_prompt=True);"
        "print(json.dumps([len(t.encode(chat(p), add_special_tokens=False)) for p in json.load(sys.stdin)]))"
    )
    python = install.HOME / "evalscope" / "bin" / "python"
    command = [str(python), "-c", code, str(tokenizer)]
    said = subprocess.run(command, input=json.dumps(prompts), capture_output=True, text=True, check=True)
    counts: list[int] = json.loads(said.stdout.splitlines()[-1])
    return counts
