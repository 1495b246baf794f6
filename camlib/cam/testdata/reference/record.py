"""Records maps of the article's network in reference.npz and manifest.json, in NumPy's float64.

reference_test.go compares. It knows nothing of camlib's code: the network, its gradients and
the methods' equations are written out here. Run with
    pip install numpy==2.4.6
    python record.py
It reads the weights and the sample images that the repository holds. The file's numbers are
float32. Layouts are camlib's: images and activations [height, width, channels], kernels
[3, 3, in, out], maps [height, width].

Arrays are named IMAGE/CLASS/METHOD, with @conv4 for maps of that layer, and IMAGE/logits and
IMAGE/cam (of all classes) for what belongs to no class.
"""

import gzip
import hashlib
import json
import pathlib
import struct

import numpy as np

HERE = pathlib.Path(__file__).parent
CAMLIB = HERE.parents[2]
WEIGHTS = CAMLIB / "article/weights/model.safetensors"
POSITIONS = [3, 512]  # of the sample


def tensors(path):
    """The arrays of a safetensors file, in float64."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    return {
        name: np.frombuffer(body[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]).astype(float)
        for name, t in header.items()
        if name != "__metadata__"
    }


def sample(positions):
    """Images of camlib/cifar10/sample.bin.gz, whose rows are differences, from 0 to 1."""
    records = np.frombuffer(gzip.decompress((CAMLIB / "cifar10/sample.bin.gz").read_bytes()), np.uint8).reshape(-1, 3073)
    rows = np.cumsum(records[positions, 1:].reshape(-1, 3, 32, 32), axis=-1, dtype=np.uint8)
    return rows.transpose(0, 2, 3, 1) / 255


class Net:
    """Five convolutions with ReLU, of which the third has a 2×2 max-pooling before it; pooling and a linear layer."""

    def __init__(self, path):
        t = tensors(path)
        self.kernels = [t[f"{i}.weight"].transpose(2, 3, 1, 0) for i in (0, 2, 5, 7, 9)]
        self.biases = [t[f"{i}.bias"] for i in (0, 2, 5, 7, 9)]
        self.w, self.b = t["13.weight"].T, t["13.bias"]

    def layers(self, x):
        """The activations after each layer."""
        all = []
        for i, (k, b) in enumerate(zip(self.kernels, self.biases)):
            if i == 2:
                x = pool(x)
            x = np.maximum(convolve(x, k) + b, 0)
            all.append(x)
        return all

    def head(self, act):
        return act.mean((0, 1)) @ self.w + self.b

    def scores(self, x):
        return self.head(self.layers(x)[-1])

    def gradients(self, x, c):
        """The gradients of score c at the activations of each layer, at what its ReLU is given, and at x."""
        acts = self.layers(x)
        g = np.broadcast_to(self.w[:, c] / (16 * 16), acts[-1].shape)
        at_acts, at_z = [], []
        for i in reversed(range(5)):
            at_acts.insert(0, g)
            g = g * (acts[i] > 0)
            at_z.insert(0, g)
            g = convolve(g, self.kernels[i][::-1, ::-1].transpose(0, 1, 3, 2))
            if i == 2:
                g = unpool(acts[1], g)
        return acts, at_acts, at_z, g


def convolve(x, kernel):
    """SAME cross-correlation with a 3×3 kernel."""
    h, w, _ = x.shape
    x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    return sum(x[i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3))


def windows(x):
    """The four pixels of each 2×2 window, row by row: [4, height/2, width/2, channels]."""
    return np.stack([x[i::2, j::2] for i in range(2) for j in range(2)])


def pool(x):
    return windows(x).max(0)


def unpool(x, g):
    """The gradient before the pooling: the first of equals has it."""
    first = windows(x).argmax(0)
    out = np.zeros_like(x)
    for k in range(4):
        out[k // 2 :: 2, k % 2 :: 2] = g * (first == k)
    return out


def enlarge(m, size, aligned):
    """Bilinear, corners aligned (scipy.ndimage.zoom, order=1) or half pixels."""
    n = len(m)
    x = np.arange(size) * (n - 1) / (size - 1) if aligned else np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
    low = np.minimum(x.astype(int), n - 2)
    r = np.zeros((size, n))
    r[np.arange(size), low] = 1 - (x - low)
    r[np.arange(size), low + 1] = x - low
    return r @ m @ r.T


def relu(m):
    return np.maximum(m, 0)


def of_gradients(a, g):
    """The methods that take activations and the gradient at them."""
    total = a.sum((0, 1))
    g2, g3 = g**2, g**3
    alpha = np.divide(g2, 2 * g2 + g3 * total, out=np.zeros_like(g), where=g2 != 0)
    x = np.divide((g * a).sum((0, 1)), total, out=np.zeros_like(total), where=total != 0)
    signed = a @ g.mean((0, 1))
    return {
        "gradcam_signed": signed,
        "gradcam": relu(signed),
        "gradcam++": relu(a @ (alpha * relu(g)).sum((0, 1))),
        "xgradcam": relu(a @ x),
        "hirescam": (g * a).sum(-1),
        "layercam": relu((relu(g) * a).sum(-1)),
    }


def score_cam(net, x, a):
    """The scores of the image under each channel, for all classes, [channels, classes]."""
    scores = []
    for k in range(a.shape[-1]):
        m = enlarge(a[..., k], 32, False)
        span = m.max() - m.min()
        scores.append(net.scores(x * ((m - m.min()) / span if span else np.zeros_like(m))[..., None]))
    return np.array(scores)


def occlusion(net, x, c):
    total, count = np.zeros((32, 32)), np.zeros((32, 32))
    for i in range(0, 25, 4):
        for j in range(0, 25, 4):
            y = x.copy()
            y[i : i + 8, j : j + 8] = 0.5
            total[i : i + 8, j : j + 8] += net.scores(x)[c] - net.scores(y)[c]
            count[i : i + 8, j : j + 8] += 1
    return total / count


def integrated_gradients(net, x, c, steps=50):
    at, weight = np.polynomial.legendre.leggauss(steps)
    mean = sum(w / 2 * net.gradients(x * (t + 1) / 2, c)[3] for t, w in zip(at, weight))
    return (mean * x).sum(-1)


def full_grad(net, x, c):
    _, _, at_z, g = net.gradients(x, c)
    m = (g * x).sum(-1)
    for z, b in zip(at_z, net.biases):
        k = 32 // len(z)
        m = m + np.kron(z @ b, np.ones((k, k))) / k**2
    return m


def maps(net, x, c, masked):
    """All maps of class c."""
    acts, at_acts, _, _ = net.gradients(x, c)
    a = acts[-1]
    y = net.head(a)[c]
    out = of_gradients(a, at_acts[-1])
    out |= {f"{name}@conv4": m for name, m in of_gradients(acts[3], at_acts[3]).items()}
    ablated = np.array([net.head(np.where(np.arange(128) == k, 0, a))[c] for k in range(128)])
    out["ablationcam"] = relu(a @ ((y - ablated) / y))
    e = np.exp(masked[:, c] - masked[:, c].max())
    out["scorecam"] = relu(a @ (e / e.sum()))
    v = np.linalg.svd(a.reshape(-1, 128), full_matrices=False)[2][0]
    out["eigencam"] = a @ v * np.sign((a @ v * a.sum(-1)).sum())
    out["cam_enlarged"] = enlarge(a @ net.w[:, c], 32, True)
    out["occlusion"] = occlusion(net, x, c)
    out["integratedgradients"] = integrated_gradients(net, x, c)
    out["fullgrad"] = full_grad(net, x, c)
    return out


def main():
    net, arrays, chosen = Net(WEIGHTS), {}, []
    for i, x in enumerate(sample(POSITIONS)):
        a = net.layers(x)[-1]
        y, masked = net.head(a), score_cam(net, x, a)
        arrays[f"{i}/logits"], arrays[f"{i}/cam"] = y, np.moveaxis(a @ net.w, -1, 0)
        classes = [int(y.argmax()), int(y.argmax() + 3) % 10]
        chosen.append(classes)
        for c in classes:
            arrays |= {f"{i}/{c}/{name}": m for name, m in maps(net, x, c, masked).items()}
    np.savez_compressed(HERE / "reference.npz", **{name: np.float32(v) for name, v in arrays.items()})
    manifest = {
        "weights": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        "positions": POSITIONS,  # in the sample
        "classes": chosen,  # of each image: the predicted one, which is first, and another
        "numpy": np.__version__,
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
