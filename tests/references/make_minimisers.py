#!/usr/bin/python3
"""Makes minimisers.safetensors with SciPy (1.10.1) and PyTorch's derivatives (1.13), f64:
    /usr/bin/python3 tests/references/make_minimisers.py
The problems are those of Moré, Garbow & Hillstrom (ACM TOMS 7, 1981), f = sum r^2, written here a second time:
    NN.f0, NN.g0         value and gradient at the start
    NN.least             f at the minimum that SciPy's MINPACK finds from the start, or the best of several methods
    NN.METHOD.path       the points of SciPy's first iterations (that moved), a row each
    NN.METHOD.end        f, iterations, calls at its end, default options
    NN.box.least, NN.box.path    within bounds: f at the minimum, and the points of L-BFGS-B
    lasso.*              a lasso's data, solution by coordinate descent, and the first points of FISTA and ISTA
"""
import math

import numpy as np
import scipy.optimize
import torch

from make import write

torch.set_default_dtype(torch.float64)
exp, cat, stack, cos, sin = torch.exp, torch.cat, torch.stack, torch.cos, torch.sin


def n(*numbers):
    return torch.tensor(numbers)


def upto(k):
    return torch.arange(1.0, k + 1)


BARD = n(.14, .18, .22, .25, .29, .32, .35, .39, .37, .58, .73, .96, 1.34, 2.10, 4.39)
GAUSS = n(.0009, .0044, .0175, .0540, .1295, .2420, .3521, .3989, .3521, .2420, .1295, .0540, .0175, .0044, .0009)
MEYER = n(34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872.)
KOWALIK_Y = n(.1957, .1947, .1735, .1600, .0844, .0627, .0456, .0342, .0323, .0235, .0246)
KOWALIK_U = n(4, 2, 1, .5, .25, .167, .125, .1, .0833, .0714, .0625)
OSBORNE1 = n(.844, .908, .932, .936, .925, .908, .881, .850, .818, .784, .751, .718, .685, .658, .628, .603, .580, .558,
             .538, .522, .506, .490, .478, .467, .457, .448, .438, .431, .424, .420, .414, .411, .406)
OSBORNE2 = n(1.366, 1.191, 1.112, 1.013, .991, .885, .831, .847, .786, .725, .746, .679, .608, .655, .616, .606, .602,
             .626, .651, .724, .649, .649, .694, .644, .624, .661, .612, .558, .533, .495, .500, .423, .395, .375, .372,
             .391, .396, .405, .428, .429, .523, .562, .607, .653, .672, .708, .633, .668, .645, .632, .591, .559, .597,
             .625, .739, .710, .729, .720, .636, .581, .428, .292, .162, .098, .054)


def helical(x):
    theta = torch.atan(x[1] / x[0]) / (2 * math.pi) + (0.0 if x[0] > 0 else 0.5)
    return stack([10 * (x[2] - 10 * theta), 10 * (torch.sqrt(x[0]**2 + x[1]**2) - 1), x[2]])


def bard(x):
    u = upto(15)
    v = 16 - u
    return BARD - (x[0] + u / (v * x[1] + torch.minimum(u, v) * x[2]))


def gulf(x):
    t = upto(99) / 100
    y = 25 + (-50 * torch.log(t))**(2 / 3)
    return exp(-torch.abs(y - x[1])**x[2] / x[0]) - t


def box3(x):
    t = upto(10) / 10
    return exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (exp(-t) - exp(-10 * t))


def singular(x):
    return stack([x[0] + 10 * x[1], math.sqrt(5) * (x[2] - x[3]), (x[1] - 2 * x[2])**2, math.sqrt(10) * (x[0] - x[3])**2])


def wood(x):
    return stack([10 * (x[1] - x[0]**2), 1 - x[0], math.sqrt(90) * (x[3] - x[2]**2), 1 - x[2],
                  math.sqrt(10) * (x[1] + x[3] - 2), (x[1] - x[3]) / math.sqrt(10)])


def brown_dennis(x):
    t = upto(20) / 5
    return (x[0] + t * x[1] - exp(t))**2 + (x[2] + x[3] * sin(t) - cos(t))**2


def osborne1(x):
    t = 10 * (upto(33) - 1)
    return OSBORNE1 - (x[0] + x[1] * exp(-t * x[3]) + x[2] * exp(-t * x[4]))


def biggs(x):
    t = upto(13) / 10
    y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t)
    return x[2] * exp(-t * x[0]) - x[3] * exp(-t * x[1]) + x[5] * exp(-t * x[4]) - y


def osborne2(x):
    t = (upto(65) - 1) / 10
    return OSBORNE2 - (x[0] * exp(-t * x[4]) + x[1] * exp(-(t - x[8])**2 * x[5]) + x[2] * exp(-(t - x[9])**2 * x[6])
                       + x[3] * exp(-(t - x[10])**2 * x[7]))


def watson(x):
    rows = []
    for i in range(1, 30):
        t = i / 29
        rows.append(sum((j - 1) * x[j - 1] * t**(j - 2) for j in range(2, len(x) + 1))
                    - sum(x[j - 1] * t**(j - 1) for j in range(1, len(x) + 1))**2 - 1)
    return stack(rows + [x[0], x[1] - x[0]**2 - 1])


def penalty2(x):
    k, a = len(x), math.sqrt(1e-5)
    i = torch.arange(2.0, k + 1)
    y = exp(i / 10) + exp((i - 1) / 10)
    return cat([x[:1] - 0.2, a * (exp(x[1:] / 10) + exp(x[:-1] / 10) - y), a * (exp(x[1:] / 10) - math.exp(-0.1)),
                (torch.dot(torch.arange(k, 0, -1.0), x**2) - 1).reshape(1)])


def variably(x):
    s = torch.dot(upto(len(x)), x - 1)
    return cat([x - 1, stack([s, s**2])])


def boundary(x):
    h = 1 / (len(x) + 1)
    t, padded = upto(len(x)) * h, cat([n(0.), x, n(0.)])
    return 2 * x - padded[:-2] - padded[2:] + h**2 * (x + t + 1)**3 / 2


def integral(x):
    k = len(x)
    h = 1 / (k + 1)
    rows = []
    for i in range(1, k + 1):
        t = i * h
        low = sum((j * h) * (x[j - 1] + j * h + 1)**3 for j in range(1, i + 1))
        high = sum((1 - j * h) * (x[j - 1] + j * h + 1)**3 for j in range(i + 1, k + 1))
        rows.append(x[i - 1] + h * ((1 - t) * low + t * high) / 2)
    return stack(rows)


def tridiagonal(x):
    padded = cat([n(0.), x, n(0.)])
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1


def banded(x):
    k = len(x)
    return stack([x[i] * (2 + 5 * x[i]**2) + 1 - sum(x[j] * (1 + x[j]) for j in range(max(0, i - 5), min(k, i + 2)) if j != i)
                  for i in range(k)])


def chebyquad(x):
    k, y = len(x), 2 * x - 1
    before, now, rows = torch.ones(k), y, []
    for i in range(1, k + 1):
        rows.append(now.mean() + (1 / (i * i - 1) if i % 2 == 0 else 0))
        before, now = now, 2 * y * now - before
    return stack(rows)


def linear1(x, m=10):
    return upto(m) * torch.dot(upto(len(x)), x) - 1


def linear0(x, m=10):
    s = torch.dot(upto(len(x))[1:-1], x[1:-1])
    return cat([n(-1.), torch.arange(1.0, m - 1) * s - 1, n(-1.)])


# number: residuals, start, f at the minimum as published
PROBLEMS = {
    1: (lambda x: stack([10 * (x[1] - x[0]**2), 1 - x[0]]), n(-1.2, 1), 0),
    2: (lambda x: stack([-13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1], -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1]]), n(.5, -2), 48.9842),
    3: (lambda x: stack([1e4 * x[0] * x[1] - 1, exp(-x[0]) + exp(-x[1]) - 1.0001]), n(0., 1), 0),
    4: (lambda x: stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]), n(1., 1), 0),
    5: (lambda x: n(1.5, 2.25, 2.625) - x[0] * (1 - x[1]**upto(3)), n(1., 1), 0),
    6: (lambda x: 2 + 2 * upto(10) - (exp(upto(10) * x[0]) + exp(upto(10) * x[1])), n(.3, .4), 124.362),
    7: (helical, n(-1., 0, 0), 0),
    8: (bard, n(1., 1, 1), 8.21487e-3),
    9: (lambda x: x[0] * exp(-x[1] * ((8 - upto(15)) / 2 - x[2])**2 / 2) - GAUSS, n(.4, 1, 0), 1.12793e-8),
    10: (lambda x: x[0] * exp(x[1] / (45 + 5 * upto(16) + x[2])) - MEYER, n(.02, 4000, 250), 87.9458),
    11: (gulf, n(5, 2.5, .15), 0),
    12: (box3, n(0., 10, 20), 0),
    13: (singular, n(3., -1, 0, 1), 0),
    14: (wood, n(-3., -1, -3, -1), 0),
    15: (lambda x: KOWALIK_Y - x[0] * (KOWALIK_U**2 + KOWALIK_U * x[1]) / (KOWALIK_U**2 + KOWALIK_U * x[2] + x[3]), n(.25, .39, .415, .39), 3.07505e-4),
    16: (brown_dennis, n(25., 5, -5, -1), 85822.2),
    17: (osborne1, n(.5, 1.5, -1, .01, .02), 5.46489e-5),
    18: (biggs, n(1., 2, 1, 1, 1, 1), 0),
    19: (osborne2, n(1.3, .65, .65, .7, .6, 3, 5, 7, 2, 4.5, 5.5), 4.01377e-2),
    20: (watson, torch.zeros(6), 2.28767e-3),
    21: (lambda x: cat([10 * (x[1::2] - x[::2]**2), 1 - x[::2]]), n(-1.2, 1).repeat(20), 0),
    22: (lambda x: cat([singular(x[i:i + 4]) for i in range(0, len(x), 4)]), n(3., -1, 0, 1).repeat(3), 0),
    23: (lambda x: cat([math.sqrt(1e-5) * (x - 1), (torch.dot(x, x) - 0.25).reshape(1)]), upto(10), 7.08765e-5),
    24: (penalty2, torch.full((10,), .5), 2.93660e-4),
    25: (variably, 1 - upto(10) / 10, 0),
    26: (lambda x: len(x) - cos(x).sum() + upto(len(x)) * (1 - cos(x)) - sin(x), torch.full((10,), .1), 0),
    27: (lambda x: cat([x[:-1] + x.sum() - (len(x) + 1), (torch.prod(x) - 1).reshape(1)]), torch.full((10,), .5), 0),
    28: (boundary, (upto(10) / 11) * (upto(10) / 11 - 1), 0),
    29: (integral, (upto(10) / 11) * (upto(10) / 11 - 1), 0),
    30: (tridiagonal, -torch.ones(10), 0),
    31: (banded, -torch.ones(10), 0),
    32: (lambda x: cat([x, torch.zeros(5)]) - 0.2 * x.sum() - 1, torch.ones(5), 5),
    33: (linear1, torch.ones(5), 90 / 42),
    34: (linear0, torch.ones(5), 124 / 34),
    35: (chebyquad, upto(8) / 9, 3.51687e-3),
}

INF = math.inf
BOXES = {  # Gay 1984, as Ceres' more_garbow_hillstrom.cc has them: lower, upper, f published (None: with other m)
    3: ([0, 1], [1, 9], 1.5125900e-10),
    4: ([0, 3e-5], [1e6, 100], 784),
    5: ([.6, .5], [10, 100], 0),
    7: ([-100, -1, -1], [.8, 1, 1], .99042212),
    9: ([.398, 1, -.5], [4.2, 2, .1], 1.12793e-8),
    12: ([0, 5, 0], [2, 9.5, 20], None),
    14: ([-100] * 4, [0, 10, 100, 100], 1.5567008),
    16: ([-10, 0, -100, -20], [100, 15, 0, .2], 88860.48),
    18: ([0, 0, 0, 1, 0, 0], [2, 8, 1, 7, 5, 5], 5.3209865e-4),
    21: ([-INF] * 40, [.5] * 40, None),
    24: ([0] * 10, [INF] * 10, None),
    31: ([-.5] * 10, [-.3] * 10, None),
}

METHODS = {"CG": {}, "BFGS": {}, "L-BFGS-B": {}, "trust-ncg": {}}


class Function:
    def __init__(self, residuals):
        self.r = residuals

    def f(self, x):
        return float((self.r(torch.from_numpy(np.array(x)))**2).sum())

    def g(self, x):
        v = torch.from_numpy(np.array(x)).requires_grad_()
        return torch.autograd.grad((self.r(v)**2).sum(), v)[0].numpy()

    def residuals(self, x):
        return self.r(torch.from_numpy(np.array(x))).numpy()

    def jacobian(self, x):
        return torch.autograd.functional.jacobian(self.r, torch.from_numpy(np.array(x))).numpy()

    def hvp(self, x, p):
        return torch.autograd.functional.hvp(lambda v: (self.r(v)**2).sum(), torch.from_numpy(np.array(x)),
                                             torch.from_numpy(np.array(p)))[1].numpy()


def path(fn, start, method, rows, bounds=None):
    points = [np.array(start)]

    def moved(x, *_):
        if not np.array_equal(x, points[-1]):
            points.append(np.array(x))

    more = {"hessp": fn.hvp} if method == "trust-ncg" else {}
    result = scipy.optimize.minimize(fn.f, start, jac=fn.g, method=method, bounds=bounds, callback=moved, **more)
    return np.array(points[1:rows + 1]), np.array([result.fun, float(result.nit), float(result.nfev)])


def lasso(out):
    a = torch.from_numpy(np.random.RandomState(7).standard_normal((30, 12)))
    truth = n(2, -1.5, 0, 0, 1, 0, 0, 0, 0, .5, 0, 0)
    b = a @ truth + 0.3 * torch.from_numpy(np.random.RandomState(8).standard_normal(30))
    out["lasso.a"], out["lasso.b"] = a, b
    A, y, weight = a.numpy(), b.numpy(), 4.0  # 1/2 |A x - b|^2 + weight |x|_1
    x = np.zeros(12)
    for _ in range(20000):  # coordinate descent
        for j in range(12):
            rest = y - A @ x + A[:, j] * x[j]
            c = A[:, j] @ rest
            x[j] = math.copysign(max(abs(c) - weight, 0), c) / (A[:, j] @ A[:, j])
    out["lasso.solution"] = x
    step = 1 / np.linalg.norm(A, 2)**2

    def prox(v):
        return np.sign(v) * np.maximum(np.abs(v) - step * weight, 0)

    x, y0, t = np.zeros(12), np.zeros(12), 1.0
    fista, ista, z = [], [], np.zeros(12)
    for _ in range(30):
        new = prox(y0 - step * A.T @ (A @ y0 - y))
        t1 = (1 + math.sqrt(1 + 4 * t * t)) / 2
        y0 = new + (t - 1) / t1 * (new - x)
        x, t = new, t1
        fista.append(x)
        z = prox(z - step * A.T @ (A @ z - y))
        ista.append(z)
    out["lasso.step"], out["lasso.fista"], out["lasso.ista"] = np.array(step), np.array(fista), np.array(ista)


def main():
    out = {}
    for number, (residuals, start, published) in PROBLEMS.items():
        fn, x0, key = Function(residuals), start.numpy().astype(float), f"{number:02d}"
        out[key + ".f0"], out[key + ".g0"] = np.array(fn.f(x0)), fn.g(x0)
        least = INF
        for method in ("lm", "trf"):
            if method == "lm" and len(fn.residuals(x0)) < len(x0):
                continue
            fit = scipy.optimize.least_squares(fn.residuals, x0, fn.jacobian, method=method, ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=20000)
            if 2 * fit.cost < least:
                least, where = 2 * fit.cost, fit.x
        print(key, "least", repr(least), "published", published, "at", where[:4])
        out[key + ".least"] = np.array(least)
        for method in METHODS:
            try:
                out[f"{key}.{method}.path"], out[f"{key}.{method}.end"] = path(fn, x0, method, 6)
            except Exception as error:
                print("   ", method, error)
                continue
            print("   ", method, out[f"{key}.{method}.end"])
        if number in BOXES:
            lower, upper, published = BOXES[number]
            inside = np.clip(x0, lower, upper)
            fit = scipy.optimize.least_squares(fn.residuals, inside, fn.jacobian, bounds=(np.array(lower, float) - 1e-300, upper), method="trf",
                                               ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=20000)
            out[key + ".lower"], out[key + ".upper"] = np.array(lower, float), np.array(upper, float)
            out[key + ".box.path"], end = path(fn, inside, "L-BFGS-B", 6, list(zip(lower, upper)))
            tight = scipy.optimize.minimize(fn.f, inside, jac=fn.g, method="L-BFGS-B", bounds=list(zip(lower, upper)),
                                            options={"ftol": 0, "gtol": 1e-12, "maxfun": 100000, "maxiter": 100000})
            print("    box", repr(2 * fit.cost), repr(tight.fun), "published", published, tight.x[:6], end)
            out[key + ".box.least"] = np.array(min(2 * fit.cost, tight.fun))
    lasso(out)
    write("minimisers", out)


if __name__ == "__main__":
    main()
