package jupyter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"

	"github.com/camlab-go/camlab/kernels/jupyter"
	"github.com/camlab-go/camlab/kernels/jupyter/jupytertest"
)

// echo is a kernel whose cells say what they do: "show", "fail", "panic", "wait"
// until an interrupt, "ask".
type echo struct {
	mu        sync.Mutex
	interrupt chan struct{}
	ended     chan bool
	comms     []string
}

func (*echo) Info() map[string]any { return map[string]any{"implementation": "echo"} }

func (e *echo) Execute(x *jupyter.Execution) jupyter.Reply {
	switch x.Code {
	case "fail":
		f := jupyter.Failure{Name: "error", Value: "it failed", Traceback: []string{"here"}}
		x.Output.Error(f)
		return jupyter.Reply{Failure: &f}
	case "panic":
		panic("a fault")
	case "wait":
		x.Output.Stream("stdout", "waiting")
		<-e.interrupt
		f := jupyter.Failure{Name: "interrupted"}
		x.Output.Error(f)
		return jupyter.Reply{Failure: &f}
	case "ask":
		got, err := x.Output.Input(context.Background(), "Name? ", true)
		x.Output.Stream("stdout", fmt.Sprint(got, err))
	default:
		x.Output.Stream("stdout", x.Code)
		x.Output.Display(map[string]any{"text/plain": "shown"}, nil, "an id", false)
		x.Output.Result(x.Count, map[string]any{"text/plain": "42"}, nil)
	}
	return jupyter.Reply{}
}

func (*echo) Complete(code string, cursor int) jupyter.Completion {
	if code == "panic" {
		panic("a fault")
	}
	return jupyter.Completion{cursor - 2, cursor, []jupyter.Match{{"näher", "function", "func()"}}}
}

func (*echo) Inspect(code string, cursor, detail int) map[string]any {
	return map[string]any{"text/plain": fmt.Sprint(code[:cursor], detail)}
}
func (*echo) IsComplete(string) (string, string) { return "incomplete", "\t" }
func (*echo) History(h jupyter.HistoryRequest) []jupyter.Entry {
	return []jupyter.Entry{{1, h.N, "x := 1"}}
}
func (e *echo) CommOpen(o *jupyter.Output, c jupyter.Comm) { e.comm("open", c) }
func (e *echo) CommMessage(o *jupyter.Output, c jupyter.Comm) {
	e.comm("msg", c)
	o.Publish("comm_msg", c)
}
func (e *echo) CommClose(o *jupyter.Output, c jupyter.Comm) { e.comm("close", c) }
func (*echo) Comms() map[string]string                      { return map[string]string{"1": "one", "2": "two"} }
func (e *echo) Interrupt()                                  { e.interrupt <- struct{}{} }
func (e *echo) Shutdown(restart bool)                       { e.ended <- restart }
func (e *echo) comm(what string, c jupyter.Comm) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.comms = append(e.comms, what+" "+c.ID+" "+string(c.Data))
}

func connect(t *testing.T, e *echo) (*jupytertest.Client, chan struct{}) {
	t.Helper()
	c := jupytertest.Connection(t)
	s, err := jupyter.Listen(c, e)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		s.Serve()
		close(served)
	}()
	t.Cleanup(s.Close)
	return jupytertest.Connect(t, c), served
}

// published is what a cell has published, up to a text.
func published(c *jupytertest.Client, text string) []string {
	var got []string
	c.Until(func(m *jupyter.Message) bool {
		got = append(got, m.Header.Type+" "+string(m.Content))
		return strings.Contains(got[len(got)-1], text)
	})
	return got
}

func TestCell(t *testing.T) {
	c, _ := connect(t, &echo{})
	if _, got := c.Ask("execute_request", map[string]any{"code": "show"}); got["status"] != "ok" || got["execution_count"] != 1.0 {
		t.Errorf("%v", got)
	}
	got := published(c, "idle")
	want := []string{`status {"execution_state":"busy"}`, `execute_input {"code":"show","execution_count":1}`, `stream {"name":"stdout","text":"show"}`,
		`display_data {"data":{"text/plain":"shown"},"metadata":{},"transient":{"display_id":"an id"}}`,
		`execute_result {"data":{"text/plain":"42"},"execution_count":1,"metadata":{}}`, `status {"execution_state":"idle"}`}
	if !slices.Equal(got, want) {
		t.Errorf("published\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c.Ask("execute_request", map[string]any{"code": "show", "silent": true})
	if got := published(c, "idle"); len(got) != 2 {
		t.Errorf("a silent cell published %q", got)
	}
	if got := c.Run("show"); got.Reply["execution_count"] != 2.0 {
		t.Errorf("after a silent cell %v, want the number 2", got)
	}
}

// Control is answered while a cell runs; an error aborts the cells that wait.
func TestConcurrentInterruptAndAbort(t *testing.T) {
	e := &echo{interrupt: make(chan struct{})}
	c, _ := connect(t, e)
	ids := []string{c.Begin("wait"), c.Begin("show"), c.Begin("show")}
	published(c, "waiting")
	// Comms and help are answered too, which shows that the cells have come in.
	c.Send(c.Shell, "comm_msg", map[string]any{"comm_id": "7", "data": 1})
	published(c, "comm_id")
	c.Ask("history_request", map[string]any{"n": 3})
	id := c.Send(c.Control, "interrupt_request", map[string]any{})
	if kind, got := c.Reply(c.Control, id); kind != "interrupt_reply" || got["status"] != "ok" {
		t.Errorf("%s %v", kind, got)
	}
	for i, want := range []string{"error", "aborted", "aborted"} {
		if _, got := c.Reply(c.Shell, ids[i]); got["status"] != want {
			t.Errorf("cell %d: %v, want %s", i, got["status"], want)
		}
	}
	if _, got := c.Ask("execute_request", map[string]any{"code": "show"}); got["status"] != "ok" {
		t.Errorf("a cell afterwards: %v", got)
	}
	go func() { e.interrupt <- struct{}{} }()
	ids = []string{c.Send(c.Shell, "execute_request", map[string]any{"code": "wait", "stop_on_error": false}), c.Begin("show")}
	for i, want := range []string{"error", "ok"} {
		if _, got := c.Reply(c.Shell, ids[i]); got["status"] != want {
			t.Errorf("without stop_on_error, cell %d: %v, want %s", i, got["status"], want)
		}
	}
}

// A cell that was sent before its client can have known of an error is not run,
// even if it comes late.
func TestLateAbort(t *testing.T) {
	e := &echo{interrupt: make(chan struct{})}
	c, _ := connect(t, e)
	at := time.Now()
	send := func(code string, after time.Duration) (id string) {
		h := jupyter.NewHeader("session", "execute_request")
		h.Date = at.Add(after).Format(time.RFC3339Nano)
		c.SendAs(c.Shell, h, map[string]any{"code": code})
		return h.ID
	}
	id := send("wait", 0)
	published(c, "waiting")
	time.Sleep(50 * time.Millisecond)
	e.interrupt <- struct{}{}
	c.Reply(c.Shell, id)
	for _, r := range []struct {
		after time.Duration
		want  string
	}{{20 * time.Millisecond, "aborted"}, {time.Hour, "ok"}, {20 * time.Millisecond, "ok"}} {
		if _, got := c.Reply(c.Shell, send("show", r.after)); got["status"] != r.want {
			t.Errorf("sent after %s: %v, want %s", r.after, got["status"], r.want)
		}
	}
}

// A front-end is told that the kernel is busy after all when something else is
// answered while a cell runs.
func TestConcurrentBusyAgain(t *testing.T) {
	e := &echo{interrupt: make(chan struct{})}
	c, _ := connect(t, e)
	cell := c.Begin("wait")
	published(c, "waiting")
	id, _ := c.Ask("history_request", map[string]any{})
	var last *jupyter.Message
	for range 3 { // busy, idle, busy
		last = c.Until(func(m *jupyter.Message) bool { return m.Header.Type == "status" })[0]
	}
	if string(last.Content) != `{"execution_state":"busy"}` || !jupytertest.Of(last, cell) || jupytertest.Of(last, id) {
		t.Errorf("the last status is %s of %s", last.Content, last.Parent)
	}
	e.interrupt <- struct{}{}
	c.End(cell)
}

func TestRequests(t *testing.T) {
	c, _ := connect(t, &echo{})
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
		_, got := c.Ask(r.kind+"_request", json.RawMessage(r.content))
		text, err := json.Marshal(got)
		if err != nil || !strings.Contains(string(text), r.want) {
			t.Errorf("%s %s: %s %v, want %s", r.kind, r.content, text, err, r.want)
		}
	}
}

func TestInput(t *testing.T) {
	c, _ := connect(t, &echo{})
	id := c.Begin("ask")
	if kind, got := c.Reply(c.Stdin, id); kind != "input_request" || got["prompt"] != "Name? " || got["password"] != true {
		t.Fatalf("%s %v", kind, got)
	}
	c.Send(c.Stdin, "input_reply", map[string]any{"value": "Grace"})
	if got := c.End(id); got.Stdout != "Grace<nil>" {
		t.Errorf("%+v", got)
	}
}

func TestMalformed(t *testing.T) {
	c, _ := connect(t, &echo{})
	good, err := jupyter.Encode("secret", nil, jupyter.NewHeader("s", "kernel_info_request"), nil, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	forged := slices.Clone(good)
	forged[5] = []byte(`{"x":1}`)
	number, err := jupyter.Encode("secret", nil, jupyter.NewHeader("s", "kernel_info_request"), nil, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, frames := range [][][]byte{{[]byte("nonsense")}, {[]byte("<IDS|MSG>"), []byte("x")}, forged} {
		if err := c.Shell.SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
			t.Fatal(err)
		}
	}
	c.Send(c.Shell, "strange", map[string]any{})
	c.Send(c.Shell, "comm_msg", 7)
	if err := c.Shell.SendMulti(zmq4.NewMsgFrom(number...)); err != nil {
		t.Fatal(err)
	}
	if kind, got := c.Reply(c.Shell, ""); kind != "kernel_info_reply" || got["status"] != "error" {
		t.Errorf("the first answer is %s %v", kind, got)
	}
	if got := c.Run("show"); got.Reply["status"] != "ok" {
		t.Errorf("afterwards: %v", got)
	}
	for range 3 {
		if err := c.Heartbeat.Send(zmq4.NewMsgString("beat")); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Heartbeat.Recv(); err != nil || string(m.Frames[0]) != "beat" {
			t.Errorf("the heart: %q %v", m.Frames, err)
		}
	}
}

func TestShutdown(t *testing.T) {
	e := &echo{ended: make(chan bool, 1)}
	c, served := connect(t, e)
	id := c.Send(c.Control, "shutdown_request", map[string]any{"restart": true})
	if kind, got := c.Reply(c.Control, id); kind != "shutdown_reply" || got["restart"] != true {
		t.Errorf("%s %v", kind, got)
	}
	<-served
	if !<-e.ended {
		t.Error("the handler was told of no restart")
	}
}
