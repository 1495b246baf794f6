package notebooks_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/camlab-go/camlab/internal/browsertest"
	"github.com/camlab-go/camlab/kernels"
)

// patience is how long one wait may take before the test is given up. It decides
// nothing else: every wait ends by what it waits for, and a notebook in quick mode
// takes a minute or two on two idle cores, ten on busy ones.
const patience = 30 * time.Minute

// settings are the user settings of the JupyterLab under test: every cell in
// the document, no pop-ups.
var settings = map[string]string{
	"notebook-extension/tracker":        `{"windowingMode": "none"}`,
	"apputils-extension/notification":   `{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}`,
	"docmanager-extension/plugin":       `{"autosave": false}`,
	"completer-extension/manager":       `{"autoCompletion": false, "providerTimeout": 60000}`, // a busy machine's kernel is not left out
	"extensionmanager-extension/plugin": `{"enabled": false}`,
}

// lab is a JupyterLab of its own, with a browser that looks at it.
type lab struct {
	t      *testing.T
	env    kernels.Env
	root   string // the folder served: a copy of the notebooks
	base   string // URL of the server, ending in a slash
	token  string
	tab    context.Context
	server *exec.Cmd
	ended  chan error
	marker string // in the environment of the server and of all that it starts
	log    string // file of the server's log
	shots  string // folder of the screenshots
}

// startLab serves a copy of this folder's notebooks, with their outputs
// removed, and opens a browser. Both are gone when the test ends.
func startLab(t *testing.T) *lab {
	t.Helper()
	env := environment(t)
	browsertest.Path(t) // or there is nothing to serve for
	tmp := t.TempDir()
	l := &lab{
		t: t, env: env, token: "browser-test", ended: make(chan error, 1),
		root:   filepath.Join(tmp, "notebooks"),
		marker: "JUPYTER_RUNTIME_DIR=" + filepath.Join(tmp, "jupyter_runtime_dir"),
		log:    filepath.Join(tmp, "server.log"),
		shots:  filepath.Join(env.Root, "out", "browser"),
	}
	for name, text := range settings {
		l.write(filepath.Join(tmp, "settings", "@jupyterlab", name+".jupyterlab-settings"), []byte(text))
	}
	if err := os.CopyFS(l.root, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	for _, file := range committed(t) {
		l.write(filepath.Join(l.root, file), withoutOutputs(t, file))
	}
	if err := os.MkdirAll(l.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	l.serve(tmp)
	l.browse()
	return l
}

func (l *lab) write(path string, data []byte) {
	l.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// withoutOutputs returns a notebook as nobody has run it.
func withoutOutputs(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var nb map[string]any
	if err := json.Unmarshal(data, &nb); err != nil {
		t.Fatal(err)
	}
	for _, c := range nb["cells"].([]any) {
		if cell := c.(map[string]any); cell["cell_type"] == "code" {
			cell["outputs"], cell["execution_count"] = []any{}, nil
		}
	}
	if data, err = json.Marshal(nb); err != nil {
		t.Fatal(err)
	}
	return data
}

// listening matches where the server says that it listens.
var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

// serve starts the server with folders of its own for everything that Jupyter
// keeps of a user, and waits until it says that it listens.
func (l *lab) serve(tmp string) {
	t := l.t
	t.Helper()
	logFile, err := os.Create(l.log)
	if err != nil {
		t.Fatal(err)
	}
	l.server = exec.Command(l.env.Bin("jupyter"), "lab", "--no-browser", "--allow-root", "--expose-app-in-browser", "--ip=127.0.0.1", "--port=0",
		"--ServerApp.root_dir="+l.root, "--IdentityProvider.token="+l.token)
	l.server.Dir = l.root
	l.server.Env = append(os.Environ(), "CAMLAB_QUICK=1", "JUPYTER_PREFER_ENV_PATH=1", "JUPYTERLAB_SETTINGS_DIR="+filepath.Join(tmp, "settings"))
	for _, name := range []string{"JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"} {
		l.server.Env = append(l.server.Env, name+"="+filepath.Join(tmp, strings.ToLower(name)))
	}
	// Its kernels write here too, so that the end of this is not that of the server.
	said, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l.server.Stderr = stderr
	if err := l.server.Start(); err != nil {
		t.Fatalf("%v; run `camlab setup`", err)
	}
	stderr.Close()
	go func() { l.ended <- l.server.Wait() }()
	t.Cleanup(l.stop)
	base := make(chan string, 1)
	go func() {
		defer logFile.Close()
		defer said.Close()
		for lines := bufio.NewReader(io.TeeReader(said, logFile)); ; {
			line, err := lines.ReadString('\n')
			if url := listening.FindString(line); url != "" {
				select {
				case base <- url:
				default: // it says it more than once
				}
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case l.base = <-base:
	case err := <-l.ended:
		l.ended <- err
		t.Fatalf("the server ended: %v\n%s", err, l.logTail())
	}
}

// stop ends the server, and the server its kernels. On Linux it looks for
// processes that stayed.
func (l *lab) stop() {
	if l.t.Failed() {
		l.t.Logf("server's log:\n%s", l.logTail())
	}
	if err := l.server.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		l.t.Error(err)
	}
	select {
	case err := <-l.ended:
		if err != nil {
			l.t.Logf("the server ended: %v", err)
		}
	case <-time.After(patience):
		l.t.Errorf("the server did not end within %s of SIGTERM; killed: %v", patience, l.server.Process.Kill())
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		left := l.processes()
		if len(left) == 0 {
			return
		}
		if time.Since(start) > patience {
			for pid, line := range left {
				p, err := os.FindProcess(pid)
				if err == nil {
					err = p.Kill()
				}
				l.t.Errorf("still running after the server: %d %s; killed: %v", pid, line, err)
			}
			return
		}
	}
}

// processes lists what runs with the server's folder of run-time files in its
// environment: the server, its kernels and the programs of their cells.
func (l *lab) processes() map[int]string {
	found := map[int]string{}
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environ, []byte(l.marker)) {
			continue // ended since, or somebody else's
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && len(line) > 0 {
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

func (l *lab) logTail() string {
	data, err := os.ReadFile(l.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	lines = slices.DeleteFunc(lines, func(line []byte) bool { return bytes.HasPrefix(line, []byte("[I ")) }) // they would hide what failed
	return string(bytes.Join(lines[max(0, len(lines)-40):], []byte("\n")))
}

// browse starts the browser.
func (l *lab) browse() {
	tab := browsertest.Open(l.t, 1400, 1900, patience)
	l.tab = tab
	if _, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: helpers}); err != nil {
		l.t.Fatal(err)
	}
	// JupyterLab's current document is the one in focus, and a window that no
	// desktop shows has none.
	if _, err := chromedp.Call(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		l.t.Fatal(err)
	}
	// "Leave the page?"
	dialogs := chromedp.Events(tab, page.JavascriptDialogOpening)
	go func() {
		for _, err := range dialogs {
			if err != nil {
				return
			}
			if _, err := chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}); err != nil {
				return
			}
		}
	}()
}
