"""A library that camlab is measured against, as a process that does the work it is told.

    python peers.py PEER FOLDER [first]

FOLDER has train.bin, train_labels.bin and test.bin, bytes shaped [n, 32, 32, 3] and [n], and
model.safetensors in PyTorch's layout. A request is a line of JSON, the answer another:
the seconds that the work took, the seconds of preparing it (graphs, compilation, warm-up)
where that was done now, and the process's peak memory in bytes. Each peer is used in the
fastest way of its documentation that was found: channels last, fused Adam, compiled graphs,
images in memory, augmentation on whole batches.
"""

import json
import os
import resource
import sys
import time

import numpy as np

THREADS = len(os.sched_getaffinity(0))
LAYERS = [("0", 3, 32), ("2", 32, 32), ("5", 32, 128), ("7", 128, 128), ("9", 128, 128)]
MARGIN = 4  # of a crop
BEST = [(32, 64, True), (64, 64, False), (64, 256, True)] + [(256, 256, False)] * 3  # inputs, outputs, pooled


class Peer:
    """What all peers have: the images."""

    def __init__(self, folder):
        self.folder = folder

    def load(self, name):
        values = np.fromfile(os.path.join(self.folder, name + ".bin"), np.uint8)
        return values if name.endswith("labels") else values.reshape(-1, 32, 32, 3)

    def weights(self):
        from safetensors.numpy import load_file

        return load_file(os.path.join(self.folder, "model.safetensors"))

    def layers(self, trained):
        """Weights and biases of the layers, kernels [3, 3, in, out] and the last matrix [in, out]."""
        if trained:
            w = self.weights()
            layers = [(w[n + ".weight"].transpose(2, 3, 1, 0), w[n + ".bias"]) for n, _, _ in LAYERS]
            layers.append((w["13.weight"].T, w["13.bias"]))
        else:
            rng = np.random.default_rng(1)
            layers = [(rng.normal(0, (2 / 9 / i) ** 0.5, (3, 3, i, o)), np.zeros(o)) for _, i, o in LAYERS]
            layers.append((rng.normal(0, 0.1, (128, 10)), np.zeros(10)))
        return layers

    def test(self, request):
        """Test images as floats, [images, side, side, 3]; larger ones are made by repeating."""
        x = self.load("test")[np.arange(request["images"]) % 10000]
        times = -(-request["side"] // 32)
        return (np.tile(x, (1, times, times, 1))[:, : request["side"], : request["side"]] / np.float32(255)).astype(np.float32)

    def epoch(self, request):
        """A whole epoch, from reading the files on."""

        def work():
            self.train(request | {"images": 50_000})()

        return work


def batches(order, size):
    """Whole batches."""
    return [order[i : i + size] for i in range(0, len(order) - size + 1, size)]


def draws(rng, n):
    """Flip, row and column of n crops."""
    return rng.integers(0, 2, n), rng.integers(0, 2 * MARGIN + 1, n), rng.integers(0, 2 * MARGIN + 1, n)


def places(flip, row, col):
    """The rows and columns, [n, 32] each, that crops take of padded images."""
    span = np.arange(32)
    columns = np.where(flip[:, None] == 1, span[::-1], span) + col[:, None]
    return row[:, None] + span, columns


class PyTorch(Peer):
    compiled = False

    def __init__(self, folder):
        super().__init__(folder)
        import torch

        torch.set_num_threads(THREADS)
        self.torch = torch
        self.device = torch.device(os.environ.get("TORCH_DEVICE", "cpu"))
        torch.backends.cuda.matmul.allow_tf32 = True  # as XLA does; its convolutions do anyway

    def tensor(self, array):
        return self.torch.from_numpy(array).to(self.device)

    def network(self, trained):
        torch, nn = self.torch, self.torch.nn
        parts = []
        for name, inputs, outputs in LAYERS:
            if name == "5":
                parts.append(nn.MaxPool2d(2))
            parts += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
        if trained:
            net.load_state_dict({k: torch.from_numpy(v) for k, v in self.weights().items()})
        return net.to(self.device, memory_format=torch.channels_last)

    def best(self):
        """The network of package best: a fixed convolution, then batch normalization without scales."""
        nn = self.torch.nn
        parts = [nn.Conv2d(3, 32, 3, padding=1).requires_grad_(False), nn.ReLU()]
        for inputs, outputs, pooled in BEST:
            norm = nn.BatchNorm2d(outputs)
            norm.weight.requires_grad_(False)
            parts += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), *([nn.MaxPool2d(2)] if pooled else []), norm, nn.ReLU()]
        net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))
        return net.to(self.device, memory_format=self.torch.channels_last)

    def train(self, request):
        torch = self.torch
        best = request["network"] == "best"
        net = (self.best() if best else self.network(False)).train()
        learned = [p for p in net.parameters() if p.requires_grad]
        if best:
            optimizer = torch.optim.SGD(learned, lr=1e-2, momentum=0.85, nesterov=True, weight_decay=1e-4, fused=True)
        else:
            optimizer = torch.optim.Adam(learned, lr=1e-3, fused=True)
        smoothing, averages = (0.2, [p.detach().clone() for p in learned]) if best else (0.0, [])
        pixels, labels = self.tensor(self.load("train")), self.tensor(self.load("train_labels")).long()
        rng = np.random.default_rng(1)
        half = request["dtype"] == "bfloat16"

        def cost(x, y):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                return torch.nn.functional.cross_entropy(net(x), y, label_smoothing=smoothing)

        if self.compiled:
            cost = torch.compile(cost)

        def work():
            for pick in batches(rng.permutation(len(pixels))[: request["images"]], request["batch"]):
                x, y = pixels[pick], labels[pick]  # [n, 32, 32, 3]
                if request["augment"]:
                    rows, columns = map(self.tensor, places(*draws(rng, len(pick))))
                    x = torch.nn.functional.pad(x, (0, 0, MARGIN, MARGIN, MARGIN, MARGIN))
                    x = x[torch.arange(len(pick), device=self.device)[:, None, None], rows[:, :, None], columns[:, None, :]]
                x = x.permute(0, 3, 1, 2).float().div_(255)  # channels last, as it lies
                optimizer.zero_grad(set_to_none=True)
                loss = cost(x, y)
                loss.backward()
                optimizer.step()
                if averages:
                    torch._foreach_lerp_(averages, [p.detach() for p in learned], 0.02)
                loss.item()  # a training loop shows it

        return work

    def batches(self, request):
        x = self.tensor(self.test(request)).permute(0, 3, 1, 2)
        return x.split(request["batch"])

    def trained(self, request):
        return self.network(True).eval()

    def forward(self, request):
        net, parts = self.trained(request), self.batches(request)
        if self.compiled:
            net = self.torch.compile(net)

        def work():
            with self.torch.inference_mode():
                for x in parts:
                    net(x).cpu().numpy()

        return work


class PyTorchCompiled(PyTorch):
    compiled = True


class TorchCAM(PyTorch):
    def run(self, request, method, **options):
        import torchcam.methods as tc

        net, parts = self.network(True).eval(), self.batches(request)

        def work():
            for x in parts:
                with getattr(tc, method)(net, "10", input_shape=(3, 32, 32), **options) as cam:
                    scores = net(x)
                    classes = scores.argmax(1).tolist()
                    cam(classes)[0].numpy() if method != "GradCAM" else cam(classes, scores)[0].numpy()

        return work

    def cam(self, request):
        return self.run(request, "CAM", fc_layer="13")

    camall = cam  # it makes no more at a time

    def gradcam(self, request):
        return self.run(request, "GradCAM")

    def scorecam(self, request):
        return self.run(request, "ScoreCAM", batch_size=request["inner"])

    train = forward = None


class PyTorchGradCAM(PyTorch):
    def run(self, request, method):
        import pytorch_grad_cam as pgc

        net, parts = self.network(True).eval(), self.batches(request)
        cam = getattr(pgc, method)(net, [net[10]])
        cam.batch_size = request["inner"]  # of the changed images
        cam.uses_tqdm = False

        def work():
            for x in parts:
                cam(x, targets=None)  # the highest class

        return work

    def gradcam(self, request):
        return self.run(request, "GradCAM")

    camall = gradcam

    def scorecam(self, request):
        return self.run(request, "ScoreCAM")

    def ablationcam(self, request):
        return self.run(request, "AblationCAM")

    train = forward = None


class TensorFlow(Peer):
    def __init__(self, folder):
        super().__init__(folder)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        self.tf = tf

    def network(self, trained):
        tf = self.tf
        layers = self.layers(trained)
        v = [tf.Variable(np.ascontiguousarray(a), dtype=tf.float32) for layer in layers for a in layer]

        def net(x):
            for i in range(5):
                if i == 2:
                    x = tf.nn.max_pool2d(x, 2, 2, "VALID")
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, v[2 * i], 1, "SAME"), v[2 * i + 1]))
            return tf.reduce_mean(x, (1, 2)) @ v[10] + v[11]

        return net, v

    def train(self, request):
        tf = self.tf
        if request["dtype"] != "float32":
            return None
        net, v = self.network(False)
        optimizer = tf.keras.optimizers.Adam(1e-3)
        optimizer.build(v)
        pixels, labels = tf.constant(self.load("train")), tf.constant(self.load("train_labels"), tf.int32)
        rng = np.random.default_rng(1)

        @tf.function
        def step(pick, rows, columns):
            x, y = tf.gather(pixels, pick), tf.gather(labels, pick)
            if request["augment"]:
                x = tf.pad(x, [[0, 0], [MARGIN, MARGIN], [MARGIN, MARGIN], [0, 0]])
                x = tf.gather(tf.gather(x, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
            with tf.GradientTape() as tape:
                y_ = net(tf.cast(x, tf.float32) / 255)
                cost = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, y_))
            optimizer.apply_gradients(zip(tape.gradient(cost, v), v))
            return cost

        def work():
            for pick in batches(rng.permutation(50_000)[: request["images"]], request["batch"]):
                rows, columns = places(*draws(rng, len(pick)))
                step(tf.constant(pick), tf.constant(rows), tf.constant(columns)).numpy()

        return work

    def forward(self, request):
        tf = self.tf
        net, _ = self.network(True)
        x = tf.constant(self.test(request))
        parts = [x[i : i + request["batch"]] for i in range(0, len(x), request["batch"])]
        run = tf.function(net)

        def work():
            for p in parts:
                run(p).numpy()

        return work


class JAX(Peer):
    def __init__(self, folder):
        super().__init__(folder)
        import jax

        self.jax = jax

    def network(self, trained):
        jax = self.jax
        jnp = jax.numpy
        layers = self.layers(trained)
        v = [(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)) for a, b in layers]

        def net(v, x):
            for i in range(5):
                if i == 2:
                    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
                x = jax.lax.conv_general_dilated(x, v[i][0], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
                x = jax.nn.relu(x + v[i][1])
            return x.mean((1, 2)) @ v[5][0] + v[5][1]

        return net, v

    def train(self, request):
        jax = self.jax
        jnp = jax.numpy
        from jax.example_libraries.optimizers import adam

        if request["dtype"] != "float32":
            return None
        net, v = self.network(False)
        begin, update, read = adam(1e-3)
        pixels, labels = jnp.asarray(self.load("train")), jnp.asarray(self.load("train_labels"))
        rng = np.random.default_rng(1)

        def cost(v, x, y):
            return -jnp.take_along_axis(jax.nn.log_softmax(net(v, x)), y[:, None], 1).mean()

        def step(i, state, pixels, labels, pick, rows, columns):
            x, y = pixels[pick], labels[pick].astype(jnp.int32)
            if request["augment"]:
                x = jnp.pad(x, [[0, 0], [MARGIN, MARGIN], [MARGIN, MARGIN], [0, 0]])
                x = x[jnp.arange(len(pick))[:, None, None], rows[:, :, None], columns[:, None, :]]
            value, slope = jax.value_and_grad(cost)(read(state), x.astype(jnp.float32) / 255, y)
            return value, update(i, slope, state)

        step = jax.jit(step, donate_argnums=1)
        state, i = begin(v), 0

        def work():
            nonlocal state, i
            for pick in batches(rng.permutation(50_000)[: request["images"]], request["batch"]):
                value, state = step(i, state, pixels, labels, pick, *places(*draws(rng, len(pick))))
                i += 1
                float(value)

        return work

    def forward(self, request):
        jax = self.jax
        net, v = self.network(True)
        x = jax.numpy.asarray(self.test(request))
        parts = [x[i : i + request["batch"]] for i in range(0, len(x), request["batch"])]
        run = jax.jit(net)

        def work():
            for p in parts:
                np.asarray(run(v, p))

        return work


PEERS = {
    "PyTorch": (PyTorch, ["torch"]),
    "PyTorch compiled": (PyTorchCompiled, ["torch"]),
    "TensorFlow": (TensorFlow, ["tensorflow_cpu"]),
    "JAX": (JAX, ["jax"]),
    "torch-cam": (TorchCAM, ["torchcam"]),
    "pytorch-grad-cam": (PyTorchGradCAM, ["grad-cam"]),
}


def main():
    name, folder, *first = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print
    kind, packages = PEERS[name]
    peer = kind(folder)
    from importlib.metadata import version

    def answer(**what):
        print(json.dumps(what), file=answers, flush=True)

    answer(version=", ".join(f"{p} {version(p)}" for p in packages))
    if first:  # one map of one image, in a process of its own
        make, request = getattr(peer, "cam", None) or peer.forward, {"images": 1, "batch": 1, "side": 32}
        if first[1:]:
            make, request = peer.gradcam, request | {"side": 224, "network": first[1]}
        make(request)()
        return
    last = work = None
    for line in sys.stdin:
        try:
            request, prepared = json.loads(line), 0.0
            if line != last:
                start = time.perf_counter()
                last, work = line, None
                make = getattr(peer, request["task"], None)
                work = make and make(request)
                if work and request["task"] != "epoch":
                    work()
                prepared = time.perf_counter() - start
            if not work:
                answer(skip="not in this library")
                continue
            start = time.perf_counter()
            work()
            seconds = time.perf_counter() - start
            answer(seconds=seconds, prepared=prepared, peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        except Exception as e:  # one kind of work must not end the others
            answer(skip=f"{type(e).__name__}: {e}")


if __name__ == "__main__":
    main()
