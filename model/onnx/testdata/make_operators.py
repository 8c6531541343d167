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

with open(__file__.replace("make_operators.py", "operators.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
