package main

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/kernels/jupyter"
)

// The names are GoNB's: the JavaScript of package gonbui knows them.
const (
	commTarget  = "gonb_comm"
	addressOpen = "#comm_open_ack"
	addressPing = "#heartbeat/ping"
	addressPong = "#heartbeat/pong"
)

const (
	// quietTime is how long a browser is believed to be there without a word.
	quietTime = time.Second
	// pongTime is how long its answer may take then.
	pongTime = 500 * time.Millisecond
	// openTime is how long it may take to connect before it is asked again.
	openTime = 3 * time.Second
	// queueLimit is how many values wait for a browser.
	queueLimit = 1024
)

//go:embed comms.js
var script string

// front is the browser: a page that holds our JavaScript and a comm with it, on
// which values go to and from addresses.
type front struct {
	kernelID string                    // Jupyter's
	deliver  func(*protocol.CommValue) // to the cell process

	mu        sync.Mutex
	comm      string // its id; "" if none is open
	asked     time.Time
	heard     time.Time
	pong      chan struct{}
	id        string // of the display that holds the script
	queue     []map[string]any
	addresses map[string]bool // to which cells listen
}

// reach makes sure that the browser can be spoken to, or will: what is displayed
// after it finds gonb_comm in the page. Where there is no browser it costs nothing.
func (f *front) reach(out *output) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.comm != "" {
		if time.Since(f.heard) < quietTime {
			return
		}
		pong := make(chan struct{}, 1)
		f.pong = pong
		f.post(out.Output, map[string]any{"address": addressPing, "value": true})
		f.mu.Unlock()
		there := false
		select {
		case <-pong:
			there = true
		case <-time.After(pongTime):
		}
		f.mu.Lock()
		if there {
			return
		}
		f.comm = "" // the page has been loaded anew
		f.asked = time.Time{}
	}
	if time.Since(f.asked) < openTime {
		return
	}
	f.asked = time.Now()
	f.id = "camlab_comm_" + uniqueID()
	out.Display(map[string]any{"text/html": "<script>" + strings.ReplaceAll(script, "{{kernel}}", f.kernelID) + "</script>"}, nil, f.id, false)
}

// post sends data on the open comm.
func (f *front) post(out *jupyter.Output, data map[string]any) {
	out.Publish("comm_msg", map[string]any{"comm_id": f.comm, "data": data})
}

// send sends data when a browser is there.
func (f *front) send(out *output, data map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.comm != "":
		f.post(out.Output, data)
	case len(f.queue) < queueLimit:
		f.queue = append(f.queue, data)
	}
}

// fromCell does what comms.Send, ReadValue and Start ask.
func (f *front) fromCell(out *output, v protocol.CommValue) {
	f.reach(out)
	switch {
	case v.Address == protocol.GonbuiStartAddress:
	case v.Request:
		f.send(out, map[string]any{"address": v.Address, "read_request": true})
	default:
		f.send(out, map[string]any{"address": v.Address, "value": v.Value})
	}
}

// subscribe does what comms.Subscribe asks.
func (f *front) subscribe(out *output, s protocol.CommSubscription) {
	f.mu.Lock()
	if s.Unsubscribe {
		delete(f.addresses, s.Address)
	} else {
		f.addresses[s.Address] = true
	}
	f.mu.Unlock()
	if !s.Unsubscribe {
		f.reach(out)
	}
}

// forget forgets what a process that has ended listened to.
func (f *front) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.addresses)
	f.queue = nil
}

// CommOpen is the browser's first word.
func (k *kernel) CommOpen(out *jupyter.Output, c jupyter.Comm) {
	f := k.front
	if c.Target != commTarget {
		out.Publish("comm_close", map[string]any{"comm_id": c.ID, "data": map[string]any{}})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.comm != "" && f.comm != c.ID {
		out.Publish("comm_close", map[string]any{"comm_id": f.comm, "data": map[string]any{}})
	}
	f.comm, f.heard, f.asked = c.ID, time.Now(), time.Time{}
	if f.id != "" { // a saved notebook must not hold it
		out.Display(map[string]any{"text/html": ""}, nil, f.id, true)
		f.id = ""
	}
	f.post(out, map[string]any{"address": addressOpen, "value": true})
	for _, data := range f.queue {
		f.post(out, data)
	}
	f.queue = nil
}

// CommMessage is a value from the browser.
func (k *kernel) CommMessage(out *jupyter.Output, c jupyter.Comm) {
	f := k.front
	var data struct {
		Address string `json:"address"`
		Value   any    `json:"value"`
	}
	if err := json.Unmarshal(c.Data, &data); err != nil || data.Address == "" {
		return // of another kind of comm
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.ID != f.comm {
		return
	}
	f.heard = time.Now()
	switch {
	case data.Address == addressPong:
		if f.pong != nil {
			select {
			case f.pong <- struct{}{}:
			default:
			}
		}
	case data.Address == addressPing:
		f.post(out, map[string]any{"address": addressPong, "value": true})
	case f.addresses[data.Address]:
		f.deliver(&protocol.CommValue{Address: data.Address, Value: plain(data.Value)})
	}
}

// CommClose is the browser's last word.
func (k *kernel) CommClose(_ *jupyter.Output, c jupyter.Comm) {
	k.front.mu.Lock()
	defer k.front.mu.Unlock()
	if c.ID == k.front.comm {
		k.front.comm = ""
	}
}

// Comms are the comms that are open.
func (k *kernel) Comms() map[string]string {
	k.front.mu.Lock()
	defer k.front.mu.Unlock()
	if k.front.comm == "" {
		return nil
	}
	return map[string]string{k.front.comm: commTarget}
}

// plain makes a JSON value one of protocol.CommValueTypes: the cell process knows no
// other on the pipe. What is none goes as its JSON text.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		if numbers, ok := all[float64](v); ok {
			return numbers
		}
		if texts, ok := all[string](v); ok {
			return texts
		}
	case map[string]any:
		if numbers, ok := allOf[float64](v); ok {
			return numbers
		}
		if texts, ok := allOf[string](v); ok {
			return texts
		}
	default:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

func all[T any](list []any) ([]T, bool) {
	to := make([]T, len(list))
	for i, v := range list {
		t, ok := v.(T)
		if !ok {
			return nil, false
		}
		to[i] = t
	}
	return to, true
}

func allOf[T any](m map[string]any) (map[string]T, bool) {
	to := make(map[string]T, len(m))
	for k, v := range m {
		t, ok := v.(T)
		if !ok {
			return nil, false
		}
		to[k] = t
	}
	return to, true
}
