#!/usr/bin/python3
"""Makes linalg.safetensors with PyTorch (1.13), f64:
    /usr/bin/python3 tests/references/make_linalg.py
For each size n and batch: a, a general matrix; s, a symmetric positive definite one; b, right-hand sides. NAME is the result, NAME.g a
cotangent of it, and NAME.a, NAME.b the gradients of sum(NAME * NAME.g) by the operands. Eigenvectors come as v diag(w^2) v^T + v diag(w)
v^T, which does not depend on their signs.
"""
import torch

from make import write

torch.set_default_dtype(torch.float64)
L = torch.linalg


def symmetric(x):
    return (x + x.mT) / 2


def of_vectors(x):
    w, v = L.eigh(symmetric(x))
    return (v * (w * w + w).unsqueeze(-2)) @ v.mT


FUNCTIONS = {  # name: (function, operands)
    "cholesky": (lambda s: L.cholesky(symmetric(s)), "s"),
    "solve": (L.solve, "ab"),
    "solve_lower": (lambda a, b: L.solve_triangular(torch.tril(a), b, upper=False), "ab"),
    "solve_upper": (lambda a, b: L.solve_triangular(torch.triu(a), b, upper=True), "ab"),
    "inv": (L.inv, "a"),
    "det": (L.det, "a"),
    "slogdet": (lambda a: L.slogdet(a)[1], "a"),
    "logdet": (torch.logdet, "s"),
    "eigenvalues": (lambda s: L.eigh(symmetric(s))[0], "s"),
    "eigenvectors": (of_vectors, "s"),
}


def main():
    torch.manual_seed(1)
    out = {}
    for n, batch in ((1, ()), (3, (2,)), (5, (2, 2)), (24, ())):
        key = f"{n}."
        a = torch.randn(*batch, n, n) + 3 * torch.eye(n)
        r = torch.randn(*batch, n, n)
        values = {"a": a, "s": r @ r.mT / n + torch.diag(torch.arange(1.0, n + 1)), "b": torch.randn(*batch, n, 2)}
        out.update({key + k: v for k, v in values.items()})
        for name, (f, operands) in FUNCTIONS.items():
            x = [values[o].clone().requires_grad_() for o in operands]
            y = f(*x)
            g = torch.randn_like(y)
            (y * g).sum().backward()
            out[key + name], out[key + name + ".g"] = y, g
            for o, v in zip(operands, x):
                out[key + name + "." + o] = v.grad
    write("linalg", out)


if __name__ == "__main__":
    main()
