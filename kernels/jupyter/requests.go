package jupyter

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-zeromq/zmq4"
)

// execute runs a cell and, if it fails, aborts the cells that wait.
func (s *Server) execute(m *Message) {
	x := &Execution{StoreHistory: true, AllowStdin: true, StopOnError: true}
	if err := json.Unmarshal(m.Content, x); err != nil {
		s.while(m, func() {
			s.reply(s.shell, m, "execute_reply", errorContent(Failure{Name: "protocol", Value: fmt.Sprintf("execute_request: %v", err)}))
		})
		return
	}
	if s.unaware(m) {
		s.abort(m)
		return
	}
	x.Output = &Output{server: s, parent: m, silent: x.Silent}
	x.StoreHistory = x.StoreHistory && !x.Silent
	s.mu.Lock()
	s.running = m
	s.status(m, "busy")
	s.mu.Unlock()
	if x.StoreHistory {
		s.count++
	}
	x.Count = s.count
	x.Output.Publish("execute_input", map[string]any{"code": x.Code, "execution_count": x.Count})
	r := s.try(x)
	s.failed = nil
	content := map[string]any{"status": "ok"}
	var wait []*Message
	if r.Failure != nil {
		content = errorContent(*r.Failure)
		if x.StopOnError {
			s.failed = m
			for len(s.cells) > 0 {
				wait = append(wait, <-s.cells)
			}
		}
	}
	content["execution_count"] = x.Count
	content["payload"], content["user_expressions"] = []any{}, orEmpty(r.UserExpressions)
	s.took = time.Since(m.received)
	s.reply(s.shell, m, "execute_reply", content)
	s.mu.Lock()
	s.running = nil
	s.status(m, "idle")
	s.mu.Unlock()
	for _, m := range wait {
		s.abort(m)
	}
}

// unaware reports whether a client sent a request before it can have known that the
// cell before it failed, as with Run All: some of its cells may arrive late. Each
// duration is by one clock, its or ours; browsers count milliseconds.
func (s *Server) unaware(m *Message) bool {
	if s.failed == nil || m.Header.Session != s.failed.Header.Session {
		return false
	}
	first, ok := s.failed.sent()
	then, ok2 := m.sent()
	return ok && ok2 && then.Sub(first) < s.took-2*time.Millisecond
}

// abort answers a cell that is not run.
func (s *Server) abort(m *Message) {
	s.while(m, func() {
		s.reply(s.shell, m, "execute_reply", map[string]any{"status": "aborted"})
	})
}

// try runs a cell. A fault of the kernel's own becomes the cell's error.
func (s *Server) try(x *Execution) (r Reply) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Printf("execute_request: panic: %v\n%s", v, debug.Stack())
			f := Failure{Name: "kernel", Value: fmt.Sprintf("the kernel has a fault: %v", v)}
			f.Traceback = []string{f.Value + "\n" + string(debug.Stack())}
			x.Output.Error(f)
			r = Reply{Failure: &f}
		}
	}()
	return s.handler.Execute(x)
}

// request answers a request on a socket, always.
func (s *Server) request(socket zmq4.Socket) func(*Message) {
	return func(m *Message) {
		kind, ok := strings.CutSuffix(m.Header.Type, "_request")
		if !ok {
			s.log.Printf("%q is ignored: no request of the protocol", m.Header.Type)
			return
		}
		var after func()
		s.while(m, func() {
			defer func() {
				if r := recover(); r != nil {
					s.log.Printf("%s: panic: %v\n%s", m.Header.Type, r, debug.Stack())
					s.reply(socket, m, kind+"_reply", errorContent(Failure{Name: "kernel", Value: fmt.Sprint(r)}))
				}
			}()
			var content map[string]any
			var err error
			content, after, err = s.answer(kind, m)
			if err != nil {
				content = errorContent(Failure{Name: "protocol", Value: fmt.Sprintf("%s: %v", m.Header.Type, err)})
			} else if content["status"] == nil {
				content["status"] = "ok"
			}
			s.reply(socket, m, kind+"_reply", content)
		})
		if after != nil {
			after()
		}
	}
}

// answer is the content of a reply, and what is to be done after it.
func (s *Server) answer(kind string, m *Message) (content map[string]any, after func(), err error) {
	var ask struct {
		Code    string `json:"code"`
		Cursor  int    `json:"cursor_pos"`
		Detail  int    `json:"detail_level"`
		Restart bool   `json:"restart"`
		Target  string `json:"target_name"`
	}
	if len(m.Content) > 0 {
		if err := json.Unmarshal(m.Content, &ask); err != nil {
			return nil, nil, err
		}
	}
	switch kind {
	case "kernel_info":
		content = s.handler.Info()
		content["protocol_version"] = Version
	case "complete":
		c := s.handler.Complete(ask.Code, byteOffset(ask.Code, ask.Cursor))
		matches, types := []string{}, []map[string]any{}
		start, end := runeOffset(ask.Code, c.Start), runeOffset(ask.Code, c.End)
		for _, match := range c.Matches {
			matches = append(matches, match.Text)
			types = append(types, map[string]any{"text": match.Text, "type": match.Type, "signature": match.Signature, "start": start, "end": end})
		}
		content = map[string]any{"matches": matches, "cursor_start": start, "cursor_end": end,
			"metadata": map[string]any{"_jupyter_types_experimental": types}}
	case "inspect":
		data := s.handler.Inspect(ask.Code, byteOffset(ask.Code, ask.Cursor), ask.Detail)
		content = map[string]any{"found": data != nil, "data": orEmpty(data), "metadata": map[string]any{}}
	case "is_complete":
		status, indent := s.handler.IsComplete(ask.Code)
		return map[string]any{"status": status, "indent": indent}, nil, nil
	case "history":
		var h HistoryRequest
		if err := json.Unmarshal(m.Content, &h); err != nil {
			return nil, nil, err
		}
		list := [][]any{}
		for _, e := range s.handler.History(h) {
			input := any(e.Input)
			if h.Output {
				input = []any{e.Input, nil}
			}
			list = append(list, []any{e.Session, e.Line, input})
		}
		content = map[string]any{"history": list}
	case "comm_info":
		comms := map[string]any{}
		for id, target := range s.handler.Comms() {
			if ask.Target == "" || ask.Target == target {
				comms[id] = map[string]any{"target_name": target}
			}
		}
		content = map[string]any{"comms": comms}
	case "interrupt":
		s.handler.Interrupt()
		content = map[string]any{}
	case "shutdown":
		content = map[string]any{"restart": ask.Restart}
		after = func() {
			s.publish("shutdown_reply", m.header, map[string]any{"status": "ok", "restart": ask.Restart})
			s.guard(m, func() { s.handler.Shutdown(ask.Restart) })
			s.stop()
		}
	default:
		return nil, nil, fmt.Errorf("not supported")
	}
	return content, after, nil
}

// comm hands on a message of a comm. Nobody waits for an answer; the kernel is
// shown as busy only if no cell runs.
func (s *Server) comm(m *Message) {
	var c Comm
	if err := json.Unmarshal(m.Content, &c); err != nil {
		s.log.Printf("%s is ignored: %v", m.Header.Type, err)
		return
	}
	do := map[string]func(*Output, Comm){"comm_open": s.handler.CommOpen, "comm_msg": s.handler.CommMessage, "comm_close": s.handler.CommClose}[m.Header.Type]
	out := &Output{server: s, parent: m}
	s.mu.Lock()
	running := s.running != nil
	s.mu.Unlock()
	if running {
		do(out, c)
		return
	}
	s.while(m, func() { do(out, c) })
}

// byteOffset turns an offset in code points, as Jupyter counts, into bytes.
func byteOffset(text string, runes int) int {
	for at := range text {
		if runes <= 0 {
			return at
		}
		runes--
	}
	return len(text)
}

func runeOffset(text string, bytes int) int {
	return len([]rune(text[:min(max(bytes, 0), len(text))]))
}
