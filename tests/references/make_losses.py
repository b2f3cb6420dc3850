#!/usr/bin/python3
"""Makes losses_more.safetensors with PyTorch (made with 1.13): losses, and the gradients of all their float operands.
    /usr/bin/python3 tests/references/make_losses.py
What PyTorch does not have is its formula, as the paper writes it. Operands are the same numbers in both dtypes.
"""
import numpy as np
import torch
import torch.nn.functional as F

from make import DTYPES, write

REDUCTIONS = ("mean", "sum", "none")


def numbers(seed, *shape, scale=1.0):
    return torch.from_numpy((scale * np.random.RandomState(seed).standard_normal(shape)).astype(np.float32)).double()


def part(seed, *shape, low=0.05, high=0.95):
    return torch.from_numpy(np.random.RandomState(seed).uniform(low, high, shape).astype(np.float32)).double()


def classes(seed, n, *shape):
    return torch.from_numpy(np.random.RandomState(seed).randint(0, n, shape))


lists = torch.tensor([[2, 0, -1, 1], [1, -1, 2, 3], [0, 1, 2, 3], [-1, 0, 0, 0], [3, 3, 2, -1]])
OPERANDS = {
    "x": numbers(1, 5, 4, scale=1.5), "y": numbers(2, 5, 4), "z": numbers(3, 5, 4), "p": part(4, 5, 4), "q": part(5, 5, 4),
    "bits": classes(6, 2, 5, 4).double(), "signs": 2 * classes(7, 2, 5, 4).double() - 1, "counts": classes(8, 6, 5, 4).double(),
    "variance": part(9, 5, 4, low=0.25, high=1.25), "variance_rows": part(10, 5, low=0.25, high=1.25), "variance_column": part(10, 5, 1, low=0.25, high=1.25),
    "index": classes(11, 4, 5), "lists": lists, "row_signs": torch.tensor([1.0, -1, 1, -1, -1]).double(),
    "row_bits": torch.tensor([1.0, 0, 1, 0, 0]).double(), "row_x": numbers(14, 5), "row_y": numbers(15, 5),
    "class_weight": torch.tensor([0.5, 2.0, 1.25, 0.75], dtype=torch.float64), "element_weight": part(16, 5, 4),
    "drawn": numbers(17, 5, 3, 4), "images": part(18, 3, 2, 4), "masks": classes(19, 2, 3, 2, 4).double(),
    "spoken": numbers(20, 7, 4, 5, scale=2.0), "spoken_one": numbers(21, 6, 5),
    "labels": torch.tensor([[1, 2, 2], [3, 0, 0], [4, 1, 0], [2, 2, 2]]), "labels_flat": torch.tensor([1, 2, 2, 3, 4, 1]),
    "label_lengths": torch.tensor([3, 1, 2, 0]), "times": torch.tensor([7, 5, 6, 4]), "short_times": torch.tensor([3, 5, 6, 4]),
    "labels_one": torch.tensor([3, 3, 1]), "length_one": torch.tensor(3), "time_one": torch.tensor(6),
    "labels_blank_4": torch.tensor([[1, 2, 2], [3, 0, 0], [0, 1, 0], [2, 2, 2]]),
}
TARGETS = ("bits", "signs", "row_signs", "row_bits", "counts", "masks", "class_weight", "element_weight")


def reduced(loss, r):
    return loss.mean() if r == "mean" else loss.sum() if r == "sum" else loss


def quantile(x, y, q, r):
    e = y - x
    return reduced(torch.max(q * e, (q - 1) * e), r)


def focal(x, y, a, g, r):
    p = torch.sigmoid(x)
    p_t = p * y + (1 - p) * (1 - y)
    loss = F.binary_cross_entropy_with_logits(x, y, reduction="none") * (1 - p_t) ** g
    return reduced(loss if a < 0 else (a * y + (1 - a) * (1 - y)) * loss, r)


def dice(p, y, s, r):
    p, y = p.flatten(1), y.flatten(1)
    return reduced(1 - (2 * (p * y).sum(1) + s) / (p.sum(1) + y.sum(1) + s), r)


def contrastive(a, b, y, m, r):
    d = (a - b).norm(dim=-1)
    return reduced(0.5 * (y * d ** 2 + (1 - y) * F.relu(m - d) ** 2), r)


def negative_sampling(c, o, drawn, r):
    return reduced(-F.logsigmoid((c * o).sum(-1)) - F.logsigmoid(-torch.einsum("nk,nmk->nm", c, drawn)).sum(-1), r)


def info_nce(q, k, t, r):
    s = F.normalize(q, dim=1) @ F.normalize(k, dim=1).T / t
    return F.cross_entropy(s, torch.arange(len(s)), reduction=r)


def ctc(x, labels, times, lengths, r, **options):
    return F.ctc_loss(F.log_softmax(x, -1), labels, times, lengths, reduction=r, **options)


def kl_batchmean(x, y, r):
    return F.kl_div(x, y, reduction="batchmean" if r == "mean" else r)


ROWS = [
    ("binary_cross_entropy", "p q", lambda p, q, r: F.binary_cross_entropy(p, q, reduction=r)),
    ("binary_cross_entropy weight", "p bits element_weight",
     lambda p, y, w, r: F.binary_cross_entropy(p, y, weight=w, reduction=r)),
    ("sigmoid_focal_loss", "x bits", lambda x, y, r: focal(x, y, 0.25, 2, r)),
    ("sigmoid_focal_loss alpha -1 gamma 0.5", "x bits", lambda x, y, r: focal(x, y, -1, 0.5, r)),
    ("sigmoid_focal_loss gamma 0", "x bits", lambda x, y, r: focal(x, y, 0.25, 0, r)),
    ("dice_loss", "images masks", lambda p, y, r: dice(p, y, 1, r)),
    ("dice_loss smooth 0.1", "images masks", lambda p, y, r: dice(p, y, 0.1, r)),
    ("hinge_loss", "x signs", lambda x, y, r: reduced(F.relu(1 - x * y), r)),
    ("hinge_loss margin 0.3", "x signs", lambda x, y, r: reduced(F.relu(0.3 - x * y), r)),
    ("squared_hinge_loss", "x signs", lambda x, y, r: reduced(F.relu(1 - x * y) ** 2, r)),
    ("soft_margin_loss", "x signs", lambda x, y, r: F.soft_margin_loss(x, y, reduction=r)),
    ("kl_div", "x p", lambda x, y, r: F.kl_div(x, y, reduction=r)),
    ("kl_div batchmean", "x p", kl_batchmean),
    ("kl_div log_target", "x y", lambda x, y, r: F.kl_div(x, y, reduction=r, log_target=True)),
    ("poisson_nll_loss", "x counts", lambda x, y, r: F.poisson_nll_loss(x, y, reduction=r)),
    ("poisson_nll_loss full", "x counts", lambda x, y, r: F.poisson_nll_loss(x, y, full=True, reduction=r)),
    ("poisson_nll_loss rate", "p counts", lambda x, y, r: F.poisson_nll_loss(x, y, log_input=False, reduction=r)),
    ("poisson_nll_loss rate eps", "p counts",
     lambda x, y, r: F.poisson_nll_loss(x, y, log_input=False, full=True, eps=0.01, reduction=r)),
    ("gaussian_nll_loss", "x y variance", lambda x, y, v, r: F.gaussian_nll_loss(x, y, v, reduction=r)),
    ("gaussian_nll_loss full", "x y variance", lambda x, y, v, r: F.gaussian_nll_loss(x, y, v, full=True, reduction=r)),
    ("gaussian_nll_loss rows", "x y variance_rows", lambda x, y, v, r: F.gaussian_nll_loss(x, y, v, reduction=r)),
    ("gaussian_nll_loss column eps", "x y variance_column",
     lambda x, y, v, r: F.gaussian_nll_loss(x, y, v, eps=0.5, reduction=r)),
    ("quantile_loss", "x y", lambda x, y, r: quantile(x, y, 0.5, r)),
    ("quantile_loss 0.9", "x y", lambda x, y, r: quantile(x, y, 0.9, r)),
    ("multi_margin_loss", "x index", lambda x, t, r: F.multi_margin_loss(x, t, reduction=r)),
    ("multi_margin_loss p 2 margin 0.6", "x index", lambda x, t, r: F.multi_margin_loss(x, t, p=2, margin=0.6, reduction=r)),
    ("multi_margin_loss weight", "x index class_weight",
     lambda x, t, w, r: F.multi_margin_loss(x, t, weight=w, reduction=r)),
    ("multilabel_margin_loss", "x lists", lambda x, t, r: F.multilabel_margin_loss(x, t, reduction=r)),
    ("multilabel_soft_margin_loss", "x bits", lambda x, y, r: F.multilabel_soft_margin_loss(x, y, reduction=r)),
    ("multilabel_soft_margin_loss weight", "x bits class_weight",
     lambda x, y, w, r: F.multilabel_soft_margin_loss(x, y, weight=w, reduction=r)),
    ("margin_ranking_loss", "row_x row_y row_signs", lambda a, b, y, r: F.margin_ranking_loss(a, b, y, reduction=r)),
    ("margin_ranking_loss margin 0.5", "row_x row_y row_signs",
     lambda a, b, y, r: F.margin_ranking_loss(a, b, y, margin=0.5, reduction=r)),
    ("hinge_embedding_loss", "x signs", lambda x, y, r: F.hinge_embedding_loss(x, y, reduction=r)),
    ("hinge_embedding_loss margin 0.4", "x signs", lambda x, y, r: F.hinge_embedding_loss(x, y, margin=0.4, reduction=r)),
    ("cosine_embedding_loss", "x y row_signs", lambda a, b, y, r: F.cosine_embedding_loss(a, b, y, reduction=r)),
    ("cosine_embedding_loss margin 0.5", "x y row_signs",
     lambda a, b, y, r: F.cosine_embedding_loss(a, b, y, margin=0.5, reduction=r)),
    ("contrastive_loss", "x y row_bits", lambda a, b, y, r: contrastive(a, b, y, 1, r)),
    ("contrastive_loss margin 4", "x y row_bits", lambda a, b, y, r: contrastive(a, b, y, 4, r)),
    ("triplet_margin_loss", "x y z", lambda a, b, c, r: F.triplet_margin_loss(a, b, c, reduction=r)),
    ("triplet_margin_loss margin 0.4 p 1 swap", "x y z",
     lambda a, b, c, r: F.triplet_margin_loss(a, b, c, margin=0.4, p=1, swap=True, reduction=r)),
    ("triplet_margin_loss p 3", "x y z", lambda a, b, c, r: F.triplet_margin_loss(a, b, c, p=3, eps=1e-3, reduction=r)),
    ("triplet_margin_with_distance_loss", "x y z",
     lambda a, b, c, r: F.triplet_margin_with_distance_loss(a, b, c, reduction=r)),
    ("triplet_margin_with_distance_loss cosine swap", "x y z",
     lambda a, b, c, r: F.triplet_margin_with_distance_loss(
         a, b, c, distance_function=lambda u, v: 1 - F.cosine_similarity(u, v), margin=0.7, swap=True, reduction=r)),
    ("negative_sampling_loss", "x y drawn", negative_sampling),
    ("info_nce_loss", "x y", lambda q, k, r: info_nce(q, k, 0.1, r)),
    ("info_nce_loss temperature 2", "x y", lambda q, k, r: info_nce(q, k, 2, r)),
    ("ctc_loss", "spoken labels times label_lengths", ctc),
    ("ctc_loss flat", "spoken labels_flat times label_lengths", ctc),
    ("ctc_loss zero_infinity", "spoken labels short_times label_lengths",
     lambda x, l, t, n, r: ctc(x, l, t, n, r, zero_infinity=True)),
    ("ctc_loss blank 4", "spoken labels_blank_4 times label_lengths", lambda x, l, t, n, r: ctc(x, l, t, n, r, blank=4)),
    ("ctc_loss one", "spoken_one labels_one time_one length_one", ctc),
]


def cotangent(shape):
    n = int(np.prod(shape)) if len(shape) else 1
    return (((torch.arange(n) * 7) % 11 - 5).double() / 4).reshape(shape)


def main():
    out = {f"in.{k}": v.float() if v.is_floating_point() else v for k, v in OPERANDS.items()}
    for kind, dtype in DTYPES.items():
        for name, operands, f in ROWS:
            for r in REDUCTIONS:
                given = []
                for o in operands.split():
                    v = OPERANDS[o]
                    given.append(v.to(dtype).requires_grad_(o not in TARGETS) if v.is_floating_point() else v)
                y = f(*given, r)
                key = f"{kind}.{name}.{r}"
                out[key] = y
                leaves = [(o, v) for o, v in zip(operands.split(), given) if v.requires_grad]
                grads = torch.autograd.grad(y, [v for _, v in leaves], cotangent(y.shape).to(dtype) if r == "none" else None)
                for (o, _), g in zip(leaves, grads):
                    out[f"{key}.g.{o}"] = g
    write("losses_more", out)


if __name__ == "__main__":
    main()
