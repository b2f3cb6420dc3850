"""The same, of whole tensors."""
import numpy as np

from formulas_of_numbers import adam_step, ema, formula, length


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0)
def LAMB(o, s, p, g, t):
    u = adam_step(o, s, g, t) + o.weight_decay * p
    return p - o.lr * (length(p) / length(u) if length(p) > 0 and length(u) > 0 else 1) * u


@formula(lr=1, momentum=0.9, weight_decay=0, trust_coefficient=1e-3, eps=0, nesterov=False)
def LARS(o, s, p, g, t):
    g = g + o.weight_decay * p
    ratio = o.trust_coefficient * length(p) / (length(g) + o.eps) if length(p) > 0 and length(g) > 0 else 1
    u = o.lr * ratio * g
    s["b"] = o.momentum * s.get("b", 0) + u
    return p - (u + o.momentum * s["b"] if o.nesterov else s["b"])


@formula(lr=1e-2, min_norm=1e-6)
def Fromage(o, s, p, g, t):
    return (p - o.lr * max(length(p), o.min_norm) / max(length(g), o.min_norm) * g) / np.sqrt(1 + o.lr ** 2)


@formula(lr=1e-3, momentum=0.95, weight_decay=0.1, nesterov=True, steps=5, a=3.4445, b=-4.775, c=2.0315, eps=1e-7,
         match_rms_adamw=False)
def Muon(o, s, p, g, t):
    buffer = ema(s, "b", o.momentum, g)
    x = (1 - o.momentum) * g + o.momentum * buffer if o.nesterov else buffer
    x = x / max(length(x), o.eps)
    for _ in range(int(o.steps)):
        right = x.T @ x  # from the right: as one would write it without a thought of its cost
        x = o.a * x + o.b * x @ right + o.c * x @ right @ right
    rows, columns = p.shape
    scale = 0.2 * np.sqrt(max(rows, columns)) if o.match_rms_adamw else np.sqrt(max(1, rows / columns))
    return p * (1 - o.lr * o.weight_decay) - o.lr * scale * x


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0)
def AdamMini(o, s, p, g, t):
    m = ema(s, "m", o.beta1, g)
    squares = g * g if g.ndim < 2 else np.mean(g * g, tuple(range(1, g.ndim)), keepdims=True)
    v = ema(s, "v", o.beta2, squares)
    u = m / (1 - o.beta1 ** t) / (np.sqrt(v / (1 - o.beta2 ** t)) + o.eps)
    return p * (1 - o.lr * o.weight_decay) - o.lr * u


@formula(lr=1e-3, momentum=0.9, radius=1, norm="automatic", unconstrained=False)
def Scion(o, s, p, g, t):
    m = ema(s, "m", o.momentum, g)
    rows = m.reshape(len(m), -1) if m.ndim > 1 else m.reshape(-1, 1)
    if o.norm == "sign":
        u = np.sign(m) / rows.shape[1]
    elif m.ndim < 2:
        u = m / (np.sqrt(np.mean(m * m)) + 1e-8)
    else:
        x = rows / max(length(rows), 1e-7)
        for _ in range(5):
            right = x.T @ x
            x = 3.4445 * x - 4.775 * x @ right + 2.0315 * x @ right @ right
        u = np.sqrt(m.shape[0] / m.shape[1]) / np.prod(m.shape[2:]) * x.reshape(m.shape)
    return p * (1 if o.unconstrained else 1 - o.lr) - o.lr * o.radius * u


def rms(x):
    return length(x) / np.sqrt(x.size)


@formula(lr=1e-2, beta2_decay=-0.8, eps1=np.finfo(float).eps, eps2=1e-3, d=1, weight_decay=0)
def Adafactor(o, s, p, g, t):
    beta = 1 - t ** o.beta2_decay
    if g.ndim > 1:
        row, column = ema(s, "r", beta, np.mean(g * g, -1)), ema(s, "c", beta, np.mean(g * g, -2))
        v = row[..., None] * column[..., None, :] / np.maximum(np.mean(row, -1), o.eps1)[..., None, None]
    else:
        v = ema(s, "v", beta, g * g)
    u = g / np.sqrt(np.maximum(v, o.eps1 ** 2))
    alpha = max(o.eps2, rms(p)) * min(o.lr, 1 / np.sqrt(t))
    return p * (1 - o.lr * o.weight_decay) - alpha * u / max(1, rms(u) / o.d)


@formula(lr=1e-3, beta1=0.9, beta2=0.99, eps=1e-6, weight_decay=1e-2)
def StableAdamW(o, s, p, g, t):
    hat = lambda beta: beta * (1 - beta ** (t - 1)) / (1 - beta ** t)
    m, v = ema(s, "m", hat(o.beta1), g), ema(s, "v", hat(o.beta2), g * g)
    rate = o.lr / max(1, np.sqrt(np.mean(g ** 2 / np.maximum(v, o.eps ** 2))))
    return p - rate * o.weight_decay * p - rate * m / (np.sqrt(v) + o.eps)


@formula(lr=1e-3, beta1=0.95, beta2=0.98, eps=1e-8, weight_decay=0, grad_averaging=False)
def NovoGrad(o, s, p, g, t):
    norm = np.sum(g * g)
    s["v"] = norm if t == 1 else s["v"] * o.beta2 + norm * (1 - o.beta2)
    g = g / (np.sqrt(s["v"]) + o.eps)
    g = g + o.weight_decay * p
    if o.grad_averaging:
        g = g * (1 - o.beta1)
    s["m"] = s.get("m", 0) * o.beta1 + g
    return p - o.lr * s["m"]


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0)
def CautiousAdamW(o, s, p, g, t):
    p = p - o.lr * o.weight_decay * p
    m, v = ema(s, "m", o.beta1, g), ema(s, "v", o.beta2, g * g)
    mask = (m * g > 0).astype(float)
    mask = mask / max(np.mean(mask), 1e-3)
    size = o.lr * np.sqrt(1 - o.beta2 ** t) / (1 - o.beta1 ** t)
    return p - size * (m * mask) / (np.sqrt(v) + o.eps)


@formula(lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0)
def CautiousLion(o, s, p, g, t):
    p = p * (1 - o.lr * o.weight_decay)
    m = s.get("m", 0 * g)
    update = np.sign(m * o.beta1 + g * (1 - o.beta1))
    mask = (update * g > 0).astype(float)
    s["m"] = m * o.beta2 + g * (1 - o.beta2)
    return p - o.lr * update * mask * (mask.size / (np.sum(mask) + 1))


@formula(lr=1, reps_rel=1e-6, eps=1e-8)
def LDoG(o, s, p, g, t):
    start = s.setdefault("start", p)
    s["r"] = max(s.get("r", o.reps_rel * (1 + length(start))), length(p - start))
    s["G"] = s.get("G", o.eps) + np.sum(g * g)
    return p - o.lr * s["r"] / np.sqrt(s["G"]) * g


@formula(lr=3e-3, beta1=0.95, beta2=0.99, gamma=0.025, eps=1e-8, weight_decay=0, lion=False)
def MARS(o, s, p, g, t):
    c = g + o.gamma * (o.beta1 / (1 - o.beta1)) * (g - s.get("last", 0))
    s["last"] = g
    if length(c) > 1:
        c = c / length(c)
    if o.lion:
        return p - o.lr * (np.sign(ema(s, "m", o.beta1, c)) + o.weight_decay * p)
    return p - o.lr * (adam_step(o, s, c, t) + o.weight_decay * p)


def projected(p, g, u, delta, ratio, eps):
    """projection() of clovaai/AdamP."""
    if p.ndim < 2:
        return u, 1
    for view in (lambda x: x.reshape(x.shape[0], -1), lambda x: x.reshape(1, -1)):
        x, y = view(p), view(g)
        norms = np.sqrt(np.sum(x * x, 1) * np.sum(y * y, 1))
        if np.max(np.abs(np.sum(x * y, 1)) / norms) < delta / np.sqrt(x.shape[1]):
            n = x / (np.sqrt(np.sum(x * x, 1, keepdims=True)) + eps)
            return (view(u) - n * np.sum(n * view(u), 1, keepdims=True)).reshape(p.shape), ratio
    return u, 1


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0, delta=0.1, wd_ratio=0.1, nesterov=False)
def AdamP(o, s, p, g, t):
    m, v = ema(s, "m", o.beta1, g), ema(s, "v", o.beta2, g * g)
    denom = np.sqrt(v) / np.sqrt(1 - o.beta2 ** t) + o.eps
    u = (o.beta1 * m + (1 - o.beta1) * g) / denom if o.nesterov else m / denom
    u, ratio = projected(p, g, u, o.delta, o.wd_ratio, o.eps)
    return p * (1 - o.lr * o.weight_decay * ratio) - o.lr / (1 - o.beta1 ** t) * u


@formula(lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, eps=1e-8, delta=0.1, wd_ratio=0.1)
def SGDP(o, s, p, g, t):
    s["b"] = o.momentum * s.get("b", 0) + (1 - o.dampening) * g
    u, ratio = projected(p, g, g + o.momentum * s["b"] if o.nesterov else s["b"], o.delta, o.wd_ratio, o.eps)
    return p * (1 - o.lr * o.weight_decay * ratio / (1 - o.momentum)) - o.lr * u


@formula(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-9, weight_decay=0, tolerance=1e-9)
def SWATS(o, s, p, g, t):
    g = g + o.weight_decay * p
    if "rate" in s:  # SGD from here on
        s["b"] = o.beta1 * s.get("b", 0) + g
        return p - (o.lr / s["lr0"]) * (1 - o.beta1) * s["rate"] * s["b"]
    step = -o.lr * adam_step(o, s, g, t)
    if np.sum(step * g) != 0:
        gamma = np.sum(step * step) / -np.sum(step * g)
        s["lambda"] = o.beta2 * s.get("lambda", 0) + (1 - o.beta2) * gamma
        corrected = s["lambda"] / (1 - o.beta2 ** t)
        if t > 1 and abs(corrected - gamma) < o.tolerance and corrected > 0:
            s["rate"] = corrected
    return p + step


@formula(lr=1e-3, momentum=0.9, eps=1e-8)
def SM3(o, s, p, g, t):
    shape = g.shape or (1,)
    x = g.reshape(shape)
    mu = s.setdefault("mu", [np.zeros(n) for n in shape])
    v = np.empty(shape)
    for i in np.ndindex(*shape):
        v[i] = min(mu[k][i[k]] for k in range(len(shape))) + x[i] ** 2
    for k in range(len(shape)):
        mu[k] = np.max(np.moveaxis(v, k, 0).reshape(shape[k], -1), 1)
    return p - o.lr * ema(s, "m", o.momentum, (x / np.sqrt(v + o.eps)).reshape(g.shape))


@formula(lr=2e-4, beta1=0.9, beta2=0.999, beta3=0.9999, eps1=1e-30, eps2=1e-16, d=1, weight_decay=0)
def CAME(o, s, p, g, t):
    def approximate(row, column):
        r = 1 / np.sqrt(row / np.mean(row, -1, keepdims=True))
        return r[..., None] * (1 / np.sqrt(column))[..., None, :]
    update = g ** 2 + o.eps1
    if g.ndim > 1:
        u = approximate(ema(s, "r", o.beta2, update.mean(-1)), ema(s, "c", o.beta2, update.mean(-2))) * g
    else:
        u = g / np.sqrt(ema(s, "v", o.beta2, update))
    u = u / max(rms(u) / o.d, 1)
    m = ema(s, "m", o.beta1, u)
    if g.ndim > 1:
        instability = (u - m) ** 2 + o.eps2
        m = approximate(ema(s, "R", o.beta3, instability.mean(-1)), ema(s, "C", o.beta3, instability.mean(-2))) * m
    return p - p * (o.weight_decay * o.lr) - o.lr * m


def gram(g, axis):
    others = [k for k in range(g.ndim) if k != axis]
    return np.tensordot(g, g, axes=(others, others))


def multiplied(x, axis, matrix):
    return np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)


@formula(lr=1e-2, beta1=0.9, beta2=1, eps=1e-12, weight_decay=0, max_preconditioner_dim=1024, precondition_frequency=1,
         graft="none", graft_eps=1e-10, graft_beta2=0.999)
def Shampoo(o, s, p, g, t):
    m = ema(s, "m", o.beta1, g) / (1 - o.beta1 ** t)
    if o.graft == "adagrad":
        s["v"] = s.get("v", 0) + g * g
    v = s["v"] if o.graft == "adagrad" else ema(s, "v", o.graft_beta2, g * g)
    if o.graft == "adam":
        v = v / (1 - o.graft_beta2 ** t)
    graft = m if o.graft == "none" else m / (np.sqrt(v) + o.graft_eps)
    shape, most = g.shape or (1,), int(o.max_preconditioner_dim)
    out = np.empty(shape)
    for corner in np.ndindex(*[-(-n // most) for n in shape]):
        block = tuple(slice(c * most, (c + 1) * most) for c in corner)
        x, u, grafted = (y.reshape(shape)[block] for y in (g, m, graft))
        for k in range(x.ndim):
            key = (corner, k)
            old = s.get(key, 0)
            s[key] = old + gram(x, k) if o.beta2 == 1 else o.beta2 * old + (1 - o.beta2) * gram(x, k)
            if t % o.precondition_frequency == 0:
                w, q = np.linalg.eigh(s[key] / (1 if o.beta2 == 1 else 1 - o.beta2 ** t))
                s["root", key] = q @ np.diag((w - min(w[0], 0) + o.eps) ** (-1 / (2 * x.ndim))) @ q.T
            if ("root", key) in s:
                u = multiplied(u, k, s["root", key])
        if t < o.precondition_frequency:
            u = grafted
        elif o.graft != "none":
            u = u * length(grafted) / (length(u) + 1e-16)
        out[block] = u
    return p - o.lr * (out.reshape(p.shape) + o.weight_decay * p)


@formula(lr=3e-3, beta1=0.95, beta2=0.95, eps=1e-8, weight_decay=0.01, precondition_frequency=10, max_precond_dim=10000)
def SOAP(o, s, p, g, t):
    axes = [k for k in range(g.ndim) if g.shape[k] <= o.max_precond_dim] if g.ndim > 1 else []

    def turned(x, bases, back):
        for k in axes:
            x = multiplied(x, k, bases[k] if back else bases[k].T)
        return x

    t -= 1
    if t > 0:
        u = turned(g, s["Q"], False)
        m, v = ema(s, "m", o.beta1, u), ema(s, "v", o.beta2, u * u)
        rate = o.lr * np.sqrt(1 - o.beta2 ** t) / (1 - o.beta1 ** t)
        p = p - rate * turned(m / (np.sqrt(v) + o.eps), s["Q"], True)
        p = p - o.lr * o.weight_decay * p
    old = s.get("Q")
    L = s.setdefault("L", {k: 0 for k in axes})
    for k in axes:
        L[k] = o.beta2 * L[k] + (1 - o.beta2) * gram(g, k)
    if t == 0:
        s["Q"] = {k: np.linalg.eigh(L[k] + 1e-30 * np.eye(len(L[k])))[1][:, ::-1] for k in axes}
    elif t % o.precondition_frequency == 0:
        s["Q"] = {}
        for k in axes:
            order = np.argsort(-np.diag(old[k].T @ L[k] @ old[k]), kind="stable")
            s["v"] = np.take(s["v"], order, k)
            s["Q"][k] = np.linalg.qr(L[k] @ old[k][:, order])[0]
        s["m"] = turned(turned(s["m"], old, True), s["Q"], False)
    return p


# ---- of the loss's curvature, s["curvature"]

@formula(lr=1e-3, beta1=0.965, beta2=0.99, gamma=0.01, eps=1e-8, weight_decay=1e-4, every=10)
def SophiaH(o, s, p, g, t):
    m, h = ema(s, "m", o.beta1, g) / (1 - o.beta1 ** t), s.get("h", 0 * g)
    if t % o.every == 1 or o.every == 1:
        ema(s, "h", o.beta2, s["curvature"])
    return p - o.lr * (np.clip(m / np.maximum(o.gamma * h, o.eps), -1, 1) + o.weight_decay * p)


@formula(lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0, hessian_power=1)
def AdaHessian(o, s, p, g, t):
    p = p * (1 - o.lr * o.weight_decay)
    m, v = ema(s, "m", o.beta1, g), ema(s, "v", o.beta2, s["curvature"] ** 2)
    denom = (v / (1 - o.beta2 ** t)) ** (o.hessian_power / 2) + o.eps
    return p - o.lr / (1 - o.beta1 ** t) * m / denom
