"""Writes a tiny llama model with random weights, for a real server to run in tests.

    python make_model.py target/real-server/tiny.gguf

The model is the same whenever it is made. It says nonsense, but well-formed nonsense: bytes that
are no text on their own and control tokens (other than the end of the answer) are never sampled,
so that each token is text and a streamed reply has an event for each.
"""

import argparse
import collections
import os
import pathlib

import gguf
import numpy

HIDDEN = 64
LAYERS = 2
HEADS = 4
KV_HEADS = 2
FEED_FORWARD = 128
CONTEXT = 32768
MERGES = 240

END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# What the merges are learned from; its words become tokens.
CORPUS = """
the quick brown fox jumps over the lazy dog and the dog sleeps while the fox runs through the field
a server answers a request with a stream of tokens and each token takes its time to be made and sent
the first token comes when the prompt has been read and the others follow one after another
to measure is to know what was asked when it was due when it was sent and when the answer came back
user system assistant question answer write a short story about the sea and the people who live by it
one two three four five six seven eight nine ten in the morning the light falls on the water again
"""


def byte_characters():
    """The printable character that stands for each byte, as GPT-2 has it."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    characters = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in characters)
    characters.update({byte: chr(256 + index) for index, byte in enumerate(others)})
    return [characters[byte] for byte in range(256)]


def learned_merges(characters):
    """The pairs that occur most often in the corpus, merged one after another."""
    space = characters[ord(" ")]
    words = collections.Counter(space + word for word in CORPUS.split())
    pieces = {word: list(word) for word in words}
    merges = []
    while len(merges) < MERGES:
        pairs = collections.Counter()
        for word, parts in pieces.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        if not pairs:
            break
        pair = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(pair)
        for word, parts in pieces.items():
            merged, at = [], 0
            while at < len(parts):
                if tuple(parts[at : at + 2]) == pair:
                    merged.append(parts[at] + parts[at + 1])
                    at += 2
                else:
                    merged.append(parts[at])
                    at += 1
            pieces[word] = merged
    return merges


def vocabulary():
    """The tokens, their types, the merges, and which tokens are fit to be sampled."""
    characters = byte_characters()
    merges = learned_merges(characters)
    special = [END_OF_TEXT, START, END]
    tokens = characters + list(dict.fromkeys(a + b for a, b in merges)) + special
    types = [gguf.TokenType.NORMAL] * (len(tokens) - len(special)) + [gguf.TokenType.CONTROL] * len(special)
    text = {characters[byte] for byte in [ord("\n"), *range(ord(" "), ord("~") + 1)]}
    fit = [token == END or (token not in special and set(token) <= text) for token in tokens]
    return tokens, types, [f"{a} {b}" for a, b in merges], numpy.array(fit)


def tensors(fit):
    """Random weights. The first dimension of the hidden state is the same for every token and no
    layer writes to it, so that the output weights can use it to keep unfit tokens from being said."""
    random = numpy.random.default_rng(20260101)

    def matrix(rows, columns, scale=1.0):
        values = random.standard_normal((rows, columns)) * scale / numpy.sqrt(columns)
        return values.astype(numpy.float32)

    ones = numpy.ones(HIDDEN, dtype=numpy.float32)
    kv = HIDDEN // HEADS * KV_HEADS
    embedding = matrix(len(fit), HIDDEN, scale=8.0)
    embedding[:, 0] = 4.0
    output = matrix(len(fit), HIDDEN, scale=4.0)
    output[:, 0] = numpy.where(fit, 0.0, -100.0)
    yield "token_embd.weight", embedding
    for layer in range(LAYERS):
        attention, down = matrix(HIDDEN, HIDDEN), matrix(HIDDEN, FEED_FORWARD)
        attention[0, :] = down[0, :] = 0.0
        name = f"blk.{layer}"
        yield f"{name}.attn_norm.weight", ones
        yield f"{name}.attn_q.weight", matrix(HIDDEN, HIDDEN)
        yield f"{name}.attn_k.weight", matrix(kv, HIDDEN)
        yield f"{name}.attn_v.weight", matrix(kv, HIDDEN)
        yield f"{name}.attn_output.weight", attention
        yield f"{name}.ffn_norm.weight", ones
        yield f"{name}.ffn_gate.weight", matrix(FEED_FORWARD, HIDDEN)
        yield f"{name}.ffn_up.weight", matrix(FEED_FORWARD, HIDDEN)
        yield f"{name}.ffn_down.weight", down
    yield "output_norm.weight", ones
    yield "output.weight", output


def write(path):
    """Writes the model to `path`, which has it whole or not at all."""
    tokens, types, merges, fit = vocabulary()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    writer = gguf.GGUFWriter(partial, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index(END))
    writer.add_pad_token_id(tokens.index(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, tensor in tensors(fit):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(partial, path)


def main():
    parser = argparse.ArgumentParser(description="Write a tiny llama model with random weights.")
    parser.add_argument("path", type=pathlib.Path, help="the GGUF file to write")
    write(parser.parse_args().path)


if __name__ == "__main__":
    main()
