package notebooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/camlab-go/camlab/kernels"
)

// patience is how long one wait may take: a notebook in quick mode takes a
// minute or two on two idle cores.
const patience = 6 * time.Minute

// browser returns the path of a Chromium or Chrome.
func browser(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"}
	if chosen := os.Getenv("CHROME"); chosen != "" {
		path, err := exec.LookPath(chosen)
		if err != nil {
			t.Fatalf("CHROME=%s: %v", chosen, err)
		}
		return path
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("needs a browser: install Chromium or Chrome, or name one in CHROME")
	return ""
}

// settings are the user settings of the JupyterLab under test: every cell in
// the document, no pop-ups.
var settings = map[string]string{
	"notebook-extension/tracker":       `{"windowingMode": "none"}`,
	"apputils-extension/notification":  `{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}`,
	"docmanager-extension/plugin":      `{"autosave": false}`,
	"completer-extension/manager":      `{"autoCompletion": false}`,
	"extensionmanager-extension/plugin": `{"enabled": false}`,
}

// helpers are functions that the tests call in the page.
const helpers = `
// nb is the notebook on show.
globalThis.nb = () => [...jupyterapp.shell.widgets("main")].find(w => w.sessionContext && w.content?.widgets)
// codeCells are its code cells.
globalThis.codeCells = () => nb().content.widgets.filter(c => c.model.type === "code")
`

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
	log    string // file of the server's log
	shots  string // folder of the screenshots
	name   string // the notebook that is open
}

// startLab serves a copy of this folder's notebooks, with their outputs
// removed, and opens a browser. Both are gone when the test ends.
func startLab(t *testing.T) *lab {
	t.Helper()
	env := environment(t)
	chrome := browser(t)
	tmp := t.TempDir()
	l := &lab{t: t, env: env, root: filepath.Join(tmp, "notebooks"), token: "browser-test", log: filepath.Join(tmp, "server.log"), shots: filepath.Join(env.Root, "out", "browser"), ended: make(chan error, 1)}
	for name, text := range settings {
		l.write(filepath.Join(tmp, "settings", "@jupyterlab", name+".jupyterlab-settings"), []byte(text))
	}
	for _, file := range committed(t) {
		l.write(filepath.Join(l.root, file), withoutOutputs(t, file))
	}
	if err := os.MkdirAll(l.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	l.serve(tmp)
	l.browse(chrome, tmp)
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

// serve starts the server with folders of its own for everything that Jupyter
// keeps of a user, and waits until it answers.
func (l *lab) serve(tmp string) {
	t := l.t
	t.Helper()
	logFile, err := os.Create(l.log)
	if err != nil {
		t.Fatal(err)
	}
	defer logFile.Close()
	l.server = exec.Command(l.env.Bin("jupyter"), "lab", "--no-browser", "--allow-root", "--expose-app-in-browser", "--ip=127.0.0.1", "--port=0",
		"--ServerApp.root_dir="+l.root, "--IdentityProvider.token="+l.token)
	l.server.Dir, l.server.Stdout, l.server.Stderr = l.root, logFile, logFile
	l.server.Env = append(os.Environ(), "CAMLAB_QUICK=1", "JUPYTER_PREFER_ENV_PATH=1", "JUPYTERLAB_SETTINGS_DIR="+filepath.Join(tmp, "settings"))
	for _, name := range []string{"JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"} {
		l.server.Env = append(l.server.Env, name+"="+filepath.Join(tmp, strings.ToLower(name)))
	}
	if err := l.server.Start(); err != nil {
		t.Fatalf("%v; run `camlab setup`", err)
	}
	go func() { l.ended <- l.server.Wait() }()
	t.Cleanup(l.stop)
	l.until("the server to answer", time.Minute, func() (bool, error) {
		select {
		case err := <-l.ended:
			l.ended <- err
			t.Fatalf("the server ended: %v\n%s", err, l.logTail())
		default:
		}
		if l.base == "" { // the server writes where it listens into a file
			files, _ := filepath.Glob(filepath.Join(tmp, "jupyter_runtime_dir", "jpserver-*.json"))
			if len(files) == 0 {
				return false, nil
			}
			var info struct{ URL string }
			data, err := os.ReadFile(files[0])
			if err != nil || json.Unmarshal(data, &info) != nil {
				return false, nil // half written
			}
			l.base = info.URL
		}
		_, err := l.api(http.MethodGet, "api/status")
		return err == nil, nil
	})
}

// api calls the server.
func (l *lab) api(method, path string) ([]byte, error) {
	req, err := http.NewRequest(method, l.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "token "+l.token)
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return body, err
}

// stop ends the kernels, then the server. A kernel is ended by the server on
// shutdown too, but not the program of a cell that is still running in it.
func (l *lab) stop() {
	if l.t.Failed() {
		l.t.Logf("server's log:\n%s", l.logTail())
	}
	l.server.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.ended:
	case <-time.After(30 * time.Second):
		l.t.Error("the server did not end within 30 s of SIGTERM")
		l.server.Process.Kill()
	}
}

func (l *lab) logTail() string {
	data, err := os.ReadFile(l.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-40):], []byte("\n")))
}

// browse starts the browser. The sandbox is off: it does not work as root nor
// in most containers, and the pages are our own.
func (l *lab) browse(chrome, tmp string) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chrome), chromedp.NoSandbox, chromedp.WindowSize(1400, 1300),
		chromedp.UserDataDir(filepath.Join(tmp, "chrome")), chromedp.WSURLReadTimeout(time.Minute))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	l.t.Cleanup(cancel)
	tab, cancelTab := chromedp.NewContext(allocator)
	l.t.Cleanup(cancelTab)
	l.tab = tab
	if _, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: helpers}); err != nil {
		l.t.Fatalf("%s: %v", chrome, err)
	}
	// JupyterLab's current document is the one in focus, and a window that no
	// desktop shows has none.
	if _, err := chromedp.Call(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		for m, err := range chromedp.Console(tab) {
			if err != nil {
				return
			}
			if os.Getenv("CONSOLE") != "" {
				fmt.Println("console", m)
			}
		}
	}()
	dialogs := chromedp.Events(tab, page.JavascriptDialogOpening)
	go func() {
		for _, err := range dialogs {
			if err != nil {
				return
			}
			chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}()
}

// until polls a condition and fails the test with a screenshot when it does
// not come true in time.
func (l *lab) until(what string, limit time.Duration, done func() (bool, error)) {
	l.t.Helper()
	start := time.Now()
	for {
		ok, err := done()
		if ok {
			return
		}
		if err != nil || time.Since(start) > limit {
			shot := ""
			if l.tab != nil {
				shot = l.screenshot("failed_" + strings.ReplaceAll(l.t.Name(), "/", "_"))
			}
			l.t.Fatalf("waited %.0f s for %s: %v; screenshot %s", time.Since(start).Seconds(), what, err, shot)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// eval runs JavaScript in the page and returns its value, that of a promise
// when it has come.
func eval[T any](l *lab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(l.tab, 30*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// is waits until a JavaScript expression is true.
func (l *lab) is(what, expression string, limit time.Duration) {
	l.t.Helper()
	var thrown error
	defer func() { if l.t.Failed() { l.t.Logf("%s: %v", expression, thrown) } }()
	l.until(what, limit, func() (bool, error) {
		ok, err := eval[bool](l, "!!("+expression+")")
		var exception *chromedp.ExceptionError
		if errors.As(err, &exception) {
			thrown = err
			err = nil // what it looks at is not there yet
		}
		return ok, err
	})
}

// open shows a notebook in its simplest form, one document and no side bars,
// and waits until its kernel is idle.
func (l *lab) open(name string) {
	l.t.Helper()
	l.name = name
	address := l.base + "lab/tree/" + url.PathEscape(name) + "?reset&token=" + l.token
	if err := chromedp.Do(l.tab, chromedp.Navigate(address)); err != nil {
		l.t.Fatal(err)
	}
	l.is("JupyterLab to show "+name, `nb().content.widgets.length > 0 && nb().content.isVisible`, 20*time.Second)
	if _, err := eval[chromedp.Void](l, `jupyterapp.shell.activateById(nb().id)`); err != nil {
		l.t.Fatal(err)
	}
	l.is(name+" to be the current document", `jupyterapp.shell.currentWidget === nb()`, 20*time.Second)
	l.is("the kernel of "+name, `nb().sessionContext.session?.kernel?.connectionStatus === "connected" && nb().sessionContext.isReady`, 2*time.Minute)
}

// screenshot takes a picture of the window.
func (l *lab) screenshot(name string) string {
	path := filepath.Join(l.shots, name+".png")
	ctx, cancel := context.WithTimeout(l.tab, 30*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err.Error()
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		return err.Error()
	}
	return path
}

var _ = runtime.GOOS
