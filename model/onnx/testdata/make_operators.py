"""Writes operators.json: small cases of ONNX operators with the answers of PyTorch and NumPy.

Each case: name, opset, op, attributes, inputs (the first that is "x" is the picture, the others are constants), and the wanted output.
"""
import json
import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(5)
cases = []


def r(*shape):
    return np.round(rng.standard_normal(shape), 3).astype(np.float32)


def t(a):
    return torch.from_numpy(np.asarray(a))


def array(a):
    a = a.detach().numpy() if isinstance(a, torch.Tensor) else np.asarray(a)
    kind = "f" if a.dtype.kind == "f" else "b" if a.dtype.kind == "b" else "i"
    return {"dims": list(a.shape), "kind": kind, "data": [float(v) for v in a.astype(np.float64).reshape(-1)]}


def case(name, op, inputs, want, opset=21, out=0, **attrs):
    cases.append({"name": name, "op": op, "opset": opset, "attrs": attrs, "out": out,
                  "inputs": [None if a is None else array(a) for a in inputs], "want": array(want)})


# Normalisations.
x, s, b = r(1, 4, 1, 2), r(4), r(4)
case("group norm", "GroupNormalization", [x, s, b], F.group_norm(t(x), 2, t(s), t(b), 1e-3), num_groups=2, epsilon=1e-3)
s2, b2 = r(2), r(2)
case("group norm, scales per group", "GroupNormalization", [x, s2, b2], F.group_norm(t(x), 2, t(s2.repeat(2)), t(b2.repeat(2)), 1e-5), opset=18, num_groups=2)
case("group norm of a vector", "GroupNormalization", [r(1, 4) + x.reshape(1, 8)[:, :4] * 0, s, b], F.group_norm(t(np.float32([[1, 2, 3, 5]])), 1, t(s), t(b), 1e-5), num_groups=1)
cases[-1]["inputs"][0] = array(np.float32([[1, 2, 3, 5]]))
def layer(x, axes, eps, rms=False):
    x = x.astype(np.float64)
    m = 0 if rms else x.mean(axis=axes, keepdims=True)
    return (x - m) / np.sqrt(((x - m) ** 2).mean(axis=axes, keepdims=True) + eps)


x = r(1, 3, 4)
s, b = r(4), r(4)
case("layer norm", "LayerNormalization", [x, s, b], F.layer_norm(t(x), (4,), t(s), t(b), 1e-5), opset=17)
s, b = r(3, 4), r(3, 4)
case("layer norm over two axes", "LayerNormalization", [x, s, b], F.layer_norm(t(x), (3, 4), t(s), t(b), 1e-2), opset=17, axis=-2, epsilon=1e-2)
s, b = r(1, 3, 4), r(1, 3, 4)
case("layer norm over all axes", "LayerNormalization", [x, s, b], F.layer_norm(t(x), (1, 3, 4), t(s), t(b)), opset=17, axis=0)
s, b = r(3, 1), r(1)
case("layer norm, scale along one of two axes", "LayerNormalization", [x, s, b], layer(x, (1, 2), 1e-5) * s + b, opset=17, axis=1)
case("layer norm, its mean", "LayerNormalization", [x, r(4)], x.mean(-1, keepdims=True), opset=17, out=1)
case("layer norm, its deviation", "LayerNormalization", [x, r(4)], 1 / np.sqrt(x.astype(np.float64).var(-1, keepdims=True) + 1e-5), opset=17, out=2)
s = r(4)
case("rms norm", "RMSNormalization", [x, s], layer(x, (2,), 1e-5, True) * s, opset=23)
x4 = r(1, 2, 3, 2)
case("mean and variance", "MeanVarianceNormalization", [x4], (x4 - x4.mean((0, 2, 3), keepdims=True)) / (x4.astype(np.float64).std((0, 2, 3), keepdims=True) + 1e-9))
case("mean and variance over channels", "MeanVarianceNormalization", [x4], (x4 - x4.mean(1, keepdims=True)) / (x4.astype(np.float64).std(1, keepdims=True) + 1e-9), axes=[1])
case("norm of 1", "LpNormalization", [x4], F.normalize(t(x4), p=1, dim=1), axis=1, p=1)
case("norm of 2", "LpNormalization", [x4], F.normalize(t(x4), p=2, dim=-1))
s, b = r(2), r(2)
for rank in (1, 2, 3):
    xi = r(1, 2, *([3] * rank))
    case("instance norm of %d axes" % rank, "InstanceNormalization", [xi, s, b], F.instance_norm(t(xi), weight=t(s), bias=t(b)))
case("batch norm in training", "BatchNormalization", [x4, s, b, r(2), np.abs(r(2))], F.batch_norm(t(x4), None, None, t(s), t(b), True), training_mode=1)
case("batch norm in training, opset 1 style", "BatchNormalization", [x4, s, b, r(2), np.abs(r(2))], F.batch_norm(t(x4), None, None, t(s), t(b), True), opset=6)

# Comparisons, logic, choice.
a, b = r(1, 2, 3), r(2, 1)
a[0, 0, 1] = b[0, 0]
for name, f in (("Greater", np.greater), ("GreaterOrEqual", np.greater_equal), ("Less", np.less), ("LessOrEqual", np.less_equal), ("Equal", np.equal)):
    case(name.lower(), name, [a, b], f(a, b))
k = np.arange(6).reshape(1, 2, 3) % 2 == 0
bits = (r(1, 2, 3) > 0).astype(np.float32)
m = np.float32([[5, -5, 4.5, -4.5]])
case("mod, sign of the dividend", "Mod", [m, np.float32([3, 3, -2, -2])], np.fmod(m, np.float32([3, 3, -2, -2])), fmod=1)
case("mod, sign of the divisor", "Mod", [m, np.float32([3, 3, -2, -2])], np.mod(m, np.float32([3, 3, -2, -2])))
case("shrink", "Shrink", [a], np.where(a < -0.3, a + 0.1, np.where(a > 0.3, a - 0.1, 0)).astype(np.float32), lambd=0.3, bias=0.1)
case("hard max", "Hardmax", [a], np.eye(3, dtype=np.float32)[a.argmax(-1)])
case("hard max of opset 11", "Hardmax", [a], np.eye(6, dtype=np.float32)[a.reshape(1, 6).argmax(-1)].reshape(1, 2, 3), opset=11)
case("hard max along rows", "Hardmax", [a], np.moveaxis(np.eye(2, dtype=np.float32)[a.argmax(1)], -1, 1), axis=1)
inf = a.copy()
inf[0, 0] = [np.inf, -np.inf, np.nan]
case("is nan", "IsNaN", [np.nan_to_num(a)], np.isnan(np.nan_to_num(a)))
case("pow by whole numbers", "Pow", [a, np.int64([2])], a ** 2)
for name, f in (("Tan", np.tan), ("Atan", np.arctan), ("Sinh", np.sinh), ("Cosh", np.cosh), ("Asinh", np.arcsinh)):
    case(name.lower(), name, [a], f(a))
small = a / 4
for name, f in (("Asin", np.arcsin), ("Acos", np.arccos), ("Atanh", np.arctanh)):
    case(name.lower(), name, [small], f(small))
case("acosh", "Acosh", [np.abs(a) + 1], np.arccosh(np.abs(a) + 1))

# Sums, places.
x = r(1, 3, 4)
case("cumulative sum", "CumSum", [x, np.int64(1)], x.cumsum(1))
case("cumulative sum from the end", "CumSum", [x, np.int64(-1)], x[..., ::-1].cumsum(-1)[..., ::-1], reverse=1)
case("cumulative sum, exclusive", "CumSum", [x, np.int64([2])], x.cumsum(2) - x, exclusive=1)
v, i = t(x).topk(2, 1)
case("largest", "TopK", [x, np.int64([2])], v, axis=1)
case("largest, where", "TopK", [x, np.int64([2])], i, axis=1, out=1)
v, i = t(x).topk(3, -1, largest=False)
case("smallest", "TopK", [x, np.int64([3])], v, largest=0)
case("smallest, where", "TopK", [x, np.int64([3])], i, largest=0, out=1)
case("triangle", "Trilu", [x], np.triu(x))
case("lower triangle", "Trilu", [x, np.int64(1)], np.tril(x, 1), upper=0)
i = np.int64([[[0, 2, 1, -1]], ])
case("gather elements", "GatherElements", [x, i], np.take_along_axis(x, i, 1), axis=1)
case("gather n-d", "GatherND", [x, np.int64([[0, 1], [0, -1]])], np.stack([x[0, 1], x[0, -1]]))
case("gather n-d, numbers", "GatherND", [x, np.int64([[[0, 1, 3]], [[0, 2, 0]]])], np.float32([[x[0, 1, 3]], [x[0, 2, 0]]]))
y = r(1, 2, 3)
case("gather n-d, common axes", "GatherND", [y, np.int64([[[2], [0]]])], np.float32([[y[0, 0, 2], y[0, 1, 0]]]), batch_dims=2)
u = r(1, 2, 4)
i = np.int64([[[0, 1, 2, 0], [1, 0, 0, -1]]])
want = x.copy()
np.put_along_axis(want, i % 3, u, 1)
case("scatter elements", "ScatterElements", [x, i, u], want, axis=1)
want = t(x).scatter_add(1, t(i % 3), t(u))
case("scatter elements, sums", "ScatterElements", [x, np.where(i == 2, 0, i), u], t(x).scatter_add(1, t(np.where(i == 2, 0, i) % 3), t(u)), axis=1, reduction="add", opset=18)
case("scatter elements, largest", "ScatterElements", [x, i, u], t(x).scatter_reduce(1, t(i % 3), t(u), "amax"), axis=1, reduction="max", opset=18)
case("scatter elements, products", "ScatterElements", [x, i, u], t(x).scatter_reduce(1, t(i % 3), t(u), "prod"), axis=1, reduction="mul", opset=18)
want = x.copy()
w = r(2, 4)
want[0, 2], want[0, 0] = w[0], w[1]
case("scatter n-d", "ScatterND", [x, np.int64([[0, 2], [0, 0]]), w], want)
p = np.float32([[[[5, 6], [7, 8]]]])
i = np.int64([[[[5, 7], [13, 15]]]])
want = np.zeros(16, np.float32)
want[i.reshape(-1)] = p.reshape(-1)
case("max unpool", "MaxUnpool", [p, i], want.reshape(1, 1, 4, 4), kernel_shape=[2, 2], strides=[2, 2])
case("max unpool to a shape", "MaxUnpool", [p, i, np.int64([1, 1, 5, 5])], np.pad(want.reshape(4, 4), ((0, 1), (0, 1))).reshape(1, 1, 5, 5), kernel_shape=[2, 2], strides=[2, 2])
h = np.float32([[1, 0, -1, 7]])
case("one hot", "OneHot", [h, np.int64([3]), np.float32([-1, 4])], np.float32([[[-1, 4, -1], [4, -1, -1], [-1, -1, 4], [-1, -1, -1]]]))
case("one hot, axis 1", "OneHot", [h, np.int64(3), np.float32([0, 1])], np.float32([[[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]]), axis=1)

# Equations.
for equation, shapes in (("bij,bjk->bik", [(1, 2, 3), (1, 3, 2)]), ("bhid,bhjd->bhij", [(1, 2, 3, 2), (1, 2, 2, 2)]), ("ij->ji", [(2, 3)]),
                         ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("i,j->ij", [(3,), (2,)]), ("...ij,...jk", [(1, 2, 2, 3), (2, 3, 2)]), ("ijk->k", [(1, 2, 3)]),
                         ("bchw,bkhw->bck", [(1, 2, 2, 2), (1, 3, 2, 2)]), ("i...->...", [(2, 3)]), ("ij,ij->ij", [(2, 3), (2, 3)]), ("ij,ij->", [(2, 3), (2, 3)]),
                         ("bijc,bjkc->bkci", [(1, 2, 3, 2), (1, 3, 2, 2)]), ("ijk,kl", [(1, 2, 3), (3, 2)]), ("aij,ajk->aik", [(1, 2, 3), (2, 3, 2)]), ("B a, a c -> c B", [(2, 3), (3, 2)]),
                         ("iij,jk->ik", [(2, 2, 3), (3, 2)]), ("bnhd,bhd->bn", [(1, 3, 2, 2), (1, 2, 2)])):
    arrays = [r(*s) for s in shapes]
    case("einsum " + equation, "Einsum", arrays, np.einsum(equation, *arrays), opset=12, equation=equation)
a, b = r(2, 2, 3), r(3, 2)
case("einsum with a sum of its own", "Einsum", [a, b], np.einsum("hij,jk->ik", a, b), equation="hij,jk->ik")

# Grids.
x = r(1, 2, 4, 3)
g = np.round(rng.uniform(-1.4, 1.4, (1, 2, 3, 2)), 3).astype(np.float32)
for mode in ("bilinear", "nearest", "bicubic"):
    for padding in ("zeros", "border", "reflection"):
        for align in (0, 1):
            case("grid %s %s %d" % (mode, padding, align), "GridSample", [x, g], F.grid_sample(t(x), t(g), mode, padding, bool(align)), opset=16,
                 mode=mode, padding_mode=padding, align_corners=align)
case("grid of opset 20", "GridSample", [x, g], F.grid_sample(t(x), t(g), "bicubic", "zeros", False), opset=20, mode="cubic")
theta = r(1, 2, 3)
for align in (0, 1):
    case("affine grid %d" % align, "AffineGrid", [theta, np.int64([1, 2, 3, 2])], F.affine_grid(t(theta), [1, 2, 3, 2], bool(align)), align_corners=align)
cols = r(1, 2 * 6, 6)
case("columns to an image", "Col2Im", [cols, np.int64([4, 3]), np.int64([2, 3])], F.fold(t(cols), (4, 3), (2, 3), padding=(0, 1), stride=(2, 1)),
     opset=18, pads=[0, 1, 0, 1], strides=[2, 1])
x = r(1, 3, 5)
case("center crop and pad", "CenterCropPad", [x, np.int64([4, 2])], np.pad(x[:, :, 1:3], ((0, 0), (0, 1), (0, 0))), opset=18, axes=[1, 2])
case("center pad", "CenterCropPad", [x, np.int64([1, 6, 6])], np.pad(x, ((0, 0), (1, 2), (0, 1))), opset=18)


# Attention.
def attend(q, k, v, scale=None, mask=None, softcap=0):
    q, k, v = (z.astype(np.float64) for z in (q, k, v))
    times = q.shape[1] // k.shape[1]
    k, v = k.repeat(times, 1), v.repeat(times, 1)
    s = q @ np.swapaxes(k, -1, -2) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if softcap:
        s = softcap * np.tanh(s / softcap)
    if mask is not None:
        s = s + mask
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


q, k, v = r(1, 2, 3, 4), r(1, 2, 5, 4), r(1, 2, 5, 2)
case("attention", "Attention", [q, k, v], attend(q, k, v), opset=23)
case("attention, scaled and capped", "Attention", [q, k, v], attend(q, k, v, 0.3, None, 0.5), opset=23, scale=0.3, softcap=0.5)
m = r(3, 5)
case("attention with a mask", "Attention", [q, k, v, m], attend(q, k, v, None, m), opset=23)
on = np.arange(15).reshape(3, 5) % 4 > 0
case("attention, causal", "Attention", [q, k, v], attend(q, k, v, None, np.where(np.tri(3, 5) > 0, 0, -np.inf)), opset=23, is_causal=1)
k1, v1 = r(1, 1, 5, 4), r(1, 1, 5, 2)
case("attention, shared heads", "Attention", [q, k1, v1], attend(q, k1, v1), opset=23)


def three(z):
    return np.moveaxis(z, 1, 2).reshape(z.shape[0], z.shape[2], -1)


case("attention of three axes", "Attention", [three(q), three(k), three(v)], three(attend(q, k, v)), opset=23, q_num_heads=2, kv_num_heads=2)
case("grid far away", "GridSample", [r(1, 2, 3, 3), np.float32([[[[1e12, 0], [0, -1e12]]]])], np.zeros((1, 2, 1, 2), np.float32), opset=20)
x = r(1, 3, 4)
case("compress", "Compress", [x, np.array([True, False, True])], x[:, [0, 2]], axis=1)
case("compress all numbers", "Compress", [x, np.array([False, True, False, True])], x.reshape(-1)[[1, 3]])
case("reversed rows", "ReverseSequence", [x[0], np.int64([4, 1, 2])], np.stack([x[0, 0, ::-1], x[0, 1], x[0, 2, [1, 0, 2, 3]]]), batch_axis=0, time_axis=1)

# Volumes: convolutions and pools over three axes of space, and four.
x = r(1, 2, 4, 3, 4)
w, b = r(3, 2, 3, 2, 2), r(3)
pad = lambda z, p, v=0.0: F.pad(t(z), (p[2], p[5], p[1], p[4], p[0], p[3]), value=v)
case("conv 3-D", "Conv", [x, w, b], F.conv3d(t(x), t(w), t(b)))
case("conv 3-D, strides, dilations and uneven pads", "Conv", [x, w, b], F.conv3d(pad(x, [2, 0, 1, 1, 1, 0]), t(w), t(b), stride=(2, 1, 3), dilation=(2, 1, 2)),
     pads=[2, 0, 1, 1, 1, 0], strides=[2, 1, 3], dilations=[2, 1, 2], kernel_shape=[3, 2, 2])
g = r(4, 1, 2, 3, 1)
case("conv 3-D in groups", "Conv", [x, g], F.conv3d(t(x), t(g), groups=2, stride=(2, 1, 1)), group=2, strides=[2, 1, 1])
d = r(2, 1, 2, 2, 2)
case("conv 3-D, depthwise, same upper", "Conv", [x, d], F.conv3d(pad(x, [0, 0, 0, 0, 1, 0]), t(d), groups=2, stride=2), group=2, strides=[2, 2, 2], auto_pad="SAME_UPPER")
case("conv 3-D, same lower", "Conv", [x, d], F.conv3d(pad(x, [0, 1, 0, 0, 0, 0]), t(d), groups=2, stride=2), group=2, strides=[2, 2, 2], auto_pad="SAME_LOWER")
x4d, w4 = r(1, 2, 3, 2, 3, 2), r(2, 2, 2, 1, 2, 2)
want = np.zeros((1, 2, 2, 2, 2, 3), np.float64)
padded = np.pad(x4d, ((0, 0),) * 5 + ((1, 1),))
for i in np.ndindex(2, 2, 2, 3):
    part = padded[0, :, i[0]:i[0] + 2, i[1]:i[1] + 1, i[2]:i[2] + 2, i[3]:i[3] + 2]
    want[0, :, i[0], i[1], i[2], i[3]] = np.einsum("kcdefg,cdefg->k", w4.astype(np.float64), part)
case("conv 4-D", "Conv", [x4d, w4], want, pads=[0, 0, 0, 1, 0, 0, 0, 1])
v = r(2, 3, 2, 3, 2)
case("conv transpose 3-D", "ConvTranspose", [x, v, b], F.conv_transpose3d(t(x), t(v), t(b)))
case("conv transpose 3-D, strides, dilations, pads", "ConvTranspose", [x, v, b],
     F.conv_transpose3d(t(x), t(v), t(b), stride=(2, 1, 3), padding=(1, 0, 2), output_padding=(1, 0, 2), dilation=(2, 1, 1)),
     strides=[2, 1, 3], pads=[1, 0, 2, 1, 0, 2], output_padding=[1, 0, 2], dilations=[2, 1, 1])
case("conv transpose 3-D, uneven pads", "ConvTranspose", [x, v], F.conv_transpose3d(t(x), t(v), stride=(2, 2, 2))[:, :, 1:, :-2, 1:-1], strides=[2, 2, 2], pads=[1, 0, 1, 0, 2, 1])
u = r(2, 2, 2, 2, 2)
case("conv transpose 3-D in groups", "ConvTranspose", [x, u], F.conv_transpose3d(t(x), t(u), groups=2, stride=2), group=2, strides=[2, 2, 2])
p, i = F.max_pool3d(t(x), (2, 2, 3), (2, 1, 2), (1, 0, 1), return_indices=True)
settings = dict(kernel_shape=[2, 2, 3], strides=[2, 1, 2], pads=[1, 0, 1, 1, 0, 1])
case("max pool 3-D", "MaxPool", [x], p, **settings)
case("max pool 3-D, where", "MaxPool", [x], i + torch.arange(2).reshape(1, 2, 1, 1, 1) * 48, out=1, **settings)
case("max pool 3-D, dilated", "MaxPool", [x], F.max_pool3d(t(x), 2, 1, dilation=(3, 2, 3)), kernel_shape=[2, 2, 2], dilations=[3, 2, 3])
case("max pool 3-D, uneven pads", "MaxPool", [x], F.max_pool3d(pad(x, [0, 1, 0, 1, 0, 1], -100), 2, 2), kernel_shape=[2, 2, 2], strides=[2, 2, 2], pads=[0, 1, 0, 1, 0, 1])
case("max pool 3-D, ceil", "MaxPool", [x], F.max_pool3d(t(x), 3, 2, ceil_mode=True), kernel_shape=[3, 3, 3], strides=[2, 2, 2], ceil_mode=1)
case("average pool 3-D", "AveragePool", [x], F.avg_pool3d(t(x), (2, 2, 3), (2, 1, 2), (1, 0, 1), count_include_pad=False), **settings)
case("average pool 3-D with pads", "AveragePool", [x], F.avg_pool3d(t(x), (2, 2, 3), (2, 1, 2), (1, 0, 1)), count_include_pad=1, **settings)
case("average pool 3-D, ceil", "AveragePool", [x], F.avg_pool3d(t(x), 3, 2, ceil_mode=True, count_include_pad=False), kernel_shape=[3, 3, 3], strides=[2, 2, 2], ceil_mode=1)
case("power pool 3-D", "LpPool", [x], F.avg_pool3d(t(x).abs() ** 3, 2, 2).mul(8) ** (1 / 3), kernel_shape=[2, 2, 2], strides=[2, 2, 2], p=3, opset=18)
case("global average pool 3-D", "GlobalAveragePool", [x], x.mean((2, 3, 4), keepdims=True))
case("global max pool 3-D", "GlobalMaxPool", [x], x.max((2, 3, 4), keepdims=True))
s, b, m, q = r(2), r(2), r(2), np.abs(r(2)) + np.float32(0.5)
case("batch norm 3-D", "BatchNormalization", [x, s, b, m, q], F.batch_norm(t(x), t(m), t(q), t(s), t(b)))
case("instance norm 3-D", "InstanceNormalization", [x, s, b], F.instance_norm(t(x), weight=t(s), bias=t(b)))
case("resize 3-D", "Resize", [x, None, np.float32([1, 1, 2, 1, 1.5])], F.interpolate(t(x), size=(8, 3, 6), mode="trilinear"), mode="linear")
case("pad 3-D", "Pad", [x, np.int64([0, 0, 1, 0, 2, 0, 0, 0, 1, 0])], pad(x, [1, 0, 2, 0, 1, 0]))

# A cap comes before the masks; a reduction over no axes takes every number by itself; bounds of Clip that are computed.
q, k, v, m = r(1, 2, 3, 4), r(1, 2, 5, 4), r(1, 2, 5, 2), r(3, 5)
case("attention, causal and capped", "Attention", [q, k, v], attend(q, k, v, None, np.where(np.tri(3, 5) > 0, 0, -np.inf), 0.7), opset=23, is_causal=1, softcap=0.7)
case("attention, masked and capped", "Attention", [q, k, v, m], attend(q, k, v, None, m, 0.7), opset=23, softcap=0.7)
on = np.int64([[0, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]]) > 0
y = attend(q, k, v, None, np.where(on, 0, -1e30))
y[:, :, 1] = 0
case("attention, a query without keys", "Attention", [q, k, v, on], y, opset=23)
y = attend(q, k, v, None, np.where(on & (np.tri(3, 5) > 0), 0, -1e30))
y[:, :, :2] = 0
case("attention, causal, two queries without keys", "Attention", [q, k, v, on], y, opset=23, is_causal=1)
x = r(1, 2, 3)
none = np.zeros(0, np.int64)
for name, y in dict(L1=abs(x), L2=abs(x), SumSquare=x * x, Sum=x, Max=x, LogSumExp=x).items():
    case("no axes, Reduce%s" % name, "Reduce%s" % name, [x, none], y, opset=18, noop_with_empty_axes=1)
case("no axes, ReduceLogSum", "ReduceLogSum", [abs(x), none], np.log(abs(x)), opset=18, noop_with_empty_axes=1)
case("clip to low and high", "Clip", [x, np.float32(-0.2), np.float32(0.4)], np.clip(x, -0.2, 0.4))
case("clip to high", "Clip", [x, None, np.float32(0.1)], np.minimum(x, np.float32(0.1)))
case("clip, the high one is lower", "Clip", [x, np.float32(0.3), np.float32(0.1)], np.full_like(x, 0.1))

with open(__file__.replace("make_operators.py", "operators.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
