package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// run runs a program in a folder and returns its exit status. Its output goes
// to out, or is this program's if out is nil. A signal to this program is
// passed on; when one has ended the program, this one ends by it too.
func run(dir string, out io.Writer, name string, args ...string) int {
	return runEnv(dir, nil, out, name, args...)
}

func runEnv(dir string, env []string, out io.Writer, name string, args ...string) int {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if out != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, out, out
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		fail(err)
	}
	done := make(chan struct{})
	passed := make(chan os.Signal, 1)
	go func() {
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s) // it may have ended
				select {
				case passed <- s:
				default:
				}
			case <-done:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	select {
	case s := <-passed:
		if err != nil {
			die(s.(syscall.Signal))
		}
	default:
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			die(s.Signal())
		}
		return exit.ExitCode()
	}
	fmt.Fprintf(os.Stderr, "camlab: %v\n", err)
	return 127
}

// die ends this program as the signal would.
func die(s syscall.Signal) {
	signal.Reset(s)
	_ = syscall.Kill(os.Getpid(), s)
	os.Exit(128 + int(s)) // a signal that does not end a program
}
