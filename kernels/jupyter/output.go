package jupyter

import (
	"context"
	"encoding/json"
	"errors"
)

// Output shows things under the cell of a request. A nil one shows nothing.
type Output struct {
	server *Server
	parent *Message
	silent bool
}

// ErrNoInput is the error of an input in a front-end that cannot ask.
var ErrNoInput = errors.New("this front-end cannot ask for input")

// Stream shows text as "stdout" or "stderr".
func (o *Output) Stream(name, text string) {
	if text != "" {
		o.Publish("stream", map[string]any{"name": name, "text": text})
	}
}

// Display shows something in one or more MIME types. A display with an id can be
// updated later.
func (o *Output) Display(data, metadata map[string]any, id string, update bool) {
	kind := "display_data"
	if update {
		kind = "update_display_data"
	}
	transient := map[string]any{}
	if id != "" {
		transient["display_id"] = id
	}
	o.Publish(kind, map[string]any{"data": data, "metadata": orEmpty(metadata), "transient": transient})
}

// Result shows the value of a cell.
func (o *Output) Result(count int, data, metadata map[string]any) {
	o.Publish("execute_result", map[string]any{"execution_count": count, "data": data, "metadata": orEmpty(metadata)})
}

// Error shows why a cell failed.
func (o *Output) Error(f Failure) {
	content := errorContent(f)
	delete(content, "status")
	o.Publish("error", content)
}

// Publish sends a message of another type.
func (o *Output) Publish(kind string, content any) {
	if o != nil && !o.silent {
		o.server.publish(kind, o.parent.header, content)
	}
}

// Input asks the reader for a line.
func (o *Output) Input(ctx context.Context, prompt string, password bool) (string, error) {
	s := o.server
	for len(s.replies) > 0 { // late answers to earlier questions
		<-s.replies
	}
	s.reply(s.stdin, o.parent, "input_request", map[string]any{"prompt": prompt, "password": password})
	for {
		select {
		case m := <-s.replies:
			var content struct {
				Value  string `json:"value"`
				Status string `json:"status"`
			}
			if err := json.Unmarshal(m.Content, &content); err != nil || m.Header.Type != "input_reply" {
				s.log.Printf("%s on stdin is ignored: %v", m.Header.Type, err)
				continue
			}
			if content.Status == "error" {
				return "", errors.New("the front-end gave no input")
			}
			return content.Value, nil
		case <-ctx.Done():
			return "", ctx.Err()
		case <-s.ctx.Done():
			return "", s.ctx.Err()
		}
	}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
