package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/kernels/cell"
	"github.com/camlab-go/camlab/kernels/wire"
)

// hostVariable makes the test's program a cell process, kernelVariable a kernel.
const (
	hostVariable   = "CAMLAB_TEST_HOST"
	kernelVariable = "CAMLAB_TEST_KERNEL"
)

func TestMain(m *testing.M) {
	if os.Getenv(hostVariable) != "" {
		host()
		return
	}
	if os.Getenv(kernelVariable) != "" {
		useText()
		main()
		return
	}
	code := m.Run()
	if preparedDir != "" {
		os.RemoveAll(preparedDir)
	}
	os.Exit(code)
}

// textCompiler leaves cells as text for host.
type textCompiler struct{ dir string }

func (textCompiler) Importer() types.Importer {
	return importer.ForCompiler(token.NewFileSet(), "source", nil)
}
func (c textCompiler) Ready() error                        { return os.MkdirAll(c.dir, 0o700) }
func (textCompiler) Within(context.Context)                {}
func (textCompiler) Find(string, ...string) (string, bool) { return "", false }
func (textCompiler) Packages() []string                    { return nil }
func (textCompiler) Dir(string) string                     { return "" }
func (textCompiler) Files() map[string]string              { return map[string]string{"fmt": "fmt.a"} }
func (c textCompiler) Module() string                      { return c.dir }
func (textCompiler) Host() string                          { return must(os.Executable()) }
func (c textCompiler) Compile(_ context.Context, u *cell.Unit) (string, error) {
	compiling()
	path := filepath.Join(c.dir, u.Function+".a")
	return path, os.WriteFile(path, u.Files[0], 0o600)
}

// compiling is called while a cell is compiled.
var compiling = func() {}

// useText has kernels made with a textCompiler.
func useText() {
	os.Setenv(hostVariable, "1")
	open = func(_, work string, _ func(string)) compiler { return textCompiler{work} }
}

// slow is what host prints late.
var slow string

// host is a real cell process as the kernel sees it, but does not load Go: it does
// what the cell's strings say that begin with @.
func host() {
	requests, replies := bufio.NewReader(os.NewFile(wire.RequestFile, "")), os.NewFile(wire.ReplyFile, "")
	interrupts := make(chan os.Signal, 10)
	signal.Notify(interrupts, os.Interrupt)
	stdin := bufio.NewReader(os.Stdin)
	told := 0
	var declared []string
	for {
		line, err := requests.ReadBytes('\n')
		if err != nil {
			return
		}
		var r wire.Request
		if err := json.Unmarshal(line, &r); err != nil {
			panic(err)
		}
		reply := wire.Reply{ID: r.ID}
		switch r.Op {
		case wire.Run:
			told += len(r.Packages)
			declared = append(declared, r.Declared...)
			reply.Loaded = true
			text, err := os.ReadFile(r.Archive)
			if err != nil {
				reply.Loaded, reply.Failure = false, &wire.Failure{Kind: wire.Load, Text: err.Error()}
				break
			}
			for _, m := range regexp.MustCompile(`"@(\w+) ?([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
				if reply.Failure = do(m[1], m[2], r, stdin, interrupts, told); reply.Failure != nil {
					break
				}
			}
		case wire.Values:
			for _, name := range declared {
				if len(r.Names) == 0 || strings.Contains(strings.Join(r.Names, " "), name) {
					reply.Values = append(reply.Values, wire.Value{Name: name, Type: "int", Text: "1 < 2"})
				}
			}
		case wire.Chdir:
			if err := os.Chdir(r.Dir); err != nil {
				reply.Failure = &wire.Failure{Kind: wire.Load, Text: err.Error()}
			}
		case wire.Setenv:
			os.Setenv(r.Name, r.Value)
		}
		b, err := json.Marshal(reply)
		if err != nil {
			panic(err)
		}
		_, _ = replies.Write(append(b, '\n'))
		if r.Op == wire.Run {
			if slow != "" { // the end of what is printed comes behind the reply
				time.Sleep(20 * time.Millisecond)
				fmt.Print(slow)
				slow = ""
			}
			os.Stdout.WriteString(wire.Mark(r.ID))
			os.Stderr.WriteString(wire.Mark(r.ID))
		}
	}
}

func do(what, text string, r wire.Request, stdin *bufio.Reader, interrupts chan os.Signal, told int) *wire.Failure {
	n, _ := strconv.Atoi(text)
	switch what {
	case "print":
		fmt.Print(text)
	case "bytes":
		os.Stdout.WriteString("\xff" + strings.Repeat("é", n))
	case "slow":
		slow = text
	case "eprint":
		fmt.Fprintln(os.Stderr, text)
	case "later":
		go func() {
			time.Sleep(20 * time.Millisecond)
			fmt.Print(text)
		}()
	case "flood":
		chunk := []byte(strings.Repeat("0123456789abcde\n", 4096))
		for ; n > 0; n -= len(chunk) {
			os.Stdout.Write(chunk[:min(n, len(chunk))])
		}
	case "html":
		gonbui.DisplayHTML(text)
	case "result":
		gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{"text/plain": text}, Metadata: map[string]any{"camlab_result": true}})
	case "many":
		for i := range n {
			gonbui.DisplayHTML(strconv.Itoa(i) + strings.Repeat(" ", 1000))
		}
	case "update":
		gonbui.UpdateHTML("an id", text)
	case "sync":
		gonbui.Sync()
	case "listen":
		c := comms.Listen[string](text)
		fmt.Print("listening ")
		fmt.Print(<-c.C)
	case "send":
		comms.Send("/there", n)
	case "input":
		gonbui.RequestInput("Name? ", false)
		line, _ := stdin.ReadString('\n')
		fmt.Printf("%q", line)
	case "env":
		fmt.Print(os.Getenv(text))
	case "args":
		fmt.Printf("%q", r.Args)
	case "told":
		fmt.Print(told)
	case "pwd":
		fmt.Print(os.Getwd())
	case "wait":
		fmt.Print("waiting")
		<-interrupts
		return &wire.Failure{Kind: wire.Interrupted, Left: text == "left"}
	case "stop":
		fmt.Print("stopping")
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-interrupts
		return &wire.Failure{Kind: wire.Interrupted}
	case "fail":
		return &wire.Failure{Kind: wire.Panic, Text: "index out of range", Trace: []wire.Frame{{Function: "sort.Slice", File: "/go/sort.go", Line: 7},
			{Function: "cell.f", File: r.Cell, Line: 2}, {Function: "cell.run1", File: r.Cell, Line: 1}}}
	case "crash":
		go panic("a goroutine fails")
		select {}
	case "later_exit":
		time.AfterFunc(50*time.Millisecond, func() { os.Exit(3) })
	case "exit":
		os.Exit(n)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}
