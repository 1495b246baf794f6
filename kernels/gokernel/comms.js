"use strict";
// Connects this page to the kernel: gonb_comm sends values to addresses in cells and
// takes values from there, as the JavaScript of package gonbui expects.
(() => {
  globalThis.gonb_comm?.close(1000, "another takes its place");
  const page = (() => {
    try {
      return JSON.parse(document.getElementById("jupyter-config-data").textContent);
    } catch {
      return {};
    }
  })();
  // JupyterHub and proxies serve under a base URL.
  const base = new URL(page.baseUrl ?? document.body?.dataset.baseUrl ?? "/", document.location.href);
  const url = new URL(page.wsUrl || base.href, base);
  url.protocol = url.protocol.replace("http", "ws");
  url.pathname = url.pathname.replace(/\/*$/, "/") + "api/kernels/{{kernel}}/channels";
  url.search = page.token ? "?token=" + encodeURIComponent(page.token) : "";

  const uuid = () => crypto.randomUUID?.() ?? "10000000-1000-4000-8000-100000000000".replace(/[018]/g,
    (c) => (+c ^ crypto.getRandomValues(new Uint8Array(1))[0] & 15 >> +c / 4).toString(16));
  const id = uuid(), session = uuid();
  const socket = new WebSocket(url);
  const listeners = new Map(); // by address: callbacks by symbol
  const variables = new Map(); // by address: the newest
  let connected = false, waiting = [];

  const message = (type, content) => {
    const header = { msg_id: uuid(), msg_type: type, session, username: "", date: new Date().toISOString(), version: "5.4" };
    socket.send(JSON.stringify({ header, msg_id: header.msg_id, msg_type: type, parent_header: {}, metadata: {}, buffers: [], channel: "shell", content }));
  };
  const post = (address, value) => message("comm_msg", { comm_id: id, data: { address, value } });
  const log = (...what) => comm.debug && console.log("gonb_comm:", ...what);

  const comm = {
    debug: false,
    send(address, value) {
      log("to", address, value);
      if (connected) post(address, value);
      else waiting.push([address, value]);
    },
    subscribe(address, callback) {
      const key = Symbol(address);
      if (!listeners.has(address)) listeners.set(address, new Map());
      listeners.get(address).set(key, callback);
      return key;
    },
    unsubscribe(key) {
      const address = key.description;
      listeners.get(address)?.delete(key);
      if (listeners.get(address)?.size === 0) listeners.delete(address);
    },
    newSyncedVariable(address, value) {
      const variable = new SyncedVariable(address, value);
      variables.set(address, variable);
      return variable;
    },
    close(code, reason) {
      if (globalThis.gonb_comm === comm) delete globalThis.gonb_comm;
      socket.close(code, reason);
    },
  };
  globalThis.gonb_comm = comm;

  socket.onopen = () => message("comm_open", { comm_id: id, target_name: "gonb_comm", kernel_id: "{{kernel}}", data: {} });
  socket.onerror = () => console.error("gonb_comm: no connection to the kernel, widgets do not work");
  socket.onclose = () => {
    if (globalThis.gonb_comm === comm) delete globalThis.gonb_comm;
  };
  socket.onmessage = (event) => {
    if (typeof event.data !== "string") return;
    const { msg_type, content } = JSON.parse(event.data);
    if (content?.comm_id !== id) return;
    if (msg_type === "comm_close") return comm.close(1000, "closed by the kernel");
    if (msg_type !== "comm_msg") return;
    const { address, value, read_request } = content.data ?? {};
    log("from", address, value);
    if (address === "#comm_open_ack") {
      connected = true;
      for (const w of waiting) post(...w);
      waiting = [];
    } else if (address === "#heartbeat/ping") {
      post("#heartbeat/pong", true);
    } else if (read_request) {
      if (variables.has(address)) post(address, variables.get(address).get());
    } else {
      for (const callback of [...listeners.get(address)?.values() ?? []]) callback(address, value);
    }
  };

  class SyncedVariable {
    #address;
    #value = null;
    #callbacks = new Map();
    constructor(address, value) {
      this.#address = address;
      comm.subscribe(address, (_, value) => this.#change(value));
      this.set(value);
    }
    #change(value) {
      if (value === this.#value) return false;
      this.#value = value;
      for (const callback of [...this.#callbacks.values()]) callback(value);
      return true;
    }
    get() { return this.#value; }
    set(value) {
      if (this.#change(value)) (globalThis.gonb_comm ?? comm).send(this.#address, value);
    }
    subscribe(callback) {
      const key = Symbol(this.#address);
      this.#callbacks.set(key, callback);
      return key;
    }
    unsubscribe(key) { this.#callbacks.delete(key); }
  }
})();
