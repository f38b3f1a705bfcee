"""What most tickrate plugins in Python need, on top of what componentize-py generates.

Copy this file beside your `app.py`. A plugin is one class, and one line that exports it:

    class MyServer(tickrate.Api):
        name, version = "my-server", "0.1.0"

        def __init__(self, config): ...
        def shape(self, turn): return tickrate.post_json(self.url, {...}, tickrate.Framing.SSE)
        def parse(self, reply): ...

    Info, Api = tickrate.export_api(MyServer)

The names below that are not defined here (`Framing`, `OutputKind`, `FailureKind` and the records) are those of
tickrate's wit folder; `componentize-py -d wit -w plugin bindings .` writes them for an editor to complete.
"""

import json
import re

from componentize_py_types import Err
from wit_world.imports import host
from wit_world.imports.types import (
    Conversation,
    Failure,
    FailureKind,
    Framing,
    HttpRequest,
    Message,
    OutputFrame,
    OutputKind,
    Part_Text,
    PluginError_InvalidConfig,
    PluginError_InvalidData,
    PluginError_Unsupported,
    Prompt_Chat,
    Prompt_Text,
    Turn,
    Usage,
)

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

# Python in a component has a small stack: it crashes on what is nested some thousand levels deep.
DEEPEST = 128

# Bytes that are read of a file at a time.
PIECE = 1 << 20


class Api:
    """The dialect of a server. `__init__` gets the `run-config` of the contract."""

    name, version = "unnamed", "0.0.0"
    options = {}

    def shape(self, turn):
        """The request for one turn. Nothing may be kept from one call to the next."""
        raise NotImplementedError

    def parse(self, reply):
        """What a whole reply says: an Outcome."""
        raise NotImplementedError


class Dataset:
    """A source of conversations. `__init__` gets the `run-config` of the contract."""

    name, version = "unnamed", "0.0.0"
    options = {}

    def next(self, at_most):
        """At most so many further conversations; none means that there are no more."""
        raise NotImplementedError


def export_api(plugin):
    """The classes `Info` and `Api` that a component of this plugin exports."""

    class Exported:
        # It stands in the class since componentize-py makes a new object for every call.
        opened = None

        def open(self, config):
            Exported.opened = plugin(config)

        def shape(self, turn):
            return Exported.opened.shape(turn)

        def parse(self, reply):
            return Exported.opened.parse(reply)

    return info_of(plugin), Exported


def export_dataset(plugin):
    """The classes `Info` and `Dataset` that a component of this plugin exports."""

    class Exported:
        opened = None

        def open(self, config):
            Exported.opened = plugin(config)

        def next(self, at_most):
            return Exported.opened.next(at_most)

    return info_of(plugin), Exported


def export_plugin(api, dataset):
    """The classes `Info`, `Api` and `Dataset` of a component that is both, with the API's name and version."""
    return info_of(api, dataset), export_api(api)[1], export_dataset(dataset)[1]


def info_of(plugin, dataset=None):
    class Info:
        def name(self):
            return plugin.name

        def version(self):
            return plugin.version

        def options_schema(self, role):
            asked = dataset if dataset is not None and role.name == "DATASET" else plugin
            return json.dumps(asked.options)

    return Info


def unsupported(text):
    """To raise where the plugin does not do what it is asked to."""
    return Err(PluginError_Unsupported(text))


def config_object(text):
    """The options or the parameters of a `run-config`, as a dict."""
    value = object_of(text)
    if value is None:
        raise Err(PluginError_InvalidConfig("the options and the parameters have to be JSON objects"))
    return value


def utterances(turn):
    """The whole conversation as pairs of a role and a text: what was said before, and the turn's own."""
    match turn.turn.prompt:
        case Prompt_Text(text):
            now = [("user", text)]
        case Prompt_Chat(chat):
            now = [(message.role, plain(message)) for message in chat]
        case _:
            raise unsupported("this API takes texts and chats; choose another dataset")
    return [(message.role, plain(message)) for message in turn.history] + now


def plain(message):
    """The text of a message, its parts put together."""
    if not all(isinstance(part, Part_Text) for part in message.content):
        raise unsupported("this API takes text only; choose another dataset")
    return "".join(part.value for part in message.content)


def post_json(url, body, framing):
    """A `POST` of a JSON body, without the spaces that Python likes to put into one."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpRequest("POST", url, [("Content-Type", "application/json")], data, framing)


class Event:
    """One frame of a reply."""

    def __init__(self, index, name, data, may_be_cut):
        self.index, self.name, self.data = index, name, data
        # Whether this is the last frame of a reply that broke off, and so may be half a frame.
        self.may_be_cut = may_be_cut

    def object(self):
        """The JSON object in the frame; None if it is something else."""
        return object_of(self.data)


def events(reply):
    """The frames, in order, each with its name and its bytes."""
    last = len(reply.frames) - 1
    for index, frame in enumerate(reply.frames):
        data = reply.payload[frame.start : frame.end]
        yield Event(index, frame.event or "", data, not reply.complete and index == last)


class Outcome:
    """What a plugin makes of a reply; it has the members of the contract's `outcome`."""

    def __init__(self):
        self.outputs, self.pieces, self.labels = [], [], []
        self.usage = Usage(None, None, None, None)
        self.finish_reason = self.failure = None

    @property
    def text(self):
        return "".join(self.pieces)

    def add(self, event, kind, text, tokens=None):
        """Notes that a frame brought `text`, of so many tokens where the server says so."""
        if isinstance(text, str) and text:
            self.outputs.append(OutputFrame(event.index, kind, len(text.encode()), count(tokens)))
            self.pieces.append(text)

    def fail(self, kind, message):
        """Notes a failure of the server's."""
        self.failure = Failure(kind, str(message))

    def unreadable(self, event):
        """Notes that a frame is not what it should be, unless it may be half a frame. Read no further."""
        if not event.may_be_cut:
            text = f"frame {event.index} is not what the server should send"
            self.fail(FailureKind.INVALID_REPLY, text)

    def end(self, reply, closed):
        """Notes what is wrong with a reply as a whole, when all of its frames have been read."""
        if not reply.complete or self.failure is not None:
            return
        if reply.framing != Framing.WHOLE and not closed:
            self.fail(FailureKind.TRUNCATED, "the stream ended before the server had closed it")
        elif not self.outputs:
            self.fail(FailureKind.EMPTY_REPLY, "the reply carried no output")


def count(value):
    """A count; None if it is no whole number from 0 on."""
    return value if type(value) is int and 0 <= value < 1 << 64 else None


def object_of(data):
    """The JSON object in a text or in bytes; None if it is something else."""
    try:
        text = data if isinstance(data, str) else data.decode()
        if text.count("[") + text.count("{") > DEEPEST and depth(text) > DEEPEST:
            return None
        value = json.loads(text, parse_constant=not_a_number)
        # Half a surrogate pair cannot be written as UTF-8.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def not_a_number(constant):
    raise ValueError(f"{constant} is no JSON number")


def depth(text):
    """How deeply the JSON in `text` is nested."""
    level = deepest = 0
    for letter in STRING.sub("", text):
        if letter in "[{":
            level += 1
            deepest = max(deepest, level)
        elif letter in "]}":
            level -= 1
    return deepest


def ask(text):
    """A turn in which the user says `text`."""
    prompt = Prompt_Chat([Message("user", [Part_Text(text)], [])])
    return Turn(prompt=prompt, max_tokens=None, think_time_ms=None, headers=[])


def conversation(id, turns):
    """A conversation of these turns."""
    return Conversation(id=id, turns=turns, arrival_ms=None, labels=[])


def random():
    """The next random number, from 0 to 2**64 - 1; the series follows from the seed of the run."""
    return host.random()


def lines():
    """The lines of all files of the dataset that say something, without white space around them."""
    try:
        return [line for file in host.files() for line in lines_of(content(file))]
    except Err as error:
        raise Err(PluginError_InvalidData(error.value))


def content(file):
    """All bytes of a file of the dataset."""
    return b"".join(host.read(file.name, at, PIECE) for at in range(0, file.bytes, PIECE))


def lines_of(data):
    """The lines in `data` that say something; bytes that are no UTF-8 are replaced."""
    return [line.strip() for line in data.decode(errors="replace").split("\n") if line.strip()]
