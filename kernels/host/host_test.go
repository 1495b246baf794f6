//go:build linux && amd64

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/importer"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camlab-go/camlab/kernels/cell"
	"github.com/camlab-go/camlab/kernels/wire"
)

const module = "github.com/camlab-go/camlab/"

// built is the host's program and the archives of the packages in it.
var built = sync.OnceValues(func() (b *build, err error) {
	b = &build{dir: must(os.MkdirTemp("", "host")), files: make(map[string]string), names: make(map[string]string)}
	b.program = filepath.Join(b.dir, "host")
	if out, err := exec.Command("go", "build", "-ldflags=-pruneweakmap=false", "-o", b.program, ".").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return b, b.add(".", "expvar")
})

type build struct {
	dir, program string
	files        map[string]string
	names        map[string]string // paths by the names of packages
	cfg          []byte
}

// add lists the archives of packages and of what they import.
func (b *build) add(patterns ...string) error {
	args := append([]string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"}, patterns...)
	var stderr bytes.Buffer
	cmd := exec.Command("go", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w\n%s", err, &stderr)
	}
	for line := range strings.FieldsSeq(string(out)) {
		p, file, _ := strings.Cut(line, "=")
		b.files[p] = file
		b.cfg = fmt.Appendf(b.cfg, "packagefile %s=%s\n", p, file)
		if strings.Contains(p, "internal/") || strings.HasPrefix(p, "vendor/") {
			continue
		}
		name := path.Base(p)
		if old := b.names[name]; old == "" || len(p) < len(old) && !strings.HasPrefix(old, module) || strings.HasPrefix(p, module) {
			b.names[name] = p
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if b, err := built(); err == nil && b != nil {
		os.RemoveAll(b.dir)
	}
	os.Exit(code)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// kernel is a host that runs, and what it needs to be given cells.
type kernel struct {
	t       testing.TB
	build   *build
	session cell.Session
	cmd     *exec.Cmd
	out     *json.Encoder
	replies *json.Decoder
	stdout  *stream
	stderr  *stream
	dir     string
	id      int
	exited  chan struct{}
}

// stream is what the host writes.
type stream struct {
	mu   sync.Mutex
	cond *sync.Cond
	b    []byte
	eof  bool
}

func newStream(r io.Reader) *stream {
	s := &stream{}
	s.cond = sync.NewCond(&s.mu)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := r.Read(b)
			s.mu.Lock()
			s.b = append(s.b, b[:n]...)
			s.eof = err != nil
			s.cond.Broadcast()
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// until returns what has been written before a mark, or all if the host has ended.
func (s *stream) until(mark string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if i := bytes.Index(s.b, []byte(mark)); i >= 0 {
			text := string(s.b[:i])
			s.b = s.b[i+len(mark):]
			return text
		}
		if s.eof {
			text := string(s.b)
			s.b = nil
			return text
		}
		s.cond.Wait()
	}
}

// open starts a host with settings of the environment.
func open(t testing.TB, env ...string) *kernel {
	t.Helper()
	if v := runtime.Version(); !strings.HasPrefix(v, "go1.26") {
		t.Skipf("cells are loaded by Go 1.26, this is %s", v)
	}
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	k := &kernel{t: t, build: b, dir: t.TempDir(), exited: make(chan struct{})}
	k.session.Importer = importer.ForCompiler(token.NewFileSet(), "gc", func(p string) (io.ReadCloser, error) {
		if f, ok := b.files[p]; ok {
			return os.Open(f)
		}
		return nil, fmt.Errorf("no package %s", p)
	})
	k.session.Find = func(name string, _ ...string) (string, bool) { p, ok := b.names[name]; return p, ok }
	k.session.Live = module + "camlib/notebook/live"
	requestsIn, requests := pipe(t)
	replies, repliesOut := pipe(t)
	k.cmd = exec.Command(b.program)
	k.cmd.Dir = k.dir
	k.cmd.Env = append(os.Environ(), env...)
	k.cmd.ExtraFiles = []*os.File{requestsIn, repliesOut}
	k.stdout = newStream(must(k.cmd.StdoutPipe()))
	k.stderr = newStream(must(k.cmd.StderrPipe()))
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	requestsIn.Close()
	repliesOut.Close()
	go func() {
		defer close(k.exited)
		if err := k.cmd.Wait(); err != nil {
			t.Log("the host ended: ", err)
		}
	}()
	k.out, k.replies = json.NewEncoder(requests), json.NewDecoder(replies)
	t.Cleanup(func() {
		requests.Close()
		select {
		case <-k.exited: // with whatever status
		case <-time.After(time.Minute):
			t.Error("the host does not end when its requests are closed", k.cmd.Process.Kill())
		}
	})
	k.ask(wire.Request{Op: wire.Setenv, Name: "CELLS", Value: "1"})
	return k
}

func write(t testing.TB, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// signal interrupts the host.
func (k *kernel) signal() {
	if err := k.cmd.Process.Signal(os.Interrupt); err != nil {
		k.t.Error(err)
	}
}

func pipe(t testing.TB) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// ask sends a request and waits for its reply; nil if the host has ended.
func (k *kernel) ask(q wire.Request) *wire.Reply {
	k.id++
	q.ID = k.id
	if err := k.out.Encode(q); err != nil {
		return nil
	}
	return k.reply()
}

func (k *kernel) reply() *wire.Reply {
	var r wire.Reply
	if err := k.replies.Decode(&r); err != nil {
		return nil
	}
	if r.ID != k.id {
		k.t.Fatalf("reply to %d, want %d", r.ID, k.id)
	}
	return &r
}

// result is what a cell has printed and how it ended.
type result struct {
	stdout, stderr string
	*wire.Reply    // nil: the host has ended
}

// compile makes the request that runs a cell.
func (k *kernel) compile(text string) (*cell.Unit, wire.Request) {
	k.t.Helper()
	u, err := k.session.Rewrite(text)
	if err != nil {
		k.t.Fatalf("%s\n%v", text, err)
	}
	dir := filepath.Join(k.dir, u.Function)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		k.t.Fatal(err)
	}
	q := wire.Request{Op: wire.Run, Cell: u.Name, Archive: filepath.Join(dir, "cell.a"), Function: u.Function, Carried: u.Carried, Declared: u.Declared, Packages: k.build.files}
	if k.id > 1 {
		q.Packages = nil
	}
	args := []string{"tool", "compile", "-o", q.Archive, "-p", cell.PackagePath, "-importcfg", filepath.Join(dir, "cfg"), "-pack", "-dwarf=false"}
	write(k.t, filepath.Join(dir, "cfg"), k.build.cfg)
	for i, f := range u.Files {
		name := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		write(k.t, name, f)
		args = append(args, name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		k.t.Fatalf("%s\ncompile: %v\n%s\n%s", text, err, out, u.Files[0])
	}
	return u, q
}

// run runs a cell to its end.
func (k *kernel) run(text string) result {
	k.t.Helper()
	u, q := k.compile(text)
	r := k.ask(q)
	if r != nil && r.Loaded {
		u.Keep()
	}
	return k.printed(r)
}

func (k *kernel) printed(r *wire.Reply) result {
	mark := wire.Mark(k.id)
	return result{k.stdout.until(mark), k.stderr.until(mark), r}
}

// ok runs a cell that prints want and has no failure.
func (k *kernel) ok(text, want string) {
	k.t.Helper()
	r := k.run(text)
	if r.Reply == nil || r.Failure != nil {
		k.t.Fatalf("%s\nfails: %s\n%s", text, failure(r), r.stderr)
	}
	got := strings.TrimSpace(r.stdout)
	if plain, err := strconv.Unquote(got); err == nil {
		got = plain
	}
	if got != strings.TrimSpace(want) {
		k.t.Fatalf("%s\nprints\n%s\nwant\n%s", text, got, want)
	}
}

// fails runs a cell that fails with a text and a trace, as "cell.f cell[3]:2" and
// "strings.Repeat strings.go".
func (k *kernel) fails(text string, kind wire.Kind, want string, trace ...string) {
	k.t.Helper()
	r := k.run(text)
	if r.Reply == nil || r.Failure == nil {
		k.t.Fatalf("%s\ndoes not fail: %s\n%s", text, r.stdout, r.stderr)
	}
	if f := r.Failure; f.Kind != kind || !strings.Contains(f.Text, want) {
		k.t.Fatalf("%s\nfails: %s\nwant %s: %s", text, failure(r), kind, want)
	}
	got := frames(r.Failure)
	for i := range got { // lines of libraries are theirs
		if file, _, ok := strings.Cut(got[i], ".go:"); ok {
			got[i] = file + ".go"
		}
	}
	if trace != nil && strings.Join(got, "\n") != strings.Join(trace, "\n") {
		k.t.Fatalf("%s\ntrace %q\nwant %q", text, got, trace)
	}
}

func frames(f *wire.Failure) (list []string) {
	for _, x := range f.Trace {
		list = append(list, fmt.Sprintf("%s %s:%d", x.Function, filepath.Base(x.File), x.Line))
	}
	return list
}

func failure(r result) string {
	if r.Reply == nil {
		return "the host has ended"
	}
	if r.Failure == nil {
		return "no failure"
	}
	return fmt.Sprintf("%s: %s %q", r.Failure.Kind, r.Failure.Text, frames(r.Failure))
}
