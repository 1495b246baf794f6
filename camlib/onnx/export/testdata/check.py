#!/usr/bin/env python3
"""Checks every NAME.onnx of a folder by onnx, runs it by onnxruntime on NAME.x.npy, [n, h, w, c], and holds its scores
to NAME.scores.npy, [n, classes], for TestONNXRuntime."""
import glob, sys
import numpy as np, onnx, onnxruntime

files = sorted(glob.glob(sys.argv[1] + "/*.onnx"))
off = []
for file in files:
    onnx.checker.check_model(onnx.load(file), full_check=True)
    x, want = (np.load(file[:-4] + end) for end in ("x.npy", "scores.npy"))
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (got,) = session.run(["scores"], {"image": x.transpose(0, 3, 1, 2).copy()})
    worst = float(np.abs(got - want).max() / np.abs(want).max())
    print(f"{file.rpartition('/')[2]}: off by {worst:.1e} of the largest score, {len(x)} images")
    if not (got.shape == want.shape and worst <= 1e-5):
        off.append(file)
sys.exit(f"off by more than 1e-5: {off}" if off or not files else 0)
