"""A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.

`protocol.md` beside the examples says what the server speaks, `tickrate.py` is what plugins in Python share.
"""

import tickrate
from tickrate import FailureKind, Framing, OutputKind


class Plugin(tickrate.Api):
    name, version = "python-api", "0.1.0"

    # What `--api-args` may hold, as a JSON Schema. tickrate checks the options before it opens the plugin.
    options = {
        "type": "object",
        "properties": {"system": {"type": "string", "description": "a system message before every chat"}},
        "additionalProperties": False,
    }

    def __init__(self, config):
        """Called once for each instance, before anything else."""
        self.model, self.url, self.stream = config.model, config.url, config.stream
        self.settings = tickrate.config_object(config.parameters)
        self.system = tickrate.config_object(config.options).get("system")

    def shape(self, turn):
        """The request for one turn. Nothing may be kept from one call to the next."""
        said = tickrate.utterances(turn)
        if self.system is not None:
            said.insert(0, ("system", self.system))
        body = {
            "model": self.model,
            "stream": self.stream,
            "talk": [{"who": role, "says": text} for role, text in said],
            "settings": self.settings,
        }
        if turn.turn.max_tokens is not None:
            body["limit"] = turn.turn.max_tokens
        return tickrate.post_json(self.url, body, Framing.SSE if self.stream else Framing.WHOLE)

    def parse(self, reply):
        """What a whole reply says. What the server did wrong is a failure in the outcome."""
        outcome, closed = tickrate.Outcome(), False
        for event in tickrate.events(reply):
            data = event.object()
            if data is None:
                outcome.unreadable(event)
                return outcome
            if reply.framing == Framing.WHOLE:
                if isinstance(data.get("fault"), str):
                    outcome.fail(FailureKind.STREAM_ERROR, data["fault"])
                outcome.add(event, OutputKind.REASONING, data.get("thought"))
                outcome.add(event, OutputKind.CONTENT, data.get("text"))
                close(outcome, data)
            elif event.name == "thought":
                outcome.add(event, OutputKind.REASONING, data.get("text"), data.get("tokens"))
            elif event.name == "piece":
                outcome.add(event, OutputKind.CONTENT, data.get("text"), data.get("tokens"))
            elif event.name == "close":
                closed = True
                close(outcome, data)
            elif event.name == "fault":
                outcome.fail(FailureKind.STREAM_ERROR, data.get("message", ""))
                return outcome
        outcome.end(reply, closed)
        return outcome


def close(outcome, data):
    """Why the server stopped, and what it counted."""
    reason = data.get("reason")
    outcome.finish_reason = reason if isinstance(reason, str) else None
    outcome.usage.input_tokens = tickrate.count(data.get("prompt_tokens"))
    outcome.usage.cached_tokens = tickrate.count(data.get("cached_tokens"))
    outcome.usage.output_tokens = tickrate.count(data.get("output_tokens"))
    outcome.usage.reasoning_tokens = tickrate.count(data.get("thought_tokens"))


Info, Api = tickrate.export_api(Plugin)
