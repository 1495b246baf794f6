package jupyter

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"
)

// patience ends a test that hangs. It decides nothing else.
const patience = time.Minute

// echo is a kernel whose cells say what they do: "show", "fail", "panic", "wait"
// until an interrupt, "ask".
type echo struct {
	mu        sync.Mutex
	interrupt chan struct{}
	ended     chan bool
	comms     []string
}

func (*echo) Info() map[string]any { return map[string]any{"implementation": "echo"} }

func (e *echo) Execute(x *Execution) Reply {
	switch x.Code {
	case "fail":
		f := Failure{Name: "error", Value: "it failed", Traceback: []string{"here"}}
		x.Output.Error(f)
		return Reply{Failure: &f}
	case "panic":
		panic("a fault")
	case "wait":
		x.Output.Stream("stdout", "waiting")
		<-e.interrupt
		f := Failure{Name: "interrupted"}
		x.Output.Error(f)
		return Reply{Failure: &f}
	case "ask":
		got, err := x.Output.Input(context.Background(), "Name? ", true)
		x.Output.Stream("stdout", fmt.Sprint(got, err))
	default:
		x.Output.Stream("stdout", x.Code)
		x.Output.Display(map[string]any{"text/plain": "shown"}, nil, "an id", false)
		x.Output.Result(x.Count, map[string]any{"text/plain": "42"}, nil)
	}
	return Reply{}
}

func (*echo) Complete(code string, cursor int) Completion {
	if code == "panic" {
		panic("a fault")
	}
	return Completion{cursor - 2, cursor, []Match{{"näher", "function", "func()"}}}
}

func (*echo) Inspect(code string, cursor, detail int) map[string]any {
	return map[string]any{"text/plain": fmt.Sprint(code[:cursor], detail)}
}
func (*echo) IsComplete(string) (string, string) { return "incomplete", "\t" }
func (*echo) History(h HistoryRequest) []Entry   { return []Entry{{1, h.N, "x := 1"}} }
func (e *echo) CommOpen(o *Output, c Comm)       { e.comm("open", c) }
func (e *echo) CommMessage(o *Output, c Comm)    { e.comm("msg", c); o.Publish("comm_msg", c) }
func (e *echo) CommClose(o *Output, c Comm)      { e.comm("close", c) }
func (*echo) Comms() map[string]string           { return map[string]string{"1": "one", "2": "two"} }
func (e *echo) Interrupt()                       { e.interrupt <- struct{}{} }
func (e *echo) Shutdown(restart bool)            { e.ended <- restart }
func (e *echo) comm(what string, c Comm) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.comms = append(e.comms, what+" "+c.ID+" "+string(c.Data))
}

// client is a front-end.
type client struct {
	t                           *testing.T
	s                           *Server // for its key, as a maker of messages
	shell, control, stdin, beat zmq4.Socket
	iopub                       chan *Message
	served                      chan struct{}
}

func connect(t *testing.T, e *echo) *client {
	t.Helper()
	c := &Connection{Transport: "ipc", IP: filepath.Join(t.TempDir(), "k"), Key: "secret", Scheme: "hmac-sha256", Shell: 1, Control: 2, Stdin: 3, IOPub: 4, Heartbeat: 5}
	s, err := Listen(c, e)
	if err != nil {
		t.Fatal(err)
	}
	cl := &client{t: t, s: &Server{connection: c, session: newID()}, iopub: make(chan *Message, 1000), served: make(chan struct{})}
	go func() { s.Serve(); close(cl.served) }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(func() { cancel(); s.Close() })
	id := zmq4.WithID(zmq4.SocketIdentity("client"))
	cl.shell, cl.control, cl.stdin = zmq4.NewDealer(ctx, id), zmq4.NewDealer(ctx, id), zmq4.NewDealer(ctx, id)
	cl.beat = zmq4.NewReq(ctx)
	sub := zmq4.NewSub(ctx)
	for _, l := range []struct {
		socket zmq4.Socket
		port   int
	}{{cl.shell, 1}, {cl.control, 2}, {cl.stdin, 3}, {sub, 4}, {cl.beat, 5}} {
		if err := l.socket.Dial(c.endpoint(l.port)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sub.SetOption(zmq4.OptionSubscribe, ""); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			raw, err := sub.Recv()
			if err != nil {
				return
			}
			m, err := decode(c.Key, raw.Frames)
			if err != nil {
				t.Error(err)
				return
			}
			cl.iopub <- m
		}
	}()
	for len(cl.iopub) == 0 { // until the subscription has arrived
		cl.reply(cl.shell, cl.send(cl.shell, "kernel_info_request", map[string]any{}))
		time.Sleep(time.Millisecond)
	}
	return cl
}

func (c *client) send(socket zmq4.Socket, kind string, content any) (id string) {
	c.t.Helper()
	frames, err := c.s.encode(nil, kind, nil, content)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := socket.SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
		c.t.Fatal(err)
	}
	m, err := decode(c.s.connection.Key, frames)
	if err != nil {
		c.t.Fatal(err)
	}
	return m.Header.ID
}

// reply takes the answer to a message, and its content.
func (c *client) reply(socket zmq4.Socket, id string) (string, map[string]any) {
	c.t.Helper()
	raw, err := socket.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := decode(c.s.connection.Key, raw.Frames)
	if err != nil {
		c.t.Fatal(err)
	}
	if id != "" && !strings.Contains(string(raw.Frames[len(raw.Frames)-3]), id) {
		c.t.Fatalf("the answer to another message: %s", raw.Frames)
	}
	content := map[string]any{}
	if err := json.Unmarshal(m.Content, &content); err != nil {
		c.t.Fatal(err)
	}
	return m.Header.Type, content
}

// until takes what is published up to a text, in short.
func (c *client) until(text string) []string {
	c.t.Helper()
	var got []string
	for {
		select {
		case m := <-c.iopub:
			got = append(got, m.Header.Type+" "+string(m.Content))
			if strings.Contains(got[len(got)-1], text) {
				return got
			}
		case <-time.After(patience):
			c.t.Fatalf("no %q; so far\n%s", text, strings.Join(got, "\n"))
		}
	}
}

func (c *client) idle() { // what is left of connect
	c.reply(c.shell, c.send(c.shell, "comm_info_request", map[string]any{"target_name": "one"}))
	for {
		select {
		case <-c.iopub:
		case <-time.After(20 * time.Millisecond):
			return
		}
	}
}

func TestCell(t *testing.T) {
	c := connect(t, &echo{})
	c.idle()
	id := c.send(c.shell, "execute_request", map[string]any{"code": "show"})
	if kind, got := c.reply(c.shell, id); kind != "execute_reply" || got["status"] != "ok" || got["execution_count"] != 1.0 {
		t.Errorf("%s %v", kind, got)
	}
	got := c.until("idle")
	want := []string{`status {"execution_state":"busy"}`, `execute_input {"code":"show","execution_count":1}`, `stream {"name":"stdout","text":"show"}`,
		`display_data {"data":{"text/plain":"shown"},"metadata":{},"transient":{"display_id":"an id"}}`,
		`execute_result {"data":{"text/plain":"42"},"execution_count":1,"metadata":{}}`, `status {"execution_state":"idle"}`}
	if !slices.Equal(got, want) {
		t.Errorf("published\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c.reply(c.shell, c.send(c.shell, "execute_request", map[string]any{"code": "show", "silent": true}))
	if got := c.until("idle"); len(got) != 2 {
		t.Errorf("a silent cell published %q", got)
	}
	if _, got := c.reply(c.shell, c.send(c.shell, "execute_request", map[string]any{"code": "show"})); got["execution_count"] != 2.0 {
		t.Errorf("after a silent cell %v, want the number 2", got)
	}
}

// Control is answered while a cell runs; an error aborts the cells that wait.
func TestInterruptAndAbort(t *testing.T) {
	e := &echo{interrupt: make(chan struct{})}
	c := connect(t, e)
	var ids []string
	for _, code := range []string{"wait", "show", "show"} {
		ids = append(ids, c.send(c.shell, "execute_request", map[string]any{"code": code, "stop_on_error": true}))
	}
	c.until("waiting")
	// Comms and help are answered too, which shows that the cells have come in.
	c.send(c.shell, "comm_msg", map[string]any{"comm_id": "7", "data": 1})
	c.until("comm_msg")
	if kind, _ := c.reply(c.shell, c.send(c.shell, "history_request", map[string]any{"n": 3})); kind != "history_reply" {
		t.Errorf("%s while a cell runs", kind)
	}
	if kind, got := c.reply(c.control, c.send(c.control, "interrupt_request", map[string]any{})); kind != "interrupt_reply" || got["status"] != "ok" {
		t.Errorf("%s %v", kind, got)
	}
	for i, want := range []string{"error", "aborted", "aborted"} {
		if _, got := c.reply(c.shell, ids[i]); got["status"] != want {
			t.Errorf("cell %d: %v, want %s", i, got["status"], want)
		}
	}
	if _, got := c.reply(c.shell, c.send(c.shell, "execute_request", map[string]any{"code": "show"})); got["status"] != "ok" {
		t.Errorf("a cell afterwards: %v", got)
	}
	go func() { e.interrupt <- struct{}{} }()
	ids = []string{c.send(c.shell, "execute_request", map[string]any{"code": "wait", "stop_on_error": false}), c.send(c.shell, "execute_request", map[string]any{"code": "show"})}
	for i, want := range []string{"error", "ok"} {
		if _, got := c.reply(c.shell, ids[i]); got["status"] != want {
			t.Errorf("without stop_on_error, cell %d: %v, want %s", i, got["status"], want)
		}
	}
}

func TestRequests(t *testing.T) {
	c := connect(t, &echo{})
	for _, r := range []struct{ kind, content, want string }{
		{"kernel_info", `{}`, `{"implementation":"echo","protocol_version":"5.4","status":"ok"}`},
		{"complete", `{"code":"ööa.nä","cursor_pos":6}`, `{"cursor_end":6,"cursor_start":5,"matches":["näher"],"metadata":{"_jupyter_types_experimental":[{"end":6,"signature":"func()","start":5,"text":"näher","type":"function"}]},"status":"ok"}`},
		{"complete", `{"code":"panic","cursor_pos":2}`, `{"ename":"kernel","evalue":"a fault","status":"error","traceback":[]}`},
		{"complete", `{"code":7}`, `"status":"error"`},
		{"inspect", `{"code":"äb","cursor_pos":1,"detail_level":1}`, `{"data":{"text/plain":"ä1"},"found":true,"metadata":{},"status":"ok"}`},
		{"is_complete", `{"code":"{"}`, `{"indent":"\t","status":"incomplete"}`},
		{"history", `{"n":5,"output":true}`, `{"history":[[1,5,["x := 1",null]]],"status":"ok"}`},
		{"comm_info", `{"target_name":"two"}`, `{"comms":{"2":{"target_name":"two"}},"status":"ok"}`},
		{"debug", `{}`, `not supported`},
		{"execute", `{"code":"panic"}`, `the kernel has a fault: a fault`},
		{"execute", `{"code":7}`, `execute_request: json`},
	} {
		kind, got := c.reply(c.shell, c.send(c.shell, r.kind+"_request", json.RawMessage(r.content)))
		text, err := json.Marshal(got)
		if err != nil || kind != r.kind+"_reply" || !strings.Contains(string(text), r.want) {
			t.Errorf("%s %s: %s %s %v, want %s", r.kind, r.content, kind, text, err, r.want)
		}
	}
}

func TestInput(t *testing.T) {
	c := connect(t, &echo{})
	id := c.send(c.shell, "execute_request", map[string]any{"code": "ask", "allow_stdin": true})
	if kind, got := c.reply(c.stdin, id); kind != "input_request" || got["prompt"] != "Name? " || got["password"] != true {
		t.Fatalf("%s %v", kind, got)
	}
	c.send(c.stdin, "input_reply", map[string]any{"value": "Grace"})
	c.reply(c.shell, id)
	c.until("Grace\\u003cnil\\u003e")
}

func TestMalformed(t *testing.T) {
	c := connect(t, &echo{})
	for _, frames := range [][][]byte{
		{[]byte("nonsense")},
		{delimiter, []byte("x")},
		{delimiter, []byte("00"), []byte("{}"), []byte("{}"), []byte("{}"), []byte("{}")},
		{delimiter, sign("secret", [][]byte{[]byte("7")}), []byte("7"), nil, nil, nil},
	} {
		if err := c.shell.SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
			t.Fatal(err)
		}
	}
	c.send(c.shell, "strange", map[string]any{})
	c.send(c.shell, "comm_msg", 7)
	if _, got := c.reply(c.shell, c.send(c.shell, "execute_request", map[string]any{"code": "show"})); got["status"] != "ok" {
		t.Errorf("afterwards: %v", got)
	}
	for range 3 {
		if err := c.beat.Send(zmq4.NewMsgString("beat")); err != nil {
			t.Fatal(err)
		}
		if m, err := c.beat.Recv(); err != nil || string(m.Frames[0]) != "beat" {
			t.Errorf("the heart: %q %v", m.Frames, err)
		}
	}
}

func TestShutdown(t *testing.T) {
	e := &echo{ended: make(chan bool, 1)}
	c := connect(t, e)
	if kind, got := c.reply(c.control, c.send(c.control, "shutdown_request", map[string]any{"restart": true})); kind != "shutdown_reply" || got["restart"] != true {
		t.Errorf("%s %v", kind, got)
	}
	<-c.served
	if !<-e.ended {
		t.Error("the handler was told of no restart")
	}
}
