"""Drives one Jupyter kernel for the Go tests: reads a request a line, as JSON,
and answers each with a line. See the type session in notebook_kernel_test.go."""

import json
import queue
import sys
import time

import zmq
from jupyter_client.manager import KernelManager

PATIENCE = 1200  # seconds: decides nothing but when a test is given up


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
        self.client.wait_for_ready(timeout=PATIENCE)
        self.poller = zmq.Poller()
        for channel in self.client.iopub_channel, self.client.shell_channel:
            self.poller.register(channel.socket, zmq.POLLIN)

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
        return {"info": self.ask("kernel_info", PATIENCE)}

    def interrupt(self):
        self.manager.interrupt_kernel()

    def execute(self, code):
        id = self.client.execute(code)
        self.cells[id] = {"stdout": [], "stderr": [], "shown": [], "messages": 0, "bytes": 0, "busy": False, "idle": False, "status": ""}
        return {"id": id}

    def pump(self, timeout):
        """Waits for a message and takes one from each of the two channels that has any."""
        self.poller.poll(1000 * timeout)
        try:
            msg = self.client.get_iopub_msg(timeout=0)
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
            cell["busy"] = True
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

    def pumped(self, timeout, done):
        """Takes messages until something is true, and returns whether it is."""
        end = time.monotonic() + timeout
        while not done() and time.monotonic() < end:
            self.pump(max(0, end - time.monotonic()))
        return bool(done())

    def begun(self, id, timeout):
        """Waits until the kernel has begun with the cell."""
        return {"done": self.pumped(timeout, lambda: self.cells[id]["busy"])}

    def wait(self, id, timeout):
        """Waits until the cell is idle and answered."""
        begun = time.monotonic()
        cell = self.cells[id]
        done = self.pumped(timeout, lambda: cell["idle"] and cell["status"])
        return {"cell": joined(cell), "done": done, "seconds": time.monotonic() - begun, "order": self.order}

    def until(self, id, text, timeout):
        """Waits until the cell has shown a text."""
        cell = self.cells[id]
        shown = lambda: any(text in part for k in ("stdout", "stderr", "shown") for part in cell[k])
        self.pumped(timeout, lambda: shown() or cell["idle"] and cell["status"])
        return {"cell": joined(cell), "done": shown()}

    def ask(self, what, timeout, **args):
        id = getattr(self.client, what)(**args)
        begun = time.time()
        while True:
            msg = self.client.get_shell_msg(timeout=timeout - (time.time() - begun))
            if msg["parent_header"].get("msg_id") == id:
                return msg["content"]

    def complete(self, code, cursor):
        begun = time.time()
        reply = self.ask("complete", PATIENCE, code=code, cursor_pos=cursor)
        return {"matches": reply["matches"], "status": reply["status"], "start": reply["cursor_start"], "end": reply["cursor_end"], "seconds": time.time() - begun}

    def inspect(self, code, cursor):
        begun = time.time()
        reply = self.ask("inspect", PATIENCE, code=code, cursor_pos=cursor)
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
