"""Sends cells to kernels in turn and prints how long each took to its idle status.

Arguments: a folder of kernelspecs, the kernels' folder, how many rounds, a JSON
file with the cells of each kernel by name, each a list of [name, code] in which
INDEX stands for a number. Standard output is a line of JSON for every cell. Every
round begins with fresh kernels; a cell of one is followed by the same of the next.
"""
import json
import subprocess
import sys
import time

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

TIMEOUT = 300


def run(client, code):
    """Returns the seconds from sending a cell to its idle status, and what it showed."""
    shown, errors = [], []
    start = time.perf_counter()
    message = client.execute(code)
    while True:
        m = client.get_iopub_msg(timeout=TIMEOUT)
        if m["parent_header"].get("msg_id") != message:
            continue
        kind, content = m["msg_type"], m["content"]
        if kind in ("display_data", "execute_result"):
            shown += content["data"]
        elif kind == "error":
            errors.append(content["evalue"])
        elif kind == "stream":
            (errors if content["name"] == "stderr" else shown).append(content["text"])
        elif kind == "status" and content["execution_state"] == "idle":
            took = time.perf_counter() - start
            break
    if errors or not shown:
        sys.exit(f"the cell showed {shown}: {' '.join(errors)}\n{code}")
    return took, "image/png" in shown


def main():
    folder, cwd, rounds, file = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with open(file) as f:
        cells = json.load(f)
    names = list(cells)
    specs = KernelSpecManager(kernel_dirs=[folder])
    for index in range(rounds):
        managers, clients = [], {}
        try:
            for name in names:
                manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
                manager.start_kernel(cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                managers.append(manager)
                client = clients[name] = manager.client()
                client.start_channels()
                client.wait_for_ready(timeout=TIMEOUT)
                run(client, dict(cells[name])["fmt.Println"].replace("INDEX", "1000"))  # a warm kernel
            for cell in [c for c, _ in cells[names[0]]]:
                for name in names:
                    code = dict(cells[name]).get(cell)
                    if code is not None:
                        took, picture = run(clients[name], code.replace("INDEX", str(index)))
                        print(json.dumps({"kernel": name, "cell": cell, "seconds": took, "picture": picture}), flush=True)
        finally:
            for client in clients.values():
                client.stop_channels()
            for manager in managers:
                manager.shutdown_kernel(now=True)


main()
