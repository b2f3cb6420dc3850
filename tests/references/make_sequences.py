#!/usr/bin/python3
"""Makes sequences.safetensors, the reference numbers of recurrent layers, attention and transformers, with PyTorch (made with 1.13):
    /usr/bin/python3 tests/references/make_sequences.py
Each row has a state dict, inputs, outputs, and the gradients of sum(c y) over the outputs y, for all of them. All was computed in f64; what
f32 holds (states, inputs, c) is kept in it.
"""
import math

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from make import write

out = {}
random = np.random.RandomState(17)
torch.set_default_dtype(torch.float64)


def draw(*shape, scale=1.0):
    return torch.from_numpy((scale * random.standard_normal(shape)).astype(np.float32).astype(np.float64))


def add(name, call, inputs, module=None):
    """call(*inputs) gives outputs; integers and booleans among the inputs have no gradient."""
    state = {}
    if module is not None:
        for p in module.parameters():
            p.data = draw(*p.shape, scale=0.5)
        state = dict(module.named_parameters())
        assert list(state) == list(module.state_dict())
    inputs = [x.requires_grad_() if x.is_floating_point() else x for x in inputs]
    outputs = call(*inputs)
    cotangents = [draw(*y.shape) for y in outputs]
    leaves = [x for x in inputs if x.requires_grad] + list(state.values())
    grads = iter(torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True))
    for i, x in enumerate(inputs):
        out[f"{name}/in.{i}"] = x
        if x.requires_grad:
            out[f"{name}/gin.{i}"] = next(grads)
    for key, p in state.items():
        g = next(grads)
        out[f"{name}/state.{key}"], out[f"{name}/gstate.{key}"] = p, torch.zeros_like(p) if g is None else g
    for i, (y, c) in enumerate(zip(outputs, cotangents)):
        out[f"{name}/out.{i}"], out[f"{name}/c.{i}"] = y, c


def flat(result):
    """(output, hidden) or (output, (hidden, cell))"""
    y, last = result
    return [y, *(last if isinstance(last, tuple) else (last,))]


def packed(layer, x, lengths, *state):
    start = None if not state else state[0] if len(state) == 1 else tuple(state)
    y, last = layer(pack_padded_sequence(x, lengths, batch_first=layer.batch_first, enforce_sorted=False), start)
    y, _ = pad_packed_sequence(y, batch_first=layer.batch_first, total_length=x.shape[1 if layer.batch_first else 0])
    return flat((y, last))


def recurrent():
    t, b, i, h = 5, 3, 3, 4
    lengths = torch.tensor([2, 5, 1])
    for name, kind in (("RNN", nn.RNN), ("GRU", nn.GRU), ("LSTM", nn.LSTM)):
        states = 2 if name == "LSTM" else 1
        add(name, lambda x: flat(layer(x)), [draw(t, b, i)], layer := kind(i, h))
        add(name + " unbatched", lambda x: flat(layer(x)), [draw(t, i)], layer := kind(i, h, batch_first=True))
        deep = kind(i, h, num_layers=2, bidirectional=True, batch_first=True)
        start = [draw(4, b, h) for _ in range(states)]
        add(name + " deep", lambda x, *s: flat(layer(x, s if states == 2 else s[0])), [draw(b, t, i), *start], layer := deep)
        add(name + " no bias", lambda x: flat(layer(x)), [draw(t, b, i)], layer := kind(i, h, bias=False, num_layers=2))
        add(name + " lengths", lambda x, n: packed(layer, x, n), [draw(t, b, i), lengths], layer := kind(i, h))
        deep = kind(i, h, num_layers=2, bidirectional=True, batch_first=True)
        add(name + " deep lengths", lambda x, n, *s: packed(layer, x, n, *s), [draw(b, t, i), lengths, *[s.detach() for s in start]],
            layer := deep)
    add("RNN relu", lambda x: flat(layer(x)), [draw(t, b, i)], layer := nn.RNN(i, h, nonlinearity="relu"))
    add("LSTM projection", lambda x, hx, cx: flat(layer(x, (hx, cx))), [draw(t, b, i), draw(4, b, 2), draw(4, b, h)],
        layer := nn.LSTM(i, h, num_layers=2, bidirectional=True, proj_size=2))
    for name, kind in (("RNNCell", nn.RNNCell), ("GRUCell", nn.GRUCell)):
        add(name, lambda x, s: [cell(x, s)], [draw(b, i), draw(b, h)], cell := kind(i, h))
        add(name + " unbatched", lambda x: [cell(x)], [draw(i)], cell := kind(i, h, bias=False))
    add("RNNCell relu", lambda x, s: [cell(x, s)], [draw(b, i), draw(b, h)], cell := nn.RNNCell(i, h, nonlinearity="relu"))
    add("LSTMCell", lambda x, s, c: cell(x, (s, c)), [draw(b, i), draw(b, h), draw(b, h)], cell := nn.LSTMCell(i, h))
    add("LSTMCell unbatched", lambda x: cell(x), [draw(i)], cell := nn.LSTMCell(i, h, bias=False))


def attend(q, k, v, mask=None, scale=None):
    """By the formula; boolean masks are true where a key takes part, and a row that is masked all over gives 0."""
    scores = q @ k.transpose(-1, -2) * (scale or 1 / math.sqrt(q.shape[-1]))
    if mask is None:
        return [scores.softmax(-1) @ v]
    allowed = mask if mask.dtype == torch.bool else mask > -math.inf
    if mask.dtype != torch.bool:
        scores = scores + mask.masked_fill(~allowed, 0)
    scores = scores.masked_fill(~allowed, -math.inf)
    some = allowed.any(-1, keepdim=True)
    weights = scores.masked_fill(~some, 0).softmax(-1).masked_fill(~some, 0)
    return [weights @ v]


def attention():
    b, h, l, s, d = 2, 2, 3, 4, 5
    qkv = lambda: [draw(b, h, l, d), draw(b, h, s, d), draw(b, h, s, 3)]
    some = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]).bool()
    added = draw(b, 1, l, s)
    added[0, 0, 1], added[1, 0, 2, 1:] = -math.inf, -math.inf
    causal = torch.ones(l, s).tril().bool()
    add("attention", attend, qkv())
    add("attention matrices", attend, [draw(l, d), draw(s, d), draw(s, d)])
    add("attention boolean", attend, [*qkv(), some])
    add("attention added", attend, [*qkv(), added])
    add("attention causal", lambda q, k, v: attend(q, k, v, causal), qkv())
    add("attention causal boolean", lambda q, k, v, m: attend(q, k, v, m & causal), [*qkv(), some])
    add("attention scale", lambda q, k, v: attend(q, k, v, scale=0.3), qkv())


def multihead():
    b, l, s, e = 2, 3, 4, 6
    keep_out = torch.tensor([[0, 0, 1, 0], [1, 0, 0, 1]]).bool()
    pairs = torch.tensor([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()
    add("MHA", lambda x: list(m(x, x, x)), [draw(l, b, e)], m := nn.MultiheadAttention(e, 2))
    add("MHA three", lambda q, k, v: list(m(q, k, v)), [draw(b, l, e), draw(b, s, e), draw(b, s, e)],
        m := nn.MultiheadAttention(e, 3, batch_first=True, bias=False))
    add("MHA widths", lambda q, k, v: list(m(q, k, v, average_attn_weights=False)), [draw(l, b, e), draw(s, b, 5), draw(s, b, 3)],
        m := nn.MultiheadAttention(e, 2, kdim=5, vdim=3))
    add("MHA masks", lambda q, k, p, a: list(m(q, k, k, key_padding_mask=p, attn_mask=a)), [draw(b, l, e), draw(b, s, e), keep_out, pairs],
        m := nn.MultiheadAttention(e, 2, batch_first=True))
    add("MHA added", lambda q, k, a: list(m(q, k, k, attn_mask=a, average_attn_weights=False)), [draw(l, b, e), draw(s, b, e), draw(2 * b, l, s)],
        m := nn.MultiheadAttention(e, 2))
    add("MHA unbatched", lambda q, k, p: list(m(q, k, k, key_padding_mask=p)), [draw(l, e), draw(s, e), keep_out[0].clone()],
        m := nn.MultiheadAttention(e, 2, batch_first=True))
    later = torch.ones(l, l).triu(1).bool()
    add("MHA causal", lambda x: list(m(x, x, x, attn_mask=later)), [draw(l, b, e)], m := nn.MultiheadAttention(e, 1))


def transformers():
    b, l, s, e, f = 2, 3, 4, 4, 6
    options = dict(dim_feedforward=f, dropout=0.0)
    keep_out = torch.tensor([[0, 0, 1, 0], [1, 0, 0, 0]]).bool()
    later = lambda n: torch.ones(n, n).triu(1).bool()
    add("encoder layer", lambda x: [m(x)], [draw(s, b, e)], m := nn.TransformerEncoderLayer(e, 2, **options))
    add("encoder layer pre-norm", lambda x, p: [m(x, later(s), p)], [draw(b, s, e), keep_out],
        m := nn.TransformerEncoderLayer(e, 2, activation="gelu", norm_first=True, batch_first=True, layer_norm_eps=1e-3, **options))
    add("encoder layer unbatched", lambda x: [m(x)], [draw(s, e)], m := nn.TransformerEncoderLayer(e, 1, batch_first=True, **options))
    add("decoder layer", lambda x, y: [m(x, y)], [draw(l, b, e), draw(s, b, e)], m := nn.TransformerDecoderLayer(e, 2, **options))
    add("decoder layer pre-norm", lambda x, y, p: [m(x, y, tgt_mask=later(l), memory_key_padding_mask=p)], [draw(b, l, e), draw(b, s, e), keep_out],
        m := nn.TransformerDecoderLayer(e, 2, activation="gelu", norm_first=True, batch_first=True, **options))
    add("encoder", lambda x, p: [m(x, src_key_padding_mask=p)], [draw(s, b, e), keep_out],
        m := nn.TransformerEncoder(nn.TransformerEncoderLayer(e, 2, **options), 2, nn.LayerNorm(e)))
    add("decoder", lambda x, y: [m(x, y, tgt_mask=later(l))], [draw(b, l, e), draw(b, s, e)],
        m := nn.TransformerDecoder(nn.TransformerDecoderLayer(e, 2, batch_first=True, **options), 2))
    add("transformer", lambda x, y, p: [m(x, y, tgt_mask=later(l), src_key_padding_mask=p, memory_key_padding_mask=p)],
        [draw(b, s, e), draw(b, l, e), keep_out],
        m := nn.Transformer(e, 2, num_encoder_layers=1, num_decoder_layers=2, batch_first=True, activation="gelu", **options))


def positions():
    length, width = 7, 6
    for n in (width, width - 1):
        t, pairs = torch.arange(length)[:, None], torch.exp(torch.arange(0, n, 2) * (-math.log(10000.0) / n))
        table = torch.zeros(length, n)
        table[:, 0::2], table[:, 1::2] = torch.sin(t * pairs), torch.cos(t * pairs[:n // 2])
        out[f"sinusoidal {n}"] = table

    def turn(x, base, offset, interleaved):
        n = x.shape[-1]
        angle = torch.arange(offset, offset + x.shape[-2])[:, None] * base ** (-2 * torch.arange(n // 2) / n)
        pairs = x.unflatten(-1, (-1, 2)) if interleaved else torch.stack(x.chunk(2, -1), -1)
        turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angle), angle))
        return [turned.flatten(-2) if interleaved else torch.cat(turned.unbind(-1), -1)]

    add("rotary", lambda x: turn(x, 10000.0, 0, True), [draw(2, 3, length, width)])
    add("rotary halves", lambda x: turn(x, 500.0, 3, False), [draw(length, width)])


if __name__ == "__main__":
    recurrent()
    attention()
    multihead()
    transformers()
    positions()
    narrow = {k: v.detach().float() if v.is_floating_point() else v for k, v in out.items()}
    write("sequences", {k: narrow[k] if bool((narrow[k] == v).all()) else v for k, v in out.items()})
