#!/usr/bin/env python3
"""Exports networks with random weights to ONNX and writes what PyTorch and onnxruntime compute for them, for TestZoo.

    python3 -m venv V && V/bin/pip install torch torchvision timm onnx onnxruntime onnxscript   # the CPU build of torch is enough
    V/bin/python zoo.py --out DIR resnet18 vit_b_16 timm.levit_128s
    V/bin/python zoo.py --out DIR --size 192x256 --batch 2 --kinds legacy,dynamo,free resnet18

For each NAME, of torchvision or behind "timm." of timm, NAME_KIND.onnx: by the legacy or the dynamo exporter for a
batch of --batch, or free, by dynamo for any batch. And NAME.npz:
  x                  [n, 3, h, w]  two images, as the graph takes them
  logits             [n, classes]  by PyTorch
  KIND               [n, classes]  by onnxruntime, of each file
  class              [n]           the predicted class of each image
  act                [n, k, i, j]  the tensor that is explained: the last with several places, or of tokens what the
                                   normalization before the last attention makes, without class tokens
  gradcam, hirescam  [n, i, j]     ReLU(Σ_k mean_ij(∂y/∂act) act) and Σ_k (∂y/∂act) act, by torch.autograd
"""
import argparse, os, warnings
import numpy as np, onnxruntime, torch
from torch import nn

warnings.filterwarnings("ignore")
p = argparse.ArgumentParser()
p.add_argument("--out", required=True)
p.add_argument("--size", default="")
p.add_argument("--batch", type=int, default=1)
p.add_argument("--opset", type=int, default=18)
p.add_argument("--kinds", default="legacy,dynamo")
p.add_argument("--layer", default="", help="PyTorch's module whose output is act")
p.add_argument("names", nargs="+")
a = p.parse_args()
torch.set_num_threads(2)
os.makedirs(a.out, exist_ok=True)

def network(name, size):
    """A network, and the size of its images. Nothing in it is as good as not there: what begins with zeros, ones or a millionth is random."""
    torch.manual_seed(0)
    kind, _, rest = name.rpartition(".")
    if kind == "timm":
        import timm
        for kw in (dict(img_size=size), {}) if size else ({},):
            try:
                m = timm.create_model(rest, pretrained=False, **kw)
                break
            except TypeError:
                continue
        side = m.pretrained_cfg.get("input_size", (3, 224, 224))[1:]
    else:
        from torchvision import models
        m = getattr(models, name)(weights=None, **(dict(aux_logits=False, init_weights=True) if name in ("googlenet", "inception_v3") else {}))
        side = (299, 299) if name == "inception_v3" else (224, 224)
    g = torch.Generator().manual_seed(1)
    rand = lambda t, lo, hi: t.copy_(torch.rand(t.shape, generator=g) * (hi - lo) + lo)
    with torch.no_grad():
        for mod in m.modules():
            if hasattr(mod, "inplace"): mod.inplace = False
            if isinstance(mod, nn.modules.batchnorm._BatchNorm):
                rand(mod.running_mean, -.2, .2); rand(mod.running_var, .75, 1.25)
        for q in m.parameters():
            if q.numel() > 1 and q.min() == q.max():
                if q.min() == 0: torch.nn.init.normal_(q, std=.05, generator=g)
                elif q.min() == 1: rand(q, .75, 1.25)
                else: rand(q, .2, .6)
    return m.eval(), size or side

def explained(m, x):
    """m's output, act [n, k, i, j] and how its gradient becomes so, and the tensor itself."""
    outs, hooks, names = [], [], {id(mod): n for n, mod in m.named_modules()}
    pooled = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.Dropout)
    def hook(mod, _, y):
        if torch.is_tensor(y) and y.requires_grad and not isinstance(mod, pooled) and "attn" not in names[id(mod)]: outs.append((names[id(mod)], y))
    for mod in m.modules(): hooks.append(mod.register_forward_hook(hook))
    y = m(x)
    for h in hooks: h.remove()
    blocks = getattr(m, "blocks", None)
    layer, extra = a.layer, getattr(m, "num_prefix_tokens", 0)
    if not layer and type(m).__name__ == "VisionTransformer":
        if blocks is None: layer, extra = f"encoder.layers.encoder_layer_{len(m.encoder.layers) - 1}.ln_1", 1
        else: layer = f"blocks.{len(blocks) - 1}.norm1"
    def images(t):
        if t.ndim == 4 and t.shape[1] >= max(t.shape[2:]): return lambda t: t
        if t.ndim == 4: return lambda t: t.permute(0, 3, 1, 2)
        h = round(((t.shape[1] - extra) * x.shape[2] / x.shape[3]) ** .5)  # a grid of the image's proportions
        h = h if h and (t.shape[1] - extra) % h == 0 else 0
        return (lambda t: t[:, extra:].reshape(t.shape[0], h, -1, t.shape[2]).permute(0, 3, 1, 2)) if h else None
    for n, t in reversed(outs):
        if layer and n != layer or t.ndim not in (3, 4) or t.shape[0] != x.shape[0]: continue
        to = images(t)
        if to and to(t).shape[2] * to(t).shape[3] > 1: return y, t, to, n
    return y, None, None, "-"

def export(m, x, file, kind):
    if kind == "legacy":
        torch.onnx.export(m, (x,), file, dynamo=False, opset_version=a.opset, input_names=["input"], output_names=["output"])
        return
    free = dict(dynamic_shapes=[{0: torch.export.Dim("batch")}]) if kind == "free" else {}
    torch.onnx.export(m, (torch.cat([x, x])[:2] if free else x,), file, dynamo=True, opset_version=a.opset, external_data=False, verbose=False, **free)

for name in a.names:
    m, size = network(name, tuple(map(int, a.size.split("x"))) if a.size else None)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2))
    y, act, to, layer = explained(m, x.clone().requires_grad_(True))
    cls = y.argmax(1)
    out = {"x": x.numpy(), "logits": y.detach().numpy(), "class": cls.numpy()}
    if act is not None:
        g, = torch.autograd.grad(y.gather(1, cls[:, None]).sum(), act)
        g, act = to(g), to(act).detach()
        out |= dict(act=act.numpy(), gradcam=torch.relu((g.mean((2, 3), keepdim=True) * act).sum(1)).numpy(), hirescam=(g * act).sum(1).numpy())
    stem = f"{a.out}/{name}" + (f".{a.size}" if a.size else "")
    said = []
    for kind in a.kinds.split(","):
        try:
            export(m, x[:a.batch], f"{stem}_{kind}.onnx", kind)
            s = onnxruntime.InferenceSession(f"{stem}_{kind}.onnx", providers=["CPUExecutionProvider"])
            step = 2 if kind == "free" else a.batch
            out[kind] = np.concatenate([s.run(None, {s.get_inputs()[0].name: x[i:i + step].numpy()})[0] for i in range(0, 2, step)])
            said.append(f"{kind}: onnxruntime {np.abs(out[kind] - out['logits']).max() / np.abs(out['logits']).max():.1e} from torch")
        except Exception as e:
            said.append(f"{kind}: not exported: {' '.join(repr(e).split())[:300]}")
    np.savez(f"{stem}.npz", **out)
    print(f"{name}, act {layer} {None if act is None else tuple(act.shape)}; " + "; ".join(said), flush=True)
