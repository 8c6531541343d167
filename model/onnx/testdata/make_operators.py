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

with open(__file__.replace("make_operators.py", "operators.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
