// Runs comms.js in a page that is none and speaks to it as the kernel does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const source = readFileSync(process.argv[2], "utf8").replaceAll("{{kernel}}", "an-id");
const sockets = [];
globalThis.WebSocket = class {
  sent = [];
  constructor(url) {
    this.url = String(url);
    sockets.push(this);
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.onclose?.(); }
};
const page = (href, config) => {
  globalThis.document = {
    location: { href }, body: { dataset: {} },
    getElementById: () => config && { textContent: JSON.stringify(config) },
  };
};
const install = () => {
  (0, eval)(source);
  const socket = sockets.at(-1);
  const from = (data, type = "comm_msg") => socket.onmessage({ data: JSON.stringify({ msg_type: type, content: { comm_id: socket.sent[0].content.comm_id, data } }) });
  return { socket, from };
};

// Where it connects to.
for (const [href, config, want] of [
  ["http://localhost:8888/lab/tree/a.ipynb?x=1", { baseUrl: "/" }, "ws://localhost:8888/api/kernels/an-id/channels"],
  ["https://hub.example.org/user/me/lab", { baseUrl: "/user/me/", token: "a&b" }, "wss://hub.example.org/user/me/api/kernels/an-id/channels?token=a%26b"],
  ["https://hub.example.org/user/me/lab", { baseUrl: "/user/me/", wsUrl: "wss://ws.example.org/x" }, "wss://ws.example.org/x/api/kernels/an-id/channels"],
  ["http://localhost:8888/notebooks/a.ipynb", undefined, "ws://localhost:8888/api/kernels/an-id/channels"],
]) {
  page(href, config);
  assert.equal(install().socket.url, want);
}

const { socket, from } = install();
const comm = globalThis.gonb_comm;
comm.send("/early", 0);
const heard = [];
const key = comm.subscribe("/a", (address, value) => heard.push([address, value]));
const variable = comm.newSyncedVariable("/v", 0); // says its value
const seen = [];
variable.subscribe((v) => seen.push(v));
assert.equal(socket.sent.length, 0, "something was sent before the socket opened");
socket.onopen();
assert.equal(socket.sent[0].header.msg_type, "comm_open");
assert.equal(socket.sent[0].content.target_name, "gonb_comm");
from({ address: "#comm_open_ack", value: true });
const sent = () => socket.sent.splice(1).map((m) => [m.content.data.address, m.content.data.value]);
assert.deepEqual(sent(), [["/early", 0], ["/v", 0]]);
from({ address: "#heartbeat/ping", value: true });
assert.deepEqual(sent(), [["#heartbeat/pong", true]]);
from({ address: "/a", value: 0 });
from({ address: "/nobody", value: 1 });
from({ address: "/v", value: 5 });
assert.deepEqual([heard, seen, variable.get()], [[["/a", 0]], [5], 5]);
from({ address: "/v", read_request: true });
variable.set(6);
variable.set(6);
assert.deepEqual(sent(), [["/v", 5], ["/v", 6]]);
comm.unsubscribe(key);
from({ address: "/a", value: 2 });
assert.equal(heard.length, 1);
socket.onmessage({ data: JSON.stringify({ msg_type: "comm_msg", content: { comm_id: "another", data: { address: "/v", value: 9 } } }) });
assert.equal(variable.get(), 6);

// Another takes its place; its end does not end that.
install();
assert.notEqual(globalThis.gonb_comm, comm);
socket.onclose();
assert.ok(globalThis.gonb_comm);
globalThis.gonb_comm.close();
assert.equal(globalThis.gonb_comm, undefined);
