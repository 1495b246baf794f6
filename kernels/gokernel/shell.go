package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// inputTime is how long a command may run before the reader is asked for more input.
const inputTime = 200 * time.Millisecond

// shell runs a command line, or a program with a script on its standard input. A
// command that fails fails the cell.
func (m *magic) shell(dir string, script string, argv ...string) error {
	k := m.kernel
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, k.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdin = strings.NewReader(script)
	var stdin io.WriteCloser
	if m.inputs != nil {
		cmd.Stdin = nil
		var err error
		if stdin, err = cmd.StdinPipe(); err != nil {
			return err
		}
	}
	var streams [2]*stream
	var pipes [2]*pipe
	for i, name := range []string{"stdout", "stderr"} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		if pipes[i], err = newPipe(r); err != nil {
			return err
		}
		streams[i] = newStream(name, func() *output { return m.out }, func(int) {})
		streams[i].plain = true
		go streams[i].copy(pipes[i])
		if i == 0 {
			cmd.Stdout = w
		} else {
			cmd.Stderr = w
		}
	}
	if err := cmd.Start(); err != nil {
		return &failure{"command", err.Error(), fmt.Sprintf("%s: %v", argv[0], err)}
	}
	k.doing(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }) // it may end just now
	defer k.doing(nil)
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	if stdin != nil {
		go m.feed(ctx, stdin, *m.inputs)
		m.inputs = nil
	}
	err := cmd.Wait()
	for i := range pipes {
		pipes[i].pass() // what it has started may hold the pipe open
		streams[i].end()
	}
	if m.ctx.Err() != nil {
		return &failure{"interrupted", "the command was interrupted", "interrupted: the command was interrupted"}
	}
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	text := err.Error()
	if errors.As(err, &exit) {
		text = fmt.Sprintf("%s (a command that may fail ends with `|| true`)", exit.ProcessState)
	}
	return &failure{"command", text, text}
}

// feed asks the reader for lines for a command while that runs.
func (m *magic) feed(ctx context.Context, to io.WriteCloser, password bool) {
	defer survive("input")
	defer to.Close()
	for ctx.Err() == nil {
		line, err := m.out.input(ctx, "", password)
		if err != nil {
			if ctx.Err() == nil {
				m.out.Stream("stderr", fmt.Sprintf("input: %v\n", err))
			}
			return
		}
		if _, err := io.WriteString(to, line+"\n"); err != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(inputTime):
		}
	}
}
