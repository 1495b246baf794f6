package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// resultKey is the metadata of a display that is the value of its cell.
const resultKey = "camlab_result"

func init() {
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

// display are the two named pipes on which package gonbui speaks in the cell
// process, for its life.
type display struct {
	process     *process
	out         func() *output
	front       *front
	there, back string // paths
	in          *pipe
	to          *os.File
	values      chan *protocol.CommValue
	closed      chan struct{}
	once        sync.Once
	asking      atomic.Bool // the reader is being asked for input

	mu    sync.Mutex
	shown map[string]bool // display ids
}

func newDisplay(dir string, p *process, out func() *output, f *front) (*display, error) {
	d := &display{process: p, out: out, front: f, there: filepath.Join(dir, "there"), back: filepath.Join(dir, "back"),
		values: make(chan *protocol.CommValue, 1024), closed: make(chan struct{}), shown: make(map[string]bool)}
	for _, path := range []string{d.there, d.back} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			return nil, fmt.Errorf("named pipe: %w", err)
		}
	}
	// Opened for both ways, neither blocks and no end comes before ours.
	in, err := os.OpenFile(d.there, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if d.to, err = os.OpenFile(d.back, os.O_RDWR|syscall.O_NONBLOCK, 0); err != nil {
		in.Close()
		return nil, err
	}
	d.in, err = newPipe(in)
	return d, err
}

// env are the variables by which gonbui finds the pipes.
func (d *display) env() []string {
	return []string{protocol.GONB_PIPE_ENV + "=" + d.there, protocol.GONB_PIPE_BACK_ENV + "=" + d.back}
}

func (d *display) close() {
	d.once.Do(func() {
		close(d.closed)
		d.in.file.Close()
		d.to.Close()
		os.RemoveAll(filepath.Dir(d.there))
	})
}

// pass waits until all has been shown that the process has sent.
func (d *display) pass() { d.in.pass() }

// serve does what the process asks.
func (d *display) serve() {
	go func() {
		encoder := gob.NewEncoder(d.to)
		for {
			select {
			case v := <-d.values:
				if err := encoder.Encode(v); err != nil {
					select {
					case <-d.closed:
					default:
						fmt.Fprintf(os.Stderr, "camlab: a value for the cell process: %v\n", err)
					}
					return
				}
			case <-d.closed:
				return
			}
		}
	}()
	decoder := gob.NewDecoder(d.in)
	for {
		var data protocol.DisplayData
		if err := decoder.Decode(&data); err != nil {
			select {
			case <-d.closed:
			default:
				fmt.Fprintf(os.Stderr, "camlab: from the cell process: %v\n", err)
				d.out().Stream("stderr", "camlab: what a cell displayed cannot be read, nothing more can be displayed before %reset or a restart: "+err.Error()+"\n")
			}
			return
		}
		d.do(&data)
	}
}

// send gives a value to the process. It is dropped if a thousand wait.
func (d *display) send(v *protocol.CommValue) {
	select {
	case d.values <- v:
	default:
	}
}

func (d *display) do(data *protocol.DisplayData) {
	defer survive("display")
	if x, ok := data.Data[protocol.MIMEJupyterInput]; ok {
		if ask, ok := x.(protocol.InputRequest); ok {
			d.asking.Store(true)
			go d.input(ask)
		}
		return
	}
	if x, ok := data.Data[protocol.MIMECommValue]; ok {
		v, ok := x.(protocol.CommValue)
		switch {
		case !ok:
		case v.Address == protocol.GonbuiSyncAddress:
			d.send(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: v.Value})
		default:
			d.front.fromCell(d.out(), v)
		}
		return
	}
	if x, ok := data.Data[protocol.MIMECommSubscribe]; ok {
		if s, ok := x.(protocol.CommSubscription); ok {
			d.front.subscribe(d.out(), s)
		}
		return
	}
	// Text that was printed before comes before.
	d.process.outPipe.pass()
	d.process.errPipe.pass()
	d.process.stdout.Flush()
	d.process.stderr.Flush()
	content := make(map[string]any, len(data.Data))
	for mime, value := range data.Data {
		if b, ok := value.([]byte); ok && strings.HasPrefix(string(mime), "text/") {
			value = string(b) // other bytes become base64
		}
		content[string(mime)] = value
	}
	out := d.out()
	if value, _ := data.Metadata[resultKey].(bool); value {
		delete(data.Metadata, resultKey)
		out.Result(out.count, content, data.Metadata)
		return
	}
	d.mu.Lock()
	update := d.shown[data.DisplayID]
	if data.DisplayID != "" {
		d.shown[data.DisplayID] = true
	}
	d.mu.Unlock()
	out.Display(content, data.Metadata, data.DisplayID, update)
}

// input asks the reader for a line for the standard input of the process.
func (d *display) input(ask protocol.InputRequest) {
	defer survive("input")
	d.asking.Store(true)
	defer d.asking.Store(false)
	out := d.out()
	ctx := out.ctx
	line, err := out.input(ctx, ask.Prompt, ask.Password)
	if err != nil && ctx.Err() == nil {
		out.Stream("stderr", fmt.Sprintf("input: %v\n", err))
	}
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), errInterrupted) { // who waits for it goes on
		d.process.stdin.WriteString(line + "\n")
	}
}
