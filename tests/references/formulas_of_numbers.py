"""Optimizers as their papers and authors' programs have them, in NumPy: those that treat each number by itself."""
import numpy as np

FORMULAS, DEFAULTS, EVALUATED = {}, {}, {}


def formula(**defaults):
    def keep(f):
        FORMULAS[f.__name__], DEFAULTS[f.__name__] = f, defaults
        return f
    return keep


def ema(s, key, beta, x, first=0.0):
    """The exponential moving average of x."""
    s[key] = s.get(key, np.full_like(x, first)) * beta + x * (1 - beta)
    return s[key]


def length(x):
    return np.sqrt(np.sum(x * x))


def adam_step(o, s, g, t):
    m, v = ema(s, "m", o.beta1, g), ema(s, "v", o.beta2, g * g)
    return (m / (1 - o.beta1 ** t)) / (np.sqrt(v / (1 - o.beta2 ** t)) + o.eps)


@formula(lr=1e-3, momentum=0.9, weight_decay=0)
def Signum(o, s, p, g, t):
    return p - o.lr * (np.sign(ema(s, "m", o.momentum, g)) + o.weight_decay * p)


@formula(lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0)
def Lion(o, s, p, g, t):
    m = s.get("m", 0 * g)
    update = np.sign(o.beta1 * m + (1 - o.beta1) * g)
    s["m"] = o.beta2 * m + (1 - o.beta2) * g
    return p - o.lr * (update + o.weight_decay * p)


@formula(lr=1e-3, beta=0.965, weight_decay=0.01)
def Tiger(o, s, p, g, t):
    return p - o.lr * (np.sign(ema(s, "m", o.beta, g)) + o.weight_decay * p)


@formula(lr=1e-3, beta1=0.98, beta2=0.92, beta3=0.99, eps=1e-8, weight_decay=0, no_prox=False)
def Adan(o, s, p, g, t):
    diff = g - s.get("g", g)
    s["g"] = g
    m, v, n = ema(s, "m", o.beta1, g), ema(s, "v", o.beta2, diff), ema(s, "n", o.beta3, (g + o.beta2 * diff) ** 2)
    m, v, n = m / (1 - o.beta1 ** t), v / (1 - o.beta2 ** t), n / (1 - o.beta3 ** t)
    u = o.lr * (m + o.beta2 * v) / (np.sqrt(n) + o.eps)
    return p * (1 - o.lr * o.weight_decay) - u if o.no_prox else (p - u) / (1 + o.lr * o.weight_decay)


def rectification(beta2, t):
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2 ** t / (1 - beta2 ** t)
    return rho, np.sqrt((rho - 4) / (most - 4) * (rho - 2) / (most - 2) * most / rho) if rho > 4 else None


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-16, weight_decay=0, rectify=False)
def AdaBelief(o, s, p, g, t):
    p = p - p * (o.lr * o.weight_decay)
    m = ema(s, "m", o.beta1, g)
    variance = s["s"] = ema(s, "s", o.beta2, (g - m) ** 2) + o.eps
    if not o.rectify:
        return p - o.lr * m / (1 - o.beta1 ** t) / (np.sqrt(variance) / np.sqrt(1 - o.beta2 ** t) + o.eps)
    rho, r = rectification(o.beta2, t)
    if rho >= 5:
        return p - o.lr * r * np.sqrt(1 - o.beta2 ** t) / (1 - o.beta1 ** t) * m / (np.sqrt(variance) + o.eps)
    return p - o.lr / (1 - o.beta1 ** t) * m


@formula(lr=1e-2, beta1=0.9, beta2=0.999, eps=1e-3, initial_accumulator_value=1e-6)
def Yogi(o, s, p, g, t):
    m = ema(s, "m", o.beta1, g, o.initial_accumulator_value)
    v = s.get("v", np.full_like(g, o.initial_accumulator_value))
    s["v"] = v = v + (1 - o.beta2) * np.where(g * g > v, g * g, np.where(g * g < v, -g * g, 0))
    return p - o.lr * (m / (1 - o.beta1 ** t)) / (np.sqrt(v / (1 - o.beta2 ** t)) + o.eps)


@formula(lr=1e-3, beta1=0.9, beta2=0.9999, eps=1e-6, weight_decay=0, decoupled_weight_decay=False, clip=True)
def ADOPT(o, s, p, g, t):
    if o.weight_decay and not o.decoupled_weight_decay:
        g = g + o.weight_decay * p
    if t == 1:
        s["v"] = g * g
        return p
    if o.decoupled_weight_decay:
        p = p - o.lr * o.weight_decay * p
    normed = g / np.clip(np.sqrt(s["v"]), o.eps, None)
    if o.clip:
        normed = np.clip(normed, -(t - 1) ** 0.25, (t - 1) ** 0.25)
    p = p - o.lr * ema(s, "m", o.beta1, normed)
    ema(s, "v", o.beta2, g * g)
    return p


@formula(lr=1e-3, beta1=0.9, beta2=0.999, beta3=0.9999, alpha=2, eps=1e-8, weight_decay=0, alpha_warmup=0, beta3_warmup=0)
def AdEMAMix(o, s, p, g, t):
    alpha, beta3 = o.alpha, o.beta3
    if o.alpha_warmup and t < o.alpha_warmup:  # linear_warmup_scheduler(start 0)
        a = t / o.alpha_warmup
        alpha = (1 - a) * 0 + a * o.alpha
    if o.beta3_warmup and t < o.beta3_warmup:  # linear_hl_warmup_scheduler
        f = lambda beta: np.log(0.5) / np.log(beta + 1e-8) - 1
        f_inv = lambda x: np.power(0.5, 1 / (x + 1))
        a = t / o.beta3_warmup
        beta3 = f_inv((1 - a) * f(o.beta1) + a * f(o.beta3))
    fast, slow, v = ema(s, "m1", o.beta1, g), ema(s, "m2", beta3, g), ema(s, "v", o.beta2, g * g)
    denom = np.sqrt(v) / np.sqrt(1 - o.beta2 ** t) + o.eps
    return p - o.lr * ((fast / (1 - o.beta1 ** t) + alpha * slow) / denom + o.weight_decay * p)


@formula(lr=1e-5, beta1=0.99, beta2=0.95, alpha=0, eps=1e-8)
def SimplifiedAdEMAMix(o, s, p, g, t):
    s["m"] = o.beta1 * s.get("m", 0) + g
    v = ema(s, "v", o.beta2, g * g) / (1 - o.beta2 ** t)
    return p - o.lr * (s["m"] + o.alpha * g) / (np.sqrt(v) + o.eps)


def schedule_free(o, s, y, g, t, beta, rate):
    z = s.get("z", y)
    s["lr_max"] = max(rate, s.get("lr_max", 0))
    weight = t ** o.r * s["lr_max"] ** 2
    s["weights"] = s.get("weights", 0) + weight
    c = weight / s["weights"] if s["weights"] else 0
    s["z"] = z - rate * g
    return y + c * (z - y) + rate * (beta * (1 - c) - 1) * g


@formula(lr=1.0, momentum=0.9, weight_decay=0, warmup_steps=0, r=0)
def ScheduleFreeSGD(o, s, p, g, t):
    warm = min(1, t / o.warmup_steps) if o.warmup_steps else 1
    return schedule_free(o, s, p, g + o.weight_decay * p, t, o.momentum, o.lr * warm)


@formula(lr=2.5e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0, warmup_steps=0, r=0)
def ScheduleFreeAdamW(o, s, p, g, t):
    warm = min(1, t / o.warmup_steps) if o.warmup_steps else 1
    v = ema(s, "v", o.beta2, g * g) / (1 - o.beta2 ** t)
    return schedule_free(o, s, p, g / (np.sqrt(v) + o.eps) + o.weight_decay * p, t, o.beta1, o.lr * warm)


@formula(lr=2.5e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0, r=0, silent_sgd_phase=True)
def ScheduleFreeRAdam(o, s, p, g, t):
    v = ema(s, "v", o.beta2, g * g) / (1 - o.beta2 ** t)
    rho, r = rectification(o.beta2, t)
    if rho > 4:
        rate, g = o.lr * r, g / (np.sqrt(v) + o.eps)
    else:
        rate = 0.0 if o.silent_sgd_phase else o.lr
    return schedule_free(o, s, p, g + o.weight_decay * p, t, o.beta1, rate)


EVALUATED["ScheduleFreeSGD"] = lambda o, s, y: y / o.momentum + (1 - 1 / o.momentum) * s["z"]
EVALUATED["ScheduleFreeAdamW"] = EVALUATED["ScheduleFreeRAdam"] = lambda o, s, y: y / o.beta1 + (1 - 1 / o.beta1) * s["z"]


@formula(lr=1e-3, lr_power=-0.5, beta=0, l1=0, l2=0, initial_accumulator_value=0, keep_weights=False)
def FTRL(o, s, p, g, t):
    power = lambda n: n ** -o.lr_power
    n = s.get("n", np.full_like(g, o.initial_accumulator_value))
    z = s.get("z")
    if z is None:
        z = -p * ((o.beta + power(n)) / o.lr + o.l2) - o.l1 * np.sign(p) if o.keep_weights else 0 * p
    sigma = (power(n + g * g) - power(n)) / o.lr
    s["z"] = z = z + g - sigma * p
    s["n"] = n = n + g * g
    return np.where(np.abs(z) <= o.l1, 0, -(z - np.sign(z) * o.l1) / ((o.beta + power(n)) / o.lr + o.l2))


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8)
def FTML(o, s, p, g, t):
    v = ema(s, "v", o.beta2, g * g)
    before = s.get("d", 0)
    s["d"] = (1 - o.beta1 ** t) / o.lr * (np.sqrt(v / (1 - o.beta2 ** t)) + o.eps)
    sigma = s["d"] - o.beta1 * before
    s["z"] = o.beta1 * s.get("z", 0) + (1 - o.beta1) * g - sigma * p
    return -s["z"] / s["d"]


@formula(lr=1e-2, momentum=0.9, eps=1e-6, weight_decay=0)
def MADGRAD(o, s, p, g, t):
    x0 = s.setdefault("x0", p)
    g = g + o.weight_decay * p
    lamb = (o.lr + o.eps) * t ** 0.5
    s["v"] = s.get("v", 0) + lamb * g * g
    s["s"] = s.get("s", 0) + lamb * g
    z = x0 - s["s"] / (np.cbrt(s["v"]) + o.eps)
    return p * (1 - (1 - o.momentum)) + z * (1 - o.momentum)


@formula(lr=1e-3, momentum=0.999, nu=0.7, weight_decay=0)
def QHM(o, s, p, g, t):
    g = g + o.weight_decay * p
    return p - o.lr * (o.nu * ema(s, "m", o.momentum, g) + (1 - o.nu) * g)


@formula(lr=1e-3, beta1=0.9, beta2=0.999, nu1=1, nu2=1, eps=1e-8, weight_decay=0)
def QHAdam(o, s, p, g, t):
    g = g + o.weight_decay * p
    m, v = ema(s, "m", o.beta1, g) / (1 - o.beta1 ** t), ema(s, "v", o.beta2, g * g) / (1 - o.beta2 ** t)
    return p - o.lr * ((1 - o.nu1) * g + o.nu1 * m) / (np.sqrt((1 - o.nu2) * g * g + o.nu2 * v) + o.eps)


@formula(lr=1e-3, beta1=0, beta2=0.9, beta3=0.99, weight_decay=0)
def AggMo(o, s, p, g, t):
    g = g + o.weight_decay * p
    for beta in (o.beta1, o.beta2, o.beta3):
        s[beta] = beta * s.get(beta, 0) + g
        p = p - o.lr / 3 * s[beta]
    return p


@formula(lr=1e-3, beta1=0.9, beta2=0.999, final_lr=0.1, gamma=1e-3, eps=1e-8, weight_decay=0, amsbound=False)
def AdaBound(o, s, p, g, t):
    g = g + o.weight_decay * p
    m, v = ema(s, "m", o.beta1, g), ema(s, "v", o.beta2, g * g)
    if o.amsbound:
        s["most"] = v = np.maximum(s.get("most", v), v)
    final = o.final_lr * o.lr / s["lr0"]
    lower, upper = final * (1 - 1 / (o.gamma * t + 1)), final * (1 + 1 / (o.gamma * t))
    rate = o.lr * np.sqrt(1 - o.beta2 ** t) / (1 - o.beta1 ** t) / (np.sqrt(v) + o.eps)
    return p - np.clip(rate, lower, upper) * m


@formula(lr=0.1, beta1=0.9, beta2=0.999, partial=0.25, eps=1e-8, weight_decay=0)
def Padam(o, s, p, g, t):
    g = g + o.weight_decay * p
    m, v = ema(s, "m", o.beta1, g), ema(s, "v", o.beta2, g * g)
    s["most"] = np.maximum(s.get("most", v), v)
    rate = o.lr * np.sqrt(1 - o.beta2 ** t) / (1 - o.beta1 ** t)
    return p - rate * m / (np.sqrt(s["most"]) + o.eps) ** (2 * o.partial)


@formula(lr=4e-4, beta1=0.9, beta2=0.999, eps=1e-15)
def LaProp(o, s, p, g, t):
    v = ema(s, "v", o.beta2, g * g) / (1 - o.beta2 ** t)
    m = ema(s, "m", o.beta1, o.lr * g / (np.sqrt(v) + o.eps))
    s["lr"] = s.get("lr", 0) * o.beta1 + (1 - o.beta1) * o.lr
    return p - m / (s["lr"] / o.lr)


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0)
def Grams(o, s, p, g, t):
    return p - o.lr * (np.sign(g) * np.abs(adam_step(o, s, g, t)) + o.weight_decay * p)


def optimistic(o, s, p, u):
    before = s.get("before", u)
    s["before"] = u
    return p - o.lr * (o.alpha * u + o.beta * (u - before))


@formula(lr=1e-3, alpha=1, beta=1)
def OptimisticSGD(o, s, p, g, t):
    return optimistic(o, s, p, g)


@formula(lr=1e-3, alpha=1, beta=1, beta1=0.9, beta2=0.999, eps=1e-8)
def OptimisticAdam(o, s, p, g, t):
    return optimistic(o, s, p, adam_step(o, s, g, t))


@formula(lr=1e-3, eps=1e-16)
def SMORMS3(o, s, p, g, t):
    mem, g1, g2 = s.get("mem", np.ones_like(g)), s.get("g1", 0), s.get("g2", 0)
    r = 1 / (mem + 1)
    g1, g2 = (1 - r) * g1 + r * g, (1 - r) * g2 + r * g ** 2
    x = g1 * g1 / (g2 + o.eps)
    s.update(mem=1 + mem * (1 - x), g1=g1, g2=g2)
    return p - g * np.minimum(o.lr, x) / (np.sqrt(g2) + o.eps)


@formula(lr=1, kappa=0.2, phi=0.2, theta=0.5, min_step=1e-8)
def DeltaBarDelta(o, s, p, g, t):
    step, average = s.get("step", np.full_like(g, s["lr0"])), s.get("average", 0 * g)
    agree, differ = g * average > 0, g * average < 0
    s["step"] = np.maximum(step + o.kappa * agree - o.phi * step * differ, o.min_step)
    s["average"] = o.theta * average + (1 - o.theta) * g
    return p - s["step"] * g


@formula(lr=1, alpha=100, eps=1e-8)
def COCOB(o, s, p, g, t):
    start = s.setdefault("start", p)
    s["L"] = np.maximum(s.get("L", o.eps), np.abs(g))
    s["G"] = s.get("G", 0) + np.abs(g)
    s["reward"] = np.maximum(s.get("reward", 0) - g * (p - start), 0)
    s["theta"] = s.get("theta", 0) - g
    wealth = s["L"] + s["reward"]
    new = start + s["theta"] / (s["L"] * np.maximum(s["G"] + s["L"], o.alpha * s["L"])) * wealth
    return p + o.lr * (new - p)
