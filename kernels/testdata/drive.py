"""Drives one Jupyter kernel for the Go tests: reads a request a line, as JSON,
and answers each with a line. See the type session in notebook_kernel_test.go."""

import json
import queue
import sys
import time

from jupyter_client.manager import KernelManager


class Driver:
    def __init__(self):
        self.cells = {}  # by message id
        self.order = []

    def start(self, kernel, dir):
        begun = time.time()
        self.manager = KernelManager(kernel_name=kernel)
        self.manager.start_kernel(cwd=dir)
        self.connect()
        return {"seconds": time.time() - begun}

    def connect(self):
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def restart(self):
        self.client.stop_channels()
        self.manager.restart_kernel(now=False)
        self.connect()

    def shutdown(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()

    def alive(self):
        return {"alive": self.manager.is_alive()}

    def info(self):
        return {"info": self.ask("kernel_info", 10)}

    def interrupt(self):
        self.manager.interrupt_kernel()

    def execute(self, code):
        id = self.client.execute(code)
        self.cells[id] = {"stdout": [], "stderr": [], "shown": [], "messages": 0, "bytes": 0, "idle": False, "status": ""}
        return {"id": id}

    def pump(self, timeout):
        """Takes one message from each of the two channels, if there are any."""
        try:
            msg = self.client.get_iopub_msg(timeout=timeout)
            self.output(msg)
        except queue.Empty:
            pass
        try:
            msg = self.client.get_shell_msg(timeout=0)
            cell = self.cells.get(msg["parent_header"].get("msg_id"))
            if cell is not None:
                cell["status"] = msg["content"]["status"]
                self.order.append(msg["parent_header"]["msg_id"])
        except queue.Empty:
            pass

    def output(self, msg):
        cell = self.cells.get(msg["parent_header"].get("msg_id"))
        if cell is None:
            return
        content = msg["content"]
        kind = msg["msg_type"]
        if kind == "status":
            cell["idle"] = content["execution_state"] == "idle"
            return
        cell["messages"] += 1
        if kind == "stream":
            cell[content["name"]].append(content["text"])
            cell["bytes"] += len(content["text"])
        elif kind == "error":
            cell["stderr"].append("\n".join([content["ename"], content["evalue"], *content["traceback"]]))
        elif "data" in content:
            for mime, value in content["data"].items():
                cell["shown"].append(mime + ": " + (value if isinstance(value, str) else json.dumps(value)) + "\n")

    def wait(self, id, timeout):
        """Waits until the cell is idle and answered."""
        begun = time.time()
        cell = self.cells[id]
        while not (cell["idle"] and cell["status"]) and time.time() - begun < timeout:
            self.pump(0.05)
        return {"cell": joined(cell), "done": bool(cell["idle"] and cell["status"]), "seconds": time.time() - begun, "order": self.order}

    def until(self, id, text, timeout):
        """Waits until the cell has shown a text."""
        begun = time.time()
        cell = self.cells[id]
        while not any(text in part for k in ("stdout", "stderr", "shown") for part in cell[k]):
            if cell["idle"] and cell["status"] or time.time() - begun > timeout:
                return {"cell": joined(cell), "done": False, "seconds": time.time() - begun}
            self.pump(0.02)
        return {"done": True, "seconds": time.time() - begun}

    def ask(self, what, timeout, **args):
        id = getattr(self.client, what)(**args)
        begun = time.time()
        while True:
            msg = self.client.get_shell_msg(timeout=timeout - (time.time() - begun))
            if msg["parent_header"].get("msg_id") == id:
                return msg["content"]

    def complete(self, code, cursor):
        begun = time.time()
        reply = self.ask("complete", 60, code=code, cursor_pos=cursor)
        return {"matches": reply["matches"], "status": reply["status"], "start": reply["cursor_start"], "end": reply["cursor_end"], "seconds": time.time() - begun}

    def inspect(self, code, cursor):
        begun = time.time()
        reply = self.ask("inspect", 60, code=code, cursor_pos=cursor)
        data = reply["data"]
        return {"text": data.get("text/markdown", ""), "plain": data.get("text/plain", ""), "seconds": time.time() - begun}


def joined(cell):
    return {k: "".join(v) if isinstance(v, list) else v for k, v in cell.items()}


def main():
    driver = Driver()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(driver, request.pop("op"))(**request) or {}
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)
    if driver.manager.is_alive():  # the test has ended without a shutdown
        driver.manager.shutdown_kernel(now=True)


main()
