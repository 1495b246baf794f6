package jupyter

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/go-zeromq/zmq4"
)

// Server is a kernel's side of a connection.
type Server struct {
	connection *Connection
	handler    Handler
	session    string
	log        *log.Logger

	ctx    context.Context
	cancel context.CancelFunc
	sockets
	cells   chan *Message // execute requests that wait
	asked   chan *Message // other requests that may take a while
	replies chan *Message // of the stdin channel
	count   int
	failed  *Message      // the last cell, if it failed
	took    time.Duration // from its arrival to its reply

	mu      sync.Mutex // held while a status is published
	running *Message   // the cell that runs
	sending sync.Mutex // of shell and control: a message is several writes
}

type sockets struct{ shell, control, stdin, iopub, heartbeat zmq4.Socket }

// Listen opens the sockets. What is wrong with messages goes to standard error.
func Listen(c *Connection, h Handler) (*Server, error) {
	s := &Server{connection: c, handler: h, session: newID(), log: log.New(os.Stderr, "camlab: jupyter: ", log.Ltime),
		cells: make(chan *Message, 10000), asked: make(chan *Message, 1000), replies: make(chan *Message, 16)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	quiet := zmq4.WithLogger(s.log)
	s.sockets = sockets{
		zmq4.NewRouter(s.ctx, quiet), zmq4.NewRouter(s.ctx, quiet), zmq4.NewRouter(s.ctx, quiet), zmq4.NewPub(s.ctx, quiet),
		zmq4.NewRouter(s.ctx, quiet), // an echo; zmq4's REP knows one client's turn only
	}
	for _, l := range []struct {
		socket zmq4.Socket
		port   int
	}{{s.shell, c.Shell}, {s.control, c.Control}, {s.stdin, c.Stdin}, {s.iopub, c.IOPub}, {s.heartbeat, c.Heartbeat}} {
		if err := l.socket.Listen(c.endpoint(l.port)); err != nil {
			s.Close()
			return nil, fmt.Errorf("jupyter: %w", err)
		}
	}
	return s, nil
}

// Close closes the sockets; Serve returns.
func (s *Server) Close() {
	s.cancel()
	for _, socket := range []zmq4.Socket{s.shell, s.control, s.stdin, s.iopub, s.heartbeat} {
		socket.Close()
	}
}

// Serve answers until there was a shutdown request, or Close. A cell that runs
// then is not waited for.
func (s *Server) Serve() {
	go s.echo()
	go s.receive(s.stdin, func(m *Message) {
		select {
		case s.replies <- m:
		default: // nobody has asked
		}
	})
	go s.receive(s.control, s.request(s.control))
	go s.receive(s.shell, func(m *Message) {
		switch m.Header.Type {
		case "execute_request":
			s.cells <- m
		case "comm_open", "comm_msg", "comm_close":
			s.guard(m, func() { s.comm(m) })
		default:
			s.asked <- m
		}
	})
	go func() {
		answer := s.request(s.shell)
		for {
			select {
			case m := <-s.asked:
				answer(m)
			case <-s.ctx.Done():
				return
			}
		}
	}()
	s.publish("status", nil, map[string]any{"execution_state": "starting"})
	go func() {
		for {
			select {
			case m := <-s.cells:
				s.execute(m)
			case <-s.ctx.Done():
				return
			}
		}
	}()
	<-s.ctx.Done()
}

// guard keeps the kernel alive through a fault of its own.
func (s *Server) guard(m *Message, do func()) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Printf("%s: panic: %v\n%s", m.Header.Type, r, debug.Stack())
		}
	}()
	do()
}

// receive takes messages from a socket until that is closed.
func (s *Server) receive(socket zmq4.Socket, take func(*Message)) {
	for s.ctx.Err() == nil {
		raw, err := socket.Recv()
		if err != nil {
			if s.ctx.Err() == nil {
				s.log.Printf("receiving: %v", err)
			}
			continue
		}
		m, err := Decode(s.connection.Key, raw.Frames)
		if err != nil {
			s.log.Printf("a message is ignored: %v", err)
			continue
		}
		take(m)
	}
}

func (s *Server) echo() {
	for s.ctx.Err() == nil {
		if m, err := s.heartbeat.Recv(); err == nil {
			_ = s.heartbeat.Send(m) // the same as in reply
		}
	}
}

// reply answers a request.
func (s *Server) reply(socket zmq4.Socket, m *Message, kind string, content any) {
	frames, err := Encode(s.connection.Key, m.identities, NewHeader(s.session, kind), m.header, content)
	if err != nil {
		frames, err = Encode(s.connection.Key, m.identities, NewHeader(s.session, kind), m.header, errorContent(Failure{Name: "kernel", Value: err.Error()}))
	}
	if err == nil {
		s.sending.Lock()
		err = socket.Send(zmq4.NewMsgFrom(frames...))
		s.sending.Unlock()
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) { // a client that is gone needs no answer
		s.log.Printf("%s: %v", kind, err)
	}
}

// publish sends a message to all clients.
func (s *Server) publish(kind string, parent []byte, content any) {
	frames, err := Encode(s.connection.Key, [][]byte{[]byte("kernel." + s.session + "." + kind)}, NewHeader(s.session, kind), parent, content)
	if err == nil {
		err = s.iopub.SendMulti(zmq4.NewMsgFrom(frames...))
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Printf("%v", err)
	}
}

func (s *Server) status(m *Message, state string) {
	s.publish("status", m.header, map[string]any{"execution_state": state})
}

// while publishes that the kernel is busy with a request, and that it is idle
// afterwards; where a cell runs meanwhile that it is busy after all.
func (s *Server) while(m *Message, do func()) {
	s.mu.Lock()
	s.status(m, "busy")
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.status(m, "idle")
		if s.running != nil {
			s.status(s.running, "busy")
		}
	}()
	do()
}

// stop ends Serve when what has been published is on its way.
func (s *Server) stop() {
	time.Sleep(50 * time.Millisecond) // zmq4 has no way to wait for the queue of a PUB
	s.cancel()
}
