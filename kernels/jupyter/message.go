// Package jupyter speaks Jupyter's wire protocol, version 5.4, as a kernel:
// https://jupyter-client.readthedocs.io/en/stable/messaging.html
//
// A [Server] owns the five sockets of a connection file. What a kernel can do is a
// [Handler]. Cells run one after another; comms, completion, help and the control
// channel are answered while one runs.
//
// It stands on github.com/go-zeromq/zmq4, of which this must be known: a message
// that goes out at a ROUTER begins with the identity of the peer, and is dropped
// if that is gone; a PUB sends from a queue of its own, which Close does not wait
// for; XPUB does not hand on subscriptions, so there is no iopub_welcome; a socket
// takes one new connection after the other, and waits for each one's greeting.
package jupyter

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Version is that of the protocol.
const Version = "5.4"

// Connection is Jupyter's connection file.
type Connection struct {
	Transport string `json:"transport"`
	IP        string `json:"ip"`
	Key       string `json:"key"`
	Scheme    string `json:"signature_scheme"`
	Shell     int    `json:"shell_port"`
	Control   int    `json:"control_port"`
	Stdin     int    `json:"stdin_port"`
	IOPub     int    `json:"iopub_port"`
	Heartbeat int    `json:"hb_port"`
}

// ReadConnection reads a connection file.
func ReadConnection(path string) (*Connection, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("jupyter: connection file: %w", err)
	}
	c := Connection{Transport: "tcp", Scheme: "hmac-sha256"}
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("jupyter: connection file %s: %w", path, err)
	}
	switch {
	case c.Transport != "tcp" && c.Transport != "ipc":
		return nil, fmt.Errorf("jupyter: connection file %s: transport %q, want tcp or ipc", path, c.Transport)
	case c.Key != "" && c.Scheme != "hmac-sha256":
		return nil, fmt.Errorf("jupyter: connection file %s: signature_scheme %q, want hmac-sha256", path, c.Scheme)
	}
	return &c, nil
}

func (c *Connection) endpoint(port int) string {
	if c.Transport == "ipc" {
		return fmt.Sprintf("ipc://%s-%d", c.IP, port)
	}
	return fmt.Sprintf("tcp://%s:%d", c.IP, port)
}

// Header says what a message is.
type Header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
}

// Message is a message that came in.
type Message struct {
	Header  Header
	Content json.RawMessage
	// Parent is the header of the request that it belongs to, as it came.
	Parent json.RawMessage

	identities [][]byte
	header     []byte // as it came
	received   time.Time
}

// sent is when the client made the message, by its clock.
func (m *Message) sent() (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, m.Header.Date)
	return t, err == nil
}

var delimiter = []byte("<IDS|MSG>")

func sign(key string, parts [][]byte) []byte {
	if key == "" {
		return nil
	}
	mac := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		mac.Write(p)
	}
	return []byte(hex.EncodeToString(mac.Sum(nil)))
}

// Decode reads a message's frames and verifies its signature.
func Decode(key string, frames [][]byte) (*Message, error) {
	for i, f := range frames {
		if !bytes.Equal(f, delimiter) {
			continue
		}
		rest := frames[i+1:]
		if len(rest) < 5 {
			return nil, fmt.Errorf("%d frames after the delimiter, want at least 5", len(rest))
		}
		if key != "" && !hmac.Equal(rest[0], sign(key, rest[1:5])) {
			return nil, errors.New("wrong signature")
		}
		m := &Message{received: time.Now(), identities: frames[:i], header: rest[1], Parent: rest[2], Content: rest[4]}
		if err := json.Unmarshal(rest[1], &m.Header); err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		return m, nil
	}
	return nil, errors.New("no delimiter")
}

// NewHeader is that of a new message.
func NewHeader(session, kind string) Header {
	return Header{newID(), session, "camlab", time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), kind, Version}
}

// Encode makes the frames of a message. Its parent is a header, or nil.
func Encode(key string, identities [][]byte, h Header, parent []byte, content any) ([][]byte, error) {
	header, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.Type, err)
	}
	if parent == nil {
		parent = []byte("{}")
	}
	parts := [][]byte{header, parent, []byte("{}"), body}
	frames := append(append(make([][]byte, 0, len(identities)+6), identities...), delimiter, sign(key, parts))
	return append(frames, parts...), nil
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
