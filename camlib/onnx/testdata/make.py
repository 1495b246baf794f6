#!/usr/bin/env python3
"""Makes what the tests of package onnx compare with.

    python3 -m venv V && V/bin/pip install onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 torch==2.15.0   # the CPU build of torch is enough
    V/bin/python make.py

nodes.tar.gz: the node tests of the onnx package (Apache-2.0), NAME/model.onnx, NAME/input_i.pb and NAME/output_i.pb
(TensorProto), of the operators that ../ops_*.go know and of at most 24 kB each; those whose names end in _expanded,
which decompose an operator, are left out, as are types of fewer than 8 bits or of 8-bit floats, and trainings.

nets.tar.gz: tiny networks by real exporters, with random weights: NAME.onnx, and NAME.npz with x [n, c, h, w],
logits by onnxruntime, class, and act, gradcam and hirescam by torch autograd as in the tests' type reference.

attention.tar.gz: attention_NAME.npz of networks with attention: x [n, c, h, w], class, rival, and by torch autograd and
whole matrices in float64 rollout, chefer of the class and contrast of the class less the rival, [n, height, width] each;
and NAME.onnx of those that are not in nets.tar.gz.
"""
import glob, io, os, re, sys, tarfile
import numpy as np
import onnx
from onnx import numpy_helper

here = os.path.dirname(os.path.abspath(__file__))

def pack(path, files):
    """Writes files, {name: bytes}, without times and owners, so that equal ones give equal bytes."""
    import gzip
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as t:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            t.addfile(info, io.BytesIO(files[name]))
    with open(path, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, compresslevel=9, filename="") as z:
        z.write(raw.getvalue())
    print(path, os.path.getsize(path), "bytes,", len(files), "files")

def nodes():
    from onnx.backend.test.case.node import collect_testcases
    known = set()
    for f in glob.glob(os.path.join(here, "..", "ops_*.go")):
        known |= set(re.findall(r'"([A-Z][A-Za-z0-9]+)":', open(f).read()))
        known |= set(re.findall(r'"([A-Z][A-Za-z0-9]+)":? *[A-Za-z]+[,}]', open(f).read()))
    files = {}
    for case in collect_testcases(None):
        ops = {n.op_type for n in case.model.graph.node} - {"Constant"}
        if re.search("FLOAT[48]|float[48]e|e4m3|e5m2|e8m0|INT[24]|int[24](_|$)|_training_|_3d|string|STRING|attention_.*(past|nonpad|padded|window|qk_matmul)", case.name):
            continue
        if case.name.endswith("_expanded") or "_expanded_ver" in case.name or not ops <= known or not ops:
            continue
        mine = {f"{case.name}/model.onnx": case.model.SerializeToString()}
        try:
            inputs, outputs = case.data_sets[0]
            for kind, values, infos in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
                for i, v in enumerate(values):
                    t = v if isinstance(v, onnx.TensorProto) else numpy_helper.from_array(np.asarray(v), infos[i].name)
                    mine[f"{case.name}/{kind}_{i}.pb"] = t.SerializeToString()
        except Exception as e:  # of sequences and maps
            print("left out", case.name, repr(e)[:80], file=sys.stderr)
            continue
        if sum(map(len, mine.values())) <= 24_000:
            files.update(mine)
    pack(os.path.join(here, "nodes.tar.gz"), files)

def export(m, x, kind, opset):
    """Exports a network by one of PyTorch's exporters and returns the file, without texts."""
    import torch, tempfile
    with tempfile.TemporaryDirectory() as d:
        f = os.path.join(d, "net.onnx")
        if kind == "dynamo":
            torch.onnx.export(m, (x,), f, dynamo=True, opset_version=18, external_data=False, verbose=False)
        else:
            free = dict(dynamic_axes={"input": {0: "n"}}) if kind == "free" else {}
            torch.onnx.export(m, (x,), f, dynamo=False, opset_version=opset, input_names=["input"], output_names=["output"], **free)
        p = onnx.load(f)
    for n in p.graph.node:
        n.ClearField("doc_string")
        kept = [(e.key, e.value) for e in n.metadata_props if e.key == "namespace"]
        n.ClearField("metadata_props")
        for k, v in kept:
            n.metadata_props.add(key=k, value=v)
    p.graph.ClearField("value_info"); p.ClearField("metadata_props"); p.graph.ClearField("metadata_props")
    return p.SerializeToString()

def nets():
    import copy, onnxruntime, torch, warnings
    import torch.nn as nn, torch.nn.functional as F
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)

    class Block(nn.Module):
        """A residual block, with squeeze and excitation."""
        def __init__(self, c):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(c, 2 * c, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(2 * c)
            self.conv2, self.bn2 = nn.Conv2d(2 * c, c, 1, bias=False), nn.BatchNorm2d(c)
            self.down, self.up = nn.Conv2d(c, 4, 1), nn.Conv2d(4, c, 1)
        def forward(self, x):
            y = self.bn2(self.conv2(F.silu(self.bn1(self.conv1(x)))))
            y = y * torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(y, 1)))))
            return F.relu(x + y)

    class Residual(nn.Module):
        """Convolutions in all forms, branches, and a head of pooling and a linear layer."""
        def __init__(self):
            super().__init__()
            self.stem, self.bn = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
            self.block1, self.depth = Block(8), nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
            self.wide, self.last = nn.Conv2d(8, 8, 3, padding=2, dilation=2), Block(16)
            self.fc = nn.Linear(16, 7)
        def forward(self, x):
            x = F.max_pool2d(F.relu6(self.bn(self.stem(x))), 3, 2, 1)
            x = self.block1(x)
            x = torch.cat([F.hardswish(self.depth(x)), F.avg_pool2d(F.leaky_relu(self.wide(x)), 2, ceil_mode=True)], 1)
            n, c, h, w = x.shape
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)  # channels shuffled
            self.act = self.last(x)
            return self.fc(torch.flatten(F.adaptive_avg_pool2d(self.act, 1), 1))

    class Flat(nn.Module):
        """As VGG: the head flattens several places."""
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 6, 5, padding=2), nn.Conv2d(6, 8, 3)
            self.fc1, self.fc2 = nn.Linear(8 * 18, 10), nn.Linear(10, 5)
        def forward(self, x):
            x = F.max_pool2d(torch.tanh(self.a(x)), 2)
            self.act = F.relu(self.b(F.max_pool2d(F.elu(x), 2)))
            return F.log_softmax(self.fc2(F.dropout(F.gelu(self.fc1(torch.flatten(self.act, 1))), training=False)), 1)

    class Tokens(nn.Module):
        """As ViT: patches, a class token, attention."""
        def __init__(self):
            super().__init__()
            self.patch, self.token = nn.Conv2d(3, 12, 8, 8), nn.Parameter(torch.randn(1, 1, 12))
            self.place = nn.Parameter(torch.randn(1, 13, 12) * .1)
            layer = lambda: nn.TransformerEncoderLayer(12, 3, 24, 0., "gelu", batch_first=True, norm_first=True)
            self.l1, self.l2 = layer(), layer()
            self.norm, self.fc = nn.LayerNorm(12), nn.Linear(12, 5)
        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
            x = self.l1(x)
            return self.fc(self.norm(self.l2(x))[:, 0])

    def fill(m, seed):
        g = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, p in m.named_parameters():
                p.copy_(torch.randn(p.shape, generator=g) * (.5 if p.ndim > 1 else .3) + (1 if name.endswith(("norm.weight", "bn.weight", "bn1.weight", "bn2.weight")) else 0))
            for b in m.modules():
                if isinstance(b, nn.BatchNorm2d):
                    b.running_mean.copy_(torch.rand(b.running_mean.shape, generator=g) - .5)
                    b.running_var.copy_(torch.rand(b.running_var.shape, generator=g) + .5)
        return m.eval()

    class Heads(nn.Module):
        """Attention in a batch of heads and images, the heads first."""
        def __init__(self):
            super().__init__()
            self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        def forward(self, x):
            q, k, v = (torch.cat(t.chunk(2, 2), 0) for t in self.qkv(x).chunk(3, 2))
            self.a = torch.softmax(q @ k.transpose(1, 2) / 2, -1)
            return self.out(torch.cat((self.a @ v).chunk(2, 0), 2))

    class Pooled(nn.Module):
        """No class token: the mean of all."""
        def __init__(self):
            super().__init__()
            self.patch, self.norm1, self.norm2, self.norm3 = nn.Conv2d(3, 8, 8, 8), nn.LayerNorm(8), nn.LayerNorm(8), nn.LayerNorm(8)
            self.place, self.block1, self.block2, self.fc = nn.Parameter(torch.randn(1, 6, 8)), Heads(), Heads(), nn.Linear(8, 4)
        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2) + self.place
            x = x + self.block1(self.norm1(x))
            x = x + self.block2(self.norm2(x))
            return self.fc(self.norm3(x).mean(1))

    class Windows(nn.Module):
        """As Swin: attention in windows of 2×2 tokens."""
        def __init__(self):
            super().__init__()
            self.patch, self.norm, self.block, self.fc = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), Heads(), nn.Linear(8, 4)
        def forward(self, x):
            x = self.norm(self.patch(x).permute(0, 2, 3, 1))
            w = x.reshape(-1, 2, 2, 2, 2, 8).transpose(2, 3).reshape(-1, 4, 8)
            return self.fc((w + self.block(w)).reshape(-1, 16, 8).mean(1))

    class Alone(nn.Module):
        """Mixes the images where there are different ones: of one image the network's own scores."""
        def __init__(self, net):
            super().__init__()
            self.net = net
        def forward(self, x):
            y = self.net(x)
            return 2 * y - y.mean(0, keepdim=True)

    files = {}
    for name, make, size, seed in (("residual", Residual, (24, 32), 1), ("flat", Flat, (20, 32), 2), ("tokens", Tokens, (24, 32), 3)):
        m = fill(make(), seed)
        x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(9))
        xg = x.clone().requires_grad_(True)
        if name == "tokens":  # what the last attention takes
            hook = m.l2.norm1.register_forward_hook(lambda _, __, out: setattr(m, "act", out))
        y = m(xg)
        act = m.act
        if name == "tokens":
            hook.remove()
        if name == "flat":  # the scores are what goes into the last log-softmax
            y0 = m.fc2(F.gelu(m.fc1(torch.flatten(act, 1))))
        else:
            y0 = y
        cls = y0.argmax(1)
        g, = torch.autograd.grad(y0.gather(1, cls[:, None]).sum(), act, retain_graph=True)
        a = act
        if name == "tokens":  # the grid, without the class token
            to = lambda t: t[:, 1:].reshape(2, size[0] // 8, size[1] // 8, -1).permute(0, 3, 1, 2)
            a, g = to(a), to(g)
        ref = dict(x=x.numpy(), logits=y0.detach().numpy(), act=a.detach().numpy(), gradcam=torch.relu((g.mean((2, 3), keepdim=True) * a).sum(1)).detach().numpy(),
                   hirescam=(g * a).sum(1).detach().numpy(), **{"class": cls.numpy()})
        for kind in ("legacy", "dynamo", "free"):
            file = export(m, x[:1], kind, {"tokens": 14, "flat": 11}.get(name, 13) if kind == "free" else 17)
            s = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            got = np.concatenate([s.run(None, {s.get_inputs()[0].name: x[i:i + 1].numpy()})[0] for i in range(2)])
            print(name, kind, "onnxruntime within", np.abs(got - y.detach().numpy()).max(), "of torch")
            files[f"{name}_{kind}.onnx"] = file
        b = io.BytesIO(); np.savez_compressed(b, **ref); files[name + ".npz"] = b.getvalue()
    pack(os.path.join(here, "nets.tar.gz"), files)

    files = {}
    taken = []  # the attention of each block

    def attend(q, k, v, *args, **kwargs):  # in place of torch's own, which gives no attention
        taken.append(torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** .5, -1))
        return taken[-1] @ v

    for name, make, size, seed, beside, grid in (("tokens", Tokens, (24, 32), 3, 1, (3, 4)), ("pooled", Pooled, (16, 24), 4, 0, (2, 3))):
        m = fill(make(), seed)
        x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(9))
        taken.clear()
        own = F.scaled_dot_product_attention
        F.scaled_dot_product_attention = attend
        y = copy.deepcopy(m).double()
        if name == "pooled":
            for b in (y.block1, y.block2):
                b.register_forward_hook(lambda b, _, __: taken.append(b.a))
        y = y(x.double())
        F.scaled_dot_product_attention = own
        apart = lambda a: a if a.ndim == 4 else a.reshape(2, 2, *a.shape[1:]).transpose(0, 1)  # of heads and images
        blocks = [apart(a) for a in taken]
        assert len(blocks) == 2 and torch.allclose(y.float(), m(x), atol=1e-5)
        eye = torch.eye(blocks[0].shape[-1], dtype=torch.float64).expand(2, -1, -1)
        read = lambda r: (r[:, 0, beside:] if beside else r.mean(1)).reshape(2, *grid).detach().float().numpy()

        rollout = eye
        for a in blocks:
            a = a.mean(1) / 2 + eye / 2
            rollout = a / a.sum(-1, keepdim=True) @ rollout

        def chefer(score):
            r = eye
            for a, g in zip(blocks, torch.autograd.grad(score.sum(), taken, retain_graph=True)):
                r = r + (apart(g) * a).clamp(min=0).mean(1) @ r
            return read(r - eye)

        cls, rival = y.argmax(1), y.argmin(1)
        of = lambda c: y.gather(1, c[:, None])
        b = io.BytesIO()
        np.savez_compressed(b, x=x.numpy(), rollout=read(rollout), chefer=chefer(of(cls)), contrast=chefer(of(cls) - of(rival)), **{"class": cls.numpy()}, rival=rival.numpy())
        files[f"attention_{name}.npz"] = b.getvalue()
    tokens, pooled = fill(Tokens(), 3), fill(Pooled(), 4)
    for kind in ("dynamo", "free"):
        files[f"pooled_{kind}.onnx"] = export(pooled, torch.zeros(1, 3, 16, 24), kind, 17)
    for n in (1, 2):  # images that the file takes
        files[f"alone_{n}.onnx"] = export(Alone(tokens).eval(), torch.zeros(n, 3, 24, 32), "legacy", 17)
    files["mixed_2.onnx"] = export(Alone(pooled).eval(), torch.zeros(2, 3, 16, 24), "legacy", 17)
    files["windows_free.onnx"] = export(fill(Windows(), 5), torch.zeros(1, 3, 16, 16), "free", 17)
    pack(os.path.join(here, "attention.tar.gz"), files)

for what in sys.argv[1:] or ["nodes", "nets"]:
    globals()[what]()
