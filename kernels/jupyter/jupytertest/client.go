// Package jupytertest is a front-end for tests of kernels.
package jupytertest

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"

	"github.com/camlab-go/camlab/kernels/jupyter"
)

// Patience ends a test that hangs. It decides nothing else.
const Patience = time.Minute

// Connection is one through files in a folder of the test's own.
func Connection(t *testing.T) *jupyter.Connection {
	return &jupyter.Connection{Transport: "ipc", IP: filepath.Join(t.TempDir(), "k"), Key: "secret", Scheme: "hmac-sha256",
		Shell: 1, Control: 2, Stdin: 3, IOPub: 4, Heartbeat: 5}
}

// Client is a front-end that is connected to a kernel.
type Client struct {
	Shell, Control, Stdin, Heartbeat zmq4.Socket

	t          *testing.T
	connection *jupyter.Connection
	iopub      chan *jupyter.Message
}

// Connect connects to a kernel whose sockets are there, or will soon be.
func Connect(t *testing.T, k *jupyter.Connection) *Client {
	t.Helper()
	c := &Client{t: t, connection: k, iopub: make(chan *jupyter.Message, 10000)}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	id := zmq4.WithID(zmq4.SocketIdentity("client"))
	patient := zmq4.WithDialerMaxRetries(-1)
	c.Shell, c.Control, c.Stdin = zmq4.NewDealer(ctx, id, patient), zmq4.NewDealer(ctx, id, patient), zmq4.NewDealer(ctx, id, patient)
	c.Heartbeat = zmq4.NewReq(ctx, patient)
	sub := zmq4.NewSub(ctx, patient)
	for _, l := range []struct {
		socket zmq4.Socket
		port   string
	}{{c.Shell, "-1"}, {c.Control, "-2"}, {c.Stdin, "-3"}, {sub, "-4"}, {c.Heartbeat, "-5"}} {
		if err := l.socket.Dial("ipc://" + k.IP + l.port); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.socket.Close() })
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
			m, err := jupyter.Decode(k.Key, raw.Frames[1:])
			if err != nil {
				t.Error(err)
				return
			}
			c.iopub <- m
		}
	}()
	for len(c.iopub) == 0 { // until the subscription has arrived
		c.Ask("kernel_info_request", map[string]any{})
		time.Sleep(time.Millisecond)
	}
	// The next answer's messages come after all of these.
	last, _ := c.Ask("kernel_info_request", map[string]any{})
	c.Until(func(m *jupyter.Message) bool { return Of(m, last) && strings.Contains(string(m.Content), "idle") })
	return c
}

// Of reports whether a message belongs to a request.
func Of(m *jupyter.Message, id string) bool { return strings.Contains(string(m.Parent), id) }

// Send sends a message and returns its identity.
func (c *Client) Send(socket zmq4.Socket, kind string, content any) (id string) {
	c.t.Helper()
	h := jupyter.NewHeader("session", kind)
	c.SendAs(socket, h, content)
	return h.ID
}

// SendAs sends a message with a header of its own.
func (c *Client) SendAs(socket zmq4.Socket, h jupyter.Header, content any) {
	c.t.Helper()
	frames, err := jupyter.Encode(c.connection.Key, nil, h, nil, content)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := socket.SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
		c.t.Fatal(err)
	}
}

// Reply takes the next message of a socket, which must belong to a request.
func (c *Client) Reply(socket zmq4.Socket, id string) (string, map[string]any) {
	c.t.Helper()
	raw, err := socket.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := jupyter.Decode(c.connection.Key, raw.Frames)
	if err != nil {
		c.t.Fatal(err)
	}
	if !Of(m, id) {
		c.t.Fatalf("an answer to another message: %s", raw.Frames)
	}
	content := map[string]any{}
	if err := json.Unmarshal(m.Content, &content); err != nil {
		c.t.Fatal(err)
	}
	return m.Header.Type, content
}

// Ask sends a request on the shell socket and takes its reply.
func (c *Client) Ask(kind string, content any) (id string, reply map[string]any) {
	c.t.Helper()
	id = c.Send(c.Shell, kind, content)
	got, reply := c.Reply(c.Shell, id)
	if want := strings.Replace(kind, "_request", "_reply", 1); got != want {
		c.t.Fatalf("%s, want %s", got, want)
	}
	return id, reply
}

// Until takes what is published until a message is right, that one too.
func (c *Client) Until(right func(*jupyter.Message) bool) []*jupyter.Message {
	c.t.Helper()
	var got []*jupyter.Message
	end := time.After(Patience)
	for {
		select {
		case m := <-c.iopub:
			if got = append(got, m); right(m) {
				return got
			}
		case <-end:
			var b strings.Builder
			for _, m := range got {
				b.WriteString("\n" + m.Header.Type + " " + string(m.Content))
			}
			c.t.Fatalf("waited for another message than these:%s", b.String())
		}
	}
}

// Result is what a cell has shown.
type Result struct {
	Stdout, Stderr string
	// Shown are the displays and results, each "type mime: text".
	Shown []string
	// Error is "ename: evalue" and the traceback.
	Error string
	Types []string // of all messages, in their order
	Reply map[string]any
}

// Begin sends a cell.
func (c *Client) Begin(code string) (id string) {
	c.t.Helper()
	return c.Send(c.Shell, "execute_request", map[string]any{"code": code, "allow_stdin": true, "stop_on_error": true})
}

// End waits for the end of a cell.
func (c *Client) End(id string) Result {
	c.t.Helper()
	var r Result
	_, r.Reply = c.Reply(c.Shell, id)
	for _, m := range c.Until(func(m *jupyter.Message) bool {
		return Of(m, id) && m.Header.Type == "status" && strings.Contains(string(m.Content), "idle")
	}) {
		if Of(m, id) {
			r.add(m)
		}
	}
	return r
}

// Run runs a cell.
func (c *Client) Run(code string) Result {
	c.t.Helper()
	return c.End(c.Begin(code))
}

func (r *Result) add(m *jupyter.Message) {
	var content struct {
		Name, Text, Ename, Evalue string
		Traceback                 []string
		Data                      map[string]any
	}
	_ = json.Unmarshal(m.Content, &content) // those of other types have none of it
	r.Types = append(r.Types, m.Header.Type)
	switch m.Header.Type {
	case "stream":
		if content.Name == "stdout" {
			r.Stdout += content.Text
		} else {
			r.Stderr += content.Text
		}
	case "error":
		r.Error += content.Ename + ": " + content.Evalue + "\n" + strings.Join(content.Traceback, "\n")
	case "display_data", "update_display_data", "execute_result":
		for mime, value := range content.Data {
			if text, ok := value.(string); ok {
				r.Shown = append(r.Shown, m.Header.Type+" "+mime+": "+text)
			}
		}
	}
}
