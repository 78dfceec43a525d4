"""Goldens for the quantizers, written in numpy (float64) from the papers: GPTQ (Frantar et al. 2023, algorithm 1), coordinate
descent on codes (QuantEase, Behdin et al. 2023), the scale search of AWQ (Lin et al. 2024, section 3.2), weighted k-means in one
dimension by dynamic programming (exact), low-rank error compensation (ZeroQuant-V2, Yao et al. 2023, section 5).

  python make_goldens.py ../../Tests/CompressionTests/Goldens/layer.json
"""
import base64
import json
import sys

import numpy as np

OUTPUTS, INPUTS, ROWS, GROUP = 12, 160, 400, 32
rng = np.random.default_rng(7)


def packed(array, kind):
    return base64.b64encode(np.ascontiguousarray(array, kind).tobytes()).decode()


# Inputs that depend on each other and differ in size, as those of a network do.
mix = rng.standard_normal((INPUTS, INPUTS)) * (rng.random((INPUTS, INPUTS)) < 0.1) + np.eye(INPUTS)
x = (rng.standard_normal((ROWS, INPUTS)) @ mix * np.exp(0.7 * rng.standard_normal(INPUTS))).astype(np.float32)
w = (rng.standard_normal((OUTPUTS, INPUTS)) / np.sqrt(INPUTS)).astype(np.float32)
h = x.astype(np.float64).T @ x.astype(np.float64)
damped = h + 0.01 * np.mean(np.diag(h)) * np.eye(INPUTS)
scales = (np.abs(w.reshape(OUTPUTS, -1, GROUP)).max(2) / 7).astype(np.float32)
wide = np.repeat(scales.astype(np.float64), GROUP, 1)


def rounded(values, scale):
    return np.clip(np.rint(values / scale), -8, 7)


def error(values):
    d = values - w
    return float(np.einsum("ij,jk,ik->", d, h, d) / np.einsum("ij,jk,ik->", w, h, w.astype(np.float64)))


def gptq(order):
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left = w.astype(np.float64)[:, order].copy()
    codes = np.zeros((OUTPUTS, INPUTS))
    for j in range(INPUTS):
        codes[:, j] = rounded(left[:, j], wide[:, order[j]])
        e = (left[:, j] - codes[:, j] * wide[:, order[j]]) / upper[j, j]
        left[:, j:] -= np.outer(e, upper[j, j:])
    result = np.zeros_like(codes)
    result[:, order] = codes
    return result


def descend(codes, sweeps):
    codes = codes.copy()
    for _ in range(sweeps):
        for j in range(INPUTS):
            d = codes * wide - w
            g = d @ damped[:, j]
            codes[:, j] = rounded(codes[:, j] * wide[:, j] - g / damped[j, j], wide[:, j])
    return codes


natural = gptq(np.arange(INPUTS))
activation = gptq(np.argsort(-np.diag(h), kind="stable"))
nearest = rounded(w, wide)


def q4_0(values):
    """Round to nearest as the format's reference encoder does it: a scale from the number of largest magnitude, in half precision."""
    blocks = values.astype(np.float32).reshape(len(values), -1, 32)
    place = np.abs(blocks).argmax(2)[..., None]
    d = np.take_along_axis(blocks, place, 2) / np.float32(-8)
    inverse = np.where(d != 0, 1 / np.where(d != 0, d, 1), 0).astype(np.float32)
    q = np.minimum(15, np.trunc(blocks * inverse + np.float32(8.5)))
    return ((q - 8) * d.astype(np.float16).astype(np.float64)).reshape(values.shape)


def awq():
    salience = np.abs(x.astype(np.float64)).mean(0)
    best = None
    for step in range(20):
        s = np.maximum(salience, 1e-4) ** (step / 20)
        s = s / np.sqrt(s.max() * s.min())
        e = error(q4_0(w * s) / s)
        if best is None or e < best[0]:
            best = (e, step, s)
    return best


def kmeans(values, weights, k):
    """The least weighted squared error of k clusters of numbers on a line."""
    at = np.argsort(values)
    v, c = values[at].astype(np.float64), weights[at].astype(np.float64)
    sums = [np.concatenate([[0], np.cumsum(c * v**p)]) for p in range(3)]

    def cost(i, j):
        a, b, q = (s[j] - s[i] for s in sums)
        return q - b * b / a if a > 0 else 0.0

    n = len(v)
    table = np.full((k + 1, n + 1), np.inf)
    table[0, 0] = 0
    for clusters in range(1, k + 1):
        for j in range(1, n + 1):
            table[clusters, j] = min(table[clusters - 1, i] + cost(i, j) for i in range(j))
    return table[k, n]


e_awq, step, awq_scale = awq()
importance = np.diag(h)
residual = w - nearest * wide
u, s, vt = np.linalg.svd(residual)
rank = 4
golden = {
    "outputs": OUTPUTS, "inputs": INPUTS, "rows": ROWS, "group": GROUP,
    "w": packed(w, "<f4"), "x": packed(x, "<f4"), "scales": packed(scales, "<f4"),
    "natural": {"codes": packed(natural + 8, "u1"), "error": error(natural * wide)},
    "activation": {"codes": packed(activation + 8, "u1"), "error": error(activation * wide)},
    "nearest": {"error": error(nearest * wide)},
    "descended": {"sweeps": 4, "error": error(descend(natural, 4) * wide)},
    "awq": {"step": step, "scale": packed(awq_scale, "<f4"), "error": e_awq, "plain": error(q4_0(w))},
    "kmeans": {"clusters": 8, "costs": [kmeans(w[i], importance, 8) for i in range(OUTPUTS)]},
    "lorc": {"rank": rank, "left": float((s[rank:] ** 2).sum() / (s**2).sum())},
}
print({k: (v["error"] if isinstance(v, dict) and "error" in v else None) for k, v in golden.items()}, golden["lorc"])
with open(sys.argv[1], "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
