"""Run with: componentize-py -d wit -w api-plugin bindings bindings && PYTHONPATH=bindings python3 -m unittest"""

import json
import unittest

import app
from tickrate import FailureKind, Framing
from wit_world.imports.types import FrameMark, Prompt_Text, Reply, RunConfig, Turn, TurnInContext


def opened():
    api = app.Api()
    api.open(RunConfig("m", "http://h/", True, 0, 1, "{}", '{"system": "Be brief."}', None))
    return api


def streamed(*events, complete=True):
    payload, frames = b"", []
    for name, data in events:
        start = len(payload)
        payload += data.encode()
        frames.append(FrameMark(0, name, start, len(payload)))
    return opened().parse(Reply(200, None, Framing.SSE, complete, payload, frames))


class Plugin(unittest.TestCase):
    def test_a_stream_is_understood(self):
        outcome = streamed(
            ("open", "{}"),
            ("thought", '{"text":"hm","tokens":1}'),
            ("piece", '{"text":"né","tokens":2}'),
            ("close", '{"reason":"stop","prompt_tokens":3,"output_tokens":3}'),
        )
        self.assertEqual((outcome.text, outcome.outputs[1].tokens, outcome.outputs[1].text_bytes), ("hmné", 2, 3))
        self.assertEqual((outcome.usage.input_tokens, outcome.usage.cached_tokens), (3, None))
        self.assertIsNone(outcome.failure)

    def test_what_the_server_does_wrong_is_a_failure(self):
        for events, kind in [
            ([("piece", "{")], FailureKind.INVALID_REPLY),
            ([("piece", "[" * 1000)], FailureKind.INVALID_REPLY),
            ([("fault", '{"message":"no"}')], FailureKind.STREAM_ERROR),
            ([("piece", '{"text":"a"}')], FailureKind.TRUNCATED),
            ([("close", "{}")], FailureKind.EMPTY_REPLY),
        ]:
            self.assertEqual(streamed(*events).failure.kind, kind)
        self.assertIsNone(streamed(("piece", '{"te'), complete=False).failure)

    def test_a_request_has_what_was_asked_for(self):
        turn = Turn(Prompt_Text("Why?"), 4, None, [])
        body = json.loads(opened().shape(TurnInContext("1", "c", 0, [], turn)).body)
        self.assertEqual(body["talk"], [{"who": "system", "says": "Be brief."}, {"who": "user", "says": "Why?"}])
        self.assertEqual((body["model"], body["stream"], body["limit"], body["settings"]), ("m", True, 4, {}))


if __name__ == "__main__":
    unittest.main()
