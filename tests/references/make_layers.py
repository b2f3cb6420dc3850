#!/usr/bin/python3
"""Makes layer_images.safetensors and layer_rows.safetensors beside this file with PyTorch (made with 1.13): what layers give, and their gradients.
    /usr/bin/python3 tests/references/make_layers.py
Of each case: the inputs, the state dict, the result while it trains and its cotangent, the gradients of inputs and parameters, what
of the state has changed, and the result of an evaluation before. Numbers are f64, and those that go in are f32 numbers, so that they
serve for both.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from make import write

out = {}


def rounded(t):
    return t.float().double()


def draw(seed, *shape, scale=1.0):
    return rounded(torch.from_numpy(np.asarray(np.random.RandomState(seed).standard_normal(shape))) * scale)


def case(name, module, *inputs, call=None, evaluated=True):
    module = module.double()
    for seed, (key, t) in enumerate(module.state_dict().items()):
        with torch.no_grad():
            if key == "num_batches_tracked":
                t.fill_(3)
            elif key == "running_var":
                t.copy_(rounded(0.5 + draw(100 + seed, *t.shape).abs()))
            elif key in ("weight_u", "weight_v") and "weight_orig" in module.state_dict():
                t.copy_(F.normalize(draw(100 + seed, *t.shape), dim=0))
            else:
                t.copy_(draw(100 + seed, *t.shape, scale=0.5))
    if getattr(module, "padding_idx", None) is not None:
        with torch.no_grad():
            module.weight[module.padding_idx] = 0.25  # a user's own: it serves as it is, and gets no gradient
    inputs = [draw(7 + i, *x, scale=1.5) if isinstance(x, tuple) else x for i, x in enumerate(inputs)]
    leaves = [x.requires_grad_() for x in inputs if x.is_floating_point()]
    before = {k: t.detach().clone() for k, t in module.state_dict().items()}
    call = call or (lambda m, *x: m(*x))
    for i, x in enumerate(inputs):
        out[f"{name}.in{i}"] = x
    for k, t in before.items():
        out[f"{name}.state.{k}"] = t
    module.eval()
    of_eval = call(module, *inputs).detach()
    module.load_state_dict(before)
    module.train()
    y = call(module, *inputs)
    c = draw(99, *y.shape)
    parameters = dict(module.named_parameters())
    grads = torch.autograd.grad(y, leaves + list(parameters.values()), c, allow_unused=True)
    grads = [torch.zeros_like(t) if g is None else g for g, t in zip(grads, leaves + list(parameters.values()))]
    out[f"{name}.y"], out[f"{name}.c"] = y, c
    if evaluated and not torch.equal(of_eval, y.detach()):
        out[f"{name}.eval"] = of_eval
    at = 0
    for i, x in enumerate(inputs):
        if x.is_floating_point():
            out[f"{name}.gin{i}"] = grads[at]
            at += 1
    for key, g in zip(parameters, grads[at:]):
        out[f"{name}.g.{key}"] = g if g.numel() == 0 or g.abs().max() > 1e-12 else torch.zeros_like(g)  # rounding of 0
    for k, t in module.state_dict().items():
        if not torch.equal(t, before[k]):
            out[f"{name}.after.{k}"] = t.detach().clone()


class RMSNorm(nn.Module):
    def __init__(self, shape, eps=None, affine=True):
        super().__init__()
        self.axes, self.eps = list(range(-len(shape), 0)), eps
        self.weight = nn.Parameter(torch.ones(shape)) if affine else None

    def forward(self, x):
        eps = self.eps if self.eps is not None else torch.finfo(x.dtype).eps
        y = x * torch.rsqrt((x * x).mean(self.axes, keepdim=True) + eps)
        return y if self.weight is None else y * self.weight


class Of(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *x):
        return self.f(*x)


# PyTorch's own have slopes of f32 constants in f64, too.
def celu(x, alpha):
    return torch.where(x > 0, x, alpha * torch.expm1(torch.where(x > 0, torch.zeros_like(x), x) / alpha))


def hardsigmoid(x):
    return F.relu6(x + 3) / 6


def convolutions():
    case("conv1d", nn.Conv1d(3, 4, 3), (2, 3, 9))
    case("conv1d_same", nn.Conv1d(2, 4, 4, padding="same", dilation=2), (2, 2, 9))
    case("conv1d_reflect", nn.Conv1d(2, 4, 3, padding=2, padding_mode="reflect", stride=2), (2, 2, 8))
    case("conv1d_unbatched", nn.Conv1d(2, 3, 2), (2, 5))
    case("conv1d_length_1", nn.Conv1d(2, 3, 3, padding=1), (1, 2, 1))
    case("conv2d", nn.Conv2d(3, 4, 3), (2, 3, 6, 5))
    case("conv2d_options", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False), (2, 4, 7, 6))
    case("conv2d_same_even", nn.Conv2d(2, 3, (2, 4), padding="same"), (2, 2, 5, 6))
    case("conv2d_same_replicate", nn.Conv2d(2, 3, (2, 3), padding="same", padding_mode="replicate"), (2, 2, 4, 5))
    case("conv2d_valid", nn.Conv2d(2, 3, 2, padding="valid"), (2, 2, 4, 5))
    case("conv2d_circular", nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="circular"), (2, 2, 4, 5))
    case("conv2d_replicate", nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="replicate", stride=2), (2, 2, 5, 4))
    case("conv2d_depthwise", nn.Conv2d(4, 8, 3, padding=1, groups=4), (2, 4, 5, 4))
    case("conv2d_no_examples", nn.Conv2d(3, 4, 3), (0, 3, 5, 5))
    case("conv2d_unbatched", nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), (3, 4, 5))
    case("conv3d", nn.Conv3d(2, 3, 2), (2, 2, 3, 4, 3))
    case("conv3d_circular", nn.Conv3d(2, 2, (1, 3, 2), padding=(0, 1, 1), padding_mode="circular", stride=(1, 2, 1)), (1, 2, 2, 5, 3))
    case("conv_transpose1d", nn.ConvTranspose1d(3, 4, 3), (2, 3, 5))
    case("conv_transpose1d_options", nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, groups=2, dilation=2), (2, 4, 4))
    case("conv_transpose1d_unbatched", nn.ConvTranspose1d(2, 3, 2, stride=2), (2, 3))
    case("conv_transpose2d", nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1), (2, 3, 4, 3))
    case("conv_transpose2d_options", nn.ConvTranspose2d(2, 4, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2, bias=False,
                                                        dilation=(2, 1)), (2, 2, 3, 4))
    case("conv_transpose2d_output_size", nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1), (1, 2, 3, 4),
         call=lambda m, x: m(x, output_size=(6, 7)))
    case("conv_transpose2d_no_examples", nn.ConvTranspose2d(3, 2, 3), (0, 3, 4, 4))
    case("conv_transpose3d", nn.ConvTranspose3d(2, 3, 2, stride=2), (1, 2, 2, 3, 2))


def pools():
    case("max_pool1d", nn.MaxPool1d(2), (2, 3, 7))
    case("max_pool1d_options", nn.MaxPool1d(3, stride=2, padding=1, dilation=2, ceil_mode=True), (2, 3, 9))
    case("max_pool2d", nn.MaxPool2d(2), (2, 3, 5, 6))
    case("max_pool2d_options", nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)), (2, 2, 6, 5))
    case("max_pool2d_unbatched", nn.MaxPool2d(2), (3, 4, 4))
    case("max_pool2d_no_examples", nn.MaxPool2d(2), (0, 3, 4, 4))
    case("max_pool3d", nn.MaxPool3d(2), (1, 2, 4, 4, 5))
    case("avg_pool1d", nn.AvgPool1d(3, stride=2, padding=1), (2, 3, 7))
    case("avg_pool2d", nn.AvgPool2d(2), (2, 3, 5, 6))
    case("avg_pool2d_options", nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 1), ceil_mode=True, count_include_pad=False), (2, 2, 6, 5))
    case("avg_pool3d", nn.AvgPool3d(2), (1, 2, 4, 4, 5))
    case("adaptive_avg_pool1d", nn.AdaptiveAvgPool1d(3), (2, 3, 7))
    case("adaptive_avg_pool1d_more", nn.AdaptiveAvgPool1d(5), (2, 2, 3))
    case("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d((3, 2)), (2, 2, 7, 5))
    case("adaptive_avg_pool2d_even", nn.AdaptiveAvgPool2d((2, None)), (2, 2, 4, 3))
    case("adaptive_avg_pool2d_one", nn.AdaptiveAvgPool2d(1), (2, 3, 5, 4))
    case("adaptive_avg_pool2d_unbatched", nn.AdaptiveAvgPool2d((2, 3)), (2, 5, 4))
    case("adaptive_avg_pool3d", nn.AdaptiveAvgPool3d((2, 3, 2)), (1, 2, 3, 4, 5))
    case("adaptive_max_pool1d", nn.AdaptiveMaxPool1d(3), (2, 3, 7))
    case("adaptive_max_pool2d", nn.AdaptiveMaxPool2d((3, 2)), (2, 2, 7, 5))
    case("adaptive_max_pool2d_relu", Of(lambda x: F.adaptive_max_pool2d(F.relu(x), (3, 2))), (2, 2, 7, 5))
    case("adaptive_max_pool2d_unbatched", nn.AdaptiveMaxPool2d((2, 3)), (2, 5, 4))
    case("adaptive_max_pool3d", nn.AdaptiveMaxPool3d((2, 3, 2)), (1, 2, 3, 4, 5))


def norms():
    case("batch_norm1d", nn.BatchNorm1d(3), (5, 3))
    case("batch_norm1d_length", nn.BatchNorm1d(3), (4, 3, 5))
    case("batch_norm1d_length_1", nn.BatchNorm1d(3), (4, 3, 1))
    case("batch_norm1d_no_examples", nn.BatchNorm1d(3), (0, 3))
    case("batch_norm1d_untracked", nn.BatchNorm1d(3, track_running_stats=False, eps=1e-3), (5, 3))
    case("batch_norm2d", nn.BatchNorm2d(3), (2, 3, 4, 3))
    case("batch_norm2d_one_example", nn.BatchNorm2d(2), (1, 2, 2, 3))
    case("batch_norm2d_average", nn.BatchNorm2d(2, momentum=None), (2, 2, 3, 3))
    case("batch_norm2d_plain", nn.BatchNorm2d(2, affine=False, momentum=0.3, eps=0.1), (2, 2, 3, 3))
    case("batch_norm3d", nn.BatchNorm3d(2), (2, 2, 2, 3, 2))
    case("instance_norm1d", nn.InstanceNorm1d(3), (2, 3, 5))
    case("instance_norm1d_tracked", nn.InstanceNorm1d(3, affine=True, track_running_stats=True), (2, 3, 5))
    case("instance_norm1d_unbatched", nn.InstanceNorm1d(3, affine=True), (3, 5))
    case("instance_norm2d", nn.InstanceNorm2d(3, affine=True, eps=1e-2), (2, 3, 3, 4))
    case("instance_norm2d_tracked", nn.InstanceNorm2d(2, track_running_stats=True, momentum=0.4), (3, 2, 3, 2))
    case("instance_norm3d", nn.InstanceNorm3d(2), (2, 2, 2, 3, 2))
    case("layer_norm", nn.LayerNorm(6), (3, 6))
    case("layer_norm_vector", nn.LayerNorm(6), (6,))
    case("layer_norm_axes", nn.LayerNorm((3, 4), eps=1e-2), (2, 2, 3, 4))
    case("layer_norm_plain", nn.LayerNorm(6, elementwise_affine=False), (2, 3, 6))
    case("layer_norm_no_examples", nn.LayerNorm(6), (0, 6))
    case("layer_norm_length_1", nn.LayerNorm(1), (3, 1))
    case("group_norm", nn.GroupNorm(2, 4), (3, 4, 5))
    case("group_norm_images", nn.GroupNorm(1, 3, eps=1e-2), (2, 3, 3, 2))
    case("group_norm_each", nn.GroupNorm(4, 4, affine=False), (2, 4, 3))
    case("group_norm_rows", nn.GroupNorm(2, 6), (3, 6))
    case("group_norm_no_examples", nn.GroupNorm(2, 4), (0, 4, 5))
    case("rms_norm", RMSNorm((6,)), (3, 6))
    case("rms_norm_axes", RMSNorm((3, 4), eps=1e-2), (2, 3, 4))
    case("rms_norm_plain", RMSNorm((6,), affine=False), (2, 3, 6))


def activations():
    rows = {
        "hardtanh": nn.Hardtanh(), "hardtanh_bounds": nn.Hardtanh(-0.5, 1.5), "relu6": nn.ReLU6(), "selu": nn.SELU(), "celu": nn.CELU(),
        "celu_alpha": Of(lambda x: celu(x, 0.6)), "mish": nn.Mish(), "softsign": nn.Softsign(), "hardswish": nn.Hardswish(),
        "hardsigmoid": Of(hardsigmoid), "logsigmoid": nn.LogSigmoid(), "tanhshrink": nn.Tanhshrink(), "softshrink": nn.Softshrink(),
        "softshrink_lambda": nn.Softshrink(1.25), "hardshrink": nn.Hardshrink(), "hardshrink_lambda": nn.Hardshrink(1.25),
        "threshold": nn.Threshold(0.3, -2.0), "prelu": nn.PReLU(), "prelu_channels": nn.PReLU(4), "glu": nn.GLU(1), "softmin": nn.Softmin(1),
        "elu": nn.ELU(), "gelu": nn.GELU(), "gelu_tanh": nn.GELU(approximate="tanh"), "silu": nn.SiLU(), "softplus": nn.Softplus(),
        "softplus_beta": nn.Softplus(beta=2.5), "leaky_relu": nn.LeakyReLU(0.2), "relu": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(),
        "softmax": nn.Softmax(1), "log_softmax": nn.LogSoftmax(1),
    }
    for name, module in rows.items():
        case(name, module, 3 * draw(5, 3, 4, 2))
    case("softmax2d", nn.Softmax2d(), (2, 3, 2, 2))
    case("softmax2d_unbatched", nn.Softmax2d(), (3, 2, 2))
    case("prelu_vector", nn.PReLU(), (5,))
    # corners, and far out
    corners = torch.tensor([-1e4, -88, -6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 88, 1e4], dtype=torch.float64)
    for name in ("hardtanh", "relu6", "selu", "celu", "mish", "softsign", "hardswish", "hardsigmoid", "logsigmoid", "tanhshrink",
                 "softshrink", "hardshrink", "elu", "gelu", "gelu_tanh", "silu", "leaky_relu", "relu", "tanh", "sigmoid"):
        case(name + "_corners", rows[name], corners.clone())


def dense():
    case("linear", nn.Linear(3, 4), (2, 3))
    case("linear_vector", nn.Linear(3, 4, bias=False), (3,))
    case("bilinear", nn.Bilinear(3, 4, 2), (5, 3), (5, 4))
    case("bilinear_axes", nn.Bilinear(2, 3, 2, bias=False), (2, 3, 2), (2, 3, 3))
    case("bilinear_vector", nn.Bilinear(2, 3, 2), (2,), (3,))
    case("bilinear_no_examples", nn.Bilinear(2, 3, 2), (0, 2), (0, 3))
    index = torch.tensor([[1, 4, 2], [4, 0, 4]])
    case("embedding", nn.Embedding(6, 3), index)
    case("embedding_number", nn.Embedding(6, 3), torch.tensor(2))
    case("embedding_no_examples", nn.Embedding(6, 3), index[:0])
    case("embedding_padding", nn.Embedding(6, 3, padding_idx=4), index)
    case("embedding_max_norm", nn.Embedding(6, 3, max_norm=0.7), index)
    case("embedding_max_norm_1", nn.Embedding(6, 3, max_norm=0.5, norm_type=1.0, padding_idx=-1), index)
    for mode in ("sum", "mean", "max"):
        case(f"bag_{mode}", nn.EmbeddingBag(6, 3, mode=mode), index)
        case(f"bag_{mode}_padding", nn.EmbeddingBag(6, 3, mode=mode, padding_idx=4), index)
        case(f"bag_{mode}_no_bags", nn.EmbeddingBag(6, 3, mode=mode), index[:0])
        flat, offsets = torch.tensor([3, 1, 1, 5, 0, 2, 4]), torch.tensor([0, 2, 2, 6])
        case(f"bag_{mode}_offsets", nn.EmbeddingBag(6, 3, mode=mode), flat, offsets)
        case(f"bag_{mode}_offsets_padding", nn.EmbeddingBag(6, 3, mode=mode, padding_idx=1), flat, offsets)
        case(f"bag_{mode}_last", nn.EmbeddingBag(6, 3, mode=mode, include_last_offset=True), flat, torch.tensor([0, 2, 2, 7]))
    case("bag_weights", nn.EmbeddingBag(6, 3, mode="sum"), flat, offsets, (7,), call=lambda m, x, o, w: m(x, o, w))
    case("bag_weights_matrix", nn.EmbeddingBag(6, 3, mode="sum"), index, (2, 3), call=lambda m, x, w: m(x, per_sample_weights=w))
    case("bag_max_norm", nn.EmbeddingBag(6, 3, mode="sum", max_norm=0.7), flat, offsets)
    norm, spectral = torch.nn.utils.weight_norm, torch.nn.utils.spectral_norm
    case("weight_norm", norm(nn.Linear(3, 4)), (2, 3))
    case("weight_norm_conv", norm(nn.Conv2d(2, 3, 2, padding=1)), (2, 2, 3, 3))
    case("weight_norm_transposed", norm(nn.ConvTranspose1d(2, 3, 2), dim=1), (2, 2, 3))
    case("weight_norm_all", norm(nn.Linear(3, 4, bias=False), dim=None), (2, 3))
    case("spectral_norm", spectral(nn.Linear(3, 4)), (2, 3))
    case("spectral_norm_steps", spectral(nn.Linear(3, 4), n_power_iterations=3), (2, 3))
    case("spectral_norm_conv", spectral(nn.Conv2d(2, 3, 2, padding=1)), (2, 2, 3, 3))
    case("spectral_norm_transposed", spectral(nn.ConvTranspose2d(2, 3, 2)), (2, 2, 3, 3))


def shapes():
    case("flatten", nn.Flatten(), (2, 3, 4))
    case("flatten_axes", nn.Flatten(1, 2), (2, 3, 2, 2))
    case("unflatten", nn.Unflatten(1, (2, 3)), (2, 6, 2))
    case("unflatten_rest", nn.Unflatten(-1, (2, -1)), (2, 6))
    case("pixel_shuffle", nn.PixelShuffle(2), (2, 8, 2, 3))
    case("pixel_shuffle_unbatched", nn.PixelShuffle(3), (9, 2, 1))
    case("pixel_unshuffle", nn.PixelUnshuffle(2), (2, 2, 4, 6))
    case("channel_shuffle", Of(lambda x: x.view(2, 3, 2, 2).transpose(1, 2).reshape(2, 6, 2)), (2, 6, 2))
    case("zero_pad2d", nn.ZeroPad2d((1, 0, 2, 1)), (2, 2, 3, 2))
    case("zero_pad2d_cut", nn.ZeroPad2d((1, -1, -1, 2)), (2, 2, 3, 3))
    case("constant_pad1d", nn.ConstantPad1d(2, 3.5), (2, 2, 3))
    case("constant_pad3d", nn.ConstantPad3d((1, 0, 0, 1, 1, 1), -0.5), (1, 2, 2, 2, 2))
    case("reflection_pad1d", nn.ReflectionPad1d((2, 1)), (2, 2, 4))
    case("reflection_pad2d", nn.ReflectionPad2d((2, 1, 0, 2)), (2, 2, 3, 4))
    case("reflection_pad2d_unbatched", nn.ReflectionPad2d(1), (2, 3, 4))
    case("reflection_pad3d", nn.ReflectionPad3d(1), (1, 2, 2, 3, 2))
    case("replication_pad1d", nn.ReplicationPad1d((2, 3)), (2, 2, 1))
    case("replication_pad2d", nn.ReplicationPad2d((2, 1, 0, 3)), (2, 2, 2, 3))
    case("replication_pad3d", nn.ReplicationPad3d(1), (1, 2, 2, 1, 2))
    case("circular_pad2d", Of(lambda x: F.pad(x, (2, 1, 0, 3), mode="circular")), (2, 2, 3, 2))
    case("upsample_nearest", nn.Upsample(scale_factor=2), (2, 2, 3, 2))
    case("upsample_nearest_1d", nn.Upsample(size=7), (2, 2, 3))
    case("upsample_nearest_down", nn.Upsample(size=(2, 3)), (2, 2, 5, 7))
    case("upsample_nearest_factor", nn.Upsample(scale_factor=(1.7, 0.6)), (2, 2, 4, 5))
    case("upsample_nearest_3d", nn.Upsample(scale_factor=(2, 1, 3)), (1, 2, 2, 2, 2))
    case("upsample_nearest_exact", nn.Upsample(size=(5, 2), mode="nearest-exact"), (2, 2, 3, 5))
    case("upsample_linear", nn.Upsample(scale_factor=2, mode="linear"), (2, 2, 4))
    case("upsample_bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), (2, 2, 3, 2))
    case("upsample_bilinear_corners", nn.Upsample(size=(5, 1), mode="bilinear", align_corners=True), (2, 2, 3, 4))
    case("upsample_bilinear_factor", nn.Upsample(scale_factor=(1.7, 0.6), mode="bilinear"), (2, 2, 4, 5))
    case("upsample_trilinear", nn.Upsample(size=(3, 4, 5), mode="trilinear"), (1, 2, 2, 3, 2))
    case("upsample_bicubic", nn.Upsample(scale_factor=2, mode="bicubic"), (1, 2, 3, 4))
    case("upsample_bicubic_corners", nn.Upsample(size=(7, 3), mode="bicubic", align_corners=True), (1, 2, 4, 5))
    case("interpolate_area", Of(lambda x: F.interpolate(x, size=(3, 2), mode="area")), (2, 2, 7, 5))


if __name__ == "__main__":
    for file, makers in (("layer_images", (convolutions, pools, shapes)), ("layer_rows", (norms, activations, dense))):
        out.clear()
        for make in makers:
            make()
        write(file, {k: v.detach() if isinstance(v, torch.Tensor) else v for k, v in out.items()})
        print(file, len({k.split(".")[0] for k in out}), "cases")
