// Command goplsfront stands before gopls in the PATH of the notebook kernels,
// under the name gopls. GoNB v0.11.3 tells gopls of a changed file by its whole
// new text, but as a change of the empty range at the file's beginning: gopls
// puts the new text before the old one, and once go.mod has changed that way it
// answers nothing more. goplsfront passes everything on and takes that range
// out, which makes it the whole file; it also gives a cell that is still being
// typed the imports of the cells before (withImports).
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/camlab-go/camlab/internal/front"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "camlab: gopls: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	real, ok := front.Real("gopls")
	if !ok {
		return errors.New("not in PATH; run `camlab setup --lab`")
	}
	if len(args) == 2 && args[0] == "-listen" {
		if socket, ok := strings.CutPrefix(args[1], "unix;"); ok {
			return serve(real, socket)
		}
	}
	return syscall.Exec(real, append([]string{real}, args...), os.Environ())
}

// serve answers on the socket as `gopls -listen` does, with a gopls for every
// connection; GoNB makes one.
func serve(real, socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if err := connect(real, conn); err != nil {
				fmt.Fprintf(os.Stderr, "camlab: gopls: %v\n", err)
			}
		}()
	}
}

// connect runs a gopls, which ends when its input does: with the connection,
// and with this program.
func connect(real string, conn net.Conn) error {
	gopls := exec.Command(real)
	gopls.Stdout, gopls.Stderr = conn, os.Stderr
	in, err := gopls.StdinPipe()
	if err != nil {
		return err
	}
	if err := gopls.Start(); err != nil {
		return err
	}
	err = pass(in, bufio.NewReader(conn))
	in.Close()
	if waitErr := gopls.Wait(); err == nil {
		err = waitErr
	}
	return err
}

// pass copies messages of the Language Server Protocol to their end.
func pass(w io.Writer, r *bufio.Reader) error {
	for {
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		length, err := strconv.Atoi(header.Get("Content-Length"))
		if err != nil {
			return fmt.Errorf("message without length: %w", err)
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		body = mend(body)
		if _, err := fmt.Fprintf(w, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return err
		}
	}
}

// mend takes the ranges out of a textDocument/didChange, and gives main.go its
// imports. Other messages, and those that it does not understand, stay as they
// are.
func mend(body []byte) []byte {
	var message map[string]any
	if json.Unmarshal(body, &message) != nil {
		return body
	}
	params, _ := message["params"].(map[string]any)
	file, _ := params["textDocument"].(map[string]any)
	uri, _ := file["uri"].(string)
	switch message["method"] {
	case "textDocument/didOpen":
		withImports(uri, file)
	case "textDocument/didChange":
		changes, _ := params["contentChanges"].([]any)
		for _, c := range changes {
			if change, ok := c.(map[string]any); ok {
				delete(change, "range")
				delete(change, "rangeLength")
				withImports(uri, change)
			}
		}
	default:
		return body
	}
	text, err := json.Marshal(message)
	if err != nil {
		return body
	}
	return text
}

// withImports adds imports to the text of main.go, on its first line, so that
// all positions stay. While a cell is no whole Go, as after typing "model.",
// GoNB writes it to main.go as it is, and what earlier cells have declared and
// imported to other.go; but imports hold for one file only.
func withImports(uri string, file map[string]any) {
	const first = "package main\n"
	text, _ := file["text"].(string)
	u, err := url.Parse(uri)
	if err != nil || filepath.Base(u.Path) != "main.go" || !strings.HasPrefix(text, first) {
		return
	}
	other, err := parser.ParseFile(token.NewFileSet(), filepath.Join(filepath.Dir(u.Path), "other.go"), nil, parser.ImportsOnly)
	if err != nil {
		return // there is none
	}
	// What stands after the imports may be no Go; they are parsed all the same.
	own, _ := parser.ParseFile(token.NewFileSet(), "main.go", text, parser.ImportsOnly)
	line := strings.TrimSuffix(first, "\n")
	for _, i := range other.Imports {
		if own != nil && slices.ContainsFunc(own.Imports, func(o *ast.ImportSpec) bool { return o.Path.Value == i.Path.Value }) {
			continue
		}
		line += "; import "
		if i.Name != nil {
			line += i.Name.Name + " "
		}
		line += i.Path.Value
	}
	file["text"] = line + "\n" + strings.TrimPrefix(text, first)
}
