#!/usr/bin/python3
"""Makes the reference numbers beside this file with PyTorch (made with 1.13). The tests read the files only:
    /usr/bin/python3 tests/references/make.py
The format is written and read here by hand, so that the library's own reader and writer are checked against another.
"""
import itertools
import json
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {"float32": "F32", "float64": "F64", "int64": "I64", "bool": "BOOL", "float16": "F16"}
DTYPES = {"f32": torch.float32, "f64": torch.float64}


def write(name, tensors, metadata=None):
    """Numbers that differ from the file's by rounding alone, on another machine, stay as they are."""
    header, body = {}, b""
    kept = read(name) if os.path.exists(os.path.join(HERE, name + ".safetensors")) else {}
    if metadata:
        header["__metadata__"] = metadata
    for key, value in tensors.items():
        a = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)
        old = kept[key].numpy() if key in kept else None
        if old is not None and old.shape == a.shape and old.dtype == a.dtype and a.dtype.kind == "f":
            most = 1e-11 * np.max(np.abs(a), initial=0, where=np.isfinite(a))
            if np.allclose(a, old, rtol=0, atol=most, equal_nan=True):
                a = old
        raw = np.ascontiguousarray(a).tobytes()
        header[key] = {"dtype": KINDS[str(a.dtype)], "shape": list(a.shape),
                       "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    with open(os.path.join(HERE, name + ".safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)


def read(name):
    kinds = {v: k for k, v in KINDS.items()}
    with open(os.path.join(HERE, name + ".safetensors"), "rb") as f:
        length, = struct.unpack("<Q", f.read(8))
        header, body = json.loads(f.read(length)), f.read()
    header.pop("__metadata__", None)
    return {k: torch.from_numpy(np.frombuffer(body[e["data_offsets"][0]:e["data_offsets"][1]],
                                              dtype=kinds[e["dtype"]]).reshape(e["shape"]).copy())
            for k, e in header.items()}


def draw(seed, *shape):
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape))


def gradients(y, cotangent, *leaves):
    return torch.autograd.grad(y, leaves, cotangent)


def layers():
    out = {}
    rows = {
        "tanh": torch.tanh, "relu": F.relu, "sigmoid": torch.sigmoid, "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "softplus": F.softplus,
        "softplus_2": lambda x: F.softplus(x, beta=2), "leaky_relu": F.leaky_relu,
        "leaky_relu_0.2": lambda x: F.leaky_relu(x, 0.2), "elu": F.elu, "elu_1.5": lambda x: F.elu(x, 1.5),
        "softmax": lambda x: F.softmax(x, -1), "softmax_0": lambda x: F.softmax(x, 0),
        "log_softmax": lambda x: F.log_softmax(x, -1), "log_softmax_0": lambda x: F.log_softmax(x, 0),
    }
    for kind, dtype in DTYPES.items():
        x = (2 * draw(1, 4, 5)).to(dtype).requires_grad_()
        c = draw(2, 4, 5).to(dtype)
        out[f"{kind}.x"], out[f"{kind}.c"] = x, c
        for name, f in rows.items():
            y = f(x)
            gx, = gradients(y, c, x)
            out[f"{kind}.{name}.y"], out[f"{kind}.{name}.gx"] = y, gx
        weight, bias = (draw(s, *n).to(dtype).requires_grad_() for s, n in ((3, (3, 5)), (4, (3,))))
        out[f"{kind}.weight"], out[f"{kind}.bias"] = weight, bias
        for name, shape in (("linear_1", (5,)), ("linear_2", (4, 5)), ("linear_3", (2, 3, 5))):
            x = draw(5, *shape).to(dtype).requires_grad_()
            c = draw(6, *shape[:-1], 3).to(dtype)
            out[f"{kind}.{name}.x"], out[f"{kind}.{name}.c"] = x, c
            for suffix, b in (("", bias), ("_no_bias", None)):
                y = F.linear(x, weight, b)
                grads = gradients(y, c, *([x, weight] + ([bias] if b is not None else [])))
                out[f"{kind}.{name}{suffix}.y"] = y
                for key, g in zip(("gx", "gweight", "gbias"), grads):
                    out[f"{kind}.{name}{suffix}.{key}"] = g
    write("layers", out)


def loss_row(out, key, f, x, seed):
    y = f(x)
    gx, = gradients(y, draw(seed, *y.shape).to(y.dtype), x)
    out[key + ".y"], out[key + ".gx"] = y, gx


def losses():
    out = {}
    reductions = ("mean", "sum", "none")
    shapes = {"rows": (6, 4), "pixels": (2, 4, 3), "one": (4,)}
    for kind, dtype in DTYPES.items():
        weight = torch.tensor([0.5, 2.0, 1.25, 0.75], dtype=dtype)
        out[f"{kind}.class_weight"] = weight
        for shape_name, shape in shapes.items():
            axis = 0 if len(shape) == 1 else 1
            x = draw(7, *shape).to(dtype).requires_grad_()
            rows = shape[:axis] + shape[axis + 1:]
            index = torch.from_numpy(np.random.RandomState(8).randint(0, 4, rows))
            probabilities = torch.softmax(draw(9, *shape).to(dtype), axis)
            some = index.clone()
            if rows:
                some.view(-1)[1::3] = -100
            key = f"{kind}.{shape_name}"
            out[key + ".x"], out[key + ".index"], out[key + ".some"] = x, index, some
            out[key + ".probabilities"] = probabilities
            if kind == "f64":
                for reduction in reductions:
                    out[f"c.{shape_name}.{reduction}"] = draw(10, *(rows if reduction == "none" else ()))
            for reduction, s, w, target in itertools.product(reductions, (0.0, 0.1), (0, 1),
                                                             ("index", "some", "probabilities")):
                if target == "some" and not rows:
                    continue
                t = {"index": index, "some": some, "probabilities": probabilities}[target]
                loss_row(out, f"{key}.cross_entropy.{reduction}.{s}.{w}.{target}",
                         lambda x: F.cross_entropy(x, t, weight=weight if w else None, label_smoothing=s,
                                                   reduction=reduction), x, 10)
                if s == 0 and target != "probabilities":
                    loss_row(out, f"{key}.nll_loss.{reduction}.{w}.{target}",
                             lambda x: F.nll_loss(x, t, weight=weight if w else None, reduction=reduction), x, 10)
        x = (1.5 * draw(11, 5, 3)).to(dtype).requires_grad_()
        y = draw(12, 5, 3).to(dtype)
        binary = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
        w, q = torch.rand(3, generator=torch.Generator().manual_seed(2)).to(dtype) + 0.5, torch.tensor(
            [0.5, 1.0, 3.0], dtype=dtype)
        out.update({f"{kind}.numbers.x": x, f"{kind}.numbers.y": y, f"{kind}.numbers.binary": binary,
                    f"{kind}.numbers.weight": w, f"{kind}.numbers.pos_weight": q})
        rows = {
            "mse_loss": lambda x, r: F.mse_loss(x, y, reduction=r),
            "l1_loss": lambda x, r: F.l1_loss(x, y, reduction=r),
            "huber_loss": lambda x, r: F.huber_loss(x, y, reduction=r),
            "huber_loss_0.7": lambda x, r: F.huber_loss(x, y, reduction=r, delta=0.7),
            "smooth_l1_loss": lambda x, r: F.smooth_l1_loss(x, y, reduction=r),
            "smooth_l1_loss_0.7": lambda x, r: F.smooth_l1_loss(x, y, reduction=r, beta=0.7),
            "smooth_l1_loss_0": lambda x, r: F.smooth_l1_loss(x, y, reduction=r, beta=0),
            "bce": lambda x, r: F.binary_cross_entropy_with_logits(x, binary, reduction=r),
            "bce_weight": lambda x, r: F.binary_cross_entropy_with_logits(x, binary, weight=w, reduction=r),
            "bce_pos_weight": lambda x, r: F.binary_cross_entropy_with_logits(x, binary, pos_weight=q, reduction=r),
            "bce_both": lambda x, r: F.binary_cross_entropy_with_logits(x, binary, weight=w, pos_weight=q, reduction=r),
        }
        for reduction in reductions:
            if kind == "f64":
                out[f"c.numbers.{reduction}"] = draw(10, *((5, 3) if reduction == "none" else ()))
            for name, f in rows.items():
                loss_row(out, f"{kind}.{name}.{reduction}", lambda x: f(x, reduction), x, 10)
    write("losses", out)


STEPS, SEEN = 25, (1, 2, 10, 25)
SHAPES = {"a": (3, 7), "b": (4,), "c": ()}


def optimizers():
    out = {}
    rows = {}
    for mu, tau, decay, nesterov, maximize in itertools.product((0, 0.9), (0, 0.3), (0, 0.1), (0, 1), (0, 1)):
        if nesterov and (mu == 0 or tau != 0):
            continue
        rows[f"SGD {mu} {tau} {decay} {nesterov} {maximize}"] = lambda p, o=(mu, tau, decay, nesterov, maximize): \
            torch.optim.SGD(p, lr=0.05, momentum=o[0], dampening=o[1], weight_decay=o[2], nesterov=bool(o[3]),
                            maximize=bool(o[4]))
    for name, make in (("Adam", torch.optim.Adam), ("AdamW", torch.optim.AdamW)):
        for decay, amsgrad, maximize in itertools.product((0, 0.1), (0, 1), (0, 1)):
            rows[f"{name} {decay} {amsgrad} {maximize}"] = lambda p, m=make, o=(decay, amsgrad, maximize): \
                m(p, lr=0.05, betas=(0.8, 0.95), eps=1e-6, weight_decay=o[0], amsgrad=bool(o[1]), maximize=bool(o[2]))
        rows[name + " defaults"] = lambda p, m=make: m(p)
    for mu, centered, decay, maximize in itertools.product((0, 0.9), (0, 1), (0, 0.1), (0, 1)):
        rows[f"RMSprop {mu} {centered} {decay} {maximize}"] = lambda p, o=(mu, centered, decay, maximize): \
            torch.optim.RMSprop(p, lr=0.05, alpha=0.9, eps=1e-6, momentum=o[0], centered=bool(o[1]), weight_decay=o[2],
                                maximize=bool(o[3]))
    rows["RMSprop defaults"] = lambda p: torch.optim.RMSprop(p)
    for slowing, decay, start, maximize in itertools.product((0, 0.1), (0, 0.1), (0, 0.5), (0, 1)):
        rows[f"Adagrad {slowing} {decay} {start} {maximize}"] = lambda p, o=(slowing, decay, start, maximize): \
            torch.optim.Adagrad(p, lr=0.05, lr_decay=o[0], weight_decay=o[1], initial_accumulator_value=o[2],
                                maximize=bool(o[3]))
    rows["Adagrad defaults"] = lambda p: torch.optim.Adagrad(p)
    for kind, dtype in DTYPES.items():
        start = {n: draw(20 + i, *s).to(dtype) for i, (n, s) in enumerate(SHAPES.items())}
        noise = {n: draw(30 + i, STEPS, *s).to(dtype) for i, (n, s) in enumerate(SHAPES.items())}
        for n in SHAPES:
            out[f"{kind}.{n}"], out[f"{kind}.{n}.noise"] = start[n], noise[n]
        for row, make in rows.items():
            p = {n: start[n].clone().requires_grad_() for n in SHAPES}
            optimizer = make(list(p.values()))
            for t in range(1, STEPS + 1):
                # grad = 0.3 p + noise; b has none in every third step, and each counts its own steps
                for n in SHAPES:
                    skip = n == "b" and t % 3 == 0
                    p[n].grad = None if skip else (0.3 * p[n].detach() + noise[n][t - 1])
                optimizer.step()
                if t in SEEN:
                    out[f"{kind} {row} {t}"] = torch.cat([v.detach().reshape(-1) for v in p.values()]).clone()
    write("optimizers", out)


def schedules():
    out = {}
    L = torch.optim.lr_scheduler
    rows = {
        "StepLR": lambda o: [L.StepLR(o, 3, 0.5)],
        "CosineAnnealing": lambda o: [L.CosineAnnealingLR(o, 10)],
        "CosineAnnealing_min": lambda o: [L.CosineAnnealingLR(o, 10, eta_min=0.01)],
        "LinearWarmup": lambda o: [L.LinearLR(o, start_factor=0.25, total_iters=4)],
        "LinearWarmup_end": lambda o: [L.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=7)],
        "both": lambda o: [L.LinearLR(o, start_factor=0.25, total_iters=4), L.StepLR(o, 3, 0.5)],
    }
    for name, make in rows.items():
        p = [torch.zeros(1, requires_grad=True) for _ in range(2)]
        optimizer = torch.optim.SGD([{"params": p[:1], "lr": 0.1}, {"params": p[1:], "lr": 0.03}], lr=1.0)
        made = make(optimizer)
        rates = []
        for _ in range(26):
            # the closed form, where PyTorch has one and a single schedule runs; its recursion drifts by rounding
            closed = made[0]._get_closed_form_lr() if len(made) == 1 else [g["lr"] for g in optimizer.param_groups]
            rates.append(closed)
            optimizer.step()
            for schedule in made:
                schedule.step()
        out[name] = torch.tensor(rates, dtype=torch.float64)
    write("schedules", out)


def network(dtype):
    layers = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2, bias=False))
    return layers.to(dtype)


def state():
    torch.manual_seed(3)
    for kind, dtype in DTYPES.items():
        net = network(dtype)
        write(f"from_torch_{kind}", net.state_dict(), {"format": "pt"})
        x = draw(40, 6, 3).to(dtype)
        out = {"x": x, "from_torch": net(x)}
        if os.path.exists(os.path.join(HERE, f"from_xgrad_{kind}.safetensors")):
            net.load_state_dict(read(f"from_xgrad_{kind}"), strict=True)
            out["from_xgrad"] = net(x)
        write(f"network_{kind}", out)
    write("halves", {"F16": np.array([0.0, -0.0, 1.0, -2.5, 65504.0, 6e-8, 1e-5, np.inf, -np.inf, 0.333], np.float16),
                     "as_f32": np.array([0.0, -0.0, 1.0, -2.5, 65504.0, 6e-8, 1e-5, np.inf, -np.inf, 0.333],
                                        np.float16).astype(np.float32)})


def sixteenths(random, *shape):
    """Whose sums of products are exact in f32 too."""
    return torch.from_numpy(random.randint(-24, 25, shape) / 16.0)


CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def convolutions():
    """Each case has its operands, its options, the result and the gradients of all operands; what f32 holds is kept in it."""
    out = {}
    random = np.random.RandomState(50)
    pick = lambda low, high, axes: [int(v) for v in random.randint(low, high + 1, axes)]

    def add(name, operands, options, f):
        leaves = {k: v.requires_grad_() for k, v in operands.items()}
        y = f(**leaves, **options)
        c = sixteenths(random, *y.shape)
        out.update({f"{name}.{k}": v for k, v in leaves.items()})
        out.update({f"{name}.{k}": np.array(v, np.int64) for k, v in options.items()})
        out[name + ".c"], out[name + ".y"] = c, y
        for k, g in zip(leaves, gradients(y, c, *leaves.values())):
            out[f"{name}.g{k}"] = g

    for transposed, count in ((0, 24), (1, 16)):
        made = 0
        while made < count:
            axes, groups = 1 + made % 3, (1, 1, 2, 3)[random.randint(4)]
            stride, padding, dilation = pick(1, 3, axes), pick(0, 2, axes), pick(1, 3, axes)
            kernel, image = pick(1, 3, axes), pick(2 if transposed else 3, 4 if transposed else (12, 7, 5)[axes - 1], axes)
            channels, made_of = groups * random.randint(1, 3), groups * random.randint(1, 3)
            options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
            span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
            if transposed:
                options["output_padding"] = [int(random.randint(0, max(s, d))) for s, d in zip(stride, dilation)]
                left = [(i - 1) * s - 2 * p + n + o for i, s, p, n, o in
                        zip(image, stride, padding, span, options["output_padding"])]
            else:
                left = [i + 2 * p - n + 1 for i, p, n in zip(image, padding, span)]
            if min(left) < 1:
                continue
            x = sixteenths(random, *([random.randint(1, 3)] if random.randint(4) else []), channels, *image)
            weight = sixteenths(random, *((channels, made_of // groups) if transposed else (made_of, channels // groups)), *kernel)
            operands = {"input": x, "weight": weight}
            if random.randint(2):
                operands["bias"] = sixteenths(random, made_of)
            name = "conv_transpose" if transposed else "conv"
            add(f"{name}{axes}d.{made}", operands, options, (TRANSPOSED if transposed else CONVOLUTIONS)[axes])
            made += 1
    for kind, functions in (("max", MAX_POOLS), ("avg", AVG_POOLS)):
        made = 0
        while made < 15:
            axes = 1 + made % 3
            kernel, stride, image = pick(1, 3, axes), pick(1, 3, axes), pick(3, (12, 7, 5)[axes - 1], axes)
            padding = [int(random.randint(0, k // 2 + 1)) for k in kernel]
            options = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": bool(random.randint(2))}
            if kind == "max":
                options["dilation"] = pick(1, 2, axes)
            else:
                options["count_include_pad"] = bool(random.randint(2))
            span = [d * (k - 1) + 1 for d, k in zip(options.get("dilation", [1] * axes), kernel)]
            if any(i + 2 * p < n for i, p, n in zip(image, padding, span)):
                continue
            x = sixteenths(random, *([2] if random.randint(4) else []), 2, *image)  # with ties
            y = functions[axes](x, **options)
            if not bool(torch.isfinite(y).all()):
                continue
            add(f"{kind}_pool{axes}d.{made}", {"input": x}, options, functions[axes])
            made += 1
    narrow = {k: v.detach().float() for k, v in out.items() if isinstance(v, torch.Tensor)}
    write("convolutions", {k: narrow[k] if k in narrow and bool((narrow[k] == v).all()) else v for k, v in out.items()})


if __name__ == "__main__":
    convolutions()
    layers()
    losses()
    optimizers()
    schedules()
    state()
