"""The same, of all parameters of a group: each member has p, g and s; the group's own state is `shared`, t its steps."""
import numpy as np

from formulas_of_numbers import DEFAULTS, adam_step, ema

GROUPS = {}


def formula(**defaults):
    def keep(f):
        GROUPS[f.__name__], DEFAULTS[f.__name__] = f, defaults
        return f
    return keep


def flat(arrays):
    return np.concatenate([np.reshape(a, -1) for a in arrays])


def one_vector(f):
    """f of the group as one vector: p, g, and a function that reads and writes state by name."""
    def of_all(o, shared, members, t):
        p, g = flat([x.p for x in members]), flat([x.g for x in members])

        def state(key, first=None, value=None):
            if value is None:
                return flat([x.s.get(key, x.p if first == "p" else 0 * x.p) for x in members])
            at = 0
            for x in members:
                x.s[key] = value[at:at + x.p.size].reshape(x.p.shape)
                at += x.p.size
            return value

        after, out, at = f(o, shared, p, g, state, t), [], 0
        for x in members:
            out.append(after[at:at + x.p.size].reshape(x.p.shape))
            at += x.p.size
        return out
    of_all.__name__ = f.__name__
    return of_all


@formula(lr=1, beta1=0.9, beta2=0.999, beta3=None, eps=1e-8, weight_decay=0, d0=1e-6, d_coef=1, use_bias_correction=False,
         safeguard_warmup=False)
@one_vector
def Prodigy(o, shared, p, g, state, t):
    beta3 = o.beta3 or o.beta2 ** 0.5
    d = shared.get("d", o.d0)
    dlr = d * o.lr * (np.sqrt(1 - o.beta2 ** t) / (1 - o.beta1 ** t) if o.use_bias_correction else 1)
    start = state("p0", value=state("p0", first="p"))
    shared["numerator"] = shared.get("numerator", 0) * beta3 + d / o.d0 * dlr * np.dot(g, start - p)
    m = state("m", value=state("m") * o.beta1 + g * d * (1 - o.beta1))
    v = state("v", value=state("v") * o.beta2 + g * g * d * d * (1 - o.beta2))
    s = state("s", value=state("s") * beta3 + d / o.d0 * (d if o.safeguard_warmup else dlr) * g)
    shared["d"] = max(d, o.d_coef * shared["numerator"] / np.sum(np.abs(s)))
    p = p - o.weight_decay * dlr * p
    return p - dlr * m / (np.sqrt(v) + shared["d"] * o.eps)


@formula(lr=1, momentum=0, weight_decay=0, d0=1e-6)
@one_vector
def DAdaptSGD(o, shared, p, g, state, t):
    start = state("x0", value=state("x0", first="p"))
    g = g + o.weight_decay * p
    d = shared.get("d", o.d0)
    rate = d * o.lr / shared.setdefault("g0", np.sqrt(np.sum(g * g)))
    s = state("s")
    shared["numerator"] = shared.get("numerator", 0) + rate * np.dot(g, s)
    s = state("s", value=s + rate * g)
    shared["d"] = max(d, 2 * shared["numerator"] / np.sqrt(np.sum(s * s)))
    return p * o.momentum + (start - s) * (1 - o.momentum)


@formula(lr=1, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0, d0=1e-6)
@one_vector
def DAdaptAdam(o, shared, p, g, state, t):
    root = o.beta2 ** 0.5
    d = shared.get("d", o.d0)
    rate = d * o.lr
    s, v = state("s"), state("v")
    shared["numerator"] = root * shared.get("numerator", 0) + (1 - root) * rate * np.dot(g, s / (np.sqrt(v) + o.eps))
    m = state("m", value=o.beta1 * state("m") + rate * (1 - o.beta1) * g)
    v = state("v", value=o.beta2 * v + (1 - o.beta2) * g * g)
    s = state("s", value=root * s + rate * (1 - root) * g)
    shared["d"] = max(d, shared["numerator"] / ((1 - root) * np.sum(np.abs(s))))
    return p - p * o.weight_decay * rate - m / (np.sqrt(v) + o.eps)


@formula(lr=1, reps_rel=1e-6, eps=1e-8)
@one_vector
def DoG(o, shared, p, g, state, t):
    start = state("x0", value=state("x0", first="p"))
    if "r" not in shared:
        shared["r"] = o.reps_rel * (1 + np.linalg.norm(p))
    shared["r"] = max(shared["r"], np.linalg.norm(p - start))
    shared["G"] = shared.get("G", o.eps) + np.dot(g, g)
    return p - o.lr * shared["r"] / np.sqrt(shared["G"]) * g


@formula(lr=1, eps=1e-4)
@one_vector
def DoWG(o, shared, p, g, state, t):
    start = state("x0", value=state("x0", first="p"))
    shared["r"] = max(shared.get("r", o.eps), np.dot(p - start, p - start))
    shared["v"] = shared.get("v", 0) + shared["r"] * np.dot(g, g)
    return p - o.lr * shared["r"] / (np.sqrt(shared["v"]) + o.eps) * g


@formula(lr=1)
@one_vector
def WNGrad(o, shared, p, g, state, t):
    b = shared.get("b", 1)
    shared["b"] = b + o.lr ** 2 * np.dot(g, g) / b
    return p - o.lr / shared["b"] * g


@formula(lr=1, c=1, f_min=0, eps=0, batches_per_epoch=0)
@one_vector
def Polyak(o, shared, p, g, state, t):
    squares = np.dot(g, g)
    rate = min(max(o.loss - o.f_min, 0) / (o.c * squares + o.eps), o.lr) if squares > np.finfo(float).eps else 0
    if o.batches_per_epoch:
        rate = min(rate, 2 ** (1 / o.batches_per_epoch) * shared.get("rate", 1))
    shared["rate"] = rate
    return p - rate * g


@formula(lr=1e-3, beta1=0.9, beta2=0.999, beta3=0.999, clip=10, eps=1e-8, f_min=0)
def Eve(o, shared, members, t):
    f, before = o.loss - o.f_min, shared.get("f")
    shared["f"] = f
    if before is not None:
        ratio = abs(f - before) / (min(f, before) + o.eps)
        shared["d"] = o.beta3 * shared["d"] + (1 - o.beta3) * min(max(ratio, 1 / o.clip), o.clip)
    else:
        shared["d"] = 1
    out = []
    for x in members:
        x.s["t"] = x.s.get("t", 0) + 1
        out.append(x.p - o.lr / shared["d"] * adam_step(o, x.s, x.g, x.s["t"]))
    return out


@formula(lr=1, beta=0.9, f_min=0, weight_decay=0)
def MoMo(o, shared, members, t):
    def mean(of, key, x):
        of[key] = o.beta * of[key] + (1 - o.beta) * x if key in of else x
        return of[key]

    f = mean(shared, "f", o.loss)
    m = [mean(x.s, "m", x.g) for x in members]
    lines = f - sum(mean(x.s, "c", np.sum(x.g * x.p)) for x in members)
    shrink = 1 + o.lr * o.weight_decay
    wanted = shrink * (lines - o.f_min) + sum(np.sum(a * x.p) for a, x in zip(m, members))
    rate = min(o.lr, max(wanted, 0) / sum(np.sum(a * a) for a in m))
    return [(x.p - rate * a) / shrink for a, x in zip(m, members)]


@formula(lr=1e-2, beta1=0.9, beta2=0.999, eps=1e-8, f_min=0, weight_decay=0)
def MoMoAdam(o, shared, members, t):
    shared["f"] = o.beta1 * shared.get("f", 0) + (1 - o.beta1) * o.loss
    shrink, below, above, squares, moves = 1 + o.lr * o.weight_decay, 0, 0, 0, []
    for x in members:
        x.s["t"] = x.s.get("t", 0) + 1
        hat = 1 - o.beta1 ** x.s["t"]
        m = ema(x.s, "m", o.beta1, x.g) / hat
        d = np.sqrt(ema(x.s, "v", o.beta2, x.g ** 2) / (1 - o.beta2 ** x.s["t"])) + o.eps
        below = below + ema(x.s, "c", o.beta1, np.sum(x.g * x.p)) / hat
        above, squares = above + np.sum(m * x.p), squares + np.sum(m * m / d)
        moves.append(m / d)
    wanted = shrink * (shared["f"] / (1 - o.beta1 ** t) - o.f_min - below) + above
    rate = min(o.lr, max(wanted, 0) / squares)
    return [(x.p - rate * u) / shrink for u, x in zip(moves, members)]
