package main

import (
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe reads what the cell process writes and knows how far it has been read, so
// that what was written before a certain moment can be waited for.
type pipe struct {
	file *os.File
	conn syscall.RawConn

	mu         sync.Mutex
	moved      *sync.Cond
	read, done int64 // bytes handed out; those of earlier reads
	closed     bool
}

func newPipe(f *os.File) (*pipe, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	p := &pipe{file: f, conn: conn}
	p.moved = sync.NewCond(&p.mu)
	return p, nil
}

// Read waits for bytes. Whoever calls it has dealt with all that it got before.
func (p *pipe) Read(b []byte) (n int, err error) {
	p.mu.Lock()
	p.done = p.read
	p.moved.Broadcast()
	p.mu.Unlock()
	wait := p.conn.Read(func(fd uintptr) bool {
		p.mu.Lock() // a look at read sees the bytes in the pipe or here
		defer p.mu.Unlock()
		for {
			n, err = syscall.Read(int(fd), b)
			if err != syscall.EINTR { //nolint:errorlint // syscall.Read returns it as it is
				break
			}
		}
		n = max(n, 0)
		p.read += int64(n)
		return err != syscall.EAGAIN //nolint:errorlint // the same
	})
	if wait != nil {
		err = wait
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		p.mu.Lock()
		p.done, p.closed = p.read, true
		p.moved.Broadcast()
		p.mu.Unlock()
	}
	return n, err
}

// pass waits until all has been dealt with that is in the pipe now.
func (p *pipe) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := p.read
	_ = p.conn.Control(func(fd uintptr) { // if it is closed nothing is in it
		n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		if err == nil {
			target += int64(n)
		}
	})
	for p.done < target && !p.closed {
		p.moved.Wait()
	}
}
