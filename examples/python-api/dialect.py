"""What requests and replies look like. Nothing here knows of tickrate, so that plain Python can test it."""

import json
import re

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

# Python in a component has a small stack: it crashes on what is nested some thousand levels deep.
DEEPEST = 200


class Refused(Exception):
    """A turn that the server does not take. The text is one line and says what to do."""


def object_of(text):
    """The JSON object in `text`; ValueError if it is something else."""

    def not_a_number(name):
        raise ValueError(f"{name} is no JSON number")

    if text.count("[") + text.count("{") > DEEPEST and depth(text) > DEEPEST:
        raise ValueError("nested too deeply")
    value = json.loads(text, parse_constant=not_a_number)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


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


def body(model, parameters, stream, system, messages, max_tokens):
    """The body of a request, as bytes. `messages` are pairs of a role and a text."""
    if system:
        messages = [("system", system), *messages]
    request = dict(parameters)
    request["model"] = model
    request["messages"] = [{"role": role, "content": text} for role, text in messages]
    request["stream"] = stream
    if stream:
        request["stream_options"] = {"include_usage": True}
    if max_tokens is not None:
        request["max_tokens"] = max_tokens
    return json.dumps(request).encode()


def parse(frames, complete, streamed):
    """What the frames of a reply say: a dict of outputs, usage, finish_reason and failure.

    An output is the index of its frame and a text, a failure a pair of its kind and a text.
    """
    said = {"outputs": [], "usage": (None, None), "finish_reason": None, "failure": None}
    done = False
    for index, data in enumerate(frames):
        if data == b"[DONE]":
            done = True
            continue
        try:
            event = object_of(data.decode())
            text = text_of(event)
        except ValueError:
            # The end of a reply that broke off may be half a frame.
            if complete or index + 1 < len(frames):
                said["failure"] = ("invalid_reply", f"frame {index} is not what the server should send")
            return said
        if event.get("error") is not None:
            said["failure"] = ("stream_error", json.dumps(event["error"], separators=(",", ":"), ensure_ascii=False))
            return said
        if text:
            said["outputs"].append((index, text))
        reason = first_choice(event).get("finish_reason")
        if isinstance(reason, str):
            said["finish_reason"] = reason
        usage = event.get("usage")
        if isinstance(usage, dict):
            said["usage"] = (count(usage.get("prompt_tokens")), count(usage.get("completion_tokens")))
    if complete and streamed and not done and said["finish_reason"] is None:
        said["failure"] = ("truncated", "the stream ended before the server had finished")
    elif complete and not said["outputs"]:
        said["failure"] = ("empty_reply", "the reply carried no output")
    return said


def first_choice(event):
    choices = event.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def text_of(event):
    """The text that an event brought; ValueError if it could not be written as UTF-8."""
    choice = first_choice(event)
    message = choice.get("delta") or choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        return ""
    text.encode()
    return text


def count(value):
    """A number of tokens, if it is one."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**53 else None
