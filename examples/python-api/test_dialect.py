import json
import unittest

import dialect


def chunk(**delta):
    return json.dumps({"choices": [{"delta": delta}]}).encode()


class Dialect(unittest.TestCase):
    def test_a_stream_is_understood(self):
        end = b'{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}'
        said = dialect.parse([chunk(role="assistant"), chunk(content="n\u00e9"), chunk(content="!"), end, b"[DONE]"], True, True)
        self.assertEqual(said["outputs"], [(1, "n\u00e9"), (2, "!")])
        self.assertEqual((said["usage"], said["finish_reason"], said["failure"]), ((3, 2), "stop", None))

    def test_what_the_server_does_wrong_is_a_failure(self):
        for frames, complete, kind in [
            ([b"{"], True, "invalid_reply"),
            ([b'"\xff"'], True, "invalid_reply"),
            ([b'{"error":"overloaded"}'], True, "stream_error"),
            ([chunk(content="a")], True, "truncated"),
            ([b"[DONE]"], True, "empty_reply"),
        ]:
            self.assertEqual(dialect.parse(frames, complete, True)["failure"][0], kind, frames)
        self.assertIsNone(dialect.parse([chunk(content="a"), b'{"cho'], False, True)["failure"])

    def test_what_is_nested_too_deeply_is_no_object(self):
        self.assertEqual(dialect.object_of('{"a":"[[' + "[" * 999 + '"}')["a"][:3], "[[[")
        with self.assertRaises(ValueError):
            dialect.object_of('{"a":' + "[" * 999 + "]" * 999 + "}")

    def test_a_request_has_what_was_asked_for(self):
        body = json.loads(dialect.body("m", {"max_tokens": 9}, True, "Be brief.", [("user", "hi")], 4))
        self.assertEqual((body["max_tokens"], body["messages"][0]["role"], body["stream"]), (4, "system", True))


if __name__ == "__main__":
    unittest.main()
