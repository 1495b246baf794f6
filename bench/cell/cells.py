"""Sends cells to kernels in turn and prints how long each took to its idle status.

Arguments: a folder of kernelspecs, how often, a file with a cell in which
INDEX is replaced by a number, the names of the kernels. Standard output is a
line of JSON for every cell that was timed.
"""
import json
import subprocess
import sys
import tempfile
import time

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

WARM = 3  # cells before the timed ones: they fill GoNB's and the go command's memory
TIMEOUT = 300


def run(client, code):
    """Returns the seconds from sending a cell to its idle status, and its pictures."""
    pictures, errors = 0, []
    start = time.perf_counter()
    message = client.execute(code)
    while True:
        m = client.get_iopub_msg(timeout=TIMEOUT)
        if m["parent_header"].get("msg_id") != message:
            continue
        kind, content = m["msg_type"], m["content"]
        if kind in ("display_data", "execute_result"):
            pictures += "image/png" in content["data"]
        elif kind == "error":
            errors.append(content["evalue"])
        elif kind == "stream" and content["name"] == "stderr":
            errors.append(content["text"])
        elif kind == "status" and content["execution_state"] == "idle":
            took = time.perf_counter() - start
            break
    if pictures != 1 or errors:
        sys.exit(f"the cell showed {pictures} pictures, want 1: {' '.join(errors)}\n{code}")
    return took


def main():
    folder, times, file, names = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    with open(file) as f:
        cell = f.read()
    specs = KernelSpecManager(kernel_dirs=[folder])
    managers, clients = [], []
    try:
        for name in names:
            manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
            manager.start_kernel(cwd=tempfile.gettempdir(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            managers.append(manager)
            client = manager.client()
            client.start_channels()
            client.wait_for_ready(timeout=TIMEOUT)
            clients.append(client)
        for i in range(-WARM, times):
            for name, client in zip(names, clients):
                took = run(client, cell.replace("INDEX", str(i % 1000)))
                if i >= 0:
                    print(json.dumps({"name": name, "seconds": took}), flush=True)
    finally:
        for client in clients:
            client.stop_channels()
        for manager in managers:
            manager.shutdown_kernel(now=True)


main()
