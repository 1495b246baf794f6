package main

import (
	"encoding/json"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/kernels/jupyter"
)

// browser answers as comms.js does.
type browser struct {
	data struct {
		Comm string `json:"comm_id"`
		Data struct {
			Address string `json:"address"`
			Value   any    `json:"value"`
		} `json:"data"`
	}
}

func (b *browser) at(address string) func(*jupyter.Message) bool {
	return func(m *jupyter.Message) bool {
		return m.Header.Type == "comm_msg" && json.Unmarshal(m.Content, &b.data) == nil && b.data.Data.Address == address
	}
}

func TestConcurrentComms(t *testing.T) {
	_, c := begin(t)
	var b browser
	id := c.Begin("_ = \"@listen /here\"")
	c.Until(func(m *jupyter.Message) bool {
		return m.Header.Type == "display_data" && strings.Contains(string(m.Content), "api/kernels/an-id/channels")
	})
	open := func(comm string) {
		t.Helper()
		c.Send(c.Shell, "comm_open", map[string]any{"comm_id": comm, "target_name": commTarget, "data": map[string]any{}})
		c.Until(func(m *jupyter.Message) bool { // the script is taken away
			return m.Header.Type == "update_display_data" && strings.Contains(string(m.Content), `"text/html":""`)
		})
		c.Until(b.at(addressOpen))
		if b.data.Comm != comm {
			t.Errorf("opened %q, want %q", b.data.Comm, comm)
		}
	}
	say := func(comm, address string, value any) {
		t.Helper()
		c.Send(c.Shell, "comm_msg", map[string]any{"comm_id": comm, "data": map[string]any{"address": address, "value": value}})
	}
	open("one")
	say("one", "/elsewhere", "no")
	say("another", "/here", "no")
	say("one", "/here", "yes")
	if got := c.End(id); !strings.HasSuffix(got.Stdout, "yes") {
		t.Errorf("the cell got %q", got.Stdout)
	}
	say("one", addressPing, true)
	c.Until(b.at(addressPong))
	if _, got := c.Ask("comm_info_request", map[string]any{}); !reflect.DeepEqual(got["comms"], map[string]any{"one": map[string]any{"target_name": commTarget}}) {
		t.Errorf("comms %v", got)
	}
	id = c.Begin("_ = \"@send 0\"")
	c.Until(b.at("/there"))
	if b.data.Data.Value != 0.0 {
		t.Errorf("the browser got %v", b.data.Data.Value)
	}
	c.Reply(c.Shell, id)

	c.Send(c.Shell, "comm_close", map[string]any{"comm_id": "one"})
	// Values wait for a browser.
	id = c.Begin("_ = \"@send 7\"")
	c.Until(func(m *jupyter.Message) bool { return m.Header.Type == "display_data" })
	c.Reply(c.Shell, id)
	open("two")
	c.Until(b.at("/there"))
	if b.data.Comm != "two" || b.data.Data.Value != 7.0 {
		t.Errorf("the browser got %v", b.data)
	}
	c.Send(c.Shell, "comm_open", map[string]any{"comm_id": "x", "target_name": "jupyter.widget", "data": map[string]any{}})
	c.Until(func(m *jupyter.Message) bool {
		return m.Header.Type == "comm_close" && strings.Contains(string(m.Content), `"x"`)
	})
}

// A page that has been loaded anew does not answer and gets the script again.
func TestPageLoadedAnew(t *testing.T) {
	k, c := begin(t)
	c.Send(c.Shell, "comm_open", map[string]any{"comm_id": "old", "target_name": commTarget})
	var b browser
	c.Until(b.at(addressOpen))
	k.front.mu.Lock()
	k.front.heard = k.front.heard.Add(-2 * quietTime)
	k.front.mu.Unlock()
	id := c.Begin("%widgets")
	c.Until(b.at(addressPing))
	c.Until(func(m *jupyter.Message) bool {
		return m.Header.Type == "display_data" && strings.Contains(string(m.Content), "gonb_comm")
	})
	c.Reply(c.Shell, id)
	if _, got := c.Ask("comm_info_request", map[string]any{}); len(got["comms"].(map[string]any)) > 0 {
		t.Errorf("the page that is gone is still spoken to: %v", got)
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]any{`1`: 1.0, `"a"`: "a", `true`: true, `null`: nil, `[1,2]`: []float64{1, 2}, `["a"]`: []string{"a"},
		`{"a":1}`: map[string]float64{"a": 1}, `{"a":"b"}`: map[string]string{"a": "b"}, `[1,"a"]`: `[1,"a"]`, `{"a":[1]}`: `{"a":[1]}`} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if got := plain(v); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v", text, got, want)
		}
	}
}

func TestScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node in PATH")
	}
	if out, err := exec.Command(node, "testdata/comms.mjs", "comms.js").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(script, "</script") {
		t.Error("comms.js ends its own element")
	}
}
