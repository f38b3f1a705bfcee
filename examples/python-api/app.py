"""A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.

The names in `wit_world` are those of tickrate's wit folder; componentize-py generates them, and
`componentize-py -d wit -w api-plugin bindings .` writes them here for an editor to complete.
"""

import json
from dataclasses import dataclass

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import (
    Failure,
    FailureKind,
    Framing,
    HttpRequest,
    Outcome,
    OutputFrame,
    OutputKind,
    Part_Text,
    PluginError_InvalidConfig,
    PluginError_Unsupported,
    Prompt_Chat,
    Prompt_Text,
    Usage,
)

import dialect

NAME = "python-api"
VERSION = "0.1.0"

# What `--api-args` may hold. tickrate checks the options before it calls `open`.
OPTIONS = {
    "type": "object",
    "properties": {"system": {"type": "string", "description": "a system message before every chat"}},
    "additionalProperties": False,
}

KINDS = {
    "stream_error": FailureKind.STREAM_ERROR,
    "invalid_reply": FailureKind.INVALID_REPLY,
    "empty_reply": FailureKind.EMPTY_REPLY,
    "truncated": FailureKind.TRUNCATED,
}


@dataclass
class Run:
    model: str
    url: str
    stream: bool
    parameters: dict
    system: str | None


# What `open` was told. It stands here since componentize-py makes a new `Api` for every call.
run = None


class Info(exports.Info):
    def name(self):
        return NAME

    def version(self):
        return VERSION

    def options_schema(self, role):
        return json.dumps(OPTIONS)


class Api(exports.Api):
    def open(self, config):
        """Called once for each instance, before anything else."""
        global run
        try:
            parameters = dialect.object_of(config.parameters)
            system = dialect.object_of(config.options).get("system")
        except ValueError as error:
            raise Err(PluginError_InvalidConfig(str(error)))
        run = Run(config.model, config.url, config.stream, parameters, system)

    def shape(self, turn):
        """The request for one turn. Nothing may be kept from one call to the next."""
        messages = [(message.role, plain(message)) for message in turn.history]
        match turn.turn.prompt:
            case Prompt_Text(text):
                messages.append(("user", text))
            case Prompt_Chat(chat):
                messages.extend((message.role, plain(message)) for message in chat)
            case _:
                raise Err(PluginError_Unsupported("this API takes texts and chats; choose another dataset"))
        body = dialect.body(run.model, run.parameters, run.stream, run.system, messages, turn.turn.max_tokens)
        framing = Framing.SSE if run.stream else Framing.WHOLE
        return HttpRequest("POST", run.url, [("Content-Type", "application/json")], body, framing)

    def parse(self, reply):
        """What a whole reply says. What the server did wrong is a failure in the outcome."""
        frames = [reply.payload[frame.start : frame.end] for frame in reply.frames]
        said = dialect.parse(frames, reply.complete, reply.framing == Framing.SSE)
        outputs = [
            OutputFrame(frame, OutputKind.CONTENT, len(text.encode()), None)
            for frame, text in said["outputs"]
        ]
        failure = said["failure"] and Failure(KINDS[said["failure"][0]], said["failure"][1])
        return Outcome(
            outputs=outputs,
            text="".join(text for _, text in said["outputs"]),
            usage=Usage(said["usage"][0], said["usage"][1], None, None),
            finish_reason=said["finish_reason"],
            failure=failure or None,
            labels=[],
        )


def plain(message):
    """The text of a message."""
    if not all(isinstance(part, Part_Text) for part in message.content):
        raise Err(PluginError_Unsupported("this API takes text only; choose another dataset"))
    return "".join(part.value for part in message.content)
