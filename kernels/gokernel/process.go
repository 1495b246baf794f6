package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/camlab-go/camlab/kernels/wire"
)

// markTime is how long the end of a cell's text may take after its reply. A cell
// that has closed its standard output never writes it.
const markTime = 2 * time.Second

// errDied says that the cell process has ended.
var errDied = errors.New("the process in which cells run has ended")

// process is a running cell process.
type process struct {
	cmd            *exec.Cmd
	stdin          *input
	requests       *os.File
	replies        chan wire.Reply
	marks          chan int
	stdout, stderr *stream
	outPipe        *pipe
	errPipe        *pipe
	display        *display
	known          map[string]bool // packages it has been told of
	last           int             // request
	asking         sync.Mutex
	ending         atomic.Bool // by the kernel
	dead           chan struct{}
	state          *os.ProcessState // once dead is closed
}

// start starts the cell process that the compiler names, in a folder and with
// variables; named pipes lie in temp.
func start(c compiler, dir, temp string, env []string, out func() *output, front *front) (_ *process, err error) {
	path := c.Host()
	p := &process{replies: make(chan wire.Reply, 1), marks: make(chan int, 64), known: make(map[string]bool), dead: make(chan struct{})}
	var ours, theirs []*os.File
	made := p // returns with an error make p nil
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			for _, f := range ours {
				f.Close()
			}
			if made.display != nil {
				made.display.close()
			}
		}
	}()
	pair := func(write bool) (*os.File, *os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil, err
		}
		if write {
			r, w = w, r
		}
		ours, theirs = append(ours, r), append(theirs, w)
		return r, w, nil
	}
	var files [5][2]*os.File // ours and theirs of the file of each number
	for i := range files {
		if i == 0 { // below
			continue
		}
		if files[i][0], files[i][1], err = pair(i == wire.RequestFile); err != nil {
			return nil, err
		}
	}
	if p.outPipe, err = newPipe(files[1][0]); err != nil {
		return nil, err
	}
	if p.errPipe, err = newPipe(files[2][0]); err != nil {
		return nil, err
	}
	mark := func(id int) {
		select {
		case p.marks <- id:
		default: // nobody waits for it
		}
	}
	p.stdout, p.stderr = newStream("stdout", out, mark), newStream("stderr", out, mark)
	if err := os.MkdirAll(temp, 0o700); err != nil { // someone may have tidied up
		return nil, err
	}
	pipes, err := os.MkdirTemp(temp, "pipes")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(pipes)
		}
	}()
	p.requests = files[wire.RequestFile][0]
	if p.stdin, files[0][1], err = newInput(filepath.Join(pipes, "stdin")); err != nil {
		return nil, err
	}
	theirs = append(theirs, files[0][1])
	if p.display, err = newDisplay(pipes, p, out, front); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(path)
	p.cmd.Dir = dir
	p.cmd.Env = append(slices.Clone(env), p.display.env()...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = files[0][1], files[1][1], files[2][1]
	p.cmd.ExtraFiles = []*os.File{files[wire.RequestFile][1], files[wire.ReplyFile][1]}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(path), err)
	}
	// When memory runs out it is to be ended, and not the kernel; no harm where the
	// system has no such file.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.cmd.Process.Pid), []byte("500"), 0)
	go p.stdout.copy(p.outPipe)
	go p.stderr.copy(p.errPipe)
	go p.display.serve()
	go p.receive(files[wire.ReplyFile][0])
	go p.wait()
	return p, nil
}

func (p *process) receive(f *os.File) {
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		var reply wire.Reply
		if err := json.Unmarshal(line, &reply); err != nil {
			fmt.Fprintf(os.Stderr, "camlab: a reply of the cell process: %v\n", err)
			continue
		}
		p.replies <- reply
	}
}

// wait waits for the end of the process. A child of it may hold its pipes open, so
// that their end is not waited for.
func (p *process) wait() {
	_ = p.cmd.Wait() // state says it
	p.outPipe.pass()
	p.errPipe.pass()
	p.display.pass()
	p.state = p.cmd.ProcessState
	close(p.dead)
	p.display.close()
	p.requests.Close()
	p.stdin.Close()
	p.outPipe.file.Close()
	p.errPipe.file.Close()
}

// ask sends a request and waits for its reply and for all that was printed and
// displayed before it.
func (p *process) ask(r wire.Request) (wire.Reply, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	for len(p.marks) > 0 { // late ones
		<-p.marks
	}
	p.last++
	r.ID = p.last
	line, err := json.Marshal(r)
	if err != nil {
		return wire.Reply{}, err
	}
	if _, err := p.requests.Write(append(line, '\n')); err != nil {
		select {
		case <-p.dead:
		case <-time.After(markTime): // it has closed its side and lives
			p.kill()
			<-p.dead
		}
		return wire.Reply{}, errDied
	}
	var reply wire.Reply
	for reply.ID != r.ID {
		select {
		case reply = <-p.replies:
		case <-p.dead:
			return wire.Reply{}, errDied
		}
	}
	if r.Op != wire.Run { // nothing is printed
		return reply, nil
	}
	late := time.NewTimer(markTime)
	defer late.Stop()
	for missing := 2; missing > 0; {
		select {
		case id := <-p.marks:
			if id == r.ID {
				missing--
			}
		case <-p.dead:
			missing = 0 // what there is has been read
		case <-late.C:
			missing = 0
		}
	}
	p.display.pass()
	return reply, nil
}

// interrupt has the process and what it has started end what they do, as a terminal
// does, even where they have been stopped.
func (p *process) interrupt() {
	p.signal(syscall.SIGINT)
	p.signal(syscall.SIGCONT)
}

// signal sends a signal to the process and to what it has started.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.dead:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, s) // it may end just now
	}
}

func (p *process) kill() {
	p.ending.Store(true)
	p.signal(syscall.SIGKILL)
}
