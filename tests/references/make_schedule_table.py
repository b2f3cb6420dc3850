#!/usr/bin/python3
"""Makes schedule_table.safetensors: the values of every schedule at steps 0 ... 60, by PyTorch 1.13 where it has it, else by
the published formula, in plain Python:
    /usr/bin/python3 tests/references/make_schedule_table.py
"""
import math

import numpy as np
import torch

from make import write

L = torch.optim.lr_scheduler
STEPS = 61


def torchs(make, lr=0.1, option="lr", momentum=0.9, steps=STEPS):
    """The option after each step of a PyTorch schedule; by its closed form, where it has one."""
    p = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=lr, momentum=momentum)
    schedule = make(optimizer)
    seen = []
    for _ in range(steps):
        closed = hasattr(schedule, "_get_closed_form_lr") and option == "lr"
        seen.append(schedule._get_closed_form_lr()[0] if closed else optimizer.param_groups[0][option])
        optimizer.step()
        schedule.step()
    return seen + [seen[-1]] * (STEPS - steps)


def formula(f, lr=0.1):
    return [lr * f(t) for t in range(STEPS)]



def clip(x):
    return min(1.0, max(0.0, x))


def half_cosine(p):
    return 0.5 * (1 + math.cos(math.pi * p))


# Hugging Face, transformers/optimization.py
def hf_inverse_sqrt(t, W, tau):
    return t / W if t < W else 1 / math.sqrt((t + tau - W) / tau)


def hf_linear(t, W, T):
    return t / W if t < W else max(0.0, (T - t) / (T - W))


def hf_cosine(t, W, T, cycles):
    return t / W if t < W else max(0.0, 0.5 * (1 + math.cos(math.pi * cycles * 2 * (t - W) / (T - W))))


def hf_hard(t, W, T, cycles):
    if t < W:
        return t / W
    p = (t - W) / (T - W)
    return 0.0 if p >= 1 else max(0.0, 0.5 * (1 + math.cos(math.pi * ((cycles * p) % 1.0))))


def hf_wsd(t, W, S, D, up, down, r):
    ups = {"linear": lambda p: p, "cosine": lambda p: 0.5 * (1 - math.cos(math.pi * p)), "late": lambda p: 1 - math.sqrt(1 - p)}
    downs = {"linear": lambda p: 1 - p, "cosine": half_cosine, "sqrt": lambda p: 1 - math.sqrt(p), "square": lambda p: 1 - p * p}
    if t < W:
        return ups[up](t / W) * (1 - r) + r
    if t < W + S:
        return 1.0
    if t < W + S + D:
        return downs[down]((t - W - S) / D) * (1 - r) + r
    return r


# Keras, optimizers/schedules/learning_rate_schedule.py
def keras_polynomial(t, lr, T, end, power, cycle):
    if cycle:
        T = T * (1 if t == 0 else math.ceil(t / T))
    else:
        t = min(t, T)
    return (lr - end) * (1 - t / T) ** power + end


def keras_restarts(t, T, t_mul, m_mul, alpha):
    done = t / T
    if t_mul == 1:
        i = math.floor(done)
        done -= i
    else:
        i = 0
        length = 1
        while done >= length:
            done -= length
            length *= t_mul
            i += 1
        done /= length
    return (1 - alpha) * m_mul ** i * 0.5 * (1 + math.cos(math.pi * done)) + alpha


def optax_interpolate(t, points, kind):
    """optax.piecewise_interpolate_schedule, over values."""
    if t <= points[0][0]:
        return points[0][1]
    for (a, x), (b, y) in zip(points, points[1:]):
        if t < b:
            p = (t - a) / (b - a)
            return x + (y - x) * p if kind == "linear" else y + (x - y) / 2 * (math.cos(math.pi * p) + 1)
    return points[-1][1]


rows = {
    "step_decay": torchs(lambda o: L.StepLR(o, 7, 0.5)),
    "multistep_decay": torchs(lambda o: L.MultiStepLR(o, [30, 4, 9, 9], 0.5)),
    "constant": torchs(lambda o: L.ConstantLR(o, 0.25, 6)),
    "warmup": torchs(lambda o: L.LinearLR(o, 0.2, 0.9, 12)),
    "exponential_decay": torchs(lambda o: L.ExponentialLR(o, 0.93)),
    "polynomial_decay": torchs(lambda o: L.PolynomialLR(o, 40, 1.5)),
    "cosine": torchs(lambda o: L.CosineAnnealingLR(o, 25, 0.003)),
    "cosine_restarts": torchs(lambda o: L.CosineAnnealingWarmRestarts(o, 8, 1, 0.002)),
    "cosine_restarts of growing length": torchs(lambda o: L.CosineAnnealingWarmRestarts(o, 3, 2, 0.002)),
    "cyclic triangular": torchs(lambda o: L.CyclicLR(o, 0.1, 0.7, 6, 4)),
    "cyclic triangular2": torchs(lambda o: L.CyclicLR(o, 0.1, 0.7, 5, mode="triangular2")),
    "cyclic exp_range": torchs(lambda o: L.CyclicLR(o, 0.1, 0.7, 6, 9, mode="exp_range", gamma=0.97)),
    "cyclic momentum": torchs(lambda o: L.CyclicLR(o, 0.1, 0.7, 6, 4), option="momentum"),
    "one_cycle": torchs(lambda o: L.OneCycleLR(o, 0.1, 52), steps=52),
    "one_cycle linear": torchs(lambda o: L.OneCycleLR(o, 0.1, 45, pct_start=0.37, anneal_strategy="linear", div_factor=10,
                                                      final_div_factor=100), steps=45),
    "one_cycle three phases": torchs(lambda o: L.OneCycleLR(o, 0.1, 61, three_phase=True)),
    "one_cycle_momentum": torchs(lambda o: L.OneCycleLR(o, 0.1, 52), option="momentum", steps=52),
    "one_cycle_momentum three phases": torchs(lambda o: L.OneCycleLR(o, 0.1, 61, three_phase=True, anneal_strategy="linear"),
                                              option="momentum"),
    "anneal": torchs(lambda o: torch.optim.swa_utils.SWALR(o, 0.02, 15)),
    "anneal linear": torchs(lambda o: torch.optim.swa_utils.SWALR(o, 0.3, 12, "linear")),
    "sequence": torchs(lambda o: L.SequentialLR(o, [L.LinearLR(o, 0.1, total_iters=5), L.CosineAnnealingLR(o, 20)], [5])),
    "product": torchs(lambda o: L.ChainedScheduler([L.LinearLR(o, 0.1, total_iters=5), L.ExponentialLR(o, 0.9)])),
    "of one's own": torchs(lambda o: L.LambdaLR(o, lambda t: 1 / (1 + 0.3 * t))),
    "MultiplicativeLR": torchs(lambda o: L.MultiplicativeLR(o, lambda t: 0.9 + 0.05 * (t % 3))),
    "exponential_decay by steps": formula(lambda t: 0.5 ** (t / 7)),
    "exponential_decay by stairs": formula(lambda t: 0.5 ** math.floor(t / 7)),
    "polynomial_decay to an end": [keras_polynomial(t, 0.1, 40, 0.01, 2, False) for t in range(STEPS)],
    "polynomial_decay in cycles": [keras_polynomial(t, 0.1, 13, 0.01, 1, True) for t in range(STEPS)],
    "inverse_time_decay": formula(lambda t: 1 / (1 + 0.4 * t / 6)),
    "inverse_time_decay by stairs": formula(lambda t: 1 / (1 + 0.4 * math.floor(t / 6))),
    "inverse_sqrt_decay": formula(lambda t: hf_inverse_sqrt(t, 9, 9)),
    "inverse_sqrt_decay of a timescale": formula(lambda t: hf_inverse_sqrt(t, 9, 20)),
    "power_decay": formula(lambda t: 1 / (1 + t) ** 0.7),
    "power_decay of an offset": formula(lambda t: 10 ** 0.55 * (10 + t) ** -0.55),
    "rex_decay": [(0.1 - 0.004) * (1 - clip(t / 50)) / (1 - clip(t / 50) / 2) + 0.004 for t in range(STEPS)],
    "noam": [64 ** -0.5 * min((t + 1) ** -0.5, (t + 1) * 20 ** -1.5) for t in range(STEPS)],
    "demon": [0.9 * (1 - clip(t / 50)) / ((1 - 0.9) + 0.9 * (1 - clip(t / 50))) for t in range(STEPS)],
    "linear warm-up and decay": formula(lambda t: hf_linear(t, 10, 50)),
    "warm-up and cosine": formula(lambda t: hf_cosine(t, 10, 61, 0.5)),
    "warm-up and cosines": formula(lambda t: hf_cosine(t, 10, 50, 1.5)),
    "cosine_cycles": formula(lambda t: hf_hard(t, 10, 50, 3)),
    "restarts that fall": formula(lambda t: keras_restarts(t, 9, 1, 0.7, 0.02)),
    "restarts that fall and grow": formula(lambda t: keras_restarts(t, 4, 3, 0.7, 0.02)),
    "warmup_stable_decay": formula(lambda t: hf_wsd(t, 8, 20, 25, "linear", "sqrt", 0.0)),
    "warmup_stable_decay by cosines": formula(lambda t: hf_wsd(t, 8, 20, 25, "cosine", "cosine", 0.1)),
    "warmup_stable_decay, late and square": formula(lambda t: hf_wsd(t, 8, 20, 25, "late", "square", 0.05)),
    "piecewise": formula(lambda t: 1.0 if t < 10 else 0.4 if t < 33 else 0.05),
    "piecewise linear": formula(lambda t: optax_interpolate(t, [(0, 1 / 25), (15, 1), (42, 1 / 25), (50, 1 / 25e4)], "linear")),
    "piecewise cosine": formula(lambda t: optax_interpolate(t, [(0, 1 / 25), (15, 1), (50, 1 / 25e4)], "cosine")),
}


def plateaus():
    """Rates after each value of a loss that falls, stops, jumps and is once not a number."""
    random = np.random.RandomState(5)
    values = np.concatenate([np.exp(-np.arange(20) / 6) + 0.05 * random.standard_normal(20), 0.04 + 0.002 * random.standard_normal(41)])
    values[30] = np.nan
    out = {"plateau.values": values}
    for name, options in {
        "defaults": {},
        "cooldown": dict(factor=0.5, patience=2, cooldown=3, threshold=1e-3),
        "absolute": dict(factor=0.3, patience=1, threshold=0.01, threshold_mode="abs", min_lr=0.004),
        "greater": dict(mode="max", factor=0.7, patience=3, threshold=0.05),
    }.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        schedule = L.ReduceLROnPlateau(optimizer, **options)
        seen = []
        for v in values:
            schedule.step(v)
            seen.append(optimizer.param_groups[0]["lr"])
        out["plateau." + name] = np.array(seen)
    return out


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    write("schedule_table", {**{k: np.array(v, np.float64) for k, v in rows.items()}, **plateaus()})
