#!/usr/bin/python3
"""Makes around.safetensors: 100 steps of what stands around an optimizer, in f64, on a small net. The optimizers are PyTorch's
(1.13), clipping by norm and value and the averages too; the rest are transcriptions of the published formulas or programs:
    /usr/bin/python3 tests/references/make_around.py
"""
import math

import numpy as np
import torch

from make import draw, write

STEPS, SEEN = 100, (1, 7, 50, 100)
NAMES = ("weight", "bias", "scale")
start = {"weight": draw(70, 3, 4), "bias": draw(71, 3), "scale": torch.tensor(0.7, dtype=torch.float64)}
x, y = draw(72, 20, 4), draw(73, 20, 3)


def loss_of(p, t):
    """Mini-batches of five rows, of the t-th step from 0; steep, so that clipping clips."""
    rows = slice(5 * (t % 4), 5 * (t % 4) + 5)
    return 3 * ((torch.tanh(x[rows] @ p["weight"].T + p["bias"]) * p["scale"] - y[rows]) ** 2).sum()


class Run:
    def __init__(self, make, keep=NAMES):
        self.p = {n: start[n].clone().requires_grad_() for n in NAMES}
        self.list = list(self.p.values())
        self.optimizer = make(self.list)

    def gradients(self, t):
        self.optimizer.zero_grad(set_to_none=True)
        loss_of(self.p, t).backward()

    def values(self):
        return torch.cat([v.detach().reshape(-1) for v in self.list]).clone()


def sgd(p):
    return torch.optim.SGD(p, lr=0.004, momentum=0.8)


def adam(p):
    return torch.optim.Adam(p, lr=0.02)


def plain(run, t):
    run.gradients(t)
    run.optimizer.step()


def changed(f):
    """Steps with gradients f(list of parameters, list of gradients, t) -> list."""
    def step(run, t):
        run.gradients(t)
        for p, g in zip(run.list, f(run.list, [p.grad for p in run.list], t)):
            p.grad = g
        run.optimizer.step()
    return step


def clip_norm(most, kind=2.0):
    def step(run, t):
        run.gradients(t)
        torch.nn.utils.clip_grad_norm_(run.list, most, kind)
        run.optimizer.step()
    return step


def clip_each(most):
    def step(run, t):
        run.gradients(t)
        for p in run.list:
            torch.nn.utils.clip_grad_norm_([p], most)
        run.optimizer.step()
    return step


def clip_value(most):
    def step(run, t):
        run.gradients(t)
        torch.nn.utils.clip_grad_value_(run.list, most)
        run.optimizer.step()
    return step


# timm/utils/agc.py
def unitwise(v):
    return v.norm(2.0) if v.ndim <= 1 else v.norm(2.0, dim=tuple(range(1, v.ndim)), keepdim=True)


def agc(clip, eps):
    def f(ps, gs, t):
        out = []
        for p, g in zip(ps, gs):
            most = unitwise(p.detach()).clamp(min=eps) * clip
            norm = unitwise(g)
            out.append(torch.where(norm < most, g, g * (most / norm.clamp(min=1e-6))))
        return out
    return changed(f)


# Yong et al. 2020, and optax.centralize
centralize = changed(lambda ps, gs, t: [g - g.mean(dim=tuple(range(1, g.ndim)), keepdim=True) if g.ndim > 1 else g for g in gs])


def accumulate(k, mean):
    """The t-th step is of the micro-batches k t ... k t + k - 1."""
    def step(run, t):
        total = None
        for i in range(k):
            run.gradients(k * t + i)
            now = [p.grad for p in run.list]
            total = now if total is None else [a + b for a, b in zip(total, now)]
        for p, g in zip(run.list, total):
            p.grad = g / k if mean else g
        run.optimizer.step()
    return step


class Lookahead:
    """Zhang et al. 2019, algorithm 1."""
    def __init__(self, k, alpha, inner=plain):
        self.k, self.alpha, self.inner = k, alpha, inner

    def __call__(self, run, t):
        if t == 0:
            self.slow = [p.detach().clone() for p in run.list]
        self.inner(run, t)
        if (t + 1) % self.k == 0:
            for p, s in zip(run.list, self.slow):
                s += self.alpha * (p.detach() - s)
                p.data.copy_(s)

    def judged(self, run):
        return torch.cat([s.reshape(-1) for s in self.slow])


class Averaged:
    """torch.optim.swa_utils.AveragedModel, over steps for which when(t)."""
    def __init__(self, average=None, when=lambda t: True, inner=plain):
        self.average, self.when, self.inner = average, when, inner

    def __call__(self, run, t):
        if t == 0:
            self.model = torch.nn.ParameterList([torch.nn.Parameter(p) for p in run.list])
            self.copy = torch.optim.swa_utils.AveragedModel(self.model, avg_fn=self.average)
            self.any = False
        self.inner(run, t)
        if self.when(t + 1):
            for own, p in zip(self.model, run.list):
                own.data.copy_(p.data)
            self.copy.update_parameters(self.model)
            self.any = True

    def judged(self, run):
        if not self.any:
            return run.values()
        return torch.cat([p.detach().reshape(-1) for p in self.copy.module])


class Debiased:
    """optax.ema with debias."""
    def __init__(self, decay):
        self.decay, self.a, self.t = decay, 0, 0

    def __call__(self, run, t):
        plain(run, t)
        self.a = self.decay * self.a + (1 - self.decay) * run.values()
        self.t += 1

    def judged(self, run):
        return self.a / (1 - self.decay ** self.t)


def timm_decay(decay, power):
    def average(a, p, n):  # n: averages so far; the (n + 1)-th update, whose warm-up has n steps behind it
        d = min(decay, 1 - (1 + float(n)) ** -power)
        return d * a + (1 - d) * p
    return average


def sam(rho, adaptive, eta=0.0, after=lambda run: None):
    """davda54/sam sam.py, with |p| + eta for |p|."""
    def step(run, t):
        run.gradients(t)
        scale = lambda p: (p.detach().abs() + eta) if adaptive else 1.0
        norm = torch.norm(torch.stack([(scale(p) * p.grad).norm(p=2) for p in run.list]), p=2)
        old = [p.data.clone() for p in run.list]
        for p in run.list:
            e = (scale(p) ** 2 if adaptive else 1.0) * p.grad * (rho / (norm + 1e-12))
            p.data.add_(e)
        run.gradients(t)
        for p, o in zip(run.list, old):
            p.data.copy_(o)
        after(run)
        run.optimizer.step()
    return step


rows = {
    "ClipNorm": (sgd, lambda: clip_norm(2.0)),
    "ClipNorm of the greatest": (adam, lambda: clip_norm(0.5, math.inf)),
    "ClipNorm of the 3-norm": (sgd, lambda: clip_norm(2.0, 3.0)),
    "ClipNorm of each": (sgd, lambda: clip_each(1.0)),
    "ClipValue": (sgd, lambda: clip_value(0.5)),
    "ClipAdaptive": (sgd, lambda: agc(0.1, 1e-3)),
    "ClipAdaptive of small weights": (adam, lambda: agc(0.1, 1.5)),
    "Centralize": (adam, lambda: centralize),
    "Accumulate": (adam, lambda: accumulate(3, True)),
    "Accumulate sums": (sgd, lambda: accumulate(2, False)),
    "Accumulate and ClipNorm": (sgd, lambda: clip_after_accumulation),
    "Lookahead": (sgd, lambda: Lookahead(5, 0.5)),
    "Lookahead of Adam": (adam, lambda: Lookahead(6, 0.8)),
    "EMA": (adam, lambda: Averaged(lambda a, p, n: 0.95 * a + 0.05 * p)),
    "EMA that grows": (sgd, lambda: Averaged(timm_decay(0.95, 2 / 3))),
    "EMA without bias": (adam, lambda: Debiased(0.97)),
    "SWA": (sgd, lambda: Averaged(when=lambda t: t > 20 and (t - 20) % 3 == 0)),
    "average of all": (adam, lambda: Averaged()),
    "average that forgets": (adam, lambda: Averaged(lambda a, p, n: a + (p - a) * 9 / (8 + float(n) + 1))),
    "SAM": (sgd, lambda: sam(0.05, False)),
    "SAM of Adam": (adam, lambda: sam(0.2, False)),
    "ASAM": (sgd, lambda: sam(0.5, True)),
    "ASAM with eta": (adam, lambda: sam(1.0, True, 0.01)),
    "Lookahead of Adam, clipped, with EMA": (adam, lambda: Averaged(lambda a, p, n: 0.9 * a + 0.1 * p, inner=Lookahead(5, 0.5, clip_norm(1.0)))),
    "SAM of SGD, clipped, with SWA": (sgd, lambda: Averaged(inner=sam(0.05, False, after=lambda run: torch.nn.utils.clip_grad_norm_(run.list, 1.5)))),
}


def clip_after_accumulation(run, t):
    stepped = run.optimizer.step
    run.optimizer.step = lambda: (torch.nn.utils.clip_grad_norm_(run.list, 2.0), stepped())
    accumulate(2, True)(run, t)
    run.optimizer.step = stepped


def lazy_adam():
    """AdamW whose rows catch up with the decays that they have missed when they are picked next:
    k steps since the row's last:  m <- b1^k m + (1 - b1) g   v <- b2^k v + (1 - b2) g^2   p <- p (1 - lr wd)^k, then Adam's step."""
    out = {}
    rows, width, lr, b1, b2, eps, wd = 6, 3, 0.05, 0.9, 0.99, 1e-8, 0.1
    table, m, v = draw(80, rows, width), torch.zeros(rows, width, dtype=torch.float64), torch.zeros(rows, width, dtype=torch.float64)
    last = torch.zeros(rows, dtype=torch.float64)
    random = np.random.RandomState(81)
    out["lazy.start"] = table.clone()
    for t in range(1, STEPS + 1):
        index = np.sort(random.choice(rows, random.randint(1, 4), replace=False))
        g = torch.from_numpy(random.standard_normal((len(index), width)))
        out[f"lazy.index.{t}"], out[f"lazy.gradient.{t}"] = np.array(index, np.int64), g
        for row, gradient in zip(index, g):
            k = t - last[row]
            last[row] = t
            m[row] = b1 ** k * m[row] + (1 - b1) * gradient
            v[row] = b2 ** k * v[row] + (1 - b2) * gradient ** 2
            table[row] *= (1 - lr * wd) ** k
            table[row] -= lr / (1 - b1 ** t) * m[row] / (v[row].sqrt() / math.sqrt(1 - b2 ** t) + eps)
        if t in SEEN:
            out[f"lazy.table.{t}"] = table.clone()
    return out


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    out = {"x": x, "y": y, **{"start." + n: v for n, v in start.items()}}
    for name, (make, around) in rows.items():
        run, step = Run(make), around()
        for t in range(STEPS):
            step(run, t)
            if t + 1 in SEEN:
                out[f"{name}.{t + 1}"] = run.values()
                if hasattr(step, "judged"):
                    out[f"{name}.judged.{t + 1}"] = step.judged(run).clone()
    out.update(lazy_adam())
    write("around", out)
