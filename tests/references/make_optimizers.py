#!/usr/bin/python3
"""Makes optimizers100.safetensors: 100 steps of each row of tests/optimizers/table.def and of_loss.def, by PyTorch (1.13) where it has the optimizer and is
right, and else by the papers' and the authors' pseudocode, in NumPy:
    /usr/bin/python3 tests/references/make_optimizers.py
A function of those takes a step: o are the options, and lr as it is now; p and g of one parameter, s its own state, t its steps from 1.
"""
import os
import re
from types import SimpleNamespace as Options

import numpy as np
import torch

import formulas_of_tensors  # noqa: F401: it adds to FORMULAS
from formulas_of_groups import GROUPS
from formulas_of_numbers import DEFAULTS, EVALUATED, FORMULAS
from make import HERE, write

STEPS, SEEN, HALVED = 100, (1, 2, 10, 100), 61  # the rate is halved before step 61
SHAPES = {"a": (4, 3), "b": (5,), "c": (), "d": (2, 3, 2), "e": (3, 4)}
MATRICES = ("Muon",)

# PyTorch's, and how it calls what is called otherwise here.
BETAS = lambda o: {"betas": (o.pop("beta1", 0.9), o.pop("beta2", 0.999)), **o}
TORCH = {
    "LazyAdam": (torch.optim.AdamW, lambda o: {"weight_decay": 0, **BETAS(o)}),  # of rows that are all picked
    "SGD": (torch.optim.SGD, lambda o: o), "Adam": (torch.optim.Adam, BETAS), "AdamW": (torch.optim.AdamW, BETAS),
    "RMSprop": (torch.optim.RMSprop, lambda o: o), "Adagrad": (torch.optim.Adagrad, lambda o: o),
    "Adadelta": (torch.optim.Adadelta, lambda o: o), "Adamax": (torch.optim.Adamax, BETAS),
    "NAdam": (torch.optim.NAdam, lambda o: {**BETAS(o), "foreach": True}),  # without foreach, 1.13 takes mu_t twice
    "RAdam": (torch.optim.RAdam, BETAS), "ASGD": (torch.optim.ASGD, lambda o: o),
    "Rprop": (torch.optim.Rprop, lambda o: {
        "etas": (o.pop("eta_minus", 0.5), o.pop("eta_plus", 1.2)),
        "step_sizes": (o.pop("step_min", 1e-6), o.pop("step_max", 50)), **o}),
}
NO_MAXIMIZE = ("NAdam", "RAdam")  # have none in 1.13


def rows():
    """(key, name, options, is it told the loss?) of the tables."""
    values = {"true": True, "false": False}
    text = ""
    for table in ("table.def", "of_loss.def"):
        with open(os.path.join(HERE, "..", "optimizers", table)) as f:
            text += f.read()
    for kind, name, options in re.findall(r"^(OPTIMIZER|OF_LOSS)\((\w+)(?:, (.*))?\)$", text, re.M):
        pairs = re.findall(r"\.(\w+) = ([^,}]+)", options)
        read = {k: values[v] if v in values else v.split("::")[1] if "::" in v else float(v) for k, v in pairs}
        of = re.match(r"(Cautious|ScheduleFree)Of(\w+)", name)
        if of:  # made of another rule, and options of its own by their places
            read.update(zip(("average", "r"), map(float, re.findall(r", ([\d.]+)", options.split("}")[1]))))
        yield f"{'%s<%s>' % of.groups() if of else name} {options}".strip(), name, read, kind == "OF_LOSS"


class OfTorch:
    def __init__(self, name, options, start):
        make, named = TORCH[name]
        options = dict(options)
        self.corrected = options.pop("corrected_weight_decay", False) and options["lr"]
        self.decay = options.pop("weight_decay", 0) if options.pop("decoupled_weight_decay", False) or self.corrected else 0
        if self.corrected:
            options["weight_decay"] = 0
        self.sign = -1 if name in NO_MAXIMIZE and options.pop("maximize", False) else 1
        self.p = {n: torch.tensor(v, requires_grad=True) for n, v in start.items()}
        if options or name in ("SGD", "NAdam", "LazyAdam"):
            options = named(options)
        self.optimizer = make(list(self.p.values()), **options)

    def value(self, n):
        return self.p[n].detach().numpy().copy()

    def halve(self):
        for group in self.optimizer.param_groups:
            group["lr"] /= 2
            if isinstance(self.optimizer, torch.optim.ASGD):  # keeps the rate of the next step from the step before
                for s in self.optimizer.state.values():
                    s["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * s["step"]) ** group["alpha"]

    def step(self, gradients):
        rate = self.optimizer.param_groups[0]["lr"]
        for n, v in self.p.items():
            v.grad = torch.tensor(self.sign * gradients[n]) if n in gradients else None
            if v.grad is not None:
                v.data.mul_(1 - rate * self.decay * (rate / self.corrected if self.corrected else 1))
        self.optimizer.step()

    def evaluated(self, n):
        if isinstance(self.optimizer, torch.optim.ASGD):
            return self.optimizer.state[self.p[n]]["ax"].numpy()


def make_of_rule(name, kind, base):
    """A rule made of another, in FORMULAS."""
    step = FORMULAS[base]
    if kind == "Cautious":
        DEFAULTS[name] = DEFAULTS[base]

        def cautious(o, s, p, g, t):
            u = p - step(o, s, p, g, t)
            mask = (u * g > 0).astype(float)
            return p - u * (mask / max(np.mean(mask), 1e-3))
        FORMULAS[name] = cautious
    else:
        DEFAULTS[name] = {**DEFAULTS[base], "average": 0.9, "r": 0}

        def schedule_free(o, s, y, g, t):  # as the authors' ScheduleFreeWrapper: y to x, the step at z, x to y
            z = s.get("z of all", y)
            x = y + (1 - 1 / o.average) * (z - y)
            z = s["z of all"] = step(o, s, z, g, t)
            s["greatest"] = max(o.lr, s.get("greatest", 0))
            weight = t ** o.r * s["greatest"] ** 2
            s["weights of all"] = s.get("weights of all", 0) + weight
            x = x + weight / s["weights of all"] * (z - x)
            return x + (1 - o.average) * (z - x)
        FORMULAS[name] = schedule_free
        EVALUATED[name] = lambda o, s, y: y + (1 - 1 / o.average) * (s["z of all"] - y)


class OfFormulas:
    def __init__(self, name, options, start):
        of = re.match(r"(Cautious|ScheduleFree)Of(\w+)", name)
        if of:
            make_of_rule(name, *of.groups())
        self.name = name
        self.o = Options(**{**DEFAULTS[name], **options})
        self.p = {n: np.array(v) for n, v in start.items()}
        self.state = {n: {"lr0": self.o.lr} for n in start}
        self.t = dict.fromkeys(start, 0)
        self.shared = {}

    def value(self, n):
        return self.p[n].copy()

    def halve(self):
        self.o.lr /= 2

    def step(self, gradients):
        gradients = {n: -g if getattr(self.o, "maximize", False) else g for n, g in gradients.items()}
        before = max(self.t.values())
        for n in gradients:
            self.t[n] += 1
        if self.name in GROUPS:
            members = [Options(p=self.p[n], g=g, s=self.state[n]) for n, g in gradients.items()]
            for n, p in zip(gradients, GROUPS[self.name](self.o, self.shared, members, before + 1)):
                self.p[n] = p
        else:
            if self.name not in FORMULAS:
                raise SystemExit(f"{self.name} has no function in formulas_of_numbers.py or formulas_of_tensors.py")
            for n, g in gradients.items():
                self.p[n] = FORMULAS[self.name](self.o, self.state[n], self.p[n], g, self.t[n])
            assert all(self.p[n].shape == g.shape for n, g in gradients.items()), self.name

    def evaluated(self, n):
        if self.name in EVALUATED:
            return EVALUATED[self.name](self.o, self.state[n], self.p[n])


def main():
    torch.set_default_dtype(torch.float64)  # counts and products of momenta are tensors of it
    random = np.random.RandomState(70)
    start = {n: random.standard_normal(shape) for n, shape in SHAPES.items()}
    noise = {n: random.standard_normal((STEPS, *shape)) for n, shape in SHAPES.items()}
    out = {}
    for n in SHAPES:
        out[n], out[n + ".noise"] = np.array(start[n]), noise[n]
    for key, name, options, of_loss in rows():
        names = ("a", "e") if name in MATRICES else ("a", "b", "c", "d")
        if name == "SGD" and "lr" not in options:
            options["lr"] = 1e-3
        x = (OfTorch if name in TORCH else OfFormulas)(name, options, {n: np.array(start[n]) for n in names})
        seen = []
        for t in range(1, STEPS + 1):
            if t == HALVED:
                x.halve()
            # gradient = 0.3 p + noise; b has none in every third step, and each counts its own steps
            has = [n for n in names if n != "b" or t % 3 != 0]
            p = {n: x.value(n) for n in has}
            if of_loss:  # the sum of 0.15 p^2 + 0.1 p^4 + noise p, whose Hessian is diagonal
                x.o.loss = sum(np.sum(0.15 * p[n] ** 2 + 0.1 * p[n] ** 4 + noise[n][t - 1] * p[n]) for n in has)
                for n in has:
                    x.state[n]["curvature"] = 0.3 + 1.2 * p[n] ** 2
            x.step({n: 0.3 * p[n] + (0.4 * p[n] ** 3 if of_loss else 0) + noise[n][t - 1] for n in has})
            if t in SEEN:
                seen.append(np.concatenate([x.value(n).reshape(-1) for n in names]))
        out[key] = np.array(seen)
        assert np.isfinite(out[key]).all(), key
        if x.evaluated("a") is not None:
            out[key + " evaluated"] = np.concatenate([np.reshape(x.evaluated(n), -1) for n in names])
    write("optimizers100", out)


if __name__ == "__main__":
    main()
