"""Runs one cell in a kernel, as JupyterLab would, for Env.TryCell: prints what came
of it as JSON. The kernel writes its log where this program does."""

import json
import sys

from jupyter_client.manager import KernelManager

kernel, cell = sys.argv[1:]
manager = KernelManager(kernel_name=kernel)
manager.start_kernel()
client = manager.client()
client.start_channels()
out = {"status": "", "stdout": "", "stderr": "", "error": ""}


def show(msg):
    content = msg["content"]
    if msg["msg_type"] == "stream":
        out[content["name"]] += content["text"]
    if msg["msg_type"] == "error":
        out["error"] += content["evalue"] + "\n"


try:
    client.wait_for_ready(timeout=60)
    reply = client.execute_interactive(cell, output_hook=show, timeout=600, allow_stdin=False)
    out["status"] = reply["content"]["status"]
except RuntimeError as err:  # it died, or does not answer
    out["error"] = str(err)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(json.dumps(out))
