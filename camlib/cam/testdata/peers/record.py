"""Records what other CAM libraries make of small networks, in peers.npz and manifest.json.

peers_test.go builds the same networks and compares. Run with
    pip install torch==2.15.0 grad-cam==1.5.7 torchcam==0.5.0 captum==0.9.0
    python record.py
on a CPU; the libraries' own numbers are float64, the file's float32. Everything that is
random is either seeded and recorded (weights, images, noise) or left out.

Arrays are named NETWORK/PEER.METHOD. Maps are raw where the library lets one see them:
before its ReLU, scaling and resizing (pgc: what get_cam_image returns; tc: normalized=False,
after its ReLU). Layouts are camlib's: images, activations and gradients [batch, height, width,
channels], kernels [height, width, in, out], matrices [in, out], maps [batch, height, width].
"""

import json
import math
import pathlib
from importlib.metadata import version

import captum.attr
import numpy as np
import PIL.Image
import pytorch_grad_cam as pgc
import torch
import torchcam.methods as tc
from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence
from pytorch_grad_cam.utils.model_targets import (
    ClassifierOutputReST,
    ClassifierOutputSoftmaxTarget,
    ClassifierOutputTarget,
)
from torch import nn

HERE = pathlib.Path(__file__).parent
HEIGHT, WIDTH, CLASSES = 12, 16, 5
CHOSEN = [2, 4, 1]  # the class of each image
arrays, notes = {}, {}
rng = np.random.default_rng(115)  # the linear net has a score below zero, and a map with nothing positive, at image 0


def keep(name, value, note=""):
    """Stores an array, as float32."""
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    assert name not in arrays, name
    arrays[name] = np.ascontiguousarray(value, dtype=np.float32)
    if note:
        notes[name] = note


def last(value):
    """Channels last."""
    return value.permute(0, 2, 3, 1) if value.ndim == 4 else value


class Net(nn.Module):
    """conv, ReLU, max-pool, conv, ReLU, and one of several heads."""

    def __init__(self, head):
        super().__init__()
        self.conv1, self.relu1, self.pool = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv2, self.relu2 = nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()
        mean = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.head = nn.Sequential(
            *{
                "linear": [*mean, nn.Linear(8, CLASSES)],
                "relu": [*mean, nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, CLASSES)],
                "tanh": [*mean, nn.Linear(8, 7), nn.Tanh(), nn.Linear(7, CLASSES)],
                "flat": [nn.Flatten(), nn.Linear(8 * HEIGHT // 2 * WIDTH // 2, CLASSES)],
            }[head]
        )

    def forward(self, x):
        return self.head(self.relu2(self.conv2(self.pool(self.relu1(self.conv1(x))))))


trunk = {}  # of conv1 and conv2, which all networks share


def make(head):
    """A network with recorded weights."""
    net = Net(head).double().eval()
    for name, p in net.named_parameters():
        layer, kind = name.rsplit(".", 1)
        fan = math.prod(p.shape[1:])
        value = rng.normal(0, 0.5, p.shape) if kind == "bias" else rng.normal(0, 2 / math.sqrt(fan), p.shape)
        value = value.astype(np.float32)  # as both sides have it
        if layer in ("conv1", "conv2"):
            value = trunk.setdefault(name, value)
        p.data = torch.from_numpy(value).double()
        ours = value
        if kind == "weight":
            ours = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
            if head == "flat" and layer.startswith("head"):  # rows are channel, row, column there
                ours = ours.reshape(8, HEIGHT // 2, WIDTH // 2, CLASSES).transpose(1, 2, 0, 3).reshape(-1, CLASSES)
        where = "" if layer in ("conv1", "conv2") else head + "/"
        if where + name not in arrays:
            keep(where + name, ours)
    return net


def spy(cam):
    """The list that a grad-cam method's raw maps will be in."""
    seen, inner = [], cam.get_cam_image

    def get_cam_image(*args, **kwargs):
        seen.append(np.array(inner(*args, **kwargs)))
        return seen[-1]

    cam.get_cam_image = get_cam_image
    return seen


def pgc_raw(method, net, layer, targets, **options):
    """The map that get_cam_image returns, and what the user is given."""
    cam = method(net, [layer], **options)
    seen = spy(cam)
    final = cam(x.clone(), targets)
    # its own clean-up fails for ShapleyCAM: "Can't detach views in-place"
    cam.activations_and_grads.activations, cam.activations_and_grads.gradients = [], []
    cam.activations_and_grads.release()
    return seen[0], final


def pgc_finer(net, layer, **options):
    """FinerCAM wraps a GradCAM, so the spy sits inside."""
    cam = pgc.FinerCAM(net, [layer])
    seen = spy(cam.base_cam)
    cam(x.clone(), **options)
    return seen[0]


def tc_raw(method, net, layer, **options):
    """The map before scaling."""
    with method(net, layer, input_shape=(3, HEIGHT, WIDTH), **options) as cam:
        scores = net(x)
        if isinstance(cam, (tc.ScoreCAM, tc.CAM, tc.SmoothGradCAMpp)):
            return cam(CHOSEN, normalized=False)[0]
        return cam(CHOSEN, scores, normalized=False)[0]


def record(net, name, layer):
    """All deterministic methods that take one layer."""
    with torch.no_grad():
        keep(f"{name}/scores", net(x))
    acts = []
    handle = layer.register_forward_hook(lambda _m, _i, out: acts.append(out))
    chosen = net(x)[range(len(CHOSEN)), CHOSEN].sum()
    handle.remove()
    if name in ("linear", "signed"):  # the others' are the linear network's
        keep(f"{name}/act", last(acts[0]))
    keep(f"{name}/grad", last(torch.autograd.grad(chosen, acts[0])[0]))

    targets = [ClassifierOutputTarget(c) for c in CHOSEN]
    for key, method in {
        "gradcam": pgc.GradCAM, "gradcam++": pgc.GradCAMPlusPlus, "xgradcam": pgc.XGradCAM, "hirescam": pgc.HiResCAM,
        "layercam": pgc.LayerCAM, "scorecam": pgc.ScoreCAM, "ablationcam": pgc.AblationCAM,
        "elementwise": pgc.GradCAMElementWise, "eigencam": pgc.EigenCAM, "eigengradcam": pgc.EigenGradCAM,
        "segeigencam": pgc.SegEigenCAM, "shapleycam": pgc.ShapleyCAM, "fem": pgc.FEM,
    }.items():
        raw, final = pgc_raw(method, net, layer, targets)
        keep(f"{name}/pgc.{key}", raw)
        if name == "linear" and key in ("gradcam", "scorecam", "eigencam"):
            keep(f"{name}/pgc.{key}.final", final, "what the user gets: ReLU, min-max, resized to the image")
    for key, target in {"rest": ClassifierOutputReST, "probability": ClassifierOutputSoftmaxTarget}.items():
        made = [target(c) for c in CHOSEN]
        keep(f"{name}/pgc.shapleycam.{key}", pgc_raw(pgc.ShapleyCAM, net, layer, made)[0])
        keep(f"{name}/pgc.gradcam.{key}", pgc_raw(pgc.GradCAM, net, layer, made)[0])
    keep(f"{name}/pgc.finercam", pgc_finer(net, layer), "of the predicted class; alpha 1, classes 1 to 3 by |y - y_predicted|")

    for key, method in {
        "gradcam": tc.GradCAM, "gradcam++": tc.GradCAMpp, "xgradcam": tc.XGradCAM, "layercam": tc.LayerCAM,
        "scorecam": tc.ScoreCAM, "iscam": tc.ISCAM, "finercam": tc.FinerCAM,
    }.items():
        keep(f"{name}/tc.{key}", tc_raw(method, net, layer))
    notes[f"{name}/tc.finercam"] = "base Grad-CAM, gamma 0.6, the 3 classes whose score is nearest"
    notes[f"{name}/tc.iscam"] = "10 steps"

    keep(f"{name}/captum.gradcam", captum.attr.LayerGradCam(net, layer).attribute(x, CHOSEN)[:, 0])


def record_pixels(net, name):
    """Methods of the pixels, which know no layer."""
    keep(f"{name}/captum.integratedgradients", last(captum.attr.IntegratedGradients(net).attribute(x, target=CHOSEN)),
         "50 Gauss-Legendre steps from black")
    keep(f"{name}/captum.occlusion", captum.attr.Occlusion(net).attribute(
        x, (3, 3, 4), strides=(3, 1, 2), baselines=0.5, target=CHOSEN)[:, 0], "windows 3x4 of grey, steps 1 and 2")
    saliency = captum.attr.Saliency(net)
    keep(f"{name}/captum.saliency", last(saliency.attribute(x, CHOSEN, abs=False)), "signed gradient")
    cam = pgc.FullGrad(net, [])
    seen, inner = [], cam.compute_cam_per_layer
    cam.compute_cam_per_layer = lambda *a: (seen.append(inner(*a)), seen[-1])[1]
    cam(x.clone(), [ClassifierOutputTarget(c) for c in CHOSEN])
    keep(f"{name}/pgc.fullgrad", seen[0][:, 0], "before the last scaling")


class watch:
    """Keeps the images that a network is called with."""

    def __init__(self, net):
        self.seen = []
        self.handle = net.register_forward_pre_hook(lambda _m, args: self.seen.append(args[0].detach().clone()))

    def stop(self):
        self.handle.remove()
        return self.seen


def record_noise(net, name, layer):
    """Methods with noise, and the noise."""
    saliency = captum.attr.Saliency(net)
    images = watch(net)
    torch.manual_seed(1)
    tunnel = captum.attr.NoiseTunnel(saliency).attribute(x, nt_samples=4, stdevs=0.15, target=CHOSEN, abs=False)
    keep(f"{name}/captum.smoothgrad", last(tunnel), "mean signed gradient of the 4 noisy images")
    noisy = torch.cat(images.stop()).reshape(len(CHOSEN), 4, 3, HEIGHT, WIDTH)  # each image's samples in a row
    keep(f"{name}/captum.smoothgrad.images", noisy.permute(0, 1, 3, 4, 2), "[batch, sample, ...]")
    torch.manual_seed(1)
    keep(f"{name}/captum.smoothgrad.abs", last(captum.attr.NoiseTunnel(saliency).attribute(
        x, nt_samples=4, stdevs=0.15, target=CHOSEN)), "mean absolute gradient, the default")
    torch.manual_seed(2)
    images = watch(net)  # the gradient at the second ReLU is the same for all images
    keep(f"{name}/first/tc.smoothgradcam++", tc_raw(tc.SmoothGradCAMpp, net, net.relu1, num_samples=4, std=0.3), "4 samples")
    keep(f"{name}/first/tc.smoothgradcam++.images", torch.stack(images.stop()[-4:], 1).permute(0, 1, 3, 4, 2), "[batch, sample, ...]")
    torch.manual_seed(3)
    images = watch(net)
    keep(f"{name}/tc.sscam", tc_raw(tc.SSCAM, net, layer, num_samples=2, std=0.5), "2 samples, noise on the mask")
    tried = images.stop()[-2:]  # one batch of all channels of all images a sample
    scores = torch.stack([net(t)[range(24), np.repeat(CHOSEN, 8)].reshape(3, 8) for t in tried], 1)
    keep(f"{name}/tc.sscam.scores", scores, "[batch, sample, channel], of the masked images")


def record_layers(net, name):
    """What is made of two layers: the first ReLU's and the second's."""
    keep(f"{name}/first/act", last(net.relu1(net.conv1(x))))
    layers = [net.relu1, net.relu2]
    targets = [ClassifierOutputTarget(c) for c in CHOSEN]
    keep(f"{name}/first/tc.layercam", tc_raw(tc.LayerCAM, net, net.relu1), "of the first ReLU")
    keep(f"{name}/first/pgc.gradcam++", pgc_raw(pgc.GradCAMPlusPlus, net, net.relu1, targets)[0], "of the first ReLU")
    keep(f"{name}/first/pgc.layercam", pgc_raw(pgc.LayerCAM, net, net.relu1, targets)[0], "of the first ReLU")
    with tc.LayerCAM(net, layers) as cam:
        scores = net(x)
        keep(f"{name}/tc.layercam.fused", cam.fuse_cams(cam(CHOSEN, scores)), "tanh(2 m) of scaled maps, largest")
    with tc.RefineCAM(net, layers, base_method=tc.LayerCAM) as cam:
        scores = net(x)
        keep(f"{name}/tc.refinecam.layercam", cam(CHOSEN, scores, normalized=False)[0], "product of scaled LayerCAMs, unscaled")
    keep(f"{name}/pgc.refinecam.layercam", pgc.RefineCAM(net, layers, base_method=pgc.LayerCAM)(x.clone(), targets), "scaled")
    keep(f"{name}/pgc.refinecam", pgc.RefineCAM(net, layers)(x.clone(), targets), "of Grad-CAM++, scaled")


def faults(net, flat):
    """What the peers do that ours must not."""
    found = {}
    targets = [ClassifierOutputTarget(c) for c in CHOSEN]
    raw, _ = pgc_raw(pgc.GradCAM, net, net.relu2, targets[:2])
    keep("faults/pgc.fewer_targets", raw, "two targets for three images")
    reached = False
    with pgc.GradCAM(net, [net.relu2]) as cam:
        cam(x.clone(), [ClassifierOutputTarget(99)] * 3)
        reached = True
    found["pgc_index_error_swallowed"] = not reached
    try:
        with pgc.ShapleyCAM(flat, [flat.relu2]) as cam:
            cam(x.clone(), targets)
    except RuntimeError as e:
        found["pgc_shapleycam_in_a_with_block"] = str(e).split(".")[0]
        cam.activations_and_grads.activations, cam.activations_and_grads.gradients = [], []
        cam.activations_and_grads.release()
    net.train()
    net.conv1.weight.grad = torch.full_like(net.conv1.weight, 7)
    with pgc.GradCAM(net, [net.relu2]) as cam:
        cam(x.clone(), targets)
    found["pgc_training_after"] = net.training
    found["pgc_gradient_of_7_kept"] = bool((net.conv1.weight.grad == 7).all())
    net.eval()
    with torch.no_grad():
        keep("faults/probabilities", net(x).softmax(-1)[range(3), CHOSEN])
    half = np.full((3, HEIGHT, WIDTH), 0.5, np.float32)
    drop = DropInConfidence()(x, half, [ClassifierOutputSoftmaxTarget(c) for c in CHOSEN], net)
    keep("faults/pgc.drop", drop, "DropInConfidence of maps of 0.5 everywhere, of the probability")
    with torch.no_grad():
        keep("faults/probabilities.half", net(x * 0.5).softmax(-1)[range(3), CHOSEN])
    step = np.zeros((6, 8), np.float32)
    step[2:4, 3:6] = 1
    large = np.asarray(PIL.Image.fromarray(step).resize((WIDTH, HEIGHT), PIL.Image.Resampling.BICUBIC))
    keep("faults/bicubic", large, "a map of 0 and 1 resized as torchcam's overlay_mask does")
    return found


def pictures():
    """Noise, with a bright spot of another colour at another place in each, to 0 to 1."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    made = 0.4 * rng.random((len(CHOSEN), HEIGHT, WIDTH, 3))
    for i, (r, c, colour) in enumerate([(3, 4, (1, 0.2, 0)), (8, 11, (0, 1, 0.3)), (5, 9, (0.3, 0, 1))]):
        spot = np.exp(-((row - r) ** 2 + (column - c) ** 2) / 8)
        made[i] += 0.6 * spot[:, :, None] * colour
    return torch.from_numpy(made.astype(np.float32)).double().permute(0, 3, 1, 2)


x = pictures()
keep("images", last(x))
nets = {head: make(head) for head in ("linear", "relu", "tanh", "flat")}
for head, net in nets.items():
    record(net, head, net.relu2)
record(nets["linear"], "signed", nets["linear"].conv2)  # activations before the ReLU
with torch.no_grad():
    keep("linear/tc.cam", tc_raw(tc.CAM, nets["linear"], nets["linear"].relu2, fc_layer="head.2"))
for head in ("relu", "flat"):
    record_pixels(nets[head], head)
record_noise(nets["flat"], "flat", nets["flat"].relu2)
record_layers(nets["flat"], "flat")
found = faults(nets["linear"], nets["flat"])

np.savez_compressed(HERE / "peers.npz", **arrays)
manifest = {
    "versions": {p: version(p) for p in ("torch", "grad-cam", "torchcam", "captum", "numpy", "opencv-python-headless", "pillow")},
    "classes": CHOSEN,
    "peers": {"pgc": "grad-cam", "tc": "torchcam", "captum": "captum"},
    "faults": found,
    "arrays": {name: {"shape": list(a.shape), **({"note": notes[name]} if name in notes else {})} for name, a in arrays.items()},
}
(HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
for head in (*nets, "signed"):
    print(head, "scores of the chosen classes", [round(float(arrays[f"{head}/scores"][i, c]), 2) for i, c in enumerate(CHOSEN)])
